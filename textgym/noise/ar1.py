"""AR(1): noise that remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.component import Arrays
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class AR1(Noise):
    """Adds an autoregressive process of order one over the row's successive feedback, which starts stationary:

        e_t = phi e_{t-1} + sqrt(1 - phi**2) sigma xi,    e_0 = sigma xi,    xi standard normal.

    So it has the standard deviation sigma at all times, and the correlation phi**k with itself k readings later. Each
    of the m readings has its own.

    Args:
        sigma: the standard deviation, finite, at least 0, in units of the feedback.
        phi: the correlation of neighbours, in (-1, 1).
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"sigma": 0.3}

    def __init__(self, sigma: float, phi: float = 0.9) -> None:
        if not 0 <= sigma < np.inf:
            raise ValueError(f"sigma must be finite and non-negative, got {sigma}")
        if not -1 < phi < 1:
            raise ValueError(f"phi must be above -1 and below 1, got {phi}")
        self.sigma, self.phi = sigma, phi

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"error": np.zeros(readings), "started": np.array(False)}

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        error, started, rows = self.state["error"], self.state["started"], address.rows
        memory = np.where(started[rows], self.phi, 0.0)[:, None]
        fresh = np.sqrt(1 - memory**2) * self.sigma * address.normal(values.shape[1])
        error[rows] = memory * error[rows] + fresh
        started[rows] = True
        return values + error[rows]

    def mean(self, values: FloatArray) -> FloatArray:
        return values

    def variance(self, values: FloatArray) -> FloatArray:
        return np.full_like(values, self.sigma**2)
