"""Potential: a metric of finished texts, paid token by token as it rises and falls."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textgym.component import Arrays
from textgym.metrics.base import Metric
from textgym.registration import build
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray, Spec


class Potential(Metric):
    """Pays `F(s, a, s') = gamma Phi(s') - Phi(s)` at gamma = 1, where Phi is a metric of the text so far.

    Ng, Harada, Russell 1999, "Policy invariance under reward transformations: theory and application to reward
    shaping", equation 2. Before the first token Phi is 0, so the sum over a text is the metric of the finished text.

    Args:
        task: the task whose texts are scored.
        metric: the name or spec of the metric Phi, one that scores finished texts.
    """

    example: ClassVar = {"metric": "rouge_l"}
    timing = "step"

    def __init__(self, task: Task, metric: Spec) -> None:
        super().__init__(task)
        self._phi: Metric = build("metrics", metric, task)
        if self._phi.timing != "episode":
            raise ValueError(f"metric must be one that scores finished texts, got {metric!r}, which scores every token")
        self.inner = [self._phi]
        self.low = self._phi.low - max(self._phi.high, 0.0)
        self.high = self._phi.high - min(self._phi.low, 0.0)

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"potential": np.zeros(())}

    def score(self, transition: Transition) -> FloatArray:
        return self._phi.score(transition) - self._before(transition)

    def remember(self, transition: Transition, scores: FloatArray) -> None:
        potential = self._before(transition) + scores
        self.state["potential"][transition.rows] = potential
        ended = transition.finished
        if ended.any():
            self._phi.remember(transition[ended], potential[ended])

    def _before(self, transition: Transition) -> FloatArray:
        """Returns the potential of each text before its last token, (n,)."""
        return np.where(transition.steps == 0, 0.0, self.state["potential"][transition.rows])
