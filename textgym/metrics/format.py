"""Format: whether the text has a prescribed form."""

from __future__ import annotations

import re

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.words import spelled
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class Format(Metric):
    """One where the whole text matches a regular expression, else 0.

    Python's `re` sets no limit to the time that a match takes: a pattern of repetitions inside repetitions, such as
    `(a+)+`, can take exponentially long on a text that an agent finds.

    Args:
        task: the task whose texts are scored.
        pattern: the regular expression, for `re.fullmatch` on the decoded text; by default a single line that starts
            with a capital letter and ends with a full stop, an exclamation mark or a question mark.
    """

    def __init__(self, task: Task, pattern: str = r"[A-Z].*[.!?]") -> None:
        super().__init__(task)
        try:
            self._matches = re.compile(pattern).fullmatch
        except (re.error, TypeError) as error:
            raise ValueError(f"pattern must be a regular expression, got {pattern!r}: {error}") from error
        self.outcomes = np.array([0.0, 1.0])

    def score(self, transition: Transition) -> FloatArray:
        texts = spelled(transition, self.task.vocabulary)
        return np.array([self._matches(text) is not None for text in texts], np.float64)
