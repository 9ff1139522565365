"""The middle of the readings of one text, of which some may be missing."""

from __future__ import annotations

import numpy as np

from textgym.types import FloatArray


def mean_reading(values: FloatArray) -> FloatArray:
    """Returns the mean of the readings that are there, (n, 1), from (n, m) with NaN where there is none."""
    present = ~np.isnan(values)
    total = np.where(present, values, 0.0).sum(axis=1, keepdims=True)
    mean: FloatArray = total / np.maximum(present.sum(axis=1, keepdims=True), 1)
    return mean


def median_reading(values: FloatArray) -> FloatArray:
    """Returns the median of the readings that are there, (n, 1), from (n, m) with NaN where there is none."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    last = np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True) - 1, 0)
    lower, upper = (np.take_along_axis(ordered, place, axis=1) for place in (last // 2, (last + 1) // 2))
    middle: FloatArray = 0.5 * (lower + upper)
    return middle
