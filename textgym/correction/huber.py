"""Huber: pulls outlying readings of a text in before they are averaged."""

from __future__ import annotations

import numpy as np

from textgym.correction.base import Correction
from textgym.correction.parts.readings import mean_reading, median_reading
from textgym.random import Address
from textgym.types import FloatArray, IntArray

_NORMAL = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation."""


class Huber(Correction):
    """Clips the m readings of a text at `median +- k 1.4826 MAD` and averages them, (n, m) to (n, 1).

    MAD is the median absolute deviation from the median, so `1.4826 MAD` estimates the standard deviation whatever the
    outliers. One step of the M-estimator of Huber 1964, "Robust estimation of a location parameter". Where more than
    half of the readings agree, they are the answer; up to two readings are averaged as they are.

    Args:
        k: how many standard deviations from the median a reading may lie, above 0.
    """

    least_readings = 3

    def __init__(self, k: float = 3.0) -> None:
        super().__init__(oracle=False)
        if not 0 < k < np.inf:
            raise ValueError(f"k must be positive and finite, got {k}")
        self.k = k

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        if values.shape[1] == 1:
            return values
        middle = median_reading(values)
        reach = self.k * _NORMAL * median_reading(np.abs(values - middle))
        return mean_reading(np.clip(values, middle - reach, middle + reach))
