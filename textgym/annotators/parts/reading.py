"""Reading: comments in words as numbers, after their typos are put right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from textgym.annotators.parts.comment_words import CLOSERS, OPENERS, OPINIONS, REMARKS, SARCASTIC_OPENERS, SUBJECTS
from textgym.metrics.parts.vader import compound
from textgym.types import FloatArray

_WORD = re.compile(r"[a-z']+")
_SHORTEST_MISSPELT = 4  # shorter words are a slip away from too many others


def read_back(comments: Sequence[str]) -> FloatArray:
    """Returns the sentiment of comments, (n,), from 0 for most negative over 1/2 to 1 for most positive.

    A comment is cleaned first; then it is `(c + 1) / 2` with VADER's compound score c (Hutto and Gilbert 2014).
    """
    return np.array([_sentiment(comment) for comment in comments], np.float64)


@lru_cache(maxsize=2**16)  # comments recur
def _sentiment(comment: str) -> float:
    return (compound(clean(comment)) + 1.0) / 2.0


def clean(comment: str) -> str:
    """Returns a comment in lower case, with single spaces, and with words that are a slip from a known one put right.

    The words that comments are made of are known; a slip leaves out, adds or changes a letter or exchanges two
    neighbours (the optimal string alignment distance is 1).
    """
    return " ".join(map(_put_right, comment.lower().split()))


@lru_cache(maxsize=2**14)
def _put_right(written: str) -> str:
    return _WORD.sub(lambda found: _nearest(found[0]), written)


@cache
def _known_words() -> dict[str, None]:
    """Returns the words that comments are made of, the longest first: of equally near ones it is the likeliest."""
    opinions = (clause for tiers in OPINIONS.values() for tier in tiers for clause in tier)
    closers = (closer for tier in CLOSERS for closer in tier)
    sentences = " ".join([*opinions, *closers, *OPENERS, *SARCASTIC_OPENERS, *SUBJECTS, *REMARKS])
    return dict.fromkeys(sorted(set(_WORD.findall(sentences.lower())), key=lambda word: (-len(word), word)))


def _nearest(word: str) -> str:
    known = _known_words()
    if word in known or len(word) < _SHORTEST_MISSPELT:
        return word
    found = extractOne(word, known.keys(), scorer=OSA.distance, score_cutoff=1)
    return found[0] if found else word
