"""Task signal: a score that the task itself knows beside gold, such as a proxy of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textgym.metrics.base import Metric
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class TaskSignal(Metric):
    """One of `Task.signals`, in [0, 1]; the task's documentation says what it is.

    Args:
        task: the task whose texts are scored.
        signal: its name; refused where the task has none of that name.
    """

    example: ClassVar[Mapping[str, Any]] = {"signal": "proxy"}

    def __init__(self, task: Task, signal: str) -> None:
        super().__init__(task)
        if signal not in task.signals:
            known = ", ".join(task.signals) or "none"
            raise ValueError(f"this task has no signal {signal!r} of its own; known: {known}")
        self._signal = task.signals[signal]

    def score(self, transition: Transition) -> FloatArray:
        return self._signal(transition)
