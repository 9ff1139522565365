"""Informativeness: how much each token of the text tells that the prompt does not."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.words import said_terms, shared_terms, terms_of
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class Informativeness(Metric):
    """The mean over the text's tokens of what each says anew, on a scale on which the rarest term is 1.

    With N the terms of the text that its prompt does not hold, T the number of its tokens, and idf as `Terms` has it,

        informativeness = sum_N idf / (T max idf).

    It is the lexical density of Ure 1971 (content words over words) with content measured by the term specificity of
    Spärck Jones 1972. A term counts once, tokens without a letter and repetitions only make the text longer, and an
    empty text scores 0. One rare word alone scores 1, so this asks for another signal that wants a whole sentence.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._terms = terms_of(task)
        self._share = self._terms.idf / max(self._terms.idf.max(), np.finfo(np.float64).tiny)

    def score(self, transition: Transition) -> FloatArray:
        said, shared = said_terms(transition, self._terms), shared_terms(transition, self._terms)
        told = np.where(shared, 0.0, self._share[said]).sum(axis=1)
        density: FloatArray = told / np.maximum(transition.text_lengths, 1)
        return np.minimum(density, 1.0)
