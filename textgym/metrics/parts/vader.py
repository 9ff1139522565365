"""VADER: the polarity of a text, from a lexicon and rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from string import punctuation
from typing import NamedTuple

import numpy as np

from textgym.types import FloatArray

_NORMALISER = 15  # alpha of Hutto and Gilbert 2014: about the highest sum that is expected
_FADING = (1.0, 0.95, 0.9)  # how much a word counts that stands 1, 2, 3 places in front
_EXCLAMATION, _MOST_EXCLAMATIONS = 0.292, 4
_QUESTION, _MOST_QUESTIONS, _MANY_QUESTIONS = 0.18, 3, 0.96
_NEVER_SO = 1.25
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5


@dataclass(frozen=True)
class _Rules:
    """The lexicon of the package vaderSentiment and what is listed beside it; all words in lower case."""

    valence: Mapping[str, float]
    emoji: Mapping[str, str]
    boost: Mapping[str, float]
    idioms: Mapping[str, float]
    negations: frozenset[str]
    negated: float
    capitals: float


@cache
def _rules() -> _Rules:
    from vaderSentiment.vaderSentiment import (
        BOOSTER_DICT,
        C_INCR,
        N_SCALAR,
        NEGATE,
        SPECIAL_CASES,
        SentimentIntensityAnalyzer,
    )

    analyser = SentimentIntensityAnalyzer()
    return _Rules(
        valence=analyser.lexicon,
        emoji=analyser.emojis,
        boost=BOOSTER_DICT,
        idioms=SPECIAL_CASES,
        negations=frozenset(NEGATE),
        negated=N_SCALAR,
        capitals=C_INCR,
    )


class _Word(NamedTuple):
    """What is known of a word: `valence` if the lexicon holds it, and what it does to the words that follow."""

    lower: str
    valence: float | None
    boost: float
    negates: bool
    capitals: bool


@lru_cache(maxsize=2**16)
def _read(token: str) -> _Word:
    rules, lower = _rules(), _lower(token)
    negates = lower in rules.negations or "n't" in lower
    return _Word(lower, rules.valence.get(lower), rules.boost.get(lower, 0.0), negates, token.isupper())


def _lower(token: str) -> str:
    bare = token.strip(punctuation)
    return (bare if len(bare) > 2 else token).lower()  # what is shorter may be an emoticon


def polarity(texts: Sequence[str]) -> FloatArray:
    """Returns the polarity of each text, (n,), from -1 for most negative to 1 for most positive.

    It is the compound score of Hutto and Gilbert 2014, "VADER: a parsimonious rule-based model for sentiment analysis
    of social media text": with x the sum of the words' valences, `x / sqrt(x**2 + 15)`. The lexicon and the word lists
    are those of the package vaderSentiment, whose value this is, before it rounds to four digits.
    """
    return np.array([compound(text) for text in texts], np.float64)


def compound(text: str) -> float:
    """Returns the polarity of a text, see `polarity`."""
    if not text.isascii():
        text = _spell_emoji(text)
    tokens, valence = text.split(), _rules().valence
    lower = [_lower(token) for token in tokens]
    places = [place for place, word in enumerate(lower) if word in valence and not _is_kind_of(lower, place)]
    if not places:
        return 0.0
    mixed = 0 < sum(map(str.isupper, tokens)) < len(tokens)  # where all is in capitals, they stress nothing
    valences = [_valence_in(tuple(tokens[max(0, place - 3) : place + 3]), min(place, 3), mixed) for place in places]
    if "but" in lower:
        _contrast(valences, places, lower.index("but"))
    total = float(sum(valences))
    if total:
        total += math.copysign(_emphasis(text), total)
    return total / math.sqrt(total * total + _NORMALISER)


def _spell_emoji(text: str) -> str:
    """Returns the text with each emoji replaced by its description."""
    emoji = _rules().emoji
    return "".join(f" {emoji[character]}" if character in emoji else character for character in text)


def _is_kind_of(lower: list[str], place: int) -> bool:
    return lower[place] == "kind" and lower[place + 1 : place + 2] == ["of"]


@lru_cache(maxsize=2**16)  # phrases recur
def _valence_in(tokens: tuple[str, ...], place: int, mixed: bool) -> float:
    """Returns the valence of a word, given what has a say in it: the text from 3 words in front to 2 behind."""
    return _valence([_read(token) for token in tokens], place, mixed)


def _valence(words: list[_Word], place: int, mixed: bool) -> float:
    """Returns the valence of the lexicon's word at a place, changed by its capitals and by the words around it."""
    rules, word = _rules(), words[place]
    before = words[max(0, place - 3) : place][::-1]  # the nearest first
    lower = [other.lower for other in before]
    valence = own = word.valence or 0.0
    if word.lower == "no" and place + 1 < len(words) and words[place + 1].valence is not None:
        valence = 0.0  # it negates the next word instead
    if "no" in lower[:2] or (lower[2:] == ["no"] and lower[0] in ("or", "nor")):
        valence = own * rules.negated
    if word.capitals and mixed:
        valence += rules.capitals if valence > 0 else -rules.capitals
    for distance, other in enumerate(before):
        if other.valence is not None:
            continue
        if other.boost:
            boost = -other.boost if valence < 0 else other.boost
            if other.capitals and mixed:
                boost += rules.capitals if valence > 0 else -rules.capitals
            valence += boost * _FADING[distance]
        valence *= _negation(before, lower, distance)
        if distance == 2:
            valence = _idiom([other.lower for other in words[place - 3 : place + 3]], valence)
    if lower[:1] == ["least"] and lower[1:2] not in (["at"], ["very"]):
        valence *= rules.negated
    return valence


def _negation(before: list[_Word], lower: list[str], distance: int) -> float:
    """Returns the factor of the word at a distance of 0 to 2 in front; a list ends with the words that it needs."""
    if distance and (
        (lower[distance] == "never" and lower[distance - 1] in ("so", "this"))
        or (distance == 2 and lower[0] in ("so", "this"))
    ):
        return _NEVER_SO
    if lower[distance] == "without" and "doubt" in lower[:distance]:
        return 1.0
    return _rules().negated if before[distance].negates else 1.0


def _idiom(around: list[str], valence: float) -> float:
    """Returns the valence of the idiom that a word is part of, if it is; the word is the fourth of those given."""
    rules = _rules()
    three, two, one, word = around[:4]
    threes, pairs = f"{three} {two} {one}", (f"{three} {two}", f"{two} {one}")
    for phrase in (f"{one} {word}", f"{two} {one} {word}", pairs[1], threes, pairs[0]):
        if phrase in rules.idioms:
            valence = rules.idioms[phrase]
            break
    for length in range(5, len(around) + 1):
        valence = rules.idioms.get(" ".join(around[3:length]), valence)
    return valence + sum(rules.boost.get(phrase, 0.0) for phrase in (threes, *pairs))


def _contrast(valences: list[float], places: list[int], but: int) -> None:
    """Halves what stands before the first "but" and raises what follows by half.

    As in the package, a valence is looked up by its value: of equal ones the first is changed, more than once.
    """
    for number in range(len(valences)):
        first = valences.index(valences[number])
        if places[first] != but:
            valences[first] *= _BEFORE_BUT if places[first] < but else _AFTER_BUT


def _emphasis(text: str) -> float:
    questions = text.count("?")
    asked = questions * _QUESTION if questions <= _MOST_QUESTIONS else _MANY_QUESTIONS
    return min(text.count("!"), _MOST_EXCLAMATIONS) * _EXCLAMATION + (asked if questions > 1 else 0.0)
