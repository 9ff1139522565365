"""Blend: several metrics as one, each with its share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from textgym.metrics.base import Metric
from textgym.registration import as_list, build, split_spec
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray, Spec


class Blend(Metric):
    """The weighted mean of other metrics, `sum_i w_i f_i / sum_i w_i`: what a person sees who heeds several things.

    The members of a pool who differ in taste each see the same parts with shares of their own.

    Args:
        task: the task whose texts are scored.
        metrics: p specs of metrics of one timing, each with an optional non-negative `weight`, by default 1.

    Attributes:
        inner: the p metrics.
        shares: (p,) their weights, which sum to 1.
    """

    example: ClassVar = {"metrics": [{"name": "rouge_l", "weight": 0.7}, {"name": "brevity", "weight": 0.3}]}
    inner: Sequence[Metric]

    def __init__(self, task: Task, metrics: Sequence[Spec]) -> None:
        super().__init__(task)
        specs = [split_spec("metrics", spec) for spec in as_list("metrics", metrics)]
        if not specs:
            raise ValueError("metrics must name at least one metric")
        weights = [arguments.pop("weight", 1.0) for _, arguments in specs]
        if not all(isinstance(w, int | float) and 0 <= w < np.inf for w in weights) or not sum(weights) > 0:
            raise ValueError(f"weights must be finite, non-negative and not all zero, got {weights}")
        self.inner = [build("metrics", {"name": name, **arguments}, task) for name, arguments in specs]
        timings = [metric.timing for metric in self.inner]
        if len(set(timings)) > 1:
            told = ", ".join(f"{name} {timing}" for (name, _), timing in zip(specs, timings, strict=True))
            raise ValueError(f"metrics must be of one timing, 'step' or 'episode', got {told}")
        self.timing = timings[0]
        self.shares: FloatArray = np.array(weights, np.float64) / sum(weights)
        self.low = float(self.shares @ [metric.low for metric in self.inner])
        self.high = float(self.shares @ [metric.high for metric in self.inner])

    def parts(self, transition: Transition) -> FloatArray:
        """Returns the score of each inner metric, (n, p)."""
        return np.column_stack([metric.score(transition) for metric in self.inner])

    def score(self, transition: Transition) -> FloatArray:
        blended: FloatArray = (self.parts(transition) * self.shares).sum(axis=1)  # BLAS would round by batch size
        return np.minimum(np.maximum(blended, self.low), self.high)

    def remember(self, transition: Transition, scores: FloatArray) -> None:
        for metric in self.inner:
            if type(metric).remember is not Metric.remember:
                metric.remember(transition, metric.score(transition))
