"""Repetition: no sequence of tokens twice."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.tasks.base import Task
from textgym.transition import Transition, once_per_transition
from textgym.types import FloatArray


@once_per_transition
def distinct_share(transition: Transition, n: int, size: int) -> FloatArray:
    """Returns the share of each text's n-grams that are distinct, (n,), and 1 where a text has none.

    Args:
        transition: the n texts.
        n: the number of tokens in an n-gram, at least 1.
        size: all ids are below it, and `size ** n` is below 2 ** 62.
    """
    ids, lengths = transition.text_ids, transition.text_lengths
    width = ids.shape[1] - n + 1
    if width < 1:
        return np.ones(len(ids))
    grams = ids[:, :width]
    for offset in range(1, n):
        grams = grams * size + ids[:, offset : offset + width]
    total = np.maximum(lengths - n + 1, 0)
    grams = np.sort(np.where(np.arange(width) < total[:, None], grams, -1), axis=1)  # -1 lies outside the text
    distinct = np.count_nonzero(grams[:, 1:] != grams[:, :-1], axis=1) + (grams[:, 0] >= 0)
    return np.where(total > 0, distinct / np.maximum(total, 1), 1.0)


class Repetition(Metric):
    """The share of a text's n-grams that are distinct: 1 if nothing is repeated, near 0 if one word is all there is.

    This is distinct-n of Li et al. 2016, "A diversity-promoting objective function for neural conversation models",
    for one text. A text shorter than n tokens repeats nothing and scores 1.

    Args:
        task: the task whose texts are scored.
        n: the number of tokens in a sequence, at least 1, with `vocabulary size ** n` below 2 ** 62.
    """

    def __init__(self, task: Task, n: int = 2) -> None:
        super().__init__(task)
        self.n, self._size = n, len(task.vocabulary)
        if not isinstance(n, int) or not 1 <= n < 62 or self._size**n >= 2**62:
            raise ValueError(f"n must be a whole number from 1, with {self._size} ** n below 2 ** 62, got n={n}")

    def score(self, transition: Transition) -> FloatArray:
        return distinct_share(transition, self.n, self._size)
