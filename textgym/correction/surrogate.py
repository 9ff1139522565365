"""Surrogate: values that, put in the place of noisy ones, are right on average."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from textgym.correction.base import Correction
from textgym.correction.parts.answer_model import check_levels, level_values
from textgym.correction.parts.consensus import Consensus
from textgym.correction.parts.inverse_mean import InverseMean
from textgym.noise.base import Noise
from textgym.noise.composition import Composition
from textgym.noise.flip import Flip
from textgym.noise.parts.labels import nearest_level
from textgym.random import Address
from textgym.types import FloatArray, IntArray

_ILL_CONDITIONED = 100.0
_POINTS = 33  # between which a mean is inverted


class Surrogate(Correction):
    """Replaces each reading of level j by `r^[j]`, where `r^ = C^-1 r`, so that `E[r^ | true level i] = r[i]`.

    C[i, j] is the probability of the reading j where level i is true: Wang, Liu and Li 2020, "Reinforcement learning
    with perturbed rewards"; for the levels 0 and 1, `(reading - FPR) / (1 - FPR - FNR)`. The price is variance: errors
    grow up to cond(C) times.

    With `oracle=True` the channels say C, if need be with their output rounded to levels. Where it is singular, as when
    they leave fewer levels than there were, r^ is the one of least squared bias, and a warning says what is left. Where
    values are not in levels, or the declared mean is a line over levels that the output leaves, the mean is inverted
    instead (`InverseMean`).

    Otherwise each row estimates one C for all annotators from how three readings of a text agree (`Consensus`); with
    fewer, readings pass as they are. What all annotators get wrong alike, more often than not, cannot be told from the
    truth. As an estimate may be nearly singular, its r^ stay within `high - low` of the levels.

    Args:
        levels: into how many levels from lowest to highest the values are cut, at least 2; by default the values that
            the signal can take, or, with `oracle=True`, none.
        oracle: whether it is told the channels.
    """

    example: ClassVar[Mapping[str, Any]] = {"levels": 5}

    def __init__(self, levels: int | None = None, oracle: bool = False) -> None:
        super().__init__(oracle)
        check_levels(levels)
        self._num_levels = levels
        self.least_readings = 1 if oracle else 3
        self._levels: FloatArray = np.zeros(0)
        self._known: FloatArray = np.zeros((0, 0))
        self._surrogates: FloatArray = np.zeros(0)
        self._invert_mean: InverseMean | None = None

    def expect(self, low: float, high: float, outcomes: FloatArray | None) -> None:
        self._low, self._high = low, high
        if not self.oracle or self._num_levels is not None or outcomes is not None:
            self._levels = level_values(self._num_levels, low, high, outcomes)
        self.affine = len(self._levels) == 2
        self._consensus = Consensus(len(self._levels))
        self.inner = [] if self.oracle else [self._consensus]

    def know(self, channels: Sequence[Noise]) -> None:
        together, levels = Composition(channels), self._levels
        known = together.confusion(levels) if len(levels) else None
        if known is None and (not len(levels) or _is_line(together, levels)):
            points = levels if len(levels) else np.linspace(self._low, self._high, _POINTS)
            self._invert_mean = InverseMean.of(together, points)
            self.affine = self._invert_mean.affine
            return
        if known is None:
            known = Composition([*channels, Flip(0.0, levels.tolist())]).confusion(levels)
            assert known is not None
        surrogates, _, rank, singular_values = np.linalg.lstsq(known, levels, rcond=None)
        if rank == 1:
            raise ValueError(f"the channels' confusion matrix is singular, no reading tells the levels apart: {known}")
        youden, condition = youden_index(known), singular_values[0] / singular_values[rank - 1]
        bias = np.abs(known @ surrogates - levels).max()
        if youden <= 0:
            warnings.warn(f"readings are no better than chance: Youden's J is {youden:.3g}", stacklevel=2)
        if condition > _ILL_CONDITIONED:
            warnings.warn(f"errors grow up to cond(C) = {condition:.3g} times by this correction", stacklevel=2)
        if bias > 1e-6 * (self._high - self._low):
            warnings.warn(
                f"of {len(known)} levels the channels leave {rank} that readings tell apart: corrected readings are "
                f"right on average only to within {bias:.3g}",
                stacklevel=2,
            )
        self._known, self._surrogates = known, surrogates.astype(np.float64)
        self.affine = len(known) == 2 and surrogates[1] > surrogates[0]

    def confusion(self, rows: IntArray) -> FloatArray:
        """Returns C as some rows know it now, (n, K, K), where readings are in levels.

        Its condition number, `numpy.linalg.cond`, bounds by how much errors grow; see also `youden_index`.
        """
        if not self.oracle:
            return self._consensus.confusion(rows)
        return np.broadcast_to(self._known, (len(rows), *self._known.shape))

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        if self._invert_mean is not None:
            return self._invert_mean(values)
        if values.shape[1] < 3 and not self.oracle:
            return values
        answers, present = nearest_level(values, self._levels), ~np.isnan(values)
        if self.oracle:
            surrogates = np.broadcast_to(self._surrogates, (len(values), len(self._levels)))
        else:
            surrogates = self._estimated(address.rows)
            self._consensus.learn(answers, present, address.rows)
        return np.where(present, np.take_along_axis(surrogates, np.where(present, answers, 0), axis=1), np.nan)

    def _estimated(self, rows: IntArray) -> FloatArray:
        """Returns r^ as some rows estimate it now, (n, K)."""
        confusion, reach = self._consensus.confusion(rows), self._high - self._low
        levels = np.broadcast_to(self._levels[:, None], (*confusion.shape[:2], 1))
        surrogates = np.linalg.solve(confusion, levels)[..., 0]
        within: FloatArray = np.clip(surrogates, self._levels - reach, self._levels + reach)
        return within


def _is_line(channels: Composition, levels: FloatArray) -> bool:
    """Returns whether the mean of the output is a line over the levels, and not a flat one."""
    slopes = np.diff(channels.mean(levels)) / np.diff(levels)
    return bool(slopes[0] != 0 and np.allclose(slopes, slopes[0]))


def youden_index(confusion: FloatArray) -> float:
    """Returns `(trace(C) - 1) / (K - 1)`, Youden's J = 1 - FPR - FNR for two levels: 1 without noise, 0 at chance."""
    return float((np.trace(confusion) - 1) / (len(confusion) - 1))
