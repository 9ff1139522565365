"""A grammar of texts as a finite automaton over tokens: what may come next, and where a text has arrived."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from textgym.types import BoolArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary


class TokenGrammar:
    """States and the tokens that lead from one to the next.

    A text starts in the first state. A token that the state has no rule for leads to a last state of its own, `lost`,
    which no token leaves.

    Args:
        vocabulary: the tokens.
        rules: for each state, the words that may come next and the state that each leads to; the name of a group
            stands for all of its words.
        groups: words by the name of their group; no name is itself a word.
        ends: the states in which a text may end.

    Attributes:
        states: the number of each state, by name.
        allowed: (S + 1, V) the tokens that may come next in each state, the end token where a text may end; in `lost`
            all that an agent may write. Read-only.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        rules: Mapping[str, Mapping[str, str]],
        groups: Mapping[str, Sequence[str]],
        ends: Collection[str],
    ) -> None:
        self.states = {name: number for number, name in enumerate((*rules, "lost"))}
        lost = self.states["lost"]
        ids = {word: number for number, word in enumerate(vocabulary.tokens)}
        self._next = np.full((lost + 1, len(vocabulary)), lost, np.int64)  # (S + 1, V)
        for state, following in rules.items():
            for name, target in following.items():
                words = [ids[word] for word in groups.get(name, (name,))]
                self._next[self.states[state], words] = self.states[target]
        self.allowed: BoolArray = self._next != lost
        self.allowed[[self.states[name] for name in ends], vocabulary.end_id] = True
        self.allowed[lost] = vocabulary.writable
        self.allowed.flags.writeable = False

    def arrive(self, ids: IntArray | TokenArray, lengths: IntArray | TokenArray) -> IntArray:
        """Returns the state that each text has arrived in, (n,), from tokens (n, T) of which (n,) are in use."""
        state = np.zeros(len(ids), np.int64)
        for place in range(int(lengths.max(initial=0))):
            state = np.where(place < lengths, self._next[state, ids[:, place]], state)
        return state
