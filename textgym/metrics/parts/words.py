"""Words of token ids: their spelling, the terms that they stand for, and how much each term tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np

from textgym.metrics.parts.references import batches
from textgym.tasks.base import Task
from textgym.transition import Transition, once_per_transition
from textgym.types import BoolArray, FloatArray, IntArray, TokenArray
from textgym.vocabulary import SPECIAL_TOKENS, Vocabulary


@lru_cache(maxsize=8)
def _pieces(vocabulary: Vocabulary) -> np.ndarray[Any, Any] | None:
    """Returns what each token spells, (V,) strings, if a text is just its tokens in a row, else None."""
    pieces = [vocabulary.decode([token]) for token in range(len(vocabulary))]
    doubled = (vocabulary.decode([token, token]) for token in range(len(vocabulary)))
    plain = all("\ufffd" not in piece and twice == 2 * piece for piece, twice in zip(pieces, doubled, strict=True))
    return np.array(pieces, object) if plain else None


@once_per_transition
def spelled(transition: Transition, vocabulary: Vocabulary) -> list[str]:
    """Returns the n texts as strings: what `vocabulary.decode` returns, ten times as fast where tokens just join."""
    pieces = _pieces(vocabulary)
    lengths = transition.text_lengths.tolist()
    if pieces is None:
        rows = zip(transition.text_ids.tolist(), lengths, strict=True)
        return [vocabulary.decode(ids[:length]) for ids, length in rows]
    written = iter(pieces[transition.text_ids[transition.text_mask]].tolist())
    return ["".join(islice(written, length)) for length in lengths]


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms that tokens stand for, and their inverse document frequency.

    A token stands for the letters that it spells, in lower case: " List", "list" and "list(" are one term. A token
    without a letter stands for term 0, which tells nothing. The weight of a term is

        idf = log((1 + D) / (1 + d)),

    where d of D documents hold it; a prompt or a reference of the train split is a document. It is the term
    specificity of Spärck Jones 1972, "A statistical interpretation of term specificity and its application in
    retrieval", with one more document that holds every term, so that one never seen has a weight too.

    Attributes:
        of_token: (V,) the term of each token, 0 to K - 1.
        idf: (K,) the weight of each term, at least 0; 0 for term 0.
    """

    of_token: IntArray
    idf: FloatArray

    def read(self, ids: IntArray | TokenArray, lengths: IntArray | TokenArray) -> IntArray:
        """Returns the different terms of each of n right-padded texts, (n, T), ascending, with zeros in between."""
        used = np.arange(ids.shape[1]) < lengths[:, None]
        terms = np.sort(self.of_token[np.where(used, ids, 0)], axis=1)
        again = terms[:, 1:] == terms[:, :-1]
        terms[:, 1:][again] = 0
        return terms

    def shared(self, terms: IntArray, others: IntArray) -> BoolArray:
        """Returns which terms, (n, T), are among those of another text of the same row, (n, P)."""
        shared = np.zeros(terms.shape, np.bool_)
        for batch in batches(len(terms)):
            rows = np.arange(len(terms[batch]))[:, None]
            held = np.zeros((len(rows), len(self.idf)), np.bool_)
            held[rows, others[batch]] = True
            shared[batch] = held[rows, terms[batch]]
        return shared


@once_per_transition
def said_terms(transition: Transition, terms: Terms) -> IntArray:
    """Returns the different terms of each text, (n, T); see `Terms.read`."""
    return terms.read(transition.text_ids, transition.text_lengths)


@once_per_transition
def asked_terms(transition: Transition, terms: Terms) -> IntArray:
    """Returns the different terms of each prompt, (n, P); see `Terms.read`."""
    prompts, samples = transition.prompt_set, transition.samples
    return terms.read(prompts.prompt_ids[samples], prompts.prompt_lengths[samples])


@once_per_transition
def shared_terms(transition: Transition, terms: Terms) -> BoolArray:
    """Returns which terms of each text, (n, T), are among those of its prompt."""
    return terms.shared(said_terms(transition, terms), asked_terms(transition, terms))


@lru_cache(maxsize=8)
def terms_of(task: Task) -> Terms:
    """Returns the terms of a task's vocabulary, weighted by its train split."""
    letters = ["".join(filter(str.isalpha, token)).lower() for token in task.vocabulary.tokens]
    letters[: len(SPECIAL_TOKENS)] = [""] * len(SPECIAL_TOKENS)
    numbers = {"": 0}
    of_token = np.array([numbers.setdefault(word, len(numbers)) for word in letters], np.int64)
    train = task.prompt_set("train")
    documents = ((train.prompt_ids, train.prompt_lengths), (train.reference_ids, train.reference_lengths))
    unweighted = Terms(of_token, np.zeros(len(numbers)))
    frequency = sum(
        np.bincount(unweighted.read(ids, lengths).ravel(), minlength=len(numbers)) for ids, lengths in documents
    )
    count = sum(np.count_nonzero(lengths) for _, lengths in documents)
    idf = np.log((1 + count) / (1 + frequency))
    idf[0] = 0.0
    return Terms(of_token, idf)
