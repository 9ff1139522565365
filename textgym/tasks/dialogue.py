"""Dialogue: take a booking from a user who must be asked, who corrects himself, and who has little patience."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from textgym.random import Address
from textgym.tasks.base import PromptSet, Task, pad
from textgym.tasks.parts.dialogue_goals import draw_users
from textgym.tasks.parts.dialogue_grammar import Grammar
from textgym.tasks.parts.dialogue_user import Goal, Talk, most_reply_tokens
from textgym.tasks.parts.dialogue_words import BOOKED, CHECKS, IN_PHRASE, QUESTIONS, SLOTS, WORDS, phrase
from textgym.tasks.parts.held_out import split_of
from textgym.transition import Transition, once_per_transition
from textgym.turns import split_turns
from textgym.types import BoolArray, FloatArray, TokenArray
from textgym.vocabulary import WordVocabulary

_MOST_PATIENCE = 8


class Dialogue(Task):
    """Take a booking: ask the user for what is missing, check, and book what he really wants, before he leaves.

    Example: prompt `take the booking. user: hello, I am looking for a taxi at seven.`, and, turn by turn,

        which day?              on Monday, please. sorry, noon, not seven.
        how many people?        for four, please.
        shall I book it?        yes, that is right.
        booked: a taxi for four on Monday at noon.

    The agent writes what is on the left, each turn closed by an end token; the user's answers come from the
    environment, in words of his own, each closed by a separator. What he wants and when he corrects himself is part of
    the sample, so what he says depends on what he was asked, and only its wording on chance. He tells a part of his
    wishes at first. A slot that he got wrong he corrects together with his answer to a later question, or else when
    he is asked whether to book, so that an agent who has asked for everything and has checked knows all. What is not a
    new question, the check when all was asked for, or a booking is wasted: he bears `patience` such turns and leaves
    at the next. He leaves at an empty turn as well. A booking ends the text, right or wrong.

    Gold is 0 unless all that is booked is right; then it is the turns needed over the turns taken, at most 1, where
    needed are one question for each slot that he has not told, the check, and the booking. Who books without the check
    does not gain by it, and loses where a correction was still to come.

    The task's own signals are `"goal"`, the share of the booking that is right, and `"mood"`, the share of the needed
    turns that the agent took, times `1 - wasted / (patience + 1)`, times the goal, or 1/2 without a booking. The
    default feedback is a rating of the goal in five levels, and two implicit signs of the user's mood: how long he
    dwells, and whether he clicks on what he is sent. Metrics that read texts see the agent's turns with the end tokens
    between them, and nothing that the user said.

    Masks follow the grammar of what the agent may say: two wordings of each question and of the check, and all
    bookings. After anything else only the end token is left.

    Presets: `easy` asks for day, time and people, with up to one correction and a patience of two turns; `medium` asks
    for the place too and bears one wasted turn; `hard` asks for a name as well, with up to two corrections and no
    patience at all.

    Args:
        slots: how many of day, time, people, place and name there are, 3 to 5.
        corrections: how many slots a user gets wrong at most, 0 to 2; he knows his name.
        patience: how many wasted turns he bears, 0 to 8.
        size: how many different prompts all splits have together, at least 64.

    Version history: v0, the first.
    """

    default_feedback = (
        {"name": "rating", "metric": {"name": "task_signal", "signal": "goal"}, "levels": 5, "weight": 0.5},
        {"name": "dwell", "metric": {"name": "task_signal", "signal": "mood"}, "weight": 0.25},
        {
            "name": "click",
            "metric": {"name": "task_signal", "signal": "mood"},
            "user": "navigational",
            "positions": 1,
            "weight": 0.25,
        },
    )
    default_noise = ({"name": "gaussian", "sigma": 0.1},)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "easy": {"slots": 3, "corrections": 1, "patience": 2},
        "medium": {"slots": 4, "corrections": 1, "patience": 1},
        "hard": {"slots": 5, "corrections": 2, "patience": 0},
    }
    swept = "slots"
    optimal_return = 1.0

    def __init__(self, slots: int = 3, corrections: int = 1, patience: int = 2, size: int = 8192) -> None:
        for name, value, low, high in (
            ("slots", slots, 3, len(SLOTS)),
            ("corrections", corrections, 0, 2),
            ("patience", patience, 0, _MOST_PATIENCE),
            ("size", size, 64, np.inf),
        ):
            if not low <= value <= high:
                allowed = f"{low} to {high}" if high < np.inf else f"at least {low}"
                raise ValueError(f"{name} must be {allowed}, got {value}")
        self.patience = patience
        self.vocabulary = WordVocabulary(WORDS)
        self._spell = cache(self.vocabulary.encode)
        self._grammar = Grammar(self.vocabulary, SLOTS[:slots])
        self._users = draw_users(SLOTS[:slots], corrections, size)
        longest = max(len(self._reference(goal)) for goal in self._users.values())
        turn = 1 + max(len(self._spell(said)) for said in (*chain.from_iterable(QUESTIONS.values()), *CHECKS))
        self.max_new_tokens = longest + 1 + patience * turn
        self.max_reply_tokens = most_reply_tokens(SLOTS[:slots], corrections, patience, self._spell)
        self.signals = {"goal": self.goal, "mood": self.mood}

    def make_prompt_set(self, split: str) -> PromptSet:
        users = {pieces: goal for pieces, goal in self._users.items() if split_of(goal.content) == split}
        prompts = [[token for piece in pieces for token in self._spell(piece)] for pieces in users]
        references = [self._reference(goal) for goal in users.values()]
        return PromptSet.from_tokens(prompts, references, self.vocabulary, {"goal": list(users.values())})

    def gold(self, transition: Transition) -> FloatArray:
        return np.array([talk.gold for talk in self._talks(transition)])

    def goal(self, transition: Transition) -> FloatArray:
        """Returns the share of the booking that is right, (n,), in [0, 1]; 0 without a booking."""
        return np.array([talk.share_right for talk in self._talks(transition)])

    def mood(self, transition: Transition) -> FloatArray:
        """Returns how content the user is, (n,), in [0, 1]."""
        return np.array([talk.mood for talk in self._talks(transition)])

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        return self._grammar.allowed[self._grammar.states(transition)]

    def reply(self, transition: Transition, address: Address) -> tuple[TokenArray, TokenArray]:
        replies = []
        for talk, chance in zip(self._talks(transition), address.uniform(2).tolist(), strict=True):
            said = [token for sentence in talk.words(chance) for token in self._spell(sentence)]
            replies.append([*said, self.vocabulary.separator_id] if said else [])
        return pad(replies, self.vocabulary.pad_id)

    def _talks(self, transition: Transition) -> list[Talk]:
        """Returns where each conversation stands; a turn that is not closed yet counts as said."""
        return _talks(transition, self)

    def _reference(self, goal: Goal) -> list[int]:
        """Returns the fewest turns that book what is wanted, whatever the user's words, without the last end token."""
        wanted = (phrase(goal.what, slot, goal.wanted[slot]) for slot in IN_PHRASE if slot in goal.wanted)
        turns = [*(QUESTIONS[slot][0] for slot in goal.asked), CHECKS[0], " ".join((BOOKED, goal.what))]
        tokens = [token for turn in turns for token in (*self._spell(turn), self.vocabulary.end_id)][:-1]
        return [*tokens, *(token for part in (*wanted, ".") for token in self._spell(part))]


@once_per_transition
def _talks(transition: Transition, task: Dialogue) -> list[Talk]:
    goals = transition.prompt_set.data["goal"]
    talks = []
    for ids, length, sample in zip(
        transition.text_ids.tolist(), transition.text_lengths.tolist(), transition.samples.tolist(), strict=True
    ):
        acts = [task._grammar.read(tuple(turn)) if turn else None for turn in split_turns(ids[:length])]
        talks.append(Talk.after(acts, goals[sample], task.patience))
    return talks
