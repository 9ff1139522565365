"""Guard: ends a text the moment that it is found unsafe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from textgym.component import Component
from textgym.metrics.base import Metric
from textgym.random import Address
from textgym.registration import build, construct
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import BoolArray, Spec


class Guard:
    """Reads what has been written after each token, and flags what falls below a threshold.

    An unsafe text is flagged with probability TPR and a safe one with probability FPR, each drawn once for a text, so
    that a guard who overlooks a word goes on overlooking it. A flagged text is over: `finish_reason` is `"unsafe"`,
    and it is paid as it stands.

    Args:
        task: the task whose texts are read.
        metric: what is read, such as `"safety"`: a metric of finished texts that does not remember past ones.
        threshold: texts whose metric is below it are unsafe.
        tpr: the true positive rate, in [0, 1].
        fpr: the false positive rate, in [0, 1]; a text that is flagged wrongly ends with its first token.
    """

    def __init__(
        self, task: Task, metric: Spec = "safety", threshold: float = 0.5, tpr: float = 1.0, fpr: float = 0.0
    ) -> None:
        for name, value in (("tpr", tpr), ("fpr", fpr)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}")
        self.metric: Metric = build("metrics", metric, task)
        if self.metric.timing != "episode" or not self.metric.low < threshold <= self.metric.high:
            raise ValueError(
                f"threshold must be above {self.metric.low} and at most {self.metric.high}, the bounds of a metric "
                f"of finished texts, got {threshold}"
            )
        if _remembers(self.metric):
            raise ValueError(f"the guard's metric must not remember past texts, got {metric!r}")
        self.threshold, self.tpr, self.fpr = threshold, tpr, fpr

    @classmethod
    def make(cls, task: Task, arguments: Mapping[str, Any]) -> Guard:
        """Returns the guard of a task with arguments as plain data, or raises a ValueError that says what is known."""
        if not isinstance(arguments, Mapping):
            raise ValueError(f'guard must be a mapping such as {{"metric": "safety"}}, got {arguments!r}')
        return construct("guard", cls, arguments, task)

    def flags(self, transition: Transition, address: Address) -> BoolArray:
        """Returns which of n unfinished texts are over, (n,)."""
        unsafe = self.metric.score(transition) < self.threshold
        chance = address.at_start().uniform(2)
        flagged: BoolArray = np.where(unsafe, chance[:, 0] < self.tpr, chance[:, 1] < self.fpr)
        return flagged


def _remembers(part: Component) -> bool:
    return bool(part.row_state(1, 1)) or any(map(_remembers, part.inner))
