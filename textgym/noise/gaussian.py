"""Gaussian: adds normal noise, the same for all values or growing with the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class Gaussian(Noise):
    """Adds `|sigma + slope * f| * xi` to every reading f, xi standard normal; heteroscedastic unless `slope` is 0.

    Args:
        sigma: the standard deviation at f = 0, finite, at least 0.
        slope: how much it grows as f grows by 1, finite; a negative one makes good texts the clearer ones.
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"sigma": 0.3}

    def __init__(self, sigma: float, slope: float = 0.0) -> None:
        if not 0 <= sigma < np.inf:
            raise ValueError(f"sigma must be finite and non-negative, got {sigma}")
        if not np.isfinite(slope):
            raise ValueError(f"slope must be finite, got {slope}")
        self.sigma, self.slope = sigma, slope

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        return values + np.abs(self.sigma + self.slope * values) * address.normal(values.shape[1])

    def mean(self, values: FloatArray) -> FloatArray:
        return values

    def variance(self, values: FloatArray) -> FloatArray:
        return (self.sigma + self.slope * values) ** 2
