"""Lagrangian: a signal counts as much as it takes to keep what it warns of below a limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgym.component import Arrays
from textgym.fusion.base import Fusion
from textgym.random import Address
from textgym.types import BoolArray, FloatArray


class Lagrangian(Fusion):
    """Weighs one signal, such as safety, by a Lagrange multiplier that each row moves after each of its texts.

    With the cost `c = 1 - signal` and its limit d, `lambda <- max(0, lambda + eta (c - d))`: dual ascent for the
    constraint E[c] <= d, as in Tessler, Mankowitz and Mannor 2019, "Reward constrained policy optimization". It starts
    from the spec's weight; the other signals keep theirs. A text whose signal was not observed changes nothing.

    Args:
        weights: (k,) the weights of the spec.
        names: (k,) the names of the signals.
        signal: the name of the signal in [0, 1], 1 being harmless; by default the last one.
        limit: the mean cost d that is allowed, in [0, 1].
        eta: the step of the multiplier, above 0.
    """

    def __init__(
        self,
        weights: FloatArray,
        names: Sequence[str],
        signal: str | None = None,
        limit: float = 0.1,
        eta: float = 0.05,
    ) -> None:
        super().__init__(weights, names)
        if signal is not None and signal not in self.names:
            raise ValueError(f"signal must be one of {', '.join(self.names)}, got {signal!r}")
        if not 0 <= limit <= 1:
            raise ValueError(f"limit must be in [0, 1], got {limit}")
        if not 0 < eta < np.inf:
            raise ValueError(f"eta must be positive and finite, got {eta}")
        self.limit, self.eta = limit, eta
        self._place = len(self.names) - 1 if signal is None else self.names.index(signal)
        if weights[self._place] < 0:
            raise ValueError(
                f"the weight of {self.names[self._place]!r} must be at least 0, got {weights[self._place]}"
            )

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"multiplier": np.array(self.base_weights[self._place])}

    def weights(self, address: Address) -> FloatArray:
        weights = np.tile(self.base_weights, (len(address), 1))
        weights[:, self._place] = self.state["multiplier"][address.rows]
        return weights

    def learn(self, address: Address, observed: FloatArray, given: BoolArray, variance: FloatArray) -> None:
        multiplier = self.state["multiplier"]
        rows = address.rows[given[:, self._place]]
        cost = 1 - observed[given[:, self._place], self._place]
        multiplier[rows] = np.maximum(multiplier[rows] + self.eta * (cost - self.limit), 0.0)
