"""Writing comments: an opinion and an aspect, put into words by numbers drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from textgym.annotators.parts.comment_words import (
    ASPECTS,
    CLOSERS,
    OPENERS,
    OPINIONS,
    REMARKS,
    SARCASTIC_OPENERS,
    SUBJECTS,
)

_Option = TypeVar("_Option")

_STRONGEST = len(CLOSERS) - 1
_ORDERS = ("{clause} {closer}", "{closer} {clause}", "{clause}")
_SHORTEST_MISSPELT = 5  # letters: shorter words are a slip away from too many others


class Draws(NamedTuple):
    """The numbers in (0, 1) that one comment takes."""

    tier: float
    aspect: float
    clause: float
    subject: float
    opener: float
    closer: float
    order: float
    off_topic: float
    remark: float
    sarcasm: float
    typo: float
    word: float
    slip: float


class Rates(NamedTuple):
    """How often a comment is off topic, means the opposite or has a typo, in [0, 1]; see `Comment`."""

    off_topic: float
    sarcasm: float
    typos: float


def write(quality: float, parts: Sequence[float], draws: Draws, rates: Rates) -> tuple[str, str]:
    """Returns a comment and the aspect that it is about, `"none"` if it is off topic.

    Args:
        quality: q in [0, 1].
        parts: how good the text is in each aspect but the first, in [0, 1].
        draws: all chance there is.
        rates: what can go wrong.
    """
    if draws.off_topic < rates.off_topic:
        comment, aspect = _pick(REMARKS, draws.remark), "none"
    else:
        tier = int(_STRONGEST * quality + draws.tier)  # stochastic rounding has no bias
        aspect = _choose_aspect(tier, parts, draws.aspect)
        if draws.sarcasm < rates.sarcasm:
            comment = _phrase(aspect, _STRONGEST - tier, SARCASTIC_OPENERS, draws)
        else:
            comment = _phrase(aspect, tier, OPENERS, draws)
    return (_misspell(comment, draws) if draws.typo < rates.typos else comment), aspect


def _choose_aspect(tier: int, parts: Sequence[float], draw: float) -> str:
    """Returns the whole, with weight 1, or an aspect, weighted by how much there is to praise, or else to blame."""
    praise = 2 * tier >= _STRONGEST
    weights = [1.0, *(part if praise else 1.0 - part for part in parts)]
    left = draw * sum(weights)
    for aspect, weight in zip(ASPECTS, weights, strict=True):
        left -= weight
        if left < 0:
            return aspect
    return ASPECTS[0]


def _phrase(aspect: str, tier: int, openers: Sequence[str], draws: Draws) -> str:
    clause = _pick(OPINIONS[aspect][tier], draws.clause).format(it=_pick(SUBJECTS, draws.subject))
    opened = _pick(openers, draws.opener) + clause
    sentence = f"{opened[0].upper()}{opened[1:]}."
    orders = _ORDERS[:2] if tier in (0, _STRONGEST) else _ORDERS  # strong feelings take two sentences
    return _pick(orders, draws.order).format(clause=sentence, closer=_pick(CLOSERS[tier], draws.closer))


def _misspell(comment: str, draws: Draws) -> str:
    """Returns the comment with two neighbouring letters of a longer word exchanged, or one left out or doubled."""
    words = comment.split(" ")
    long = [number for number, word in enumerate(words) if len(word) >= _SHORTEST_MISSPELT and word.isalpha()]
    if not long:
        return comment
    number = _pick(long, draws.word)
    word = words[number]
    place, kind = divmod(int(draws.slip * 3 * (len(word) - 2)), 3)
    start, letter, following, rest = word[: place + 1], word[place + 1], word[place + 2 : place + 3], word[place + 3 :]
    slips = (following + letter, following, 2 * letter + following)
    words[number] = start + slips[kind] + rest
    return " ".join(words)


def _pick(options: Sequence[_Option], draw: float) -> _Option:
    return options[int(draw * len(options))]
