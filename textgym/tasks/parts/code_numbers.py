"""Some of the numbers of a list, as code and English: its first three, those that are even, and so on."""

from __future__ import annotations

from typing import NamedTuple

from textgym.tasks.parts.code_phrases import Phrase, Way, Writer

FINDS = {
    "sum": Way(1, "sum({1})", "the sum of {0}|the total of {0}"),
    "max": Way(1, "max({1})", "the largest of {0}|the biggest of {0}"),
    "min": Way(1, "min({1})", "the smallest of {0}|the least of {0}"),
    "len": Way(1, "len({0})", "the count of {1}"),
    "first": Way(1, "{0}[0]", "the first of {0}"),
    "last": Way(1, "{0}[-1]", "the last of {0}"),
}
"""Ways to find a number among some, of these as a list, `{0}`, and as what a function takes, `{1}`."""

ORDERS = {
    "rising": Way(1, "sorted({1})", "{0} in rising order|{0}, smallest first"),
    "falling": Way(1, "sorted({1})[::-1]", "{0} in falling order|{0}, largest first"),
    "reverse": Way(1, "{0}[::-1]", "{0} in reverse|{0}, last first"),
}
"""Ways to put some numbers in order."""

_SLICES = (
    (Way(1, "xs[:{n}]", "the first {n}", (2, 3), "few"), "numbers"),
    (Way(1, "xs[-{n}:]", "the last {n}", (2, 3), "few"), "numbers"),
    (Way(1, "xs[1:]", "all but the first"), "number"),
    (Way(1, "xs[:-1]", "all but the last"), "number"),
    (Way(2, "xs[{n}:]", "all but the first {n}", (2, 3), "few"), "numbers"),
    (Way(2, "xs[:-{n}]", "all but the last {n}", (2, 3), "few"), "numbers"),
    (Way(2, "sorted(xs)[:{n}]", "the smallest {n}", (2, 3), "few"), "numbers"),
    (Way(2, "sorted(xs)[-{n}:]", "the largest {n}", (2, 3), "few"), "numbers"),
)
_CONDITIONS = (
    Way(1, "x % 2 == 0", "even numbers"),
    Way(1, "x % 2 == 1", "odd numbers"),
    Way(1, "x > {n}", "numbers above {n}|numbers greater than {n}", (2, 7)),
    Way(1, "x < {n}", "numbers below {n}|numbers less than {n}", (2, 7)),
    Way(2, "x >= {n}", "numbers that are at least {n}", (2, 7)),
    Way(2, "x <= {n}", "numbers that are at most {n}", (2, 7)),
    Way(2, "x % {n} == 0", "numbers divisible by {n}", (3, 5)),
)
_PARTS_OF_A_FILTER = (
    Way(1, "{0}[:{n}]", "the first {n} {1}", (2, 3), "few"),
    Way(1, "{0}[-{n}:]", "the last {n} {1}", (2, 3), "few"),
)
_FILTERED = Way(1, "[x for x in {0} if {1}]", "the {1}")
_FILTERED_PART = Way(1, "[x for x in {0} if {1}]", "the {1} among {0}")


class Numbers(NamedTuple):
    """Some of the numbers of a list.

    Attributes:
        listed: them as a list, `[x for x in xs if x % 2 == 0]`, `the even numbers`.
        inside: them as what a function takes, `x for x in xs if x % 2 == 0`, `even numbers`.
        finds: what in `FINDS` is no roundabout way to say something else.
        orders: the same of `ORDERS`; nothing where they are in rising order as they are.
        condition: what they meet, as code of `x`, if that is what chooses them.
    """

    listed: Phrase
    inside: Phrase
    finds: tuple[str, ...]
    orders: tuple[str, ...] = tuple(ORDERS)
    condition: Phrase | None = None

    @property
    def in_order(self) -> Phrase:
        """Them as a list, whose description leaves no doubt about the order."""
        if self.orders:
            return self.listed
        return self.listed._replace(english=f"{self.listed.english} in rising order")

    @property
    def loop(self) -> Phrase:
        """What stands behind the element in a comprehension over them, such as `for x in xs if x % 2 == 0`."""
        if self.condition is None:
            return Phrase(f"for x in {self.listed.code}", f"for x in {self.listed.shape}", self.listed.english)
        return Phrase(self.inside.code[2:], self.inside.shape[2:], self.listed.english)


_XS = Phrase("xs", "xs", "the numbers")
_SET = Phrase("set(xs)", "set(xs)", "the different numbers")
ALL = Numbers(_XS, _XS, ())
DIFFERENT = Numbers(_SET, _SET._replace(english="different numbers"), ("sum", "len"), ("rising", "falling"))


def draw_slice(writer: Writer) -> Numbers:
    """Returns the first numbers, or all others, or the smallest, and so on."""
    part, noun = _draw_part(writer)
    numbers = part._replace(english=f"{part.english} {noun}")
    if part.code.startswith("sorted("):
        return Numbers(numbers, numbers, ("sum",), ())
    return Numbers(numbers, numbers, ("sum", "max", "min"))


def draw_filter(writer: Writer) -> Numbers:
    """Returns the numbers that meet a condition."""
    return _filtered(writer, _XS, _FILTERED)


def draw_few(writer: Writer) -> Numbers:
    """Returns a slice of the numbers that meet a condition, or those of a slice that meet it."""
    if writer.draws.chance(0.5):
        return _filtered(writer, _draw_part(writer)[0], _FILTERED_PART)
    numbers = draw_filter(writer)
    part = writer.put(writer.choose(_PARTS_OF_A_FILTER), numbers.listed, numbers.inside)
    return Numbers(part, part, ("sum", "max", "min"))


def _draw_part(writer: Writer) -> tuple[Phrase, str]:
    way, noun = writer.draws.choice([pair for pair in _SLICES if pair[0].operators <= writer.operators])
    return writer.put(way), noun


def _filtered(writer: Writer, source: Phrase, way: Way) -> Numbers:
    condition = writer.put(writer.choose(_CONDITIONS))
    listed = writer.put(way, source, condition)
    inside = Phrase(listed.code[1:-1], listed.shape[1:-1], listed.english.removeprefix("the "))
    if source.code.startswith("sorted("):
        return Numbers(listed, inside, ("sum", "len"), (), condition)
    roundabout = {">": "max", "<": "min"}.get(condition.shape[2])  # the largest number above k is the largest number
    return Numbers(listed, inside, tuple(find for find in FINDS if find != roundabout), condition=condition)
