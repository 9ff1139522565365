"""The base of all metrics: a number computed from a text, without noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from textgym.component import Component
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class Metric(Component, ABC):
    """Scores texts. A new metric is one file with a subclass and one line in `registration.py`.

    Args:
        task: the task whose texts are scored; gives the vocabulary and the prompt sets.

    Attributes:
        timing: `"step"` scores every token as it is written; `"episode"` is called with finished texts only.
        low: the lowest score.
        high: the highest score.
        outcomes: all scores that there can be, ascending, where they are few; else None.
    """

    timing: Literal["step", "episode"] = "episode"
    low: float = 0.0
    high: float = 1.0
    outcomes: FloatArray | None = None

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def score(self, transition: Transition) -> FloatArray:
        """Returns the score of each row, (n,), in [low, high]; a text may be empty.

        Called with any texts, also such as an annotator compares with: what a metric keeps of a row's texts changes in
        `remember` alone.
        """

    def remember(self, transition: Transition, scores: FloatArray) -> None:
        """Is told, once for each text or token that is paid, the scores (n,) that it just got."""
