"""Fatigue: noise that grows with every text that was judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.component import Arrays
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class Fatigue(Noise):
    """Adds normal noise with standard deviation `min(sigma e**(kappa n), ceiling)`, n texts judged in the row before.

    It is the inverse of a precision that fades as `beta_n = beta_0 e**(-kappa n)`. Declared is the row's first text.

    Args:
        sigma: the standard deviation in the first text, finite, above 0, in units of the feedback.
        kappa: the rate of growth for each text, finite, at least 0.
        ceiling: the largest standard deviation, finite, at least `sigma`.
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"sigma": 0.1}

    def __init__(self, sigma: float, kappa: float = 0.01, ceiling: float = 1.0) -> None:
        if not 0 < sigma <= ceiling < np.inf:
            raise ValueError(f"sigma must be above 0 and at most the ceiling, got sigma={sigma}, ceiling={ceiling}")
        if not 0 <= kappa < np.inf:
            raise ValueError(f"kappa must be finite and non-negative, got {kappa}")
        self.sigma, self.kappa, self.ceiling = sigma, kappa, ceiling

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"judged": np.array(-1), "episode": np.array(-1)}

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        judged, episode, rows = self.state["judged"], self.state["episode"], address.rows
        judged[rows] += episode[rows] != address.episodes
        episode[rows] = address.episodes
        growth = np.minimum(self.kappa * judged[rows], np.log(self.ceiling / self.sigma))
        return values + (self.sigma * np.exp(growth))[:, None] * address.normal(values.shape[1])

    def mean(self, values: FloatArray) -> FloatArray:
        return values

    def variance(self, values: FloatArray) -> FloatArray:
        return np.full_like(values, self.sigma**2)
