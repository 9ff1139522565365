"""The facts of a text: which values it names anywhere, and which it states in a phrase that says what they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from textgym.tasks.parts.summarize_words import ASIDES, DEEDS, NAMES, NUMBERS, VALUES
from textgym.types import BoolArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary

_BEFORE = {
    "who": ("by",),
    "deed": (*NAMES, "has", "was", "been"),
    "thing": ("a", "an", "the", "'s"),
    "group": ("for", "serve"),
    "place": ("in",),
    "day": ("on",),
}
"""The words of which one stands in front of a value that is stated."""

_BEHIND = {"who": ("has", *DEEDS, *DEEDS.values())}
"""The words of which one may stand behind it instead. Numbers are read by what they count."""


class Facts(NamedTuple):
    """The facts of n texts, a column for each value of a slot; those of an aside are values too.

    Attributes:
        named: (n, K) the values whose word occurs.
        stated: (n, K) those of them that stand in a phrase, as `Leeds` in `in Leeds`.
    """

    named: BoolArray
    stated: BoolArray


class FactReader:
    """Finds facts in any tokens: by a word and its neighbours, wherever they stand.

    A name is stated in front of a deed or `has`, or behind `by`; a deed behind a name, `has`, `was` or `been`; a thing
    behind an article or `'s`; a group behind `for` or `serve`, a place behind `in`, a day behind `on`. The two words
    for a deed are one value. A number in front of `thousand` is a cost, and stated if `pounds` comes next; one in front
    of `friends` is a stated number of helpers; any other is a value of its own that is never stated.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        ids = {word: number for number, word in enumerate(vocabulary.tokens)}
        slots = [slot for slot in VALUES if slot in _BEFORE]
        self._value = np.zeros(len(ids), np.int64)  # by token; 0 is no value
        self._slot = np.zeros(len(ids), np.int64)
        self._before, self._behind = (np.zeros((len(slots) + 1, len(ids)), np.bool_) for _ in range(2))
        self._size = 1
        for number, slot in enumerate(slots, start=1):
            for word in VALUES[slot]:
                for token in {ids[word], ids[DEEDS.get(word, word)]}:
                    self._value[token], self._slot[token] = self._size, number
                self._size += 1
            self._before[number, [ids[word] for word in _BEFORE[slot]]] = True
            self._behind[number, [ids[word] for word in _BEHIND.get(slot, ())]] = True
        for word in (*ASIDES, *NUMBERS):
            self._value[ids[word]] = self._size
            self._size += 1
        self._is_number = np.isin(np.arange(len(ids)), [ids[word] for word in NUMBERS])
        self._size += 2 * len(NUMBERS)  # alone, of thousand pounds, of friends
        self._thousand, self._pounds, self._friends = (ids[word] for word in ("thousand", "pounds", "friends"))

    def read(self, text_ids: IntArray | TokenArray, text_lengths: IntArray | TokenArray) -> Facts:
        """Returns the facts of n texts, (n, T) tokens of which (n,) are in use."""
        used = np.arange(text_ids.shape[1]) < text_lengths[:, None]
        padded = np.pad(np.where(used, text_ids, 0), ((0, 0), (1, 2)))
        before, ids, behind, second = (padded[:, shift : shift + used.shape[1]] for shift in range(4))
        number, slot = self._is_number[ids], self._slot[ids]
        cost, helpers = number & (behind == self._thousand), number & (behind == self._friends)
        value = self._value[ids] + len(NUMBERS) * (cost + 2 * helpers)
        in_phrase = self._before[slot, before] | self._behind[slot, behind]
        in_phrase |= helpers | (cost & (second == self._pounds))
        return Facts(self._columns(value), self._columns(np.where(in_phrase, value, 0)))

    def _columns(self, value: IntArray) -> BoolArray:
        found = np.zeros((len(value), self._size), np.bool_)
        found[np.arange(len(value))[:, None], value] = True
        found[:, 0] = False
        return found
