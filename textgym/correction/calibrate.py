"""Calibrate: brings annotators of different standards to one scale."""

from __future__ import annotations

from typing import Literal

from textgym.correction.base import Correction
from textgym.correction.parts.gold_probes import GoldProbes
from textgym.correction.parts.z_scores import ZScores
from textgym.random import Address
from textgym.types import FloatArray, IntArray

_METHODS = ("zscore", "affine", "isotonic")


class Calibrate(Correction):
    """Maps each reading by the curve of the annotator who gave it, (n, m) to (n, m); each row learns its own.

    - `"zscore"` gives the readings of all annotators one mean and one spread (`ZScores`). It takes no probes, so it
      cannot see what all annotators have in common.
    - `"affine"` and `"isotonic"` take the true value to expect behind a reading, by a line or by any rising curve
      through gold probes (`GoldProbes`): texts whose true value is shown after they were judged.

    Args:
        method: one of these three.
        probes: the share of texts that are gold probes, in (0, 1]; `"zscore"` has none.
    """

    def __init__(self, method: Literal["zscore", "affine", "isotonic"] = "zscore", probes: float = 0.1) -> None:
        super().__init__(oracle=False)
        if method not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
        if not 0 < probes <= 1:
            raise ValueError(f"probes must be above 0 and at most 1, got {probes}")
        self.method = method
        self.probe_rate = 0.0 if method == "zscore" else probes

    def expect(self, low: float, high: float, outcomes: FloatArray | None) -> None:
        self._curves = ZScores() if self.method == "zscore" else GoldProbes(self.method, low, high)
        self.inner = [self._curves]

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        if isinstance(self._curves, GoldProbes):
            return self._curves.expected(values, who, address.rows)
        self._curves.learn(values, who, address.rows)
        return self._curves.aligned(values, who, address.rows)

    def learn(self, values: FloatArray, truth: FloatArray, who: IntArray, address: Address) -> None:
        if isinstance(self._curves, GoldProbes):
            self._curves.learn(values, truth, who, address.rows)
