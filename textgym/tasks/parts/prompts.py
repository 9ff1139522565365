"""Prompts made of a few symbols: letters, sequences that differ from each other, and their division into splits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from textgym.tasks.base import SPLITS
from textgym.vocabulary import SPECIAL_TOKENS, WordVocabulary

_Item = TypeVar("_Item")
_Prompt = TypeVar("_Prompt", bound=Hashable)
_TRIPLES = 64
_MOST_REPEATS = 1000


def letter_vocabulary(letters: int, *others: str) -> WordVocabulary:
    """Returns the vocabulary of the first letters of the alphabet, and of other words after them.

    Raises:
        ValueError: if they are not 2 to 26.
    """
    if not 2 <= letters <= 26:
        raise ValueError(f"letters must be 2 to 26, got {letters}")
    return WordVocabulary([*(chr(ord("a") + i) for i in range(letters)), *others])


def sequences(kinds: int, length: int, size: int) -> list[tuple[int, ...]]:
    """Returns `size` different sequences of `length` numbers below `kinds`, drawn once and for all.

    `size` must be at most `kinds ** length`.
    """
    generator = np.random.Generator(np.random.PCG64(0))
    chosen: dict[tuple[int, ...], None] = {}
    while len(chosen) < size:
        drawn = generator.integers(kinds, size=(size, length))
        chosen.update(dict.fromkeys(map(tuple, drawn.tolist())))
    return list(chosen)[:size]


def number_of_prompts(size: int, letters: int, length: int) -> int:
    """Returns how many prompts of `length` letters there are, of the `size` that are asked for.

    Raises:
        ValueError: if they are fewer than the splits.
    """
    found: int = min(size, letters**length)
    if found < len(SPLITS):
        raise ValueError(
            f"size must be at least {len(SPLITS)}, one prompt for each split, got {size}, "
            f"of which letters ** length = {letters**length} can differ"
        )
    return found


def letter_prompts(letters: int, length: int, size: int, split: str) -> list[list[int]]:
    """Returns the tokens of the prompts of a split, of `size` different ones of random letters in all."""
    return as_tokens(of_split(sequences(letters, length, size), split))


def as_tokens(rows: Iterable[Sequence[int]]) -> list[list[int]]:
    """Returns rows of numbers, counted from 0, as the tokens with these numbers among the words of a vocabulary."""
    return [[len(SPECIAL_TOKENS) + number for number in row] for row in rows]


def size_of_split(size: int, split: str) -> int:
    """Returns how many of `size` prompts a split has: an eighth for test and for validation, the rest for training."""
    eighth = size // 8
    return size - 2 * eighth if split == "train" else eighth


def different(drawn: Iterable[tuple[_Prompt, _Item]], count: int, *, size: int) -> Iterator[tuple[_Prompt, _Item]]:
    """Yields the first `count` prompts that differ from those before, each with what was drawn with it.

    Nothing is drawn before it is asked for, so what is done with one comes before the next.

    Args:
        drawn: prompts without end, and what belongs to them.
        count: how many, at least 1.
        size: how many the user asked for in all splits, for the error.

    Raises:
        ValueError: if a thousand draws in a row bring nothing new.
    """
    seen: set[_Prompt] = set()
    repeats = 0
    for prompt, item in drawn:
        repeats = repeats + 1 if prompt in seen else 0
        if repeats > _MOST_REPEATS:
            raise ValueError(f"size must be smaller, got {size}: there are not so many different prompts")
        if not repeats:
            seen.add(prompt)
            yield prompt, item
        if len(seen) == count:
            return


def of_split(items: Sequence[_Item], split: str) -> Sequence[_Item]:
    """Returns the items of a split: the first eighth for test, the next for validation, the rest for training."""
    eighth = max(1, len(items) // 8)
    ranges = {"test": (0, eighth), "validation": (eighth, 2 * eighth), "train": (2 * eighth, len(items))}
    return items[slice(*ranges[split])]


def triples(kinds: int, split: str) -> Sequence[tuple[int, ...]]:
    """Returns the triples of numbers below `kinds` of a split: of all splits together at most 64, all different."""
    return of_split(sequences(kinds, 3, min(_TRIPLES, kinds**3)), split)


def keyed_triples(kinds: int, split: str) -> list[tuple[int, ...]]:
    """Returns each of the `kinds` keys before each of the split's triples: all keys are in all splits."""
    return [(key, *triple) for triple in triples(kinds, split) for key in range(kinds)]
