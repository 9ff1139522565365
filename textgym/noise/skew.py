"""Skew: harsh or lenient judgement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.types import FloatArray


class Skew(DiscreteNoise):
    """Turns q, the value's place in [low, high], into `q ** rho`; values outside are clipped first.

    The skew of Nguyen, Daume and Boyd-Graber 2017, "Reinforcement learning for bandit neural machine translation with
    simulated human feedback".

    Args:
        rho: the exponent, above 0; above 1 is harsh, below 1 is lenient.
        low: the value that stays at the lower end.
        high: the value that stays at the upper end, above `low`.
    """

    example: ClassVar[Mapping[str, Any]] = {"rho": 2.0}

    def __init__(self, rho: float, low: float = 0.0, high: float = 1.0) -> None:
        if not 0 < rho < np.inf:
            raise ValueError(f"rho must be finite and above 0, got {rho}")
        if not -np.inf < low < high < np.inf:
            raise ValueError(f"low must be below high and both finite, got low={low}, high={high}")
        self.rho, self.low, self.high = rho, low, high

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        span = self.high - self.low
        quality = np.minimum(np.maximum((values - self.low) / span, 0.0), 1.0)
        return (self.low + span * quality**self.rho)[..., None], np.ones(1)
