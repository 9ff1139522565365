"""Length: how near the text comes to the number of tokens that is wanted."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class Length(Metric):
    """One at the wanted length, falling in a straight line on both sides: `1 - min(1, |T - target| / max(target, 1))`.

    T is the number of tokens, the end not counted. An empty text scores 0, unless an empty one is wanted, and so does
    one of twice the wanted length.

    Args:
        task: the task whose texts are scored.
        target: the wanted number of tokens, at least 0; None for each reference's own.
    """

    def __init__(self, task: Task, target: float | None = None) -> None:
        super().__init__(task)
        if target is not None and not 0 <= target < np.inf:
            raise ValueError(f"target must be finite and non-negative, or None for the reference's, got {target}")
        self.target = target

    def score(self, transition: Transition) -> FloatArray:
        target = transition.reference_lengths if self.target is None else self.target
        distance = np.abs(transition.text_lengths - target) / np.maximum(target, 1)
        near: FloatArray = 1.0 - np.minimum(distance, 1.0)
        return near
