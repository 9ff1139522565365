"""What gold probes say about each annotator: the true value to expect behind a reading."""

from __future__ import annotations

from typing import Literal

import numpy as np

from textgym.component import Arrays, Component
from textgym.correction.parts.isotonic import interpolate, isotonic_fit
from textgym.types import FloatArray, IntArray

_PROBES = 64
_PRIOR_WEIGHT = 4.0


class GoldProbes(Component):
    """Fits, for each annotator, the truth to the reading by least squares, over the newest 64 probes.

    At first there are 64 imagined probes, spread from low to high, on which reading and truth agree; together they
    weigh as much as 4 real ones, which replace them one by one. So the fit starts as the identity and needs no
    exceptions for few probes.

    Args:
        fit: `"affine"` for a line, `"isotonic"` for any rising curve, constant beyond the probes.
        low: the lowest true value.
        high: the highest true value.
    """

    def __init__(self, fit: Literal["affine", "isotonic"], low: float, high: float) -> None:
        self.fit, self.low, self.high = fit, low, high

    def row_state(self, readings: int, annotators: int) -> Arrays:
        grid = np.linspace(self.low, self.high, _PROBES)
        turns = (np.arange(_PROBES) * 27 % _PROBES).astype(np.float64)  # imagined probes go here and there, not in line
        weights = np.full(_PROBES, _PRIOR_WEIGHT / _PROBES)
        fresh = {"readings": grid, "truths": grid, "weights": weights, "turns": turns, "fitted": grid}
        return {name: np.repeat(value[None], annotators, axis=0) for name, value in fresh.items()}

    def expected(self, values: FloatArray, who: IntArray, rows: IntArray) -> FloatArray:
        """Returns the true values to expect behind readings, (n, m), as they stand now; NaN stays NaN."""
        here = (rows[:, None], who)
        x, y = self.state["readings"][here], self.state["fitted"][here]
        if self.fit == "isotonic":
            return interpolate(values, x, y)
        slope = (y[..., -1] - y[..., 0]) / np.maximum(x[..., -1] - x[..., 0], 1e-12)
        on_line: FloatArray = y[..., 0] + slope * (values - x[..., 0])
        return on_line

    def learn(self, values: FloatArray, truth: FloatArray, who: IntArray, rows: IntArray) -> None:
        """Keeps the readings (n, m) of probes with their truth (n,), in place of the oldest, and fits anew."""
        for place in range(values.shape[1]):  # one after the other, as an annotator may answer twice
            at = np.flatnonzero(~np.isnan(values[:, place]))
            here = (rows[at], who[at, place])
            probes = {name: kept[here] for name, kept in self.state.items()}  # (r, 64) each
            oldest = (np.arange(len(at)), probes["turns"].argmin(axis=1))
            newest = probes["turns"].max(axis=1) + 1
            new = {"readings": values[at, place], "truths": truth[at], "weights": 1.0, "turns": newest}
            for name, value in new.items():
                probes[name][oldest] = value
            order = np.argsort(probes["readings"], axis=1, kind="stable")
            for name in new:
                probes[name] = np.take_along_axis(probes[name], order, axis=1)
            fit = isotonic_fit if self.fit == "isotonic" else affine_fit
            probes["fitted"] = fit(probes["readings"], probes["truths"], probes["weights"])
            for name, value in probes.items():
                self.state[name][here] = value


def affine_fit(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    """Returns the line of weighted least squares through P points, at these points, (..., P)."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    mean_x, mean_y = ((share * part).sum(axis=-1, keepdims=True) for part in (x, y))
    spread = (share * (x - mean_x) ** 2).sum(axis=-1, keepdims=True)
    slope = (share * (x - mean_x) * (y - mean_y)).sum(axis=-1, keepdims=True) / np.maximum(spread, 1e-12)
    line: FloatArray = mean_y + slope * (x - mean_x)
    return line
