"""Hedge: signals that stray from what the others say lose weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgym.component import Arrays
from textgym.fusion.base import Fusion
from textgym.fusion.parts.reweighting import reweighted
from textgym.random import Address
from textgym.types import BoolArray, FloatArray


class Hedge(Fusion):
    """Weighs signal i by `w_i exp(-eta L_i)`, where L_i is the loss that it has gathered over the texts of a row.

    The loss of a text is the squared distance of the signal from the weighted mean of the others, at most 1; a signal
    that was not observed has none. Freund and Schapire 1997, "A decision-theoretic generalization of on-line learning
    and an application to boosting", with the spec's weights, whose total is kept, as the prior. It takes the signals
    for readings of one quality in the same units: two agree by definition, a third tells which of them is off.

    Args:
        weights: (k,) the weights of the spec.
        names: (k,) the names of the signals.
        eta: how fast weights move, above 0.
    """

    def __init__(self, weights: FloatArray, names: Sequence[str], eta: float = 0.1) -> None:
        super().__init__(weights, names)
        if not 0 < eta < np.inf:
            raise ValueError(f"eta must be positive and finite, got {eta}")
        self.eta = eta

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"loss": np.zeros(len(self.names))}

    def weights(self, address: Address) -> FloatArray:
        loss = self.state["loss"][address.rows]
        weighed = self.base_weights != 0  # the least loss of these, lest all weights vanish
        least = np.min(loss, axis=1, keepdims=True, where=weighed, initial=np.inf)
        return reweighted(self.base_weights, np.exp(-self.eta * np.maximum(loss - least, 0.0)))

    def learn(self, address: Address, observed: FloatArray, given: BoolArray, variance: FloatArray) -> None:
        share = np.where(given, np.abs(self.weights(address)), 0.0)
        others = share.sum(axis=1, keepdims=True) - share
        total = (share * observed).sum(axis=1, keepdims=True) - share * observed
        known = given & (others > 1e-12)
        consensus = total / np.where(known, others, 1.0)
        self.state["loss"][address.rows] += np.where(known, np.minimum((observed - consensus) ** 2, 1.0), 0.0)
