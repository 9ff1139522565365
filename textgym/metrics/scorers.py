"""Scorers: language models that say how probable a text is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from textgym.metrics.parts.ngram_model import mean_log_probability, ngram_model
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class Scorer(ABC):
    """A language model. A new one is a subclass and one line in `registration.py`, or another package's entry point.

    Args:
        task: the task whose texts are scored.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def mean_log_probability(self, transition: Transition) -> FloatArray:
        """Returns the mean of log p over the tokens of each text and its end, given the prompt, (n,) nats, at most 0.

        The end counts even if the budget forced it.
        """


class Ngram(Scorer):
    """`NgramModel` of the train split's references, which knows nothing of the prompt.

    Args:
        task: the task whose texts are scored; its train split must have references.
        order: the length of the longest n-grams, at least 1.
    """

    def __init__(self, task: Task, order: int = 3) -> None:
        super().__init__(task)
        self.model = ngram_model(task, order)

    def mean_log_probability(self, transition: Transition) -> FloatArray:
        return mean_log_probability(transition, self.model)
