"""Gold that depends on two counts: its value for random texts, and for texts that go on as well as can be."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from textgym.transition import Transition
from textgym.types import FloatArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary


class TwoCounts:
    """The gold of texts whose first T tokens can each do one of two things, or neither.

    Args:
        gold: (T + 1, T + 1) the gold of a text that did the first thing i times and the second j times; what stands
            where i + j is above T is never read.
    """

    def __init__(self, gold: FloatArray) -> None:
        self.gold = gold
        self.places = len(gold) - 1

    def random_return(self, writable: int) -> float:
        """Returns the expected gold of uniformly random tokens, `writable` in number.

        At each place one of them does the first thing, another one the second, and a third ends the text.
        """
        chance = 1 / writable
        going, over = np.zeros_like(self.gold), np.zeros_like(self.gold)
        going[0, 0] = 1.0
        for _ in range(self.places):
            over += chance * going
            after = (1 - 3 * chance) * going
            after[1:] += chance * going[:-1]
            after[:, 1:] += chance * going[:, :-1]
            going = after
        return float(((over + going) * self.gold).sum())

    @cached_property
    def best(self) -> FloatArray:
        """The highest gold that texts with counts i and j can still reach in r more places, (T + 1 for r, i, j)."""
        best = [self.gold]
        for _ in range(self.places):
            reached = best[-1].copy()
            reached[:-1] = np.maximum(reached[:-1], best[-1][1:])
            reached[:, :-1] = np.maximum(reached[:, :-1], best[-1][:, 1:])
            best.append(reached)
        return np.array(best)

    def action_values(
        self,
        transition: Transition,
        vocabulary: Vocabulary,
        counts: tuple[IntArray, IntArray],
        tokens: tuple[IntArray | TokenArray, IntArray | TokenArray],
    ) -> FloatArray:
        """Returns `Task.action_values`, (n, V).

        Args:
            transition: texts under way.
            vocabulary: the tokens.
            counts: (n,) and (n,) how often each text has done the one and the other.
            tokens: (n,) and (n,) the token that would do the one, and the other, at the next place.
        """
        written, (i, j) = transition.text_lengths, counts
        values = np.repeat(self.gold[i, j][:, None], len(vocabulary), axis=1)
        open_rows = np.flatnonzero(written < self.places)
        i, j = i[open_rows], j[open_rows]
        left = min(self.places, transition.text_ids.shape[1]) - written[open_rows] - 1
        going_on = np.arange(len(vocabulary)) != vocabulary.end_id
        values[open_rows] = np.where(going_on, self.best[left, i, j][:, None], values[open_rows])
        values[open_rows, tokens[0][open_rows]] = self.best[left, i + 1, j]
        values[open_rows, tokens[1][open_rows]] = self.best[left, i, j + 1]
        return values
