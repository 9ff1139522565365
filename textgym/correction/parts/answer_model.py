"""The Dawid-Skene model of answers in levels: who answers what to a text of which true level, learnt text by text."""

from __future__ import annotations

import numpy as np

from textgym.component import Arrays, Component
from textgym.noise.parts.labels import nearest_level
from textgym.random import Address
from textgym.types import BoolArray, FloatArray, IntArray

_STEP, _DELAY = 3.0, 30.0
"""The n-th step of learning is _STEP / (n + _DELAY), so that the newest third of what was seen counts most."""
_TRUST = 0.7
_PSEUDO_ANSWERS = 2.0
"""As how many answers of an annotator to each level the belief that they are mostly right counts."""


class AnswerModel(Component):
    """Says how likely each level is, given m answers to a text: a part of the correctors of answers in levels.

    Each text has a true level k, drawn with probability p[k], and annotator j answers l with probability C_j[k, l]:
    Dawid and Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm". Each row
    learns p and C by the online EM of Cappe and Moulines 2009, "On-line expectation-maximization algorithm for latent
    data models": the expected counts move by `3 / (n + 30)` towards those of the newest text. A few imagined answers,
    mostly right, stand for the belief that annotators are no adversaries; the levels would have no names without it.
    It tells annotators apart by how they agree with each other, so texts need two answers, and better three.

    Args:
        levels: (K,) the values of the levels, ascending.
        confusion: (K, K) the C of all annotators where it is known; None learns it.
    """

    def __init__(self, levels: FloatArray, confusion: FloatArray | None = None) -> None:
        self.levels, self.known = levels, confusion
        self.belief = mostly_right(len(levels))

    def row_state(self, readings: int, annotators: int) -> Arrays:
        size = len(self.levels)
        return {
            "prior": np.full(size, 1 / size),
            "texts": np.zeros(()),
            "joint": np.repeat(self.belief[None] / size, annotators, axis=0),  # (J, K, K) P(true level, answer)
            "answers": np.zeros(annotators),
        }

    def confusion(self, rows: IntArray, who: IntArray) -> FloatArray:
        """Returns the estimate of C for some annotators, (..., K, K), each known by its row and number, (...)."""
        if self.known is not None:
            return np.broadcast_to(self.known, (*np.broadcast(rows, who).shape, *self.known.shape))
        seen = (self.state["answers"][rows, who] + _DELAY) / _STEP  # as many answers the estimate stands on
        counts = seen[..., None, None] * self.state["joint"][rows, who] + _PSEUDO_ANSWERS * self.belief
        confusion: FloatArray = counts / counts.sum(axis=-1, keepdims=True)
        return confusion

    def read(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        """Returns the probability of each level, (n, K), given answers (n, m), NaN where missing; then learns."""
        rows = address.rows[:, None]
        answers, present = nearest_level(values, self.levels), ~np.isnan(values)
        likelihood = np.take_along_axis(self.confusion(rows, who), answers[:, :, None, None], axis=3)[..., 0]
        evidence = np.where(present[:, :, None], np.log(np.maximum(likelihood, 1e-12)), 0.0)  # (n, m, K)
        score = np.log(self.state["prior"][address.rows]) + evidence.sum(axis=1)
        posterior: FloatArray = np.exp(score - score.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        self._learn(posterior, answers, present, who, address.rows)
        return posterior

    def _learn(
        self, posterior: FloatArray, answers: IntArray, present: BoolArray, who: IntArray, rows: IntArray
    ) -> None:
        prior, texts, joint, count = (self.state[name] for name in ("prior", "texts", "joint", "answers"))
        step = _STEP / (texts[rows] + 1 + _DELAY)
        prior[rows] += step[:, None] * (posterior - prior[rows])
        texts[rows] += 1
        if self.known is not None:
            return
        for place in range(who.shape[1]):  # one after the other, as an annotator may answer twice
            at = np.flatnonzero(present[:, place])
            here = (rows[at], who[at, place])
            count[here] += 1
            step = _STEP / (count[here] + _DELAY)
            answered = np.arange(len(self.levels)) == answers[at, place, None]
            expected = posterior[at, :, None] * answered[:, None, :]
            joint[here] += step[:, None, None] * (expected - joint[here])


def mostly_right(levels: int) -> FloatArray:
    """Returns the belief about annotators before they are known, (K, K): 70 % right, else any other level."""
    wrong = (1 - _TRUST) / (levels - 1)
    return np.full((levels, levels), wrong) + (_TRUST - wrong) * np.eye(levels)


def check_levels(levels: int | None) -> None:
    """Raises a ValueError for a number of levels that is too small; None stands for the outcomes that there can be."""
    if levels is not None and levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")


def level_values(levels: int | None, low: float, high: float, outcomes: FloatArray | None) -> FloatArray:
    """Returns the values of `levels` levels from low to high, or by default the outcomes that there can be.

    Raises:
        ValueError: if there are no levels.
    """
    if levels is not None:
        return np.linspace(low, high, levels)
    if outcomes is None or len(outcomes) < 2:
        raise ValueError(
            "the signal's values are not in levels: tell the corrector into how many to cut them, such as levels=5"
        )
    return outcomes
