"""The users of Dialogue: what each of them wants, and his opening line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textgym.tasks.parts.dialogue_user import Goal
from textgym.tasks.parts.dialogue_words import GREETINGS, IN_PHRASE, INSTRUCTION, KINDS, WISHES, phrase, values
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.prompts import different


def draw_users(slots: Sequence[str], corrections: int, size: int) -> dict[tuple[str, ...], Goal]:
    """Returns `size` users by their prompts, in pieces, all different, drawn once and for all.

    Args:
        slots: the slots in play.
        corrections: how many of them a user gets wrong at most.
        size: how many users.

    Raises:
        ValueError: if there are not so many prompts.
    """
    draws = Draws(0)

    def drawn() -> Iterator[tuple[tuple[str, ...], Goal]]:
        while True:
            goal = _goal(slots, corrections, draws)
            told = (phrase(goal.what, slot, goal.at_first(slot)) for slot in goal.told)
            (begins, ends), greeting = draws.choice(WISHES), draws.choice(GREETINGS)
            yield (INSTRUCTION, greeting, begins, goal.what, *told, ends), goal

    return dict(different(drawn(), size, size=size))


def _goal(slots: Sequence[str], corrections: int, draws: Draws) -> Goal:
    what = draws.choice(KINDS)
    wanted = {slot: draws.choice(values(what, slot)) for slot in slots}
    told = draws.shuffled(slots)[: 1 + draws.below(len(slots) - 1)]
    wrong = draws.shuffled([slot for slot in slots if slot != "name"])[: draws.below(corrections + 1)]
    other = {slot: draws.choice([value for value in values(what, slot) if value != wanted[slot]]) for slot in wrong}
    return Goal(what, wanted, other, told=[slot for slot in IN_PHRASE if slot in told])
