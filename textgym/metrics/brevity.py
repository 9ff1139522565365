"""Brevity: BLEU's brevity penalty, against texts that break off too soon."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.transition import Transition
from textgym.types import FloatArray


class Brevity(Metric):
    """One if the text has at least as many tokens as the reference, else `exp(1 - reference length / text length)`.

    The brevity penalty of BLEU (Papineni, Roukos, Ward, Zhu 2002): metrics that reward precision are best met by saying
    little, and this one takes that advantage away. It does not mind a long text. An empty text scores 0.
    """

    def score(self, transition: Transition) -> FloatArray:
        wanted, lengths = transition.reference_lengths, transition.text_lengths
        penalty: FloatArray = np.exp(np.minimum(0.0, 1.0 - wanted / np.maximum(lengths, 1)))
        return np.where(lengths == 0, wanted == 0, penalty)
