"""Phrases: pieces of a program, each with the English that describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textgym.tasks.parts.draws import Draws

COUNTING = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LEFT_OUT = "?"
"""What stands in the code for the number that the description leaves to the examples; there is at most one."""

_MOST_TRIED = 13  # above what inputs hold: a larger number compares with them as this one does

SUM, PRODUCT, WHOLE = range(3)
"""How strongly the outermost operator of a phrase binds; `WHOLE` where it needs no brackets anywhere."""


class Phrase(NamedTuple):
    """A piece of a program.

    Attributes:
        code: it itself, with `LEFT_OUT` for a number that the description does not say.
        shape: it with the letter k for every number that could as well be another.
        english: what it is.
        binds: `SUM`, `PRODUCT` or `WHOLE`.
    """

    code: str
    shape: str
    english: str
    binds: int = WHOLE

    def in_brackets(self, weakest: int) -> Phrase:
        """Returns it with brackets around its code if it binds less strongly than it must."""
        if self.binds >= weakest:
            return self
        return Phrase(f"({self.code})", f"({self.shape})", self.english)


_NOTHING = Phrase("", "", "")


class Way(NamedTuple):
    """A way to make a phrase of others, whose places in the code and in the English are `{0}`, `{1}` and so on.

    Attributes:
        operators: the smallest number of groups of operators with which it is used.
        code: the code, with `{n}` for a number.
        english: its wordings, with bars between them.
        numbers: the lowest and the highest number that `{n}` may be.
        unsaid: what a number is called that the description leaves out.
        binds: how strongly its outermost operator binds.
    """

    operators: int
    code: str
    english: str
    numbers: tuple[int, int] = (2, 9)
    unsaid: str = "a certain number"
    binds: int = WHOLE


class Writer:
    """Draws ways, wordings and numbers, and puts phrases together.

    Args:
        draws: the source of chance.
        operators: how many groups of operators are used.
        wordings: how many of the wordings of a way are used, at least 1.
        leaves_out: whether the description leaves the first number to the examples.
    """

    def __init__(self, draws: Draws, *, operators: int, wordings: int, leaves_out: bool) -> None:
        self.draws, self.operators, self._wordings, self._leaves_out = draws, operators, wordings, leaves_out
        self._left_out: int | None = None

    def choose(self, ways: Sequence[Way]) -> Way:
        """Returns one of the ways that the operators allow."""
        return self.draws.choice([way for way in ways if way.operators <= self.operators])

    def put(self, way: Way, *parts: Phrase) -> Phrase:
        """Returns the phrase that a way makes of parts."""
        number = self._number(way) if "{n}" in way.code else _NOTHING
        english = self.draws.choice(way.english.split("|")[: self._wordings])
        return Phrase(
            way.code.format(*(part.code for part in parts), n=number.code),
            way.code.format(*(part.shape for part in parts), n=number.shape),
            english.format(*(part.english for part in parts), n=number.english),
            way.binds,
        )

    def readings(self, code: str) -> list[str]:
        """Returns the code with its number in place of `LEFT_OUT`, and then with each other that a reader may try."""
        if self._left_out is None:
            return [code]
        others = (other for other in range(_MOST_TRIED + 1) if other != self._left_out)
        return [code.replace(LEFT_OUT, str(said)) for said in (self._left_out, *others)]

    def _number(self, way: Way) -> Phrase:
        low, high = way.numbers
        number = low + self.draws.below(high - low + 1)
        if self._leaves_out and self._left_out is None:
            self._left_out = number
            return Phrase(LEFT_OUT, "k", way.unsaid)
        return Phrase(str(number), "k", COUNTING[number])
