"""A fixed table from 64-bit integers to small numbers, looked up for a whole batch at once."""

from __future__ import annotations

import numpy as np

from textgym.types import IntArray

_EMPTY = np.iinfo(np.int64).min
_MULTIPLIERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03))
_SPARSENESS = 3
_ROUNDS = 200


class HashTable:
    """Cuckoo hashing (Pagh and Rodler 2004): a key lies in one of two slots, so looking it up takes no loop.

    Args:
        keys: (K,) distinct keys, above the lowest integer.
        first: the number of the first key; the others are counted on.
    """

    def __init__(self, keys: IntArray, first: int = 0) -> None:
        bits = max(1, (_SPARSENESS * len(keys) - 1).bit_length())
        while not self._place(keys, bits):
            bits += 1
        self._numbers += first

    def find(self, keys: IntArray) -> IntArray:
        """Returns the number of each key, (n,), or -1 for one that is not in the table."""
        slot, other = self._slots(keys)
        slot = np.where(self._keys[slot] == keys, slot, other)
        return np.where(self._keys[slot] == keys, self._numbers[slot], np.int64(-1))

    def _place(self, keys: IntArray, bits: int) -> bool:
        """Fills a table of `2 ** bits` slots; returns whether every key found a place."""
        self._shift = np.uint64(64 - bits)
        self._keys, self._numbers = np.full(1 << bits, _EMPTY), np.zeros(1 << bits, np.int32)
        slot, other = self._slots(keys)
        homeless = np.arange(len(keys))
        for _ in range(_ROUNDS):
            self._numbers[slot[homeless]] = homeless  # drives out whoever is there, who then goes to the other slot
            homeless = np.flatnonzero(self._numbers[slot] != np.arange(len(keys)))
            if not len(homeless):
                self._keys[slot] = keys
                return True
            slot[homeless], other[homeless] = other[homeless], slot[homeless]
        return False

    def _slots(self, keys: IntArray) -> tuple[IntArray, IntArray]:
        bits = keys.view(np.uint64)
        one, other = ((bits * multiplier >> self._shift).view(np.int64) for multiplier in _MULTIPLIERS)
        return one, other
