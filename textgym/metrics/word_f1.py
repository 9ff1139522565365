"""Word F1: the words that the text and the reference share, as SQuAD counts them."""

from __future__ import annotations

import re
import string
from collections import Counter

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.references import fits_memory, once_per_prompt_set
from textgym.metrics.parts.words import spelled
from textgym.tasks.base import PromptSet
from textgym.transition import Transition
from textgym.types import FloatArray, TokenArray
from textgym.vocabulary import Vocabulary

_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")

Words = Counter[str]


class WordF1(Metric):
    """The F1 of words, `2 shared / (words written + words of the reference)`, a word said twice counting twice.

    Rajpurkar et al. 2016, "SQuAD: 100,000+ questions for machine comprehension of text", section 6.1: words are in
    lower case, and punctuation and the articles `a`, `an` and `the` are left out. Where either text has no word, it is
    1 if neither has one, else 0.
    """

    def score(self, transition: Transition) -> FloatArray:
        vocabulary, samples = self.task.vocabulary, transition.samples.tolist()
        if fits_memory(transition.prompt_set):
            known = _all_references(transition.prompt_set, vocabulary)
            references = [known[sample] for sample in samples]
        else:
            references = _words_of(transition.reference_ids, transition.reference_lengths, vocabulary)
        texts = map(_words, spelled(transition, vocabulary))
        return np.array([_f1(text, reference) for text, reference in zip(texts, references, strict=True)], np.float64)


@once_per_prompt_set
def _all_references(prompt_set: PromptSet, vocabulary: Vocabulary) -> list[Words]:
    return _words_of(prompt_set.reference_ids, prompt_set.reference_lengths, vocabulary)


def _words_of(ids: TokenArray, lengths: TokenArray, vocabulary: Vocabulary) -> list[Words]:
    rows = zip(ids.tolist(), lengths.tolist(), strict=True)
    return [_words(vocabulary.decode(row[:length])) for row, length in rows]


def _words(text: str) -> Words:
    return Counter(_ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def _f1(text: Words, reference: Words) -> float:
    if not text or not reference:
        return float(text == reference)
    return 2 * (text & reference).total() / (text.total() + reference.total())
