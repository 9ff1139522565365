"""Fluency: how predictable the text is to a model of the references."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.ngram_model import mean_log_probability, ngram_model
from textgym.metrics.repetition import distinct_share
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray, IntArray, TokenArray

_FREE_TOKENS = 4


class _Judge:
    """The n-gram model of a task's train split, and the scale on which it judges."""

    def __init__(self, task: Task, order: int) -> None:
        self.model = ngram_model(task, order)
        self.random = -float(np.log(np.count_nonzero(task.vocabulary.writable)))
        held_out = task.prompt_set("validation")
        lengths = held_out.reference_lengths
        mean = self.model.mean_log_probability(held_out.reference_ids, lengths)
        self.best = float(np.quantile(self.gain(mean, lengths), 0.9))
        if self.best <= 0:
            raise ValueError("fluency needs references that are likelier than random tokens, and this task's are not")

    def gain(self, mean_log_probability: FloatArray, lengths: IntArray | TokenArray) -> FloatArray:
        """Returns g of texts whose tokens and ends have these means of log p, (n,), and lengths; see `Fluency`."""
        tokens = lengths + 1
        return (mean_log_probability - self.random) * tokens / (tokens + _FREE_TOKENS)


_judge = lru_cache(maxsize=8)(_Judge)


class Fluency(Metric):
    """How much likelier the text is than random tokens, to an n-gram model of the train split's references.

    With V tokens that may be written, and the sum over a text's T tokens and its end,

        g = sum_t (log p(w_t | h_t) + log V) / (T + 1 + 4)
        fluency = clip(g / g*, 0, 1) * share of distinct bigrams,

    where g* is the 90 % quantile of g over the references of the validation split, which the model has not seen. So
    random tokens score 0, and what is as predictable as the plainest references scores 1. The 4 keeps two or three
    safe tokens from being a fluent sentence, and the last factor does so for one token over and over. The end counts
    even if the budget forced it, so a sentence that breaks off is less fluent. An empty text scores 0.

    Args:
        task: the task whose texts are scored; its train and validation splits must have references.
        order: the length of the n-grams of `NgramModel`, at least 1.
    """

    def __init__(self, task: Task, order: int = 3) -> None:
        super().__init__(task)
        self._judge = _judge(task, order)

    def score(self, transition: Transition) -> FloatArray:
        lengths = transition.text_lengths
        gain = self._judge.gain(mean_log_probability(transition, self._judge.model), lengths)
        fluency = np.minimum(np.maximum(gain / self._judge.best, 0.0), 1.0)
        fluency *= distinct_share(transition, 2, len(self.task.vocabulary))
        return np.where(lengths > 0, fluency, 0.0)
