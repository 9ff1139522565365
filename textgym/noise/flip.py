"""Flip: labels that are mistaken for one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.noise.parts.labels import as_levels, mistaken
from textgym.types import FloatArray


class Flip(DiscreteNoise):
    """Reports level j where the truth is level i with probability `C[i, j]` (class-conditional label noise).

    With one rate omega the label is kept with probability 1 - omega, else it becomes any of the K - 1 others equally
    likely. Angluin and Laird 1988, "Learning from noisy examples"; Wang, Liu and Li 2020, "Reinforcement learning
    with perturbed rewards", for rewards. A value that is not a level is taken for the nearest one.

    Args:
        rate: the probability omega of another label, in [0, 1]; give either this or `matrix`.
        levels: the K labels, at least 2, ascending.
        matrix: C as K rows of K probabilities; each row sums to 1.
    """

    example: ClassVar[Mapping[str, Any]] = {"rate": 0.2}

    def __init__(
        self,
        rate: float | None = None,
        levels: Sequence[float] = (0.0, 1.0),
        matrix: Sequence[Sequence[float]] | None = None,
    ) -> None:
        self.levels = as_levels(levels)
        count = len(self.levels)
        if (rate is None) == (matrix is None):
            raise ValueError(f"give either rate or matrix, got rate={rate}, matrix={matrix}")
        if rate is not None:
            if not 0 <= rate <= 1:
                raise ValueError(f"rate must be in [0, 1], got {rate}")
            self.matrix = np.full((count, count), rate / (count - 1))
            np.fill_diagonal(self.matrix, 1 - rate)
        else:
            self.matrix = np.array(matrix, np.float64)
            if self.matrix.shape != (count, count):
                raise ValueError(f"matrix must be {count} rows of {count} for {count} levels, got {matrix}")
            if (self.matrix < 0).any() or not np.allclose(self.matrix.sum(axis=1), 1):
                raise ValueError(f"each row of matrix must be probabilities that sum to 1, got {matrix}")

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return mistaken(values, self.levels, self.matrix)
