"""Quantise: rounds to a few levels, to the nearest or at random without bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.types import FloatArray


class Quantise(DiscreteNoise):
    """Rounds to `levels` values spread evenly over [low, high]; values outside are clipped first.

    With `stochastic=True` a value at the fraction p between two levels goes to the upper one with probability p, so
    that inside [low, high] the expected output is the input (stochastic rounding).

    Args:
        levels: the number of values, at least 2.
        low: the lowest value.
        high: the highest value, above `low`.
        stochastic: whether to round at random instead of to the nearest.
    """

    example: ClassVar[Mapping[str, Any]] = {"levels": 5}

    def __init__(self, levels: int, low: float = 0.0, high: float = 1.0, stochastic: bool = False) -> None:
        if levels < 2:
            raise ValueError(f"levels must be at least 2, got {levels}")
        if not -np.inf < low < high < np.inf:
            raise ValueError(f"low must be below high and both finite, got low={low}, high={high}")
        self.low, self.high, self.stochastic = low, high, stochastic
        self._steps = levels - 1

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        place = (np.minimum(np.maximum(values, self.low), self.high) - self.low) / (self.high - self.low) * self._steps
        below = np.floor(place)
        fraction = place - below
        if not self.stochastic:
            return self._value(below + (fraction > 0.5))[..., None], np.ones(1)
        return self._value(np.stack([below, below + 1], axis=-1)), np.stack([1 - fraction, fraction], axis=-1)

    def _value(self, level: FloatArray) -> FloatArray:
        return self.low + (self.high - self.low) * level / self._steps
