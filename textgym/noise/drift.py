"""Drift: a bias that wanders from text to text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.component import Arrays
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class Drift(Noise):
    """Adds a bias that is a random walk over the row's texts: `b_t = b_{t-1} + tau xi`, xi standard normal.

    It starts at 0 before the first text, so that in the row's text t, counted from 1, its variance is `t tau**2`. All
    tokens of a text share it; each of the m readings has its own.

    Args:
        tau: the standard deviation of one step, finite, at least 0, in units of the feedback.
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"tau": 0.05}

    def __init__(self, tau: float) -> None:
        if not 0 <= tau < np.inf:
            raise ValueError(f"tau must be finite and non-negative, got {tau}")
        self.tau = tau

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"bias": np.zeros(readings), "episode": np.array(-1)}

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        bias, episode = self.state["bias"], self.state["episode"]
        passed = address.episodes - episode[address.rows]
        moved = np.flatnonzero(passed)
        if len(moved):
            here, steps = address[moved].at_start(), np.sqrt(passed[moved, None])  # many small steps are one large one
            bias[here.rows] += self.tau * steps * here.normal(values.shape[1])
            episode[here.rows] = here.episodes
        return values + bias[address.rows]

    def mean(self, values: FloatArray) -> FloatArray:
        return values

    def variance(self, values: FloatArray) -> FloatArray:
        return np.full_like(values, self.tau**2)
