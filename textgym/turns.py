"""Turns: where one side stops and the other goes on, in the texts of tasks that answer the agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textgym.types import IntArray
from textgym.vocabulary import Vocabulary


class Turn(NamedTuple):
    """What one side said in a row.

    Attributes:
        by_agent: whether the agent said it; else the other side did.
        ids: its tokens, without the end token or separator that closes it.
    """

    by_agent: bool
    ids: list[int]


def split_turns(ids: Sequence[int] | IntArray) -> list[list[int]]:
    """Returns the turns of all that an agent wrote, without end tokens; after the last of these none need begin."""
    turns: list[list[int]] = [[]]
    for token in ids:
        if token == Vocabulary.end_id:
            turns.append([])
        else:
            turns[-1].append(int(token))
    return turns if turns[-1] else turns[:-1]


def read_turns(ids: Sequence[int] | IntArray) -> list[Turn]:
    """Returns the turns of both sides, given all that followed a prompt: the agent begins.

    An agent's turn ends with the end token and a reply with the separator, so what an agent writes of either inside
    its own turn cannot be mistaken.
    """
    turns: list[Turn] = []
    rest = [int(token) for token in ids]
    while rest:
        by_agent = len(turns) % 2 == 0
        closing = Vocabulary.end_id if by_agent else Vocabulary.separator_id
        stop = rest.index(closing) if closing in rest else len(rest)
        turns.append(Turn(by_agent, rest[:stop]))
        rest = rest[stop + 1 :]
    return turns
