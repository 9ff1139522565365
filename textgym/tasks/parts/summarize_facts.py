"""The facts of a text: which values it names anywhere, and which it states in a phrase that says what they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from textgym.tasks.parts.summarize_words import ASIDES, DEEDS, NUMBERS, RELATIONS, STATED, VALUES, pieces
from textgym.types import BoolArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary


class Facts(NamedTuple):
    """The facts of n texts, a column for each value of a slot; what gives an aside or somebody else away is one, too.

    Attributes:
        named: (n, K) the values whose word occurs.
        stated: (n, K) those of them that stand in a phrase, as `Leeds` in `in Leeds`.
    """

    named: BoolArray
    stated: BoolArray


class FactReader:
    """Finds facts in any tokens, by the phrases of `STATED`, wherever they stand.

    The two words for a deed are one value. A number in front of `thousand` is a cost, one in front of `friends` a
    number of helpers, and any other a value of its own that is never stated.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = {word: number for number, word in enumerate(vocabulary.tokens)}
        self._slots = {slot: np.zeros(len(self._ids), np.int64) for slot in VALUES}  # slot: value by token, 0 is none
        self._slots["did"] = self._slots["deed"]
        self._alone = np.zeros(len(self._ids), np.int64)  # the value of a token that is in no phrase, by token
        self._size = 1
        for slot, words in VALUES.items():
            for word in words:
                for token in {self._ids[word], self._ids[DEEDS.get(word, word)]}:
                    self._slots[slot][token] = self._alone[token] = self._size
                self._size += 1
        for word in (*NUMBERS, *ASIDES, *RELATIONS):
            self._alone[self._ids[word]] = self._size
            self._size += 1
        self._phrases = [self._phrase(phrase) for phrase in STATED]
        self._longest = max(len(fits) for fits, _ in self._phrases)

    def _phrase(self, phrase: str) -> tuple[list[BoolArray], list[tuple[int, IntArray]]]:
        """Returns which tokens fit into each place of a phrase, (V,) each, and the places and values of its slots."""
        fits, slots = [], []
        for place, piece in enumerate(pieces(phrase)):
            if piece[0] == "{":
                values = self._slots[piece[1:-1]]
                fits.append(values > 0)
                slots.append((place, values))
            else:
                fits.append(np.arange(len(self._ids)) == self._ids[piece])
        return fits, slots

    def read(self, text_ids: IntArray | TokenArray, text_lengths: IntArray | TokenArray) -> Facts:
        """Returns the facts of n texts, (n, T) tokens of which (n,) are in use."""
        width = text_ids.shape[1]
        used = np.arange(width) < text_lengths[:, None]
        ids = np.pad(np.where(used, text_ids, 0), ((0, 0), (0, self._longest)))
        named, stated = (np.zeros((len(ids), self._size), np.bool_) for _ in range(2))
        alone = self._alone[ids]
        for slot, word in (("cost", "thousand"), ("helpers", "friends")):
            values = self._slots[slot][ids[:, :-1]]
            np.copyto(alone[:, :-1], values, where=(values > 0) & (ids[:, 1:] == self._ids[word]))
        named[np.arange(len(ids))[:, None], alone] = True
        for fits, slots in self._phrases:
            found = np.logical_and.reduce([fit[ids[:, place : place + width]] for place, fit in enumerate(fits)])
            rows, starts = np.nonzero(found)
            for place, values in slots:
                stated[rows, values[ids[rows, starts + place]]] = True
        named[:, 0] = stated[:, 0] = False
        return Facts(named, stated)
