"""Tasks in which the first token decides: gold is 1 where it is the reference's first, else 0."""

from __future__ import annotations

import numpy as np

from textgym.transition import Transition
from textgym.types import FloatArray


def first_token_right(transition: Transition) -> FloatArray:
    """Returns 1 for each text that begins as its reference does, else 0, (n,)."""
    same = transition.text_ids[:, :1] == transition.reference_ids[:, :1]
    right: FloatArray = (same & transition.text_mask[:, :1]).any(axis=1).astype(np.float64)
    return right


def first_token_values(transition: Transition, tokens: int) -> FloatArray:
    """Returns the optimal action values of texts under way, Q* (n, V): all the same once the first token is written."""
    values = np.repeat(first_token_right(transition)[:, None], tokens, axis=1)
    blank = np.flatnonzero(transition.text_lengths == 0)
    values[blank, transition.reference_ids[blank, 0]] = 1.0
    return values
