"""Labels: values that are one of a few levels, and how these are mistaken for one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgym.types import FloatArray, IntArray


def as_levels(levels: Sequence[float]) -> FloatArray:
    """Returns levels as an array, (K,).

    Raises:
        ValueError: if they are fewer than two, not finite, or not ascending.
    """
    array = np.array(levels, np.float64)
    if array.ndim != 1 or len(array) < 2 or not np.isfinite(array).all() or (np.diff(array) <= 0).any():
        raise ValueError(f"levels must be at least two finite numbers in ascending order, got {levels}")
    return array


def nearest_level(values: FloatArray, levels: FloatArray) -> IntArray:
    """Returns the number of the level nearest to each value, in the values' shape; the lower one of two as near."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def mistaken(values: FloatArray, levels: FloatArray, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns what values are reported as, and how likely, (*shape, K) each.

    Args:
        values: of any shape; each is taken for the nearest level.
        levels: (K,) ascending.
        matrix: (K, K) the probability of each report, for each level.
    """
    probabilities = matrix[nearest_level(values, levels)]
    return np.broadcast_to(levels, probabilities.shape), probabilities
