"""Kalman: tracks the wandering bias of each annotator by how certain it is, and takes it off."""

from __future__ import annotations

import numpy as np

from textgym.component import Arrays
from textgym.correction.base import Correction
from textgym.correction.parts.annotator_bias import disagreement
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class Kalman(Correction):
    """Takes the bias b_j off each reading of annotator j, (n, m) to (n, m), as a Kalman filter tracks it.

    The bias is a random walk over the texts of a row, and each reading `quality + b_j + noise`. By Kalman 1960, "A new
    approach to linear filtering and prediction problems", with one filter for each annotator, the observation d, its
    variance R and the filter's own variance P:

        K = P / (P + R),    b <- b + K (d - b),    P <- (1 - K) P,    and at each new text P <- P + Q

    d is the reading less the mean of what other annotators say of the same text, without their biases as they are
    known; R counts the noise and the doubt in both. What all annotators have in common cannot be seen so. With gold
    probes d is the reading less the true value, and everything can. Readings of one annotator alone pass as they are.

    Args:
        spread: the standard deviation of the noise in a reading, in units of `high - low`, above 0.
        drift: the standard deviation of the step of a bias from text to text, the square root of Q, in the same
            units, at least 0.
        bias: the standard deviation of the biases at the start, in the same units, at least 0.
        probes: the share of texts that are gold probes, in [0, 1]; with 0 annotators are compared with each other.
    """

    def __init__(self, spread: float = 0.2, drift: float = 0.01, bias: float = 0.2, probes: float = 0.0) -> None:
        super().__init__(oracle=False)
        if not 0 < spread < np.inf:
            raise ValueError(f"spread must be positive and finite, got {spread}")
        if not (0 <= drift < np.inf and 0 <= bias < np.inf):
            raise ValueError(f"drift and bias must be finite and non-negative, got drift={drift}, bias={bias}")
        if not 0 <= probes <= 1:
            raise ValueError(f"probes must be in [0, 1], got {probes}")
        self.spread, self.drift, self.bias, self.probe_rate = spread, drift, bias, probes
        self.least_readings = 1 if probes else 2

    def expect(self, low: float, high: float, outcomes: FloatArray | None) -> None:
        self._noise, self._step, self._prior = (
            (part * (high - low)) ** 2 for part in (self.spread, self.drift, self.bias)
        )

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {
            "bias": np.zeros(annotators),
            "variance": np.full(annotators, self._prior),
            "episode": np.zeros((), np.int64),
        }

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        rows, (bias, variance, episode) = address.rows, self.state.values()
        variance[rows] += self._step * (address.episodes - episode[rows])[:, None]
        episode[rows] = address.episodes
        here = (rows[:, None], who)
        if self.probe_rate == 0:
            seen = disagreement(values, who, bias[here], variance[here])
            self._observe(seen.bias, self._noise * (1 + 1 / seen.others) + seen.doubt, who, rows)
        return values - bias[here]

    def learn(self, values: FloatArray, truth: FloatArray, who: IntArray, address: Address) -> None:
        self._observe(values - truth[:, None], np.full(values.shape, self._noise), who, address.rows)

    def _observe(self, observed: FloatArray, noise: FloatArray, who: IntArray, rows: IntArray) -> None:
        """Moves the filters by observed biases, (n, m), NaN where there is none, of known variance, (n, m)."""
        bias, variance = self.state["bias"], self.state["variance"]
        for place in range(who.shape[1]):  # one after the other, as an annotator may answer twice
            at = np.flatnonzero(~np.isnan(observed[:, place]))
            here = (rows[at], who[at, place])
            gain = variance[here] / (variance[here] + noise[at, place])
            bias[here] += gain * (observed[at, place] - bias[here])
            variance[here] *= 1 - gain
