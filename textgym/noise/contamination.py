"""Contamination: now and then a reading is an outlier, or says the opposite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.types import FloatArray


class Contamination(DiscreteNoise):
    """Replaces f with probability epsilon: by +M or -M, equally likely, or by -f.

    The gross error model of Huber 1964, "Robust estimation of a location parameter".

    Args:
        rate: the probability epsilon, in [0, 1].
        outlier: the size M of an outlier, finite, at least 0, in units of the feedback; None reverses the sign instead.
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"rate": 0.1}

    def __init__(self, rate: float, outlier: float | None = None) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be in [0, 1], got {rate}")
        if outlier is not None and not 0 <= outlier < np.inf:
            raise ValueError(f"outlier must be finite and non-negative, or None, got {outlier}")
        self.rate, self.outlier = rate, outlier

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.outlier is None:
            return np.stack([values, -values], axis=-1), np.array([1 - self.rate, self.rate])
        high = np.full_like(values, self.outlier)
        return np.stack([values, high, -high], axis=-1), np.array([1 - self.rate, self.rate / 2, self.rate / 2])
