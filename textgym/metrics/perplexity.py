"""Perplexity: how well a language model foresees the text, on a scale where 1 is best."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.scorers import Scorer
from textgym.registration import build
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray, Spec


class Perplexity(Metric):
    """The inverse of the perplexity per token, in [0, 1].

    With the T tokens of a text and its end, w_1 to w_T+1,

        1 / perplexity = exp(1 / (T + 1) sum_t log p(w_t | prompt, w_1, ..., w_t-1)),

    the geometric mean of the probabilities that the model gives each token. Perplexity itself has no upper bound and
    is the better the lower it is; it is one over the score. What is safe and dull scores best: `fluency` takes account
    of that.

    Args:
        task: the task whose texts are scored.
        scorer: the name or spec of the language model: `"ngram"`, or of `agents`
            `{"name": "causal_lm", "path": "folder"}`.
    """

    def __init__(self, task: Task, scorer: Spec = "ngram") -> None:
        super().__init__(task)
        self.scorer: Scorer = build("scorers", scorer, task)

    def score(self, transition: Transition) -> FloatArray:
        score: FloatArray = np.exp(np.minimum(self.scorer.mean_log_probability(transition), 0.0))
        return score
