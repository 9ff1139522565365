"""Quantise: rounds to a few levels, to the nearest or at random without bias."""

from __future__ import annotations

import numpy as np

from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class Quantise(Noise):
    """Rounds to `levels` values spread evenly over [low, high]; values outside are clipped first.

    With `stochastic=True` a value at the fraction p between two levels goes to the upper one with probability p, so
    that inside [low, high] the expected output is the input (stochastic rounding).

    Args:
        levels: the number of values, at least 2.
        low: the lowest value.
        high: the highest value, above `low`.
        stochastic: whether to round at random instead of to the nearest.
    """

    def __init__(self, levels: int, low: float = 0.0, high: float = 1.0, stochastic: bool = False) -> None:
        if levels < 2:
            raise ValueError(f"levels must be at least 2, got {levels}")
        if not -np.inf < low < high < np.inf:
            raise ValueError(f"low must be below high and both finite, got low={low}, high={high}")
        self.levels, self.low, self.high, self.stochastic = levels, low, high, stochastic

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        below, fraction = self._place(values)
        threshold = address.uniform(values.shape[1]) if self.stochastic else np.float64(0.5)
        return self._value(below + (fraction > threshold))

    def mean(self, values: FloatArray) -> FloatArray:
        below, fraction = self._place(values)
        return self._value(below + (fraction if self.stochastic else fraction > 0.5))

    def variance(self, values: FloatArray) -> FloatArray:
        _, fraction = self._place(values)
        return self._step**2 * fraction * (1 - fraction) if self.stochastic else np.zeros_like(values)

    def confusion(self, levels: FloatArray) -> FloatArray | None:
        """Returns P(output = levels[j] | input = levels[i]), or None where an output is not one of the levels."""
        below, fraction = self._place(levels)
        share = fraction if self.stochastic else (fraction > 0.5).astype(np.float64)
        lower, upper = (np.isclose(self._value(place)[:, None], levels) for place in (below, below + 1))
        matrix = (1 - share)[:, None] * lower + share[:, None] * upper
        return matrix if np.allclose(matrix.sum(axis=1), 1.0) else None

    @property
    def _step(self) -> float:
        return (self.high - self.low) / (self.levels - 1)

    def _place(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Returns the number of the level at or below each value, and the fraction of the way to the next."""
        scaled = (np.clip(values, self.low, self.high) - self.low) / self._step
        below = np.floor(scaled)
        return below, scaled - below

    def _value(self, level: FloatArray) -> FloatArray:
        return self.low + self._step * level
