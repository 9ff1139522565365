"""Exponential: follows the bias of each annotator by exponential smoothing, and takes it off."""

from __future__ import annotations

import numpy as np

from textgym.component import Arrays
from textgym.correction.base import Correction
from textgym.correction.parts.annotator_bias import disagreement
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class Exponential(Correction):
    """Takes the bias b_j off each reading of annotator j, (n, m) to (n, m), as exponential smoothing follows it.

    `b <- b + alpha (d - b)`, where d is the reading less the mean of what other annotators say of the same text,
    without their biases as they are known, or, with gold probes, the reading less the true value (Brown 1959,
    "Statistical forecasting for inventory control"). `Kalman` with a gain that has settled, and nothing to be told of
    noise and drift. Without probes, what all annotators have in common cannot be seen, and readings of one annotator
    alone pass as they are.

    Args:
        alpha: the weight of the newest reading, in (0, 1]: the bias is a mean over about 1 / alpha readings.
        probes: the share of texts that are gold probes, in [0, 1]; with 0 annotators are compared with each other.
    """

    def __init__(self, alpha: float = 0.1, probes: float = 0.0) -> None:
        super().__init__(oracle=False)
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha must be above 0 and at most 1, got {alpha}")
        if not 0 <= probes <= 1:
            raise ValueError(f"probes must be in [0, 1], got {probes}")
        self.alpha, self.probe_rate = alpha, probes
        self.least_readings = 1 if probes else 2

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"bias": np.zeros(annotators)}

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        here = (address.rows[:, None], who)
        if self.probe_rate == 0:
            bias = self.state["bias"][here]
            self._observe(disagreement(values, who, bias, np.zeros_like(bias)).bias, who, address.rows)
        return values - self.state["bias"][here]

    def learn(self, values: FloatArray, truth: FloatArray, who: IntArray, address: Address) -> None:
        self._observe(values - truth[:, None], who, address.rows)

    def _observe(self, observed: FloatArray, who: IntArray, rows: IntArray) -> None:
        """Moves the biases towards observed ones, (n, m), NaN where there is none."""
        bias = self.state["bias"]
        for place in range(who.shape[1]):  # one after the other, as an annotator may answer twice
            at = np.flatnonzero(~np.isnan(observed[:, place]))
            here = (rows[at], who[at, place])
            bias[here] += self.alpha * (observed[at, place] - bias[here])
