"""Ranking: the texts of one prompt, from the best to the worst."""

from __future__ import annotations

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.component import Arrays
from textgym.metrics.base import Metric


class Ranking(Annotator):
    """Ranks the texts that a row writes for one prompt, K = `group_size` of them, by the law of Plackett and Luce.

    With q in [0, 1] the metric's place between its bounds, the ranking pi_1, ..., pi_K, the best first, has probability

        prod_k exp(beta q_(pi_k)) / sum_(l >= k) exp(beta q_(pi_l))

    (Luce 1959, "Individual choice behavior"; Plackett 1975, "The analysis of permutations"). Each text gets the
    utility `beta q + g`, g standard Gumbel, when it is finished, and utilities are sorted (Yellott 1977, "The
    relationship between Luce's choice axiom, Thurstone's theory of comparative judgment, and the double exponential
    distribution"); so a text can be paid at once, and the annotator does not contradict itself.

    The reading is the share of the group's earlier texts that a text beats; the first has none. The annotation has
    `rank` (n, m), the text's rank among those so far, 1 for the best; and, with the group's last text, `ranking`
    (n, m, max_group), the rank of the group's first, second, ... text. Before, and for a text that does not exist, it
    is -1. Everyone ranks the texts that they were asked about themselves.

    Args:
        metric: the metric that is ranked.
        beta: how strongly quality decides, at least 0: a text whose q is larger by x wins with probability
            sigma(beta x).
        max_group: the largest group, at least 2.
    """

    whole_texts = True
    needs_group = True
    max_group: int

    def __init__(self, metric: Metric, beta: float = 10.0, max_group: int = 16) -> None:
        super().__init__(metric)
        if not 0 <= beta < np.inf:
            raise ValueError(f"beta must be finite and at least 0, got {beta}")
        if not isinstance(max_group, int) or max_group < 2:
            raise ValueError(f"max_group must be a whole number of at least 2, got {max_group}")
        self.beta, self.max_group = beta, max_group

    def row_state(self, readings: int, annotators: int) -> Arrays:
        utilities = np.full((annotators, self.max_group), np.nan)
        return {"group": np.array(-1), "sample": np.array(-1), "utilities": utilities}

    def answer(self, question: Question) -> Answer:
        texts, size = question.transition, question.transition.group_size
        group, place = np.divmod(texts.episodes, size)
        another = (self.state["group"][texts.rows] != group) | (self.state["sample"][texts.rows] != texts.samples)
        self.state["utilities"][texts.rows[another]] = np.nan
        self.state["group"][texts.rows], self.state["sample"][texts.rows] = group, texts.samples

        q = (question.quality - self.metric.low) / (self.metric.high - self.metric.low)
        own = self.beta * q - np.log(-np.log(question.address.uniform(question.readings)))  # (n, m)
        people = texts.rows[:, None], question.who
        earlier = self.state["utilities"][people]  # (n, m, max_group), NaN where a person was not asked
        beaten = (earlier < own[:, :, None]).sum(axis=2)
        count = beaten + (earlier > own[:, :, None]).sum(axis=2)
        readings = np.where(count > 0, beaten / np.maximum(count, 1), np.nan)

        self.state["utilities"][(*people, place[:, None])] = own
        utilities = self.state["utilities"][people]
        best_first = np.argsort(-utilities, axis=2)  # NaN comes last
        ranking = np.argsort(best_first, axis=2) + 1
        ranking[np.isnan(utilities) | (place < size - 1)[:, None, None]] = -1
        return Answer(readings, {"rank": count - beaten + 1, "ranking": ranking})
