"""Weights that are moved between signals, with their total kept."""

from __future__ import annotations

import numpy as np

from textgym.types import FloatArray


def reweighted(weights: FloatArray, factors: FloatArray) -> FloatArray:
    """Returns `c w_i factor_i`, (..., k), with c such that the sum of the absolute weights stays what it is.

    Signs stay, and a signal without weight stays without.

    Args:
        weights: (k,) the weights to start from.
        factors: (..., k) at least 0, not 0 for all signals that have weight.
    """
    raw = weights * factors
    total = np.abs(raw).sum(axis=-1, keepdims=True)
    kept: FloatArray = raw * (np.abs(weights).sum() / np.where(total > 0, total, 1.0))
    return kept
