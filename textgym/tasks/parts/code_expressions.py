"""What an expression of the small language means: what Python means by it, within bounds."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_STEPS = 1000
LARGEST_NUMBER = 1_000_000
LONGEST_LIST = 64

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs(": abs, "len(": len, "max(": max, "min(": min, "set(": set, "sorted(": sorted, "sum(": sum,
}  # fmt: skip
_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
    "in": lambda item, items: operator.contains(items, item),
    "not in": lambda item, items: not operator.contains(items, item),
}  # fmt: skip


class OutOfBoundsError(Exception):
    """The program does what Python allows and we don't: too many steps, too large a number, a list of lists."""


class Scope:
    """The variables that an expression sees, and the steps that are left to the whole program.

    Args:
        xs: the list of numbers that the program is given.
        meter: how many steps are left, in a list of one number that all scopes of a run share.
    """

    __slots__ = ("meter", "x", "xs")

    def __init__(self, xs: list[int], meter: list[int]) -> None:
        self.xs, self.meter = xs, meter
        self.x: Any = None  # outside of a comprehension there is none

    def step(self) -> None:
        self.meter[0] -= 1
        if self.meter[0] < 0:
            raise OutOfBoundsError


class Expression(ABC):
    """Something that has a value: a number, a truth value, a list of these or a set of these."""

    __slots__ = ()

    @abstractmethod
    def value(self, scope: Scope) -> Any:
        """Returns the value, or raises what Python would raise, or OutOfBoundsError."""


@dataclass(frozen=True, slots=True)
class Number(Expression):
    number: int

    def value(self, scope: Scope) -> Any:
        return self.number


@dataclass(frozen=True, slots=True)
class Name(Expression):
    name: str

    def value(self, scope: Scope) -> Any:
        if self.name == "xs":
            return scope.xs
        if scope.x is None:
            raise NameError(self.name)
        return scope.x


@dataclass(frozen=True, slots=True)
class Prefixed(Expression):
    """`-a` or `not a`."""

    sign: str
    operand: Expression

    def value(self, scope: Scope) -> Any:
        scope.step()
        value = self.operand.value(scope)
        return not value if self.sign == "not" else -value


@dataclass(frozen=True, slots=True)
class Arithmetic(Expression):
    """`a + b` and the like."""

    sign: str
    left: Expression
    right: Expression

    def value(self, scope: Scope) -> Any:
        scope.step()
        left, right = self.left.value(scope), self.right.value(scope)
        if self.sign == "*" and (isinstance(left, list) or isinstance(right, list)):
            times = [value if isinstance(value, int) else len(value) for value in (left, right)]
            if times[0] * times[1] > LONGEST_LIST:  # before Python makes it
                raise OutOfBoundsError
        return _bounded(_OPERATIONS[self.sign](left, right))


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """`a < b <= c`: each with its neighbour, from left to right, until one does not hold."""

    first: Expression
    others: tuple[tuple[str, Expression], ...]

    def value(self, scope: Scope) -> Any:
        scope.step()
        holds, left = True, self.first.value(scope)
        for sign, other in self.others:
            right = other.value(scope)
            holds = _OPERATIONS[sign](left, right)
            if not holds:
                break
            left = right
        return holds


@dataclass(frozen=True, slots=True)
class Either(Expression):
    """`a or b`, and `a and b`: whichever of the two values decides."""

    word: str
    left: Expression
    right: Expression

    def value(self, scope: Scope) -> Any:
        scope.step()
        left = self.left.value(scope)
        return left if bool(left) == (self.word == "or") else self.right.value(scope)


@dataclass(frozen=True, slots=True)
class Choice(Expression):
    """`a if condition else b`."""

    chosen: Expression
    condition: Expression
    other: Expression

    def value(self, scope: Scope) -> Any:
        scope.step()
        return (self.chosen if self.condition.value(scope) else self.other).value(scope)


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`a for x in b if c`, which only a list or a function can make a value of."""

    element: Expression
    source: Expression
    conditions: tuple[Expression, ...]

    def items(self, scope: Scope) -> Iterator[Any]:
        """Returns the elements, each made when it is asked for; `x` is a variable of its own inside."""
        return self._made(iter(self.source.value(scope)), Scope(scope.xs, scope.meter))

    def _made(self, source: Iterator[Any], inside: Scope) -> Iterator[Any]:
        for item in source:
            inside.x = item
            for condition in self.conditions:
                if not condition.value(inside):
                    break
            else:
                inside.step()
                yield self.element.value(inside)


@dataclass(frozen=True, slots=True)
class List(Expression):
    """`[a, b]`, or `[a for x in b]`."""

    elements: Sequence[Expression] | Comprehension

    def value(self, scope: Scope) -> Any:
        scope.step()
        if isinstance(self.elements, Comprehension):
            return _bounded(list(self.elements.items(scope)))
        return _bounded([element.value(scope) for element in self.elements])


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """`max(a, b)`, or `max(a for x in b)`, or `xs.count(a)`."""

    function: str
    arguments: Sequence[Expression] | Comprehension

    def value(self, scope: Scope) -> Any:
        scope.step()
        if isinstance(self.arguments, Comprehension):
            return _bounded(_FUNCTIONS[self.function](self.arguments.items(scope)))
        arguments = [argument.value(scope) for argument in self.arguments]
        return _bounded((_FUNCTIONS.get(self.function) or scope.xs.count)(*arguments))


@dataclass(frozen=True, slots=True)
class Item(Expression):
    """`a[b]`."""

    items: Expression
    place: Expression

    def value(self, scope: Scope) -> Any:
        scope.step()
        return self.items.value(scope)[self.place.value(scope)]


@dataclass(frozen=True, slots=True)
class Slice(Expression):
    """`a[b:c]`, `a[b:c:d]`, any of b, c and d left out."""

    items: Expression
    places: tuple[Expression | None, ...]

    def value(self, scope: Scope) -> Any:
        scope.step()
        items = self.items.value(scope)
        return items[slice(*(None if place is None else place.value(scope) for place in self.places))]


def run(program: Expression, xs: Sequence[int]) -> Any:
    """Returns the value of a program for a list of numbers; None, which no program means, where it fails."""
    try:
        return program.value(Scope(list(xs), [MOST_STEPS]))
    except (ArithmeticError, LookupError, NameError, TypeError, ValueError, OutOfBoundsError):
        return None


def _bounded(value: Any) -> Any:
    """Returns a value, or raises OutOfBoundsError for one that is too large or a list of what is no number."""
    if isinstance(value, int):
        if abs(value) > LARGEST_NUMBER:
            raise OutOfBoundsError
    elif isinstance(value, list) and (len(value) > LONGEST_LIST or not {int, bool}.issuperset(map(type, value))):
        raise OutOfBoundsError
    return value
