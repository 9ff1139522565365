"""How answers follow what is true, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textgym.types import FloatArray


@dataclass(frozen=True)
class Response:
    """How answers follow what is true.

    Attributes:
        truth: (b,) the mean truth of each of b parts.
        mean: (b,) the mean answer there.
        low: (b,) what a tenth of the answers is below.
        high: (b,) what a tenth is above.
    """

    truth: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, truth: Sequence[FloatArray], answers: Sequence[FloatArray]) -> Response:
        """Returns the response in each part, of which one or more answers were given; NaN answers do not count."""
        kept = [(t, a[~np.isnan(a)]) for t, a in zip(truth, answers, strict=True) if not np.isnan(a).all()]
        low, high = (np.array([np.quantile(a, share) for _, a in kept]) for share in (0.1, 0.9))
        true_mean, mean = (np.array([part[side].mean() for part in kept]) for side in (0, 1))
        return cls(true_mean, mean, low, high)
