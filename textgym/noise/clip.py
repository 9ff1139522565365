"""Clip: keeps feedback within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.types import FloatArray


class Clip(DiscreteNoise):
    """Turns what is below `low` into `low` and what is above `high` into `high`.

    After noise of mean zero this is no longer unbiased: what is cut off on one side is missing in the mean.

    Args:
        low: the lowest value that passes.
        high: the highest value that passes, above `low`.
    """

    example: ClassVar[Mapping[str, Any]] = {"low": 0.2, "high": 0.8}

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        if not low < high:
            raise ValueError(f"low must be below high, got low={low}, high={high}")
        self.low, self.high = low, high

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.minimum(np.maximum(values, self.low), self.high)[..., None], np.ones(1)
