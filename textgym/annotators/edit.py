"""Edit: a person corrects the text, and what had to be changed is its score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from textgym.annotators.base import Annotator, Answer, Question
from textgym.metrics.base import Metric
from textgym.metrics.parts.references import reference_strings, text_strings
from textgym.metrics.ter import reference_edits, ter_edits
from textgym.types import FloatArray, IntArray, TokenArray
from textgym.vocabulary import SPECIAL_TOKENS

_LEFT_OUT, _RIGHT = -1, 0  # what becomes of an operation; any other number is the wrong token that it writes


class Edit(Annotator):
    """Corrects a text toward the reference, and answers `1 - min(1, edits / length of the corrected text)`.

    The person makes each operation of the shortest script from the text to the reference (Levenshtein 1966: insert,
    delete or replace a token) with probability `share`. One that is made goes wrong with probability `error`: a random
    wrong token is inserted, or stands where one should have been replaced or deleted. The answer is one minus the
    human-targeted translation edit rate of Snover et al. 2006, "A study of translation edit rate with targeted human
    annotation": the insertions, deletions, replacements and shifts between the text and what the person made of it.
    With `share=1` and `error=0` that is the reference, and the answer the metric `ter`. A text without a reference is
    left as it is, and gets no answer.

    Args:
        metric: the signal's clean value; the answer comes from the text and the reference, so that the annotators of
            a pool differ by chance alone.
        share: the probability rho that an operation is made, in [0, 1].
        error: the probability epsilon that an operation that is made goes wrong, in [0, 1].
    """

    cost = 3.0
    default_metric = "ter"
    whole_texts = True

    def __init__(self, metric: Metric, share: float = 1.0, error: float = 0.0) -> None:
        super().__init__(metric)
        if not 0 <= share <= 1 or not 0 <= error <= 1:
            raise ValueError(f"share and error must be 0 to 1, got share={share}, error={error}")
        if not metric.task.prompt_set("train").reference_lengths.any():
            raise ValueError("it corrects toward references, and this task has none")
        self.share, self.error = share, error

    def answer(self, question: Question) -> Answer:
        transition, shape = question.transition, (len(question), question.readings)
        budget, longest = transition.text_ids.shape[1], transition.reference_ids.shape[1]
        vocabulary = self.metric.task.vocabulary
        texts, references = text_strings(transition), reference_strings(transition, vocabulary)
        unknown = transition.reference_lengths == 0
        aims = [reference or text for text, reference in zip(texts, references, strict=True)]
        repeated, wanted = ([text for text in some for _ in range(shape[1])] for some in (texts, aims))
        if self.share == 1.0 and self.error == 0.0:
            corrected, operations = wanted, cpdist(repeated, wanted, scorer=Levenshtein.distance, dtype=np.int64)
        else:
            corrected, operations = self._correct(texts, aims, question, most=max(budget, longest))
        edits = np.repeat(
            reference_edits(transition, vocabulary), shape[1]
        )  # known already, where somebody wants `ter`
        others = [i for i, (made, aim) in enumerate(zip(corrected, wanted, strict=True)) if made != aim]
        if others:
            edits[others] = ter_edits([repeated[i] for i in others], [corrected[i] for i in others])
        lengths = np.array([len(text) for text in corrected]).reshape(shape)
        annotation = {
            "corrected": _as_ids(corrected, budget + longest).reshape(*shape, budget + longest),
            "corrected_lengths": lengths,
            "operations": operations.reshape(shape),
        }
        readings = 1.0 - np.minimum(edits.reshape(shape) / np.maximum(lengths, 1), 1.0)
        return Answer(np.where(unknown[:, None], np.nan, readings), annotation)

    def _correct(
        self, texts: Sequence[str], references: Sequence[str], question: Question, most: int
    ) -> tuple[list[str], IntArray]:
        """Returns what m people make of each of n texts, (n m), in up to `most` operations, and in how many, (n m,)."""
        shape = len(question), 2, question.readings, most
        draws = question.address.uniform(2 * question.readings * most).reshape(shape)
        fates = self._fates(draws[:, 0], draws[:, 1]).tolist()
        corrected, operations = [], []
        for text, reference, people in zip(texts, references, fates, strict=True):
            script = Levenshtein.editops(text, reference).as_list()
            for person in people:
                made, count = _apply(script, person, text, reference)
                corrected.append(made)
                operations.append(count)
        return corrected, np.array(operations, np.int64)

    def _fates(self, chance: FloatArray, word: FloatArray) -> IntArray:
        """Returns what becomes of each operation, from two numbers in (0, 1), in their shape."""
        words = len(self.metric.task.vocabulary) - len(SPECIAL_TOKENS)
        wrong = len(SPECIAL_TOKENS) + (word * (words - 1)).astype(np.int64)
        made = np.where(chance < self.share * (1.0 - self.error), _RIGHT, wrong)
        return np.where(chance < self.share, made, _LEFT_OUT)


def _apply(script: Sequence[Any], fates: Sequence[int], text: str, reference: str) -> tuple[str, int]:
    """Returns the text, one character a token, after the operations that are made, and how many these are.

    Args:
        script: all operations, in order: the kind, its place in the text, and its place in the reference.
        fates: what becomes of each.
        text: the text as it is.
        reference: what the script makes of it.
    """
    tokens = [*text, ""]
    before = [""] * len(tokens)  # what is inserted in front of each token
    count = 0
    for (kind, place, target), fate in zip(script, fates, strict=False):
        if fate == _LEFT_OUT:
            continue
        count += 1
        better = "" if kind == "delete" else reference[target]
        if fate != _RIGHT:
            token = chr(fate + 1)
            better = token if token < (better or text[place]) else chr(fate + 2)  # any word but the right one
        if kind == "insert":
            before[place] += better
        else:
            tokens[place] = better
    return "".join(part for pair in zip(before, tokens, strict=True) for part in pair), count


def _as_ids(texts: Sequence[str], width: int) -> TokenArray:
    """Returns texts of one character a token as token ids, (n, width), right padded with 0."""
    characters = np.array(texts, dtype=f"U{width}").view(np.uint32).reshape(len(texts), width)
    return np.maximum(characters.astype(np.int32) - 1, 0)
