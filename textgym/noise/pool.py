"""Pool: each reading comes from one of several annotators, who differ."""

from __future__ import annotations

import numpy as np

from textgym.annotators.pool import Pool
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class AnnotatorPool(Noise):
    """Passes each reading through the eyes of an annotator drawn from a pool, who stays the same within a text.

    With q the value's place in [low, high], annotator j sees `a_j q + b_j + s_j xi` with probability theta_j, else the
    habit h_j; `Pool` says who they are. Mean and variance are over the members of this very pool, since they stay.

    Args:
        size: the number of annotators, at least 1.
        scale: the standard deviation of the logarithm of their scales a_j, at least 0.
        bias: the standard deviation of their biases b_j, in units of high - low, at least 0.
        spread: the root mean square of their spreads s_j, in the same units, at least 0.
        reliability: the mean of theta_j, in (0, 1].
        seed: who they are.
        low: the value that is the lower end of their scale.
        high: the value that is the upper end of their scale, above `low`.
    """

    affine = True

    def __init__(
        self,
        size: int = 8,
        scale: float = 0.1,
        bias: float = 0.1,
        spread: float = 0.1,
        reliability: float = 1.0,
        seed: int = 0,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        if not -np.inf < low < high < np.inf:
            raise ValueError(f"low must be below high and both finite, got low={low}, high={high}")
        self.low, self.span = low, high - low
        self.pool = Pool(np.ones(1), size, scale=scale, bias=bias, spread=spread, reliability=reliability, seed=seed)

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        count = values.shape[1]
        chance = address.at_start().uniform(count, first=2 * count)  # the first 2 m numbers are for what they see
        who = (chance * self.pool.size).astype(np.int64)
        return self.low + self.span * self.pool.see((values - self.low) / self.span, who, address)

    def mean(self, values: FloatArray) -> FloatArray:
        return self.low + self.span * self._moments(values)[0]

    def variance(self, values: FloatArray) -> FloatArray:
        mean, square = self._moments(values)
        return self.span**2 * (square - mean**2)

    def _moments(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Returns the mean of what members see of each value, and of its square, in the values' shape."""
        people = self.pool
        honest = people.scales * ((values - self.low) / self.span)[..., None] + people.biases
        trust, habit = people.reliabilities, people.habits
        mean = (trust * honest + (1 - trust) * habit).mean(axis=-1)
        return mean, (trust * (honest**2 + people.spreads**2) + (1 - trust) * habit**2).mean(axis=-1)
