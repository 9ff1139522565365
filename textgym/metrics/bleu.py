"""BLEU of one text: the smoothed precision of its n-grams of tokens, and a penalty for brevity."""

from __future__ import annotations

from typing import Literal

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.ngram_matches import clipped_matches
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray, KeyArray

_ORDER = 4
_SMOOTHINGS = ("add-k", "exp", "floor", "none")
_VALUES = {"add-k": 1.0, "floor": 0.1}  # Chen and Cherry's


class Bleu(Metric):
    """The geometric mean of the precisions of n-grams, n from 1 to 4, times `exp(min(0, 1 - reference / text))`.

    Papineni et al. 2002, "BLEU: a method for automatic evaluation of machine translation", for single texts: orders
    that the text is too short for are left out, and precisions of zero are smoothed as Chen and Cherry 2014, "A
    systematic comparison of smoothing techniques for sentence-level BLEU", describe. The value is a hundredth of
    sacrebleu's sentence BLEU with the same smoothing. Without any common token it is 0.

    Args:
        task: the task whose texts are scored.
        smoothing: `"add-k"` adds a value k to the counts for n above 1 (their method 2); then every order counts;
            `"floor"` gives an n without a match that value in place of its matches (method 1); `"exp"` halves the
            precision of each further n without a match (method 3); `"none"` leaves a score of 0 where one has none.
        value: the value of the first two, above 0 and at most 1; by default 1 for `"add-k"` and 0.1 for `"floor"`.
    """

    def __init__(
        self,
        task: Task,
        smoothing: Literal["add-k", "exp", "floor", "none"] = "add-k",
        value: float | None = None,
    ) -> None:
        super().__init__(task)
        if smoothing not in _SMOOTHINGS:
            raise ValueError(f"smoothing must be one of {', '.join(_SMOOTHINGS)}, got {smoothing!r}")
        if value is not None and smoothing not in _VALUES:
            raise ValueError(f"only the smoothings {' and '.join(_VALUES)} take a value, got {value} for {smoothing}")
        self.smoothing, self.value = smoothing, _VALUES.get(smoothing, 0.0) if value is None else value
        if smoothing in _VALUES and not 0 < self.value <= 1:
            raise ValueError(f"value must be above 0 and at most 1, got {value}")

    def score(self, transition: Transition) -> FloatArray:
        lengths, wanted = transition.text_lengths, transition.reference_lengths
        matches = clipped_matches(_places(transition), lengths, _ORDER).astype(np.float64)
        total = np.maximum(lengths - np.arange(_ORDER, dtype=np.float64)[:, None], 0.0)
        some = matches[0] > 0
        if self.smoothing == "add-k":
            matches[1:] += self.value
            total[1:] += self.value
        elif self.smoothing == "floor":
            matches = np.where(matches == 0, self.value, matches)
        counted = total > 0
        precision = matches / np.where(counted, total, 1.0)
        if self.smoothing == "exp":
            missed = counted & (matches == 0)
            halvings = np.cumsum(missed, axis=0)
            precision = np.where(missed, 0.5**halvings / np.where(counted, total, 1.0), precision)
        precision = np.where(counted, precision, 1.0)
        with np.errstate(divide="ignore"):
            mean_log = np.log(precision).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
        brevity = np.minimum(0.0, 1.0 - wanted / np.maximum(lengths, 1))
        return np.where(some, np.exp(mean_log + brevity), 0.0)


def _places(transition: Transition) -> KeyArray:
    """Returns where each token of the texts stands in its reference, as bits, (W, N); see `clipped_matches`."""
    references = transition.reference_ids
    in_reference = np.arange(references.shape[1]) < transition.reference_lengths[:, None]
    references = np.where(in_reference, references, -1)
    used = transition.text_mask
    text = transition.text_ids[used]
    row = np.repeat(np.arange(len(transition)), transition.text_lengths)
    width = max(1, -(-references.shape[1] // 64)) * 64
    same = np.zeros((len(text), width), np.bool_)
    same[:, : references.shape[1]] = text[:, None] == references[row]
    bits = np.packbits(same, axis=1, bitorder="little").view(np.uint64)
    return np.ascontiguousarray(bits.T)
