"""ROUGE-L: the longest common subsequence with the reference."""

from __future__ import annotations

import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist

from textgym.metrics.base import Metric
from textgym.metrics.parts.references import reference_strings, text_strings
from textgym.transition import Transition, once_per_transition
from textgym.types import FloatArray
from textgym.vocabulary import Vocabulary


class RougeL(Metric):
    """The F1 of the longest common subsequence of tokens: `2 LCS / (text length + reference length)`.

    Lin 2004, "ROUGE: a package for automatic evaluation of summaries", equations 2 to 4 with beta = 1. It is one
    minus the normalised insertion and deletion distance, which rapidfuzz computes bit-parallel. Without any common
    token it is 0, also for an empty text; an empty text with an empty reference scores 1.
    """

    def score(self, transition: Transition) -> FloatArray:
        return _similarity(transition, self.task.vocabulary)


@once_per_transition
def _similarity(transition: Transition, vocabulary: Vocabulary) -> FloatArray:
    texts, references = text_strings(transition), reference_strings(transition, vocabulary)
    similarity: FloatArray = cpdist(texts, references, scorer=Indel.normalized_similarity, dtype=np.float64)
    return similarity
