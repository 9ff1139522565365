"""How many n-grams a text shares with its reference, for a batch of texts: what BLEU and chrF count."""

from __future__ import annotations

import numpy as np

from textgym.types import IntArray, KeyArray

_WORD = 64


def clipped_matches(places: KeyArray, lengths: IntArray, order: int, shortest: int = 1) -> IntArray:
    """Returns the matches of n texts, (order, n): for each n-gram, the smaller of its two numbers of occurrences.

    Of each symbol of a text we know the places in the reference where the same symbol stands, as bits. The places
    where an n-gram starts are then those of its first n - 1 symbols, and those of its last two moved down by n - 2.
    Equal n-grams have the same places and different ones have none in common. So an n-gram that has any is known by
    its first place, and it occurs in the reference as often as it has places.

    Args:
        places: (W, N) the places of each symbol in its reference, place p being bit p % 64 of word p // 64; all
            texts one after the other.
        lengths: (n,) the symbols of each text; their sum is N.
        order: the length of the longest n-grams, 2 to 64.
        shortest: the length of the shortest n-grams that are counted, 1 or 2; at 2, the first row is zero.
    """
    words, rows = len(places), len(lengths)
    if not places.shape[1]:
        return np.zeros((order, rows), np.int64)
    pairs = np.zeros_like(places)
    pairs[:, :-1] = places[:, :-1] & _moved_down(places[:, 1:], 1)
    pairs[:, np.cumsum(lengths) - 1] = 0  # nothing starts in one text and ends in the next
    gram, start = _found(places if shortest == 1 else pairs, np.arange(places.shape[1]))
    grams, starts = [gram], [start]
    for n in range(shortest + 1, order + 1):
        last = pairs.take(start + n - 2, axis=1)
        gram, start = _found(gram & _moved_down(last, n - 2) if n > 2 else last, start)
        if not len(start):
            break
        grams.append(gram)
        starts.append(start)
    gram = np.concatenate(grams, axis=1)
    level = np.repeat((np.arange(len(starts)) + shortest - 1) * rows, [len(start) for start in starts])
    text = level + np.repeat(np.arange(rows), lengths)[np.concatenate(starts)]  # numbered anew for each order
    identity = text * (_WORD * words) + _first_place(gram)
    written = np.bincount(identity, minlength=order * rows * _WORD * words)[identity]
    wanted = np.bitwise_count(gram).sum(axis=0, dtype=np.uint16)
    # Each occurrence in the text carries an equal part of the matches of its n-gram, min(written, wanted) / written.
    matches = np.bincount(text, weights=np.minimum(1.0, wanted / written), minlength=order * rows)
    return np.rint(matches).astype(np.int64).reshape(order, rows)


def _found(gram: KeyArray, start: IntArray) -> tuple[KeyArray, IntArray]:
    """Returns the n-grams that occur at all, (W, g), and where in the texts they start, (g,)."""
    found = np.flatnonzero(np.bitwise_or.reduce(gram, axis=0) != 0)
    return gram.take(found, axis=1), start[found]


def _moved_down(places: KeyArray, by: int) -> KeyArray:
    """Returns places minus `by`, 1 to 63; those below zero are lost."""
    moved = places >> np.uint64(by)
    moved[:-1] |= places[1:] << np.uint64(_WORD - by)
    return moved


def _first_place(places: KeyArray) -> IntArray:
    """Returns the lowest place of each column; every column has one."""
    zeros = np.bitwise_count((places - np.uint64(1)) & ~places)  # below the lowest one of each word, 64 if it has none
    first: IntArray = zeros[-1].astype(np.int64)
    for lower in zeros[-2::-1]:
        first = np.where(lower < _WORD, lower, first + _WORD)
    return first
