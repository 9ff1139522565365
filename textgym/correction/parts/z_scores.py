"""What each annotator's readings are like: their mean and spread, beside those of all annotators."""

from __future__ import annotations

import numpy as np

from textgym.component import Arrays, Component
from textgym.types import FloatArray, IntArray

_PRIOR_READINGS = 10.0


class ZScores(Component):
    """Brings every annotator's readings to the mean and the spread of all.

    An annotator of few readings is drawn towards the others, as if 10 more had been like theirs. Annotators must see
    texts alike, as by chance or in turn: who saw the better ones would look lenient.
    """

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {name: np.zeros(annotators) for name in ("count", "mean", "square")}

    def aligned(self, values: FloatArray, who: IntArray, rows: IntArray) -> FloatArray:
        """Returns `mean + std (reading - mean_j) / std_j`, (n, m), without index those of all; NaN stays NaN."""
        count, mean, square = (self.state[name][rows] for name in ("count", "mean", "square"))  # (n, J)
        total = np.maximum(count.sum(axis=1, keepdims=True), 1.0)
        all_mean = (count * mean).sum(axis=1, keepdims=True) / total  # (n, 1)
        all_variance = square.sum(axis=1, keepdims=True) / total
        trusted = count + _PRIOR_READINGS
        own_mean = np.take_along_axis((count * mean + _PRIOR_READINGS * all_mean) / trusted, who, axis=1)
        own_variance = np.take_along_axis((square + _PRIOR_READINGS * all_variance) / trusted, who, axis=1)
        known = own_variance > 0
        ratio = np.sqrt(np.where(known, all_variance, 1.0) / np.where(known, own_variance, 1.0))
        aligned: FloatArray = all_mean + ratio * (values - own_mean)
        return aligned

    def learn(self, values: FloatArray, who: IntArray, rows: IntArray) -> None:
        """Counts readings, (n, m), by the running mean and sum of squared deviations of Welford 1962."""
        count, mean, square = (self.state[name] for name in ("count", "mean", "square"))
        for place in range(values.shape[1]):  # one after the other, as an annotator may answer twice
            at = np.flatnonzero(~np.isnan(values[:, place]))
            here, value = (rows[at], who[at, place]), values[at, place]
            count[here] += 1
            before = value - mean[here]
            mean[here] += before / count[here]
            square[here] += before * (value - mean[here])
