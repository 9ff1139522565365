"""What the agent of Dialogue may say in a turn, as a finite automaton over tokens, and what each turn means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from textgym.tasks.parts.dialogue_words import BOOKED, CHECKS, IN_PHRASE, KINDS, QUESTIONS, phrase, values
from textgym.transition import Transition
from textgym.types import BoolArray, IntArray
from textgym.vocabulary import Vocabulary

_LOST, _START = 0, 1


@dataclass(frozen=True)
class Act:
    """What a turn of the agent means: a question, the check before booking, a booking, or nothing that is understood.

    Attributes:
        kind: `"ask"`, `"check"`, `"book"` or `"lost"`.
        slot: what a question asks for.
        booked: the values of a booking by slot, and what is booked under `"what"`.
    """

    kind: str
    slot: str = ""
    booked: Mapping[str, str] = field(default_factory=dict)


class Grammar:
    """All turns that the agent may say: two wordings of each question and of the check, and every booking.

    A booking names what is booked and then any of the slots, each at most once, in the order of `IN_PHRASE`.

    Args:
        vocabulary: the tokens.
        slots: the slots in play.
    """

    def __init__(self, vocabulary: Vocabulary, slots: Sequence[str]) -> None:
        self._vocabulary = vocabulary
        self._next: list[dict[int, int]] = [{}, {}]
        self._acts: dict[int, Act] = {}  # by the state after a question or check
        self._values: dict[tuple[int, int], tuple[str, str]] = {}  # slot and value, by the state and token that end one
        ended = self._new_state()
        for slot in slots:
            for question in QUESTIONS[slot]:
                self._acts[self._path(_START, question)] = Act("ask", slot)
        for check in CHECKS:
            self._acts[self._path(_START, check)] = Act("check")
        self._booked = ended
        opened = self._path(_START, BOOKED)
        for kind in KINDS:
            after = [self._new_state() for _ in range(len(slots) + 1)]  # what is booked, and after each slot
            self._value(opened, kind, after[0], "what", kind)
            for place, slot in enumerate(slot for slot in IN_PHRASE if slot in slots):
                for value in values(kind, slot):
                    for before in after[: place + 1]:
                        self._value(before, phrase(kind, slot, value), after[place + 1], slot, value)
            for state in after:
                self._path(state, ".", ended)
        self._table, self.allowed = self._arrays()
        self.read = lru_cache(maxsize=65_536)(self._read)

    def states(self, transition: Transition) -> IntArray:
        """Returns the state of the turn that each row is in, (n,), as rows of `allowed`, (Q, V)."""
        states = np.full(len(transition), _START)
        for place in range(int(transition.text_lengths.max(initial=0))):
            after = self._table[states, transition.text_ids[:, place]]
            states = np.where(place < transition.text_lengths, after, states)
        return states

    def _read(self, turn: tuple[int, ...]) -> Act:
        """Returns what a turn means, without its end token."""
        state, booked = _START, {}
        for token in turn:
            if (state, token) in self._values:
                slot, value = self._values[state, token]
                booked[slot] = value
            state = self._next[state].get(token, _LOST)
        return Act("book", booked=booked) if state == self._booked else self._acts.get(state, Act("lost"))

    def _arrays(self) -> tuple[IntArray, BoolArray]:
        """Returns the next state by state and token, (Q, V), and which tokens the grammar has, (Q, V)."""
        end_id = self._vocabulary.end_id
        table = np.full((len(self._next), len(self._vocabulary)), _LOST)
        for state, following in enumerate(self._next):
            table[state, list(following)] = list(following.values())
        allowed = table != _LOST
        allowed[:, end_id] = ~allowed.any(axis=1)  # after a whole turn, or one that is lost, it can only end
        table[:, end_id] = _START
        return table, allowed

    def _value(self, state: int, words: str, after: int, slot: str, value: str) -> None:
        """Adds a path that names a value of a slot."""
        *before, last = self._vocabulary.encode(words)
        at = self._walk(state, before)
        self._next[at][last] = after
        self._values[at, last] = slot, value

    def _path(self, state: int, words: str, after: int | None = None) -> int:
        """Adds a path of words from a state to a new one or a given one, and returns that."""
        *before, last = self._vocabulary.encode(words)
        at = self._walk(state, before)
        return self._next[at].setdefault(last, self._new_state() if after is None else after)

    def _walk(self, state: int, tokens: Sequence[int]) -> int:
        for token in tokens:
            if token not in self._next[state]:
                self._next[state][token] = self._new_state()
            state = self._next[state][token]
        return state

    def _new_state(self) -> int:
        self._next.append({})
        return len(self._next) - 1
