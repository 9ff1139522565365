"""The confusion matrix that all annotators share, learnt from how three answers to a text agree."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from textgym.component import Arrays, Component
from textgym.correction.parts.answer_model import mostly_right
from textgym.types import BoolArray, FloatArray, IntArray

_MEMORY = 1000.0
_PSEUDO_ANSWERS = 12.0
"""As how many answers to each level the belief that annotators are mostly right counts; a text gives three."""


class Consensus(Component):
    """Estimates C, where C[k, l] is the probability of the answer l to a text of true level k.

    How often three answers to a text are (a, b, c) has the probability `sum_k p[k] C[k, a] C[k, b] C[k, c]`, p[k] being
    the share of the level. Two answers cannot tell p and C, three can: Zhu, Song and Liu 2021, "Clusterability as an
    alternative to anchor points when learning with noisy labels". Each row counts its triples, a text for a third of
    its weight after 1,000 more, and after each text takes one step of the EM algorithm on these counts, with some
    imagined answers, mostly right, which also give the levels their names. Time and memory grow with K^4 and K^3.

    Args:
        levels: the number of levels K.
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {
            "triples": np.zeros((self.levels,) * 3),
            "confusion": mostly_right(self.levels),
            "shares": np.full(self.levels, 1 / self.levels),
        }

    def learn(self, answers: IntArray, present: BoolArray, rows: IntArray) -> None:
        """Counts the answers to a text of each row, (n, m), where they are present, (n, m), and takes a step."""
        counts = self.state["triples"][rows] * (1 - 1 / _MEMORY)
        places = list(combinations(range(answers.shape[1]), 3))
        for triple in places:
            at = np.flatnonzero(present[:, triple].all(axis=1))
            counts[(at, *answers[at][:, triple].T)] += 1 / len(places)
        shares, confusion = self.state["shares"][rows], self.state["confusion"][rows]
        first, second, third = (
            confusion[:, :, :, None, None],
            confusion[:, :, None, :, None],
            confusion[:, :, None, None, :],
        )
        joint = shares[:, :, None, None, None] * first * second * third  # (n, K, K, K, K): true level, three answers
        expected = joint * (counts / joint.sum(axis=1))[:, None]
        pairs = expected.sum(axis=4)
        answered = pairs.sum(axis=3) + pairs.sum(axis=2) + expected.sum(axis=2).sum(axis=2)  # (n, K, K)
        of_level = pairs.sum(axis=3).sum(axis=2) + 1.0
        self.state["triples"][rows] = counts
        self.state["shares"][rows] = of_level / of_level.sum(axis=1, keepdims=True)
        answered += _PSEUDO_ANSWERS * mostly_right(self.levels)
        self.state["confusion"][rows] = answered / answered.sum(axis=2, keepdims=True)

    def confusion(self, rows: IntArray) -> FloatArray:
        """Returns the estimate of C of some rows, (n, K, K)."""
        confusion: FloatArray = self.state["confusion"][rows]
        return confusion
