"""Gold: the task's own score of what it truly wants."""

from __future__ import annotations

from textgym.metrics.base import Metric
from textgym.transition import Transition
from textgym.types import FloatArray


class Gold(Metric):
    """`Task.gold` as a signal, in [0, 1]: for annotators who err about the truth, and as the upper end of a study."""

    def score(self, transition: Transition) -> FloatArray:
        return self.task.gold(transition)
