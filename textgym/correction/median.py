"""Median: the middle one of the readings of a text."""

from __future__ import annotations

from textgym.correction.base import Correction
from textgym.correction.parts.readings import median_reading
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class Median(Correction):
    """Takes the median of the m readings of a text, (n, m) to (n, 1); of an even number, the mean of the middle two.

    Up to half of the readings may be wrong by any amount. One or two readings it can only average.
    """

    least_readings = 3

    def __init__(self) -> None:
        super().__init__(oracle=False)

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        return median_reading(values)
