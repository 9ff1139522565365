"""Asking: which texts annotators are asked about, and the budget that pays for their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from textgym.component import Arrays, Component
from textgym.random import Address, bits
from textgym.registration import construct
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, IntArray

Choice = Literal["uniform", "uncertainty", "disagreement"]

_FEATURES, _MODELS = 16, 5
_PRIOR = 0.1  # the precision of the weights' prior, in units of that of one answer
_WINDOW = 32  # past texts that a new one is ranked among


class Asking(Component):
    """Decides for each text whether its annotators are asked, until a row has spent its budget.

    A text that is not asked about is marked as not observed. `"uniform"` asks about each text with probability
    `share`. The other two learn to predict the feedback from the text: Bayesian linear regression on signed hashed
    counts of its tokens, each row for itself. `"uncertainty"` asks about the texts whose prediction has the largest
    variance, `"disagreement"` about those on which five such models differ most, each drawn from the prior and trained
    on answers counted Poisson(1) times (the online bootstrap of Oza and Russell 2001): those that rank among the top
    `share` of the row's last 32 texts and themselves, ties broken by lot. Old texts are ranked by what is known now,
    so that at first more than the share is asked about. The strategies are those of Settles 2009, "Active learning
    literature survey", sections 3.1 and 3.2.

    Args:
        amount: what each row may spend since it was seeded, in units of one rating, at least 0.
        share: the share of texts that is asked about while there is money, in (0, 1].
        choice: `"uniform"`, `"uncertainty"` or `"disagreement"`.
    """

    def __init__(self, amount: float, share: float = 1.0, choice: Choice = "uniform") -> None:
        if not 0 <= amount < np.inf:
            raise ValueError(f"amount must be finite and at least 0, got {amount}")
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {share}")
        if choice not in get_args(Choice):
            raise ValueError(f"choice must be one of {', '.join(get_args(Choice))}, got {choice!r}")
        self.amount, self.share, self.choice = amount, share, choice
        self.models = {"uniform": 0, "uncertainty": 1, "disagreement": _MODELS}[choice]

    @classmethod
    def make(cls, budget: float | Mapping[str, Any]) -> Asking:
        """Returns what a budget asks for: its `amount`, or all arguments.

        Raises:
            ValueError: if an argument is unknown or refused; it lists what is known.
        """
        arguments = dict(budget) if isinstance(budget, Mapping) else {"amount": budget}
        return construct("feedback_budget", cls, arguments)

    def row_state(self, readings: int, annotators: int) -> Arrays:
        prior = np.tile(np.eye(_FEATURES) / _PRIOR, (self.models, 1, 1))
        drawn = np.random.Generator(np.random.PCG64(0)).standard_normal((self.models, _FEATURES)) / np.sqrt(_PRIOR)
        weights = drawn if self.models > 1 else np.zeros((self.models, _FEATURES))
        past = np.zeros((_WINDOW if self.models else 0, _FEATURES))
        return {"covariance": prior, "weights": weights, "past": past, "spent": np.array(0.0), "seen": np.array(0)}

    def chosen(self, transition: Transition, address: Address, cost: float) -> BoolArray:
        """Returns which of n texts are asked about, (n,), and books `cost` for each of them."""
        rows = address.rows
        affordable: BoolArray = self.state["spent"][rows] + cost <= self.amount + 1e-9
        rank = chance = address.uniform()[:, 0]
        if self.choice != "uniform":
            features, seen = self._features(transition), self.state["seen"][rows]
            known = np.arange(_WINDOW) < seen[:, None]
            interest = self._interest(features[:, None], rows)
            past = np.where(known, self._interest(self.state["past"][rows], rows), -np.inf)
            above = (past > interest * (1 + 1e-9)).sum(axis=1)
            level = (past >= interest * (1 - 1e-9)).sum(axis=1) - above
            rank = (above + chance * (level + 1)) / (known.sum(axis=1) + 1)
            self.state["past"][rows, seen % _WINDOW] = features
            self.state["seen"][rows] += 1
        wanted = rank < self.share
        chosen = affordable & wanted
        self.state["spent"][rows] += cost * chosen
        return chosen

    def learn(self, transition: Transition, address: Address, answers: FloatArray) -> None:
        """Is shown the feedback (n,) on the texts that were asked about; recursive least squares."""
        if not self.models or not len(address):
            return
        x, rows = self._features(transition)[:, None], address.rows  # (n, 1, d)
        times = _poisson(address.uniform(self.models)) if self.models > 1 else np.ones((len(rows), 1))
        covariance, weights = self.state["covariance"][rows], self.state["weights"][rows]
        along = (covariance @ x[..., None])[..., 0]  # (n, models, d)
        gain = along * (times / (1 + times * (along * x).sum(axis=-1)))[..., None]
        missed = answers[:, None] - (weights * x).sum(axis=-1)
        self.state["weights"][rows] = weights + gain * missed[..., None]
        self.state["covariance"][rows] = covariance - gain[..., None] * along[..., None, :]

    def _interest(self, features: FloatArray, rows: IntArray) -> FloatArray:
        """Returns how much would be learnt from c texts of each row, (n, c), by their features, (n, c, d)."""
        if self.choice == "uncertainty":
            variance: FloatArray = ((features @ self.state["covariance"][rows, 0]) * features).sum(axis=-1)
            return variance
        spread: FloatArray = (features @ self.state["weights"][rows].swapaxes(1, 2)).std(axis=-1)  # over the models
        return spread

    def _features(self, transition: Transition) -> FloatArray:
        """Returns the signed hashed counts of each text's tokens, scaled by its length, and a constant; (n, d)."""
        hashed = bits(0, 0, 0, 0, transition.text_ids)
        place = (hashed % np.uint64(_FEATURES - 1)).astype(np.int64)
        sign = np.where(hashed >> np.uint64(63), 1.0, -1.0) * transition.text_mask
        counts = np.zeros((len(transition), _FEATURES))
        np.add.at(counts, (np.arange(len(transition))[:, None], place), sign)
        counts /= np.sqrt(np.maximum(transition.text_lengths, 1))[:, None]
        counts[:, -1] = 1.0
        return counts


_POISSON = np.cumsum(np.exp(-1.0) / np.cumprod(np.maximum(np.arange(8.0), 1.0)))  # P(Poisson(1) <= k), k = 0 to 7


def _poisson(uniform: FloatArray) -> FloatArray:
    """Returns Poisson(1) numbers, at most 8, by inversion of uniform ones."""
    return np.searchsorted(_POISSON, uniform).astype(np.float64)
