"""Programs of the small language, drawn at random, each with a line of English that says what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textgym.tasks.parts.code_numbers import ALL, DIFFERENT, FINDS, ORDERS, Numbers, draw_few, draw_filter, draw_slice
from textgym.tasks.parts.code_phrases import PRODUCT, SUM, WHOLE, Phrase, Way, Writer

MOST_DEPTH, MOST_OPERATORS, MOST_WORDINGS = 3, 3, 2

_NUMBERS = (
    Way(1, "max(xs)", "the largest number|the biggest number"),
    Way(1, "min(xs)", "the smallest number|the least number"),
    Way(1, "sum(xs)", "the sum of the numbers|the total of the numbers"),
    Way(1, "len(xs)", "the length of the list"),
    Way(1, "xs[0]", "the first number"),
    Way(1, "xs[-1]", "the last number"),
    Way(1, "xs[1]", "the second number"),
    Way(2, "xs[-2]", "the second to last number"),
    Way(2, "sorted(xs)[1]", "the second smallest number"),
    Way(2, "sorted(xs)[-2]", "the second largest number"),
    Way(3, "xs.count({n})", "the number of times that {n} occurs", (1, 5)),
    Way(3, "len(set(xs))", "the count of different numbers"),
)
_CALCULATIONS = (
    Way(1, "{0} + {n}", "add {n} to {0}|increase {0} by {n}", (1, 9), binds=SUM),
    Way(1, "{0} - {n}", "subtract {n} from {0}|decrease {0} by {n}", (1, 9), binds=SUM),
    Way(1, "{0} * {n}", "multiply {0} by {n}", (2, 5), binds=PRODUCT),
    Way(2, "{0} // {n}", "divide {0} by {n}, rounding down", (2, 4), binds=PRODUCT),
    Way(2, "{0} % {n}", "divide {0} by {n} and keep the remainder", (3, 7), binds=PRODUCT),
    Way(2, "{n} - {0}", "subtract {0} from {n}", (5, 9), binds=SUM),
)
_FURTHER_CALCULATIONS = (
    Way(1, "{0} + {n}", "{0}, then add {n}", (1, 9), binds=SUM),
    Way(1, "{0} - {n}", "{0}, then subtract {n}", (1, 9), binds=SUM),
    Way(1, "{0} * {n}", "{0}, then multiply by {n}", (2, 5), binds=PRODUCT),
    Way(2, "{0} // {n}", "{0}, then divide by {n}, rounding down", (2, 4), binds=PRODUCT),
    Way(2, "{0} % {n}", "{0}, then divide by {n} and keep the remainder", (3, 7), binds=PRODUCT),
)
_OF_TWO = (
    Way(1, "{0} + {1}", "add {1} to {0}", binds=SUM),
    Way(1, "{0} * {1}", "multiply {0} by {1}", binds=PRODUCT),
    Way(1, "{0} - {1}", "subtract {1} from {0}", binds=SUM),
    Way(2, "max({0}, {1})", "the larger of {0} and {1}"),
    Way(2, "min({0}, {1})", "the smaller of {0} and {1}"),
    Way(2, "abs({0} - {1})", "the distance between {0} and {1}"),
    Way(3, "[{0}, {1}]", "a list of {0} and {1}"),
)
_TURNED = ("{0} - {1}", "[{0}, {1}]")  # which mean something else with their parts exchanged
_CALCULATIONS_OF_TWO = tuple(way for way in _OF_TWO if way.binds != WHOLE)
_MAPS = (
    Way(1, "x + {n}", "add {n} to {0}", (1, 9)),
    Way(1, "x - {n}", "subtract {n} from {0}", (1, 9)),
    Way(1, "x * {n}", "multiply {0} by {n}", (2, 5)),
    Way(2, "x * x", "square {0}"),
    Way(2, "x // {n}", "divide {0} by {n}, rounding down", (2, 4)),
    Way(2, "x % {n}", "divide {0} by {n} and keep the remainders", (3, 7)),
    Way(2, "{n} - x", "subtract {0} from {n}", (5, 9)),
)
_CONDITIONS = (
    Way(3, "{0} > {n}", "{0} is above {n}|{0} is greater than {n}", (2, 7)),
    Way(3, "{0} < {n}", "{0} is below {n}|{0} is less than {n}", (2, 7)),
    Way(3, "{0} % 2 == 0", "{0} is even"),
    Way(3, "{0} > {1}", "{0} is above {1}"),
    Way(3, "{n} in xs", "{n} is in the list", (1, 6)),
    Way(3, "{n} not in xs", "{n} is not in the list", (1, 6)),
)
_MAPPED = Way(1, "[{0} {1}]", "{0}")
_TAKEN_AND_MAPPED = Way(1, "[{0} {1}]", "take {1}, then {0}")
_CHOICE = Way(3, "{0} if {1} else {2}", "{0} if {1}, else {2}")
_CHANGES = (
    Way(3, "[{n} if {0} else x for x in xs]", "replace each of {0} with {n}", (0, 9)),
    Way(3, "[x + {n} if {0} else x for x in xs]", "add {n} to each of {0} and keep the others", (1, 9)),
    Way(3, "[x * {n} if {0} else x for x in xs]", "multiply each of {0} by {n} and keep the others", (2, 5)),
)


def draw_program(writer: Writer, depth: int) -> Phrase:
    """Returns a program in which about `depth` operations are nested, 1 to 3."""
    ways = _PROGRAMS[depth]
    if depth == MOST_DEPTH and writer.operators == MOST_OPERATORS:
        ways = (*ways, _choice, _choice, _changed)
    return writer.draws.choice(ways)(writer)


def _number(writer: Writer) -> Phrase:
    """Something about the whole list."""
    return writer.put(writer.choose(_NUMBERS))


def _two_numbers(writer: Writer, *begins: str) -> tuple[Phrase, Phrase]:
    """Two different things about the whole list whose codes begin so, in the order of the table."""
    ways = [way for way in _NUMBERS if way.operators <= writer.operators and way.code.startswith(begins)]
    first, second = sorted(writer.draws.shuffled(range(len(ways)))[:2])
    return writer.put(ways[first]), writer.put(ways[second])


def _some(writer: Writer) -> Numbers:
    if writer.operators == MOST_OPERATORS and writer.draws.chance(0.1):
        return DIFFERENT
    return writer.draws.choice((draw_slice, draw_filter))(writer)


def _found(writer: Writer, numbers: Numbers) -> Phrase:
    return writer.put(FINDS[writer.draws.choice(numbers.finds)], numbers.listed, numbers.inside)


def _ordered(writer: Writer, numbers: Numbers) -> Phrase:
    if not numbers.orders:
        return numbers.in_order
    return writer.put(ORDERS[writer.draws.choice(numbers.orders)], numbers.listed, numbers.inside)


def _mapped(writer: Writer, numbers: Numbers) -> Phrase:
    if numbers is DIFFERENT:  # which has no order of its own
        return _ordered(writer, numbers)
    each = Phrase("", "", "each number" if numbers is ALL else "each")
    element = writer.put(writer.choose(_MAPS), each)
    return writer.put(_MAPPED if numbers is ALL else _TAKEN_AND_MAPPED, element, numbers.loop)


def _calculated(writer: Writer, number: Phrase) -> Phrase:
    way = writer.choose(_CALCULATIONS)
    return writer.put(way, number.in_brackets(way.binds))


def _calculated_further(writer: Writer, number: Phrase) -> Phrase:
    """A calculation of another kind with a result: to add again would say in two steps what one can say."""
    way = writer.choose([way for way in _FURTHER_CALCULATIONS if way.binds != number.binds])
    return writer.put(way, number.in_brackets(way.binds))


def _of_two(writer: Writer, ways: Sequence[Way] = _OF_TWO) -> Phrase:
    way = writer.choose(ways)
    # The larger of the largest number and another is the largest: only places for what compares.
    first, second = _two_numbers(writer, "xs[" if way.code[0].isalpha() else "")
    turned = way.code in _TURNED and writer.draws.chance(0.5)
    return writer.put(way, second, first) if turned else writer.put(way, first, second)


def _of_some_and_all(writer: Writer) -> Phrase:
    """A calculation with something about some of the numbers, and something about all."""
    way = writer.choose(_CALCULATIONS_OF_TWO)
    some = writer.draws.choice((draw_slice, draw_filter))(writer)
    return writer.put(way, _found(writer, some), _number(writer))


def _choice(writer: Writer) -> Phrase:
    way = writer.choose(_CONDITIONS)
    parts = _two_numbers(writer, "xs[") if "{1}" in way.code else [_number(writer)] if "{0}" in way.code else []
    condition = writer.put(way, *parts)
    first, second = _two_numbers(writer, "")
    return writer.put(_CHOICE, first, condition, second)


def _changed(writer: Writer) -> Phrase:
    numbers = draw_filter(writer)
    assert numbers.condition is not None
    return writer.put(writer.choose(_CHANGES), numbers.condition._replace(english=numbers.listed.english))


_PROGRAMS: Mapping[int, Sequence[Callable[[Writer], Phrase]]] = {
    1: (
        _number,
        lambda writer: draw_slice(writer).in_order,
        lambda writer: draw_filter(writer).listed,
        lambda writer: _ordered(writer, ALL),
        lambda writer: _mapped(writer, ALL),
    ),
    2: (
        lambda writer: _calculated(writer, _number(writer)),
        lambda writer: _found(writer, _some(writer)),
        lambda writer: _mapped(writer, _some(writer)),
        lambda writer: _ordered(writer, _some(writer)),
        _of_two,
    ),
    3: (
        lambda writer: _calculated_further(writer, _calculated(writer, _number(writer))),
        lambda writer: _calculated_further(writer, _of_two(writer, _CALCULATIONS_OF_TWO)),
        lambda writer: _calculated(writer, _found(writer, _some(writer))),
        lambda writer: _found(writer, draw_few(writer)),
        lambda writer: _mapped(writer, draw_few(writer)),
        lambda writer: _ordered(writer, draw_few(writer)),
        _of_some_and_all,
    ),
}
