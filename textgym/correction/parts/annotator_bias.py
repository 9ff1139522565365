"""What the readings of a text say about the bias of the annotators who gave them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from textgym.types import FloatArray, IntArray


class Disagreement(NamedTuple):
    """How each reading differs from what other annotators say of the same text.

    Attributes:
        bias: (n, m) the reading less the mean of theirs, each without its annotator's known bias; NaN where the
            reading or all others are missing.
        others: (n, m) how many readings that mean is of, at least 1.
        doubt: (n, m) the variance of that mean for what is not known of their biases.
    """

    bias: FloatArray
    others: FloatArray
    doubt: FloatArray


def disagreement(values: FloatArray, who: IntArray, bias: FloatArray, variance: FloatArray) -> Disagreement:
    """Compares each reading with those that other annotators gave of its text.

    Args:
        values: (n, m) readings, NaN where there is none.
        who: (n, m) the number of the annotator who gave each.
        bias: (n, m) the known bias of that annotator.
        variance: (n, m) the variance of that knowledge.
    """
    present = ~np.isnan(values)
    compared = (who[:, :, None] != who[:, None, :]) & present[:, None, :]  # (n, m, m) reading with other
    others = np.maximum(compared.sum(axis=2), 1)
    unbiased = np.where(present, values - bias, 0.0)[:, None, :]
    mean = np.where(compared, unbiased, 0.0).sum(axis=2) / others
    doubt = np.where(compared, variance[:, None, :], 0.0).sum(axis=2) / others**2
    return Disagreement(np.where(compared.any(axis=2), values - mean, np.nan), others.astype(np.float64), doubt)
