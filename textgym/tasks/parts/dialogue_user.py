"""The simulated user of Dialogue: what he wants, how he takes what the agent says, and what he answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from textgym.tasks.parts import dialogue_words as words
from textgym.tasks.parts.dialogue_grammar import Act


@dataclass(frozen=True)
class Goal:
    """What a user wants, and how he goes about it.

    Attributes:
        what: one of `KINDS`.
        wanted: what he really wants in each slot.
        other: what he says at first in the slots that he will correct.
        told: the slots that his opening line tells.
    """

    what: str
    wanted: Mapping[str, str]
    other: Mapping[str, str]
    told: Sequence[str]

    def at_first(self, slot: str) -> str:
        """Returns what he says at first in a slot."""
        return self.other.get(slot, self.wanted[slot])

    @property
    def content(self) -> str:
        """What he really wants, in words."""
        return " ".join((self.what, *self.wanted.values()))

    @property
    def asked(self) -> list[str]:
        """The slots that the agent must ask for, in the order of the references."""
        return [slot for slot in self.wanted if slot not in self.told]

    @property
    def needed(self) -> int:
        """How many turns the agent needs: a question for each of these, the check, and the booking."""
        return len(self.asked) + 2


@dataclass
class Talk:
    """Where a conversation stands after what the agent has said; the user's wording has no part in it.

    Attributes:
        goal: what the user wants.
        patience: how many wasted turns he bears.
        said: the slots whose value he has told.
        mistaken: those of them that he still has to correct, the oldest first.
        checked: whether the agent has asked if it may book, when all was said.
        turns: how many turns the agent took.
        useful: how many of them were a new question, the check, or the booking after the check.
        wasted: how many of them were anything else.
        booked: the values that the agent booked, or None.
        over: whether the user has gone, or has his booking.
        reply: the parts of what he says next: of each its kind among `REPLIES`, and the slot that it is about.
    """

    goal: Goal
    patience: int
    said: list[str] = field(default_factory=list)
    mistaken: list[str] = field(default_factory=list)
    checked: bool = False
    turns: int = 0
    useful: int = 0
    wasted: int = 0
    booked: Mapping[str, str] | None = None
    over: bool = False
    reply: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def after(cls, acts: Iterable[Act | None], goal: Goal, patience: int) -> Talk:
        """Returns where a conversation stands after some turns, of which an empty one is None."""
        talk = cls(goal, patience, said=list(goal.told), mistaken=[slot for slot in goal.told if slot in goal.other])
        for act in acts:
            if talk.over:
                break
            talk._hear(act)
        return talk

    def _hear(self, act: Act | None) -> None:
        self.turns += 1
        self.reply = []
        if act is None:  # the agent says nothing, so the user hangs up
            self.over = True
        elif act.kind == "book":
            self.booked, self.over = act.booked, True
            self.useful += self.checked
        elif act.kind == "ask" and act.slot not in self.said:
            self.useful += 1
            self.reply = [("answer", act.slot), *self._correction()]
            self.said.append(act.slot)
            if act.slot in self.goal.other:
                self.mistaken.append(act.slot)
        elif act.kind == "check" and not self.checked and len(self.said) == len(self.goal.wanted):
            self.useful += 1
            self.checked = True
            self.reply = self._correction() or [("yes", "")]
        else:
            self._waste({"ask": "again", "check": "yes" if self.checked else "early"}.get(act.kind, "lost"), act.slot)

    def _correction(self) -> list[tuple[str, str]]:
        return [("correct", self.mistaken.pop(0))] if self.mistaken else []

    def _waste(self, reply: str, slot: str) -> None:
        self.wasted += 1
        self.over = self.wasted > self.patience
        self.reply = [] if self.over else [(reply, slot)]

    @property
    def share_right(self) -> float:
        """The share of the booking that is right, in [0, 1]; 0 without a booking."""
        if self.booked is None:
            return 0.0
        goal = {"what": self.goal.what, **self.goal.wanted}
        return sum(self.booked.get(slot) == value for slot, value in goal.items()) / len(goal)

    @property
    def gold(self) -> float:
        """The turns needed over the turns taken, at most 1, where all that is booked is right; else 0."""
        return self.goal.needed / max(self.goal.needed, self.turns) if self.share_right == 1 else 0.0

    @property
    def mood(self) -> float:
        """How far the user came along, the patience that he has left, and how right the booking is, multiplied.

        Each is in [0, 1]; who has no booking is half as content.
        """
        came_along, left = self.useful / self.goal.needed, 1 - self.wasted / (self.patience + 1)
        return came_along * left * (0.5 if self.booked is None else self.share_right)

    def words(self, chance: Sequence[float]) -> list[str]:
        """Returns what the user says next, sentence by sentence, from two numbers in (0, 1); nothing if it is over."""
        said = []
        for (kind, slot), number in zip(self.reply, chance, strict=False):
            value = self.goal.at_first(slot) if slot in self.mistaken else self.goal.wanted.get(slot, "")
            wordings = reply_wordings(kind, self.goal.what, slot, value, self.goal.other.get(slot, ""))
            said.append(wordings[int(number * len(wordings))])
        return said


def reply_wordings(kind: str, what: str, slot: str, value: str, other: str) -> list[str]:
    """Returns all wordings of a part of a reply.

    Args:
        kind: `"answer"`, `"correct"`, `"yes"`, `"again"`, `"early"` or `"lost"`.
        what: what is booked.
        slot: the slot that it is about, or nothing.
        value: the slot's value.
        other: what the user said before a correction.
    """
    phrase = words.phrase(what, slot, value) if slot else ""
    wordings = words.NAME_ANSWERS if (kind, slot) == ("answer", "name") else words.REPLIES[kind]
    return [wording.format(value=value, phrase=phrase, other=other) for wording in wordings]


def most_reply_tokens(
    slots: Sequence[str], corrections: int, patience: int, spell: Callable[[str], Sequence[int]]
) -> int:
    """Returns how many tokens a user may say in all, separators included.

    Args:
        slots: the slots in play, of which the opening line tells at least one.
        corrections: how many of them a user gets wrong at most.
        patience: how many wasted turns he answers.
        spell: returns the tokens of a sentence.
    """

    def longest(*kinds: str) -> int:
        return max(
            len(spell(wording))
            for kind in kinds
            for what in words.KINDS
            for slot in slots
            for value in [max(words.values(what, slot), key=lambda value: len(value.split()))]
            for wording in reply_wordings(kind, what, slot, value, value)
        )

    useful = (len(slots) - 1) * (longest("answer") + 1) + longest("yes") + 1
    return useful + corrections * longest("correct") + patience * (longest("again", "yes", "early", "lost") + 1)
