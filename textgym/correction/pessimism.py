"""Pessimism: the mean of the readings of a text, less the more they disagree."""

from __future__ import annotations

import numpy as np

from textgym.correction.base import Correction
from textgym.correction.parts.readings import mean_reading
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class Pessimism(Correction):
    """Takes `mean + alpha std` over the m readings of a text, (n, m) to (n, 1); std divides by m, so of one it is 0.

    With alpha below 0 an agent gains nothing by texts that only some of the annotators, or of the reward models of an
    ensemble, overrate: Coste et al. 2024, "Reward model ensembles help mitigate overoptimization".

    Args:
        alpha: how the spread counts: negative for pessimism, positive for optimism.
    """

    least_readings = 2

    def __init__(self, alpha: float = -1.0) -> None:
        super().__init__(oracle=False)
        if not np.isfinite(alpha):
            raise ValueError(f"alpha must be finite, got {alpha}")
        self.alpha = alpha

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        mean = mean_reading(values)
        return mean + self.alpha * np.sqrt(mean_reading((values - mean) ** 2))
