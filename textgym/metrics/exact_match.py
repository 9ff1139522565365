"""Exact match: the reference, token by token."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.transition import Transition
from textgym.types import FloatArray


class ExactMatch(Metric):
    """One where the text equals the reference, token by token, else 0; how the text was ended does not matter."""

    outcomes = np.array([0.0, 1.0])

    def score(self, transition: Transition) -> FloatArray:
        width = min(transition.text_ids.shape[1], transition.prompt_set.reference_ids.shape[1])
        same = transition.text_ids[:, :width] == transition.reference_ids[:, :width]
        same |= ~transition.text_mask[:, :width]
        equal: FloatArray = (same.all(axis=1) & (transition.text_lengths == transition.reference_lengths)).astype(float)
        return equal
