"""The tokens of very many texts while they are gathered: close together, until their number and length are known."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textgym.types import BoolArray, TokenArray


class TokenStore:
    """Gathers token ids in two bytes each, four where the vocabulary is larger than 65,536.

    Args:
        vocabulary_size: the number of tokens.
    """

    def __init__(self, vocabulary_size: int) -> None:
        self._dtype = np.uint16 if vocabulary_size <= 2**16 else np.int32
        self._parts: deque[tuple[NDArray[Any], TokenArray]] = deque()

    def add(self, rows: Sequence[Sequence[int]]) -> None:
        """Appends the token ids of some rows."""
        lengths = np.fromiter(map(len, rows), np.int32, len(rows))
        ids = np.fromiter(chain.from_iterable(rows), self._dtype, int(lengths.sum()))
        self._parts.append((ids, lengths))

    def take_padded(self, kept: BoolArray, pad_id: int) -> tuple[TokenArray, TokenArray]:
        """Returns the rows that are kept, right padded, (S, longest), and their lengths, (S,); leaves nothing here."""
        lengths = np.concatenate([np.zeros(0, np.int32), *(lengths for _, lengths in self._parts)])
        result = np.full((int(kept.sum()), int(lengths[kept].max(initial=0))), pad_id, np.int32)
        places = np.arange(result.shape[1])
        first = done = 0
        while self._parts:
            ids, part = self._parts.popleft()
            stay = kept[first : first + len(part)]
            first += len(part)
            filled = result[done : done + int(stay.sum())]
            done += len(filled)
            filled[places < part[stay, None]] = ids[np.repeat(stay, part)]
        return result, lengths[kept]
