"""Reads a program of the small language: recursive descent, with operators by how strongly they bind."""

from __future__ import annotations

from collections.abc import Sequence

from textgym.tasks.parts.code_expressions import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Comprehension,
    Either,
    Expression,
    Item,
    List,
    Name,
    Number,
    Prefixed,
    Slice,
)
from textgym.tasks.parts.code_language import ARITHMETIC, COMPARISONS, DEEPEST, FUNCTIONS, LEXEMES, LONGEST

_OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _MINUS = range(7)  # the later, the more strongly it binds
_BINDING = {"or": _OR, "and": _AND, "+": _ADD, "-": _ADD, "*": _MULTIPLY, "//": _MULTIPLY, "%": _MULTIPLY}
_BINDING |= dict.fromkeys(COMPARISONS, _COMPARE)
_SEVERAL = ("max(", "min(")  # the functions that take several arguments


class WrongSyntaxError(Exception):
    """The tokens are no program of the language."""


def parse(tokens: Sequence[str]) -> Expression | None:
    """Returns the program that tokens spell, or None where they spell none."""
    if len(tokens) > LONGEST or not all(token in LEXEMES for token in tokens):
        return None
    return parse_lexemes([lexeme for token in tokens for lexeme in LEXEMES[token]])


def parse_lexemes(lexemes: Sequence[str]) -> Expression | None:
    """Returns the program that lexemes spell, or None where they spell none."""
    try:
        return _Parser(lexemes).program()
    except WrongSyntaxError:
        return None


class _Parser:
    """Reads lexemes from left to right; each method reads one kind of thing.

    Args:
        lexemes: those of a text.
    """

    def __init__(self, lexemes: Sequence[str]) -> None:
        self._lexemes, self._place, self._open = [*lexemes, ""], 0, 0

    def program(self) -> Expression:
        program = self._expression()
        self._expect("")
        return program

    @property
    def _next(self) -> str:
        return self._lexemes[self._place]

    def _take(self, *lexemes: str) -> str:
        """Moves past the next lexeme if it is one of these, and returns it; else returns nothing."""
        if self._next not in lexemes:
            return ""
        self._place += 1
        return self._lexemes[self._place - 1]

    def _expect(self, lexeme: str) -> None:
        if self._next != lexeme:
            raise WrongSyntaxError
        self._place += 1

    def _opened(self) -> None:
        self._open += 1
        if self._open > DEEPEST:
            raise WrongSyntaxError

    def _close(self, bracket: str) -> None:
        self._expect(bracket)
        self._open -= 1

    def _expression(self) -> Expression:
        chosen = self._operation(_OR)
        if not self._take("if"):
            return chosen
        condition = self._operation(_OR)
        self._expect("else")
        return Choice(chosen, condition, self._expression())

    def _operation(self, weakest: int) -> Expression:
        """Reads operators and operands for as long as the operators bind at least so strongly."""
        left = self._operand(weakest)
        while _BINDING.get(self._operator(), -1) >= weakest:
            binding = _BINDING[self._operator()]
            if binding == _COMPARE:
                left = self._comparison(left)
                continue
            sign = self._take(self._next)
            right = self._operation(binding + 1)
            left = Arithmetic(sign, left, right) if sign in ARITHMETIC else Either(sign, left, right)
        return left

    def _operator(self) -> str:
        """Returns the operator that comes next, if one does, without moving past it."""
        two = self._next == "not" and self._lexemes[self._place + 1] == "in"
        return "not in" if two else self._next

    def _comparison(self, first: Expression) -> Expression:
        others = []
        while (sign := self._operator()) in COMPARISONS:
            self._place += len(sign.split())
            others.append((sign, self._operation(_COMPARE + 1)))
        return Comparison(first, tuple(others))

    def _operand(self, weakest: int) -> Expression:
        if weakest <= _NOT and self._take("not"):
            return Prefixed("not", self._operation(_NOT))
        if self._take("-"):
            return Prefixed("-", self._operand(_MINUS))
        operand = self._atom()
        while self._take("["):
            operand = self._subscript(operand)
        return operand

    def _atom(self) -> Expression:
        if self._next.isdigit():
            return Number(int(self._take(self._next)))
        if self._next in ("xs", "x"):
            return Name(self._take(self._next))
        if self._take("["):
            return self._list()
        if self._take("("):
            self._opened()
            inner = self._expression()
            self._close(")")
            return inner
        return self._call(self._take(*FUNCTIONS))

    def _list(self) -> Expression:
        self._opened()
        elements: Sequence[Expression] | Comprehension = ()
        if self._next != "]":
            first = self._expression()
            elements = self._comprehension(first) if self._next == "for" else self._more(first)
        self._close("]")
        return List(elements)

    def _call(self, function: str) -> Expression:
        if not function:
            raise WrongSyntaxError
        self._opened()
        first = self._expression()
        arguments: Sequence[Expression] | Comprehension = (first,)
        if self._next == "for" and function != "xs.count(":
            arguments = self._comprehension(first)
        elif function in _SEVERAL:
            arguments = self._more(first)
        self._close(")")
        return Call(function, arguments)

    def _more(self, first: Expression) -> Sequence[Expression]:
        """Reads what follows a first of several expressions, with commas between them."""
        expressions = [first]
        while self._take(","):
            expressions.append(self._expression())
        return tuple(expressions)

    def _comprehension(self, element: Expression) -> Comprehension:
        for word in ("for", "x", "in"):
            self._expect(word)
        source = self._operation(_OR)
        conditions = []
        while self._take("if"):
            conditions.append(self._operation(_OR))
        return Comprehension(element, source, tuple(conditions))

    def _subscript(self, items: Expression) -> Expression:
        self._opened()
        places: list[Expression | None] = []
        while True:
            empty = self._next in (":", "]")
            places.append(None if empty else self._expression())
            if len(places) == 3 or not self._take(":"):
                break
        self._close("]")
        if len(places) > 1:
            return Slice(items, tuple(places))
        if places[0] is None:
            raise WrongSyntaxError
        return Item(items, places[0])
