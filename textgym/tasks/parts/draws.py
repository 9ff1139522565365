"""Chance for a generator that draws one thing at a time: uniform numbers, made by the thousand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

_Item = TypeVar("_Item")
_AT_ONCE = 4096


class Draws:
    """Draws single numbers some ten times as fast as a NumPy generator does.

    Args:
        seed: the seed, of one number or several.
    """

    def __init__(self, *seed: int) -> None:
        generator = np.random.Generator(np.random.PCG64(seed))
        self._next = chain.from_iterable(iter(lambda: generator.random(_AT_ONCE).tolist(), None)).__next__

    def chance(self, probability: float) -> bool:
        """Returns True with a probability."""
        return bool(self._next() < probability)

    def below(self, count: int) -> int:
        """Returns a number from 0 to `count - 1`."""
        return int(self._next() * count)

    def choice(self, items: Sequence[_Item]) -> _Item:
        """Returns one of the items."""
        return items[int(self._next() * len(items))]

    def shuffled(self, items: Sequence[_Item]) -> list[_Item]:
        """Returns the items in a random order."""
        keys = [self._next() for _ in items]
        return [items[place] for place in sorted(range(len(items)), key=keys.__getitem__)]
