"""The grammar of stories: what may come next in one, and what its sentences tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from textgym.tasks.parts.story_words import CONNECTIVES, MEN, NAMES, TEMPLATES, WOMEN, Template
from textgym.tasks.parts.token_grammar import TokenGrammar
from textgym.transition import Transition
from textgym.types import BoolArray, IntArray
from textgym.vocabulary import WordVocabulary

_Steps = tuple[tuple[str, ...], ...]
_Rests = frozenset[tuple[_Steps, str]]
"""What may be left of a sentence: the steps of a template, and the state behind them."""


class Sentence(NamedTuple):
    """What a sentence tells.

    Attributes:
        template: which of `TEMPLATES` it is.
        named: whom it names, as bits.
        pronouns: the tokens in it that are pronouns.
    """

    template: Template
    named: int
    pronouns: tuple[int, ...]


class StoryGrammar:
    """Sentences of `TEMPLATES`, in which one person does something, or two or three do.

    Nobody is named twice in a sentence; `she` and `he` stand for a woman and a man named in a sentence before, and
    `they` for two people at least, who are not named in the same sentence.

    Args:
        vocabulary: the tokens.

    Attributes:
        bits: (V,) the bit of each name, 0 for other tokens.
    """

    def __init__(self, vocabulary: WordVocabulary) -> None:
        ids = {word: number for number, word in enumerate(vocabulary.tokens)}
        self._templates = {_told(template): template for template in TEMPLATES}
        rules, groups = _rules(self._templates), {"{name}": NAMES}
        self._automaton = TokenGrammar(vocabulary, rules, groups, ends=self._templates)
        self._next = {  # the same automaton, to walk along a single sentence
            state: {ids[word]: to for name, to in following.items() for word in groups.get(name, (name,))}
            for state, following in rules.items()
        }
        self._lost = self._automaton.states["lost"]
        self._bit_of = {ids[name]: 1 << number for number, name in enumerate(NAMES)}
        self._names = np.array(list(self._bit_of))
        self.bits: IntArray = np.zeros(len(vocabulary), np.int64)
        self.bits[self._names] = list(self._bit_of.values())
        self._she, self._he, self._they, self._full_stop = (ids[word] for word in ("she", "he", "they", "."))
        self._women, self._men = (int(self.bits[[ids[name] for name in names]].sum()) for names in (WOMEN, MEN))

    def read(self, text: Sequence[int]) -> list[Sentence | None]:
        """Returns what each sentence of a text tells, and None where it is none; an unfinished one is none."""
        stops = [place for place, token in enumerate(text, start=1) if token == self._full_stop]
        if not stops or stops[-1] < len(text):
            stops.append(len(text))
        sentences, start, named = list[Sentence | None](), 0, 0
        for stop in stops if text else ():
            sentence = self._read(text[start:stop])
            start = stop
            if sentence is None:
                sentences.append(None)
                continue
            others = named & ~sentence.named
            sentences.append(sentence if all(self._may_say(one, others) for one in sentence.pronouns) else None)
            named |= sentence.named
        return sentences

    def allowed(self, transition: Transition) -> BoolArray:
        """Returns the tokens that may come next, (n, V); where a text is no story any more, all that can be written."""
        ids = transition.text_ids
        state = self._automaton.arrive(ids, transition.text_lengths)
        allowed: BoolArray = self._automaton.allowed[state]
        place = np.arange(ids.shape[1])
        used = place < transition.text_lengths[:, None]
        last = np.where(used & (ids == self._full_stop), place, -1).max(axis=1, initial=-1)
        bits, over = np.where(used, self.bits[ids], 0), place <= last[:, None]  # (n, T) each
        before, here = (np.bitwise_or.reduce(np.where(part, bits, 0), axis=1) for part in (over, ~over))
        lost = state == self._lost
        nameable = here[:, None] & self.bits[self._names] == 0
        others = before[:, None] & ~self.bits[self._names]  # who is left for a pronoun, if somebody is named beside it
        for pronoun in (self._she, self._he, self._they):
            allowed[:, pronoun] &= lost | self._may_say(pronoun, before)
            said = (used & ~over & (ids == pronoun)).any(axis=1)
            nameable &= ~said[:, None] | self._may_say(pronoun, others)
        allowed[:, self._names] &= lost[:, None] | nameable
        return allowed

    def _may_say(self, pronoun: int, named: IntArray | int) -> BoolArray:
        """Returns whether a pronoun can stand for somebody of the people whose bits are given, or for two of them."""
        few = 1 if pronoun == self._they else 0
        group = {self._she: self._women, self._he: self._men}.get(pronoun, self._women | self._men)
        enough: BoolArray = np.bitwise_count(named & group) > few
        return enough

    def _read(self, tokens: Sequence[int]) -> Sentence | None:
        state = "start"
        for token in tokens:
            if token not in self._next[state]:
                return None
            state = self._next[state][token]
        names = [token for token in tokens if token in self._bit_of]
        if state not in self._templates or len(set(names)) < len(names):
            return None
        pronouns = tuple({*tokens} & {self._she, self._he, self._they})
        return Sentence(self._templates[state], sum(self._bit_of[name] for name in names), pronouns)


def _told(template: Template) -> str:
    """Returns the state behind the full stop of a template."""
    return f"told {TEMPLATES.index(template)}"


def _rules(told: Iterable[str]) -> dict[str, dict[str, str]]:
    """Returns the rules of stories: the subject word by word, then what templates with the same beginning share."""
    alone, one, several = (
        frozenset(
            (_behind_subject(template, verb), _told(template))
            for template in TEMPLATES
            if template.has_subject == has_subject
        )
        for has_subject, verb in ((False, ""), (True, "was"), (True, "were"))
    )
    states: dict[_Rests, str] = {one: "pronoun", several: "several"}
    person = {"{name}": "one", "she": "pronoun", "he": "pronoun", "they": "several"}
    start = {**_next(alone, states), **person, **dict.fromkeys(CONNECTIVES, "connected")}
    rules = {
        "start": start,
        "connected": person,
        "one": {**_next(one, states), "and": "and", ",": ","},
        ",": {"{name}": "two of three"},
        "two of three": {"and": "and"},
        "and": {"{name}": "several"},
    }
    while new := {rests: state for rests, state in states.items() if state not in rules}:
        for rests, state in new.items():
            rules[state] = _next(rests, states)
    return rules | dict.fromkeys(told, start)


def _behind_subject(template: Template, verb: str) -> _Steps:
    """Returns the steps of a template without its subject, and with the verb that it asks for."""
    return tuple((verb,) if step == ("{was}",) else step for step in template.steps if step != ("{who}",))


def _next(rests: _Rests, states: dict[_Rests, str]) -> dict[str, str]:
    """Returns where each word leads to from what may be left of a sentence; new states get a name in `states`."""
    following: dict[str, str] = {}
    onward: dict[str, set[tuple[_Steps, str]]] = {}
    for (words, *rest), told in rests:
        for word in words:
            if rest:
                onward.setdefault(word, set()).add((tuple(rest), told))
            else:
                following[word] = told
    for word in sorted(onward):
        following[word] = states.setdefault(frozenset(onward[word]), f"left {len(states)}")
    return following
