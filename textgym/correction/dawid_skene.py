"""Dawid-Skene: weighs the answers to a text by what each annotator has turned out to be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textgym.correction.base import Correction
from textgym.correction.parts.answer_model import AnswerModel, check_levels, level_values
from textgym.noise.base import Noise
from textgym.noise.composition import Composition
from textgym.noise.flip import Flip
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class DawidSkene(Correction):
    """Takes the posterior mean of the true level, given all m answers to a text, (n, m) to (n, 1).

    `E[r_k | answers]` with `P(k | answers) ~ p[k] prod_j C_j[k, answer_j]`: the estimate of least squared error, if the
    model holds. The share p of each level and the confusion matrix C_j of each annotator are learnt by each row for
    itself, `AnswerModel` says how; one answer alone teaches nothing and passes as it is. What all annotators get wrong
    alike cannot be told from the truth. With `oracle=True` the channels, and the rounding of their output to levels,
    say C, the same for all annotators, and only p is learnt.

    Args:
        levels: into how many levels from lowest to highest the values are cut, at least 2; by default the values that
            the signal can take.
        oracle: whether it is told the channels.
    """

    example: ClassVar[Mapping[str, Any]] = {"levels": 5}

    def __init__(self, levels: int | None = None, oracle: bool = False) -> None:
        super().__init__(oracle)
        check_levels(levels)
        self._num_levels = levels
        self.least_readings = 1 if oracle else 2

    def expect(self, low: float, high: float, outcomes: FloatArray | None) -> None:
        self._model = AnswerModel(level_values(self._num_levels, low, high, outcomes))
        self.inner = [self._model]

    def know(self, channels: Sequence[Noise]) -> None:
        levels = self._model.levels
        rounded = Flip(0.0, levels.tolist())
        self._model.known = Composition([*channels, rounded]).confusion(levels)

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        if values.shape[1] == 1 and not self.oracle:
            return values
        posterior = self._model.read(values, who, address)
        expected: FloatArray = (posterior * self._model.levels).sum(axis=1, keepdims=True)
        return expected
