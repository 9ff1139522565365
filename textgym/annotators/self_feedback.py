"""Self-feedback: a model scores its own text, and likes what it would have written."""

from __future__ import annotations

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.metrics.base import Metric
from textgym.metrics.scorers import Scorer
from textgym.registration import build
from textgym.types import Spec


class SelfFeedback(Annotator):
    """Scores a text by a metric, with a preference for what the model itself finds likely:

        f = q + kappa log pi(y | x),

    q the metric and log pi the mean log probability of the text's tokens and its end under the model, in nats. The
    bias is that of Xu et al. 2024, "Pride and prejudice: LLM amplifies self-bias in self-refinement". No text is
    liked less than a random one: with V tokens that may be written, log pi counts as -log V at the least, so answers
    lie in [low - kappa log V, high], or in [low, high - kappa log V] where kappa is negative. Nobody is paid for them.

    The annotation has `log_probability` (n,), log pi.

    Args:
        metric: the metric: `"perplexity"`, `"bleu"`, `"rouge_l"` or any other that reads finished texts.
        kappa: the self-preference, for each nat a token.
        model: the model, the name or spec of a scorer; by default an n-gram model of the train split's references.
    """

    cost = 0.0
    default_metric = "perplexity"
    whole_texts = True

    def __init__(self, metric: Metric, kappa: float = 0.1, model: Spec = "ngram") -> None:
        super().__init__(metric)
        if not np.isfinite(kappa):
            raise ValueError(f"kappa must be finite, got {kappa}")
        self.kappa = kappa
        self._model: Scorer = build("scorers", model, metric.task)
        self._least = -float(np.log(np.count_nonzero(metric.task.vocabulary.writable)))
        self.low = metric.low + min(kappa * self._least, 0.0)
        self.high = metric.high + max(kappa * self._least, 0.0)

    def answer(self, question: Question) -> Answer:
        log_probability = self._model.mean_log_probability(question.transition)
        liking = self.kappa * np.maximum(log_probability, self._least)
        readings = np.minimum(np.maximum(question.quality + liking[:, None], self.low), self.high)
        return Answer(readings, {"log_probability": log_probability.copy()})
