"""Gaussian: adds normal noise."""

from __future__ import annotations

import numpy as np

from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class Gaussian(Noise):
    """Adds `sigma * xi` to every reading, xi standard normal.

    Args:
        sigma: the standard deviation, at least 0.
    """

    def __init__(self, sigma: float) -> None:
        if not 0 <= sigma < np.inf:
            raise ValueError(f"sigma must be finite and non-negative, got {sigma}")
        self.sigma = sigma

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        return values + self.sigma * address.normal(values.shape[1])

    def mean(self, values: FloatArray) -> FloatArray:
        return values

    def variance(self, values: FloatArray) -> FloatArray:
        return np.full_like(values, self.sigma**2)
