"""Relevance: the words that matter in the prompt, and no others."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.words import asked_terms, said_terms, shared_terms, terms_of
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class Relevance(Metric):
    """The cosine of the terms of the text and of its prompt, weighted by inverse document frequency.

    With P and T the sets of terms of the prompt and of the text, and idf as `Terms` has it,

        relevance = sum_(P and T) idf^2 / sqrt(sum_P idf^2 * sum_T idf^2).

    It is the vector space model with binary term frequencies, "bfc" in Salton and Buckley 1988, "Term-weighting
    approaches in automatic text retrieval": saying a word again earns nothing, and words that the prompt does not hold
    cost. An empty text scores 0, and so does any text where the prompt has no terms; repeating the prompt scores 1.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._terms = terms_of(task)

    def score(self, transition: Transition) -> FloatArray:
        said, asked = said_terms(transition, self._terms), asked_terms(transition, self._terms)
        weight = self._terms.idf**2
        common = np.where(shared_terms(transition, self._terms), weight[said], 0.0).sum(axis=1)
        product = weight[said].sum(axis=1) * weight[asked].sum(axis=1)
        cosine: FloatArray = common / np.sqrt(np.where(product > 0, product, 1.0))
        return np.minimum(cosine, 1.0)
