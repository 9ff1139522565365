"""ROUGE-L: the longest common subsequence with the reference."""

from __future__ import annotations

import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist

from textgym.metrics.base import Metric
from textgym.metrics.parts.references import as_strings, once_per_prompt_set
from textgym.tasks.base import PromptSet
from textgym.transition import Transition
from textgym.types import FloatArray
from textgym.vocabulary import Vocabulary


@once_per_prompt_set
def _reference_strings(prompt_set: PromptSet, vocabulary: Vocabulary) -> list[str]:
    return as_strings(prompt_set.reference_ids, prompt_set.reference_lengths)


class RougeL(Metric):
    """The F1 of the longest common subsequence of tokens: `2 LCS / (text length + reference length)`.

    Lin 2004, "ROUGE: a package for automatic evaluation of summaries", equations 2 to 4 with beta = 1. It is one
    minus the normalised insertion and deletion distance, which rapidfuzz computes bit-parallel. Without any common
    token it is 0, also for an empty text; an empty text with an empty reference scores 1.
    """

    def score(self, transition: Transition) -> FloatArray:
        known = _reference_strings(transition.prompt_set, self.task.vocabulary)
        references = [known[sample] for sample in transition.samples.tolist()]
        texts = as_strings(transition.text_ids, transition.text_lengths)
        similarity: FloatArray = cpdist(texts, references, scorer=Indel.normalized_similarity, dtype=np.float64)
        return similarity
