"""Randomised response: labels that are private, because any of them may be a lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.noise.parts.labels import as_levels, mistaken
from textgym.types import FloatArray


class RandomisedResponse(DiscreteNoise):
    """Reports the true one of K labels with probability `e**epsilon / (e**epsilon + K - 1)`, else any other.

    This is epsilon local differential privacy. Warner 1965, "Randomized response: a survey technique for eliminating
    evasive answer bias", for K = 2; Kairouz, Bonawitz and Ramage 2016, "Discrete distribution estimation under local
    privacy", for any K. A value that is not a label is taken for the nearest one.

    Args:
        epsilon: the privacy loss of one reading, finite, above 0; smaller is more private and noisier.
        levels: the K labels, at least 2, ascending.

    Attributes:
        youden: J = (e**epsilon - 1) / (e**epsilon + K - 1), the slope of the expected output against the truth.
    """

    example: ClassVar[Mapping[str, Any]] = {"epsilon": 2.0}

    def __init__(self, epsilon: float, levels: Sequence[float] = (0.0, 1.0)) -> None:
        if not 0 < epsilon < np.inf:
            raise ValueError(f"epsilon must be finite and above 0, got {epsilon}")
        self.levels = as_levels(levels)
        self.privacy_loss = epsilon
        count = len(self.levels)
        lie = np.exp(-epsilon) / (1 + (count - 1) * np.exp(-epsilon))
        self.youden = float(1 - count * lie)
        self.matrix = self.youden * np.eye(count) + lie

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return mistaken(values, self.levels, self.matrix)
