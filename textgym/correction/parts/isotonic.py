"""Isotonic regression: the rising curve of least squared error through weighted points."""

from __future__ import annotations

import numpy as np

from textgym.types import FloatArray


def isotonic_fit(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Returns the fitted value of each of P points that are sorted by x, (..., P); equal x get equal values.

    By the max-min formula, `g[i] = max over a <= i of min over b >= i of the mean of y[a..b]`: Robertson, Wright and
    Dykstra 1988, "Order restricted statistical inference". A run of equal x counts as one point.

    Args:
        x: (..., P) ascending.
        y: (..., P).
        weights: (..., P) above 0.
    """
    total_weight, total = np.cumsum(weights, axis=-1), np.cumsum(weights * y, axis=-1)
    weight = total_weight[..., None, :] - (total_weight - weights)[..., :, None]  # [a, b]
    mean = (total[..., None, :] - (total - weights * y)[..., :, None]) / np.where(weight > 0, weight, 1.0)
    place = np.arange(x.shape[-1])
    new = np.diff(x, axis=-1) > 0  # a run of equal x ends here
    edge = np.ones((*x.shape[:-1], 1), np.bool_)
    starts, ends = np.concatenate([edge, new], axis=-1), np.concatenate([new, edge], axis=-1)
    mean = np.where((place >= place[:, None]) & ends[..., None, :], mean, np.inf)
    lowest = np.minimum.accumulate(mean[..., ::-1], axis=-1)[..., ::-1]  # [a, i]: min over b >= i
    lowest = np.where((place >= place[:, None]) & starts[..., None], lowest, -np.inf)
    fitted: FloatArray = lowest.max(axis=-2)
    return fitted


def interpolate(at: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Returns the curve through P points at some places, (...): linear between them, constant beyond; NaN stays NaN.

    Args:
        at: (...).
        x: (..., P) ascending.
        y: (..., P) with one value for equal x.
    """
    right = np.minimum((x < at[..., None]).sum(axis=-1), x.shape[-1] - 1)
    left = np.maximum(right - 1, 0)
    (x0, x1), (y0, y1) = (
        [np.take_along_axis(part, place[..., None], axis=-1)[..., 0] for place in (left, right)] for part in (x, y)
    )
    gap = x1 - x0
    share = np.clip((at - x0) / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
    return y0 + share * (y1 - y0)
