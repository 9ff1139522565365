"""The share of right tokens: the gold of tasks with one right token for each place, the end among them.

All functions are for tasks whose references have one and the same `length`. The places are those of the reference, and
one more for the end: (tokens in their right place + whether the text ended right after the last) / (length + 1). It is
what the metric `token_match` adds up to.
"""

from __future__ import annotations

import numpy as np

from textgym.transition import Transition
from textgym.types import FloatArray, IntArray
from textgym.vocabulary import Vocabulary


def right_share(transition: Transition, vocabulary: Vocabulary, length: int) -> FloatArray:
    """Returns the share of right places of finished texts, (n,), in [0, 1]."""
    ended = (transition.text_lengths == length) & (transition.actions == vocabulary.end_id)
    share: FloatArray = (right_places(transition, length) + ended) / (length + 1)
    return share


def right_share_values(transition: Transition, vocabulary: Vocabulary, length: int) -> FloatArray:
    """Returns the optimal action values of texts under way, Q* (n, V): the share if all that follows is right."""
    written, budget = transition.text_lengths, transition.text_ids.shape[1]
    writing = np.flatnonzero(written < length)
    right = right_places(transition, length)
    # After one more token, every place up to the budget, and the end if it fits, can still be right.
    to_come = np.maximum(min(length, budget) - written - 1, 0)
    to_come += (written < length) & (budget > length)
    values = np.repeat((right + to_come)[:, None], len(vocabulary), axis=1)
    values[writing, transition.reference_ids[writing, written[writing]]] += 1
    values[:, vocabulary.end_id] = right + (written == length)
    return values / (length + 1)


def random_right_share(vocabulary: Vocabulary, length: int) -> float:
    """Returns the expected share of uniformly random writable tokens with a budget of `length + 1`.

    Place t is reached with probability (1 - 1/m)^t and then right with probability 1/m, for m writable tokens.
    """
    goes_on = 1.0 - 1.0 / np.count_nonzero(vocabulary.writable)
    return float(1.0 - goes_on ** (length + 1)) / (length + 1)


def right_places(transition: Transition, length: int) -> IntArray:
    """Returns how many tokens stand in their right place, (n,)."""
    width = min(length, int(transition.text_lengths.max(initial=0)))
    same = transition.text_ids[:, :width] == transition.reference_ids[:, :width]
    right: IntArray = (same & (np.arange(width) < transition.text_lengths[:, None])).sum(axis=1)
    return right
