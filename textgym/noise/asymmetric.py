"""Asymmetric: yes-or-no feedback with one rate of false alarms and another of misses."""

from __future__ import annotations

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.noise.parts.labels import as_levels, mistaken
from textgym.types import FloatArray


class Asymmetric(DiscreteNoise):
    """Reports `high` for `low` with the false positive rate FPR, and `low` for `high` with the false negative rate FNR.

    The expected output is an affine function of the truth whose slope is Youden's J = 1 - FPR - FNR (Youden 1950,
    "Index for rating diagnostic tests"): at J = 0 the feedback says nothing, below it misleads. A value counts as
    `high` if it is above the middle.

    Args:
        false_positive_rate: FPR, in [0, 1].
        false_negative_rate: FNR, in [0, 1].
        low: the lower value.
        high: the higher value, above `low`.

    Attributes:
        youden: J, in [-1, 1].
    """

    def __init__(
        self,
        false_positive_rate: float = 0.1,
        false_negative_rate: float = 0.3,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        for name, rate in (("false_positive_rate", false_positive_rate), ("false_negative_rate", false_negative_rate)):
            if not 0 <= rate <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {rate}")
        self.levels = as_levels((low, high))
        self.youden = 1 - false_positive_rate - false_negative_rate
        self.matrix = np.array(
            [
                [1 - false_positive_rate, false_positive_rate],
                [false_negative_rate, 1 - false_negative_rate],
            ]
        )

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return mistaken(values, self.levels, self.matrix)
