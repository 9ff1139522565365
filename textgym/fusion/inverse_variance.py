"""Inverse variance: the less a signal scatters, the more it counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgym.component import Arrays
from textgym.fusion.base import Fusion
from textgym.fusion.parts.reweighting import reweighted
from textgym.noise.base import Noise
from textgym.noise.composition import Composition
from textgym.random import Address
from textgym.types import BoolArray, FloatArray

_WARM_UP = 20


class InverseVariance(Fusion):
    """Weighs signal i by `w_i / sigma_i^2`, with the total of the spec's weights w kept.

    For unbiased signals of one quality and equal w it is the sum of least variance, `1 / sum_i 1 / sigma_i^2`. With
    `oracle=True` sigma_i^2 is the variance that the channels declare, averaged over the values 0 to 1, over the number
    of readings. Otherwise each row estimates it, and the spec's weights hold for its first 20 texts:

    - for a signal whose readings of a text differ, it is the mean of the variances that they show;
    - for the others, where there are at least three signals, it is Grubbs' estimator (1948, "On estimating precision of
      measuring instruments and product variability"; the three-cornered hat of clocks), in which the quality cancels:
      with V_ij the variance of the difference of two signals, over the texts where all were observed,
      `sigma_i^2 = (sum_j V_ij - sum_{j<l} V_jl / (k - 1)) / (k - 2)`;
    - with one or two signals of a single reading it cannot be told, and the spec's weights stay.

    Args:
        weights: (k,) the weights of the spec.
        names: (k,) the names of the signals.
        floor: the lowest variance that a signal is believed to have, above 0; of 0 it would get all weight.
        oracle: whether it is told the channels.
    """

    def __init__(self, weights: FloatArray, names: Sequence[str], floor: float = 1e-3, oracle: bool = False) -> None:
        super().__init__(weights, names, oracle)
        if not 0 < floor < np.inf:
            raise ValueError(f"floor must be positive and finite, got {floor}")
        self.floor = floor
        self._declared: FloatArray | None = None

    def know(self, channels: Sequence[Sequence[Noise]], readings: Sequence[int]) -> None:
        values = np.linspace(0.0, 1.0, 11)[:, None]
        declared = [Composition(noise).variance(values).mean() for noise in channels]
        self._declared = np.array(declared) / np.array(readings)

    def row_state(self, readings: int, annotators: int) -> Arrays:
        if self.oracle:
            return {}
        k = len(self.names)
        return {
            "texts": np.zeros(k),  # those that showed a variance
            "within": np.zeros(k),  # the mean of `variance` over the texts of each signal
            "together": np.zeros(()),  # texts in which all signals were observed
            "mean": np.zeros(k),
            "scatter": np.zeros((k, k)),  # their sums of squares and products about the mean
        }

    def weights(self, address: Address) -> FloatArray:
        variance = self._declared if self._declared is not None else self.estimate(address)
        weights = reweighted(self.base_weights, 1 / np.maximum(variance, self.floor))
        return np.where(np.isnan(weights), self.base_weights, weights)

    def estimate(self, address: Address) -> FloatArray:
        """Returns the variance of each signal as each row sees it now, (n, k); NaN where it cannot tell."""
        within, together = (self.state[name][address.rows] for name in ("within", "together"))
        scatter = self.state["scatter"][address.rows]
        k = len(self.names)
        estimate = np.full_like(within, np.nan)
        if k >= 3:
            own = np.diagonal(scatter, axis1=1, axis2=2)
            apart = own[:, :, None] + own[:, None, :] - 2 * scatter  # (n, k, k) of the differences
            grubbs = (apart.sum(axis=2) - apart.sum(axis=(1, 2))[:, None] / (2 * (k - 1))) / (k - 2)
            estimate = np.where(together[:, None] >= _WARM_UP, grubbs / np.maximum(together[:, None] - 1, 1), np.nan)
        seen = self.state["texts"][address.rows] >= _WARM_UP
        return np.where(seen, within, estimate)

    def learn(self, address: Address, observed: FloatArray, given: BoolArray, variance: FloatArray) -> None:
        if self.oracle:
            return
        texts, within, together, mean, scatter = (
            self.state[name] for name in ("texts", "within", "together", "mean", "scatter")
        )
        rows = address.rows
        told = given & ~np.isnan(variance)
        texts[rows] += told
        within[rows] += np.where(told, variance - within[rows], 0.0) / np.maximum(texts[rows], 1)
        full = given.all(axis=1)
        rows, observed = rows[full], observed[full]
        together[rows] += 1
        before = observed - mean[rows]
        mean[rows] += before / together[rows, None]
        scatter[rows] += before[:, :, None] * (observed - mean[rows])[:, None, :]
