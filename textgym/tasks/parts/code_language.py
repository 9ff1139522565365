"""The tokens of a small language of expressions, each of which is also Python, and the lexemes that they consist of."""

from __future__ import annotations

import re

NUMBERS = range(-20, 100)
FUNCTIONS = ("abs(", "len(", "max(", "min(", "set(", "sorted(", "sum(", "xs.count(")
COMPARISONS = ("<", "<=", ">", ">=", "==", "in", "not in")
ARITHMETIC = ("+", "-", "*", "//", "%")
WORDS = ("if", "else", "for", "in", "not", "and", "or")
MARKS = ("(", ")", "[", "]", ",", ":", *ARITHMETIC, *(word for word in COMPARISONS if "i" not in word))
GLUED = ("xs[", ")[", "][", "])", *(f":{n}" for n in (1, 2, 3, 4, 5, -1, -2, -3, -4, -5)), "::-1", "::2", "::3")

TOKENS = ("xs", "x", *FUNCTIONS, *WORDS, *MARKS, *GLUED, *map(str, NUMBERS))

DEEPEST = 8
"""How many brackets may be open at once."""

LONGEST = 100
"""How many tokens a program may have."""

_LEXEME = re.compile(r"[a-z.]+\(|[a-z]+|\d+|//|[<>=]=|\S")


def lexemes_of(code: str) -> tuple[str, ...]:
    """Returns the lexemes of a program that is in the language."""
    return tuple(_LEXEME.findall(code))


LEXEMES = {token: lexemes_of(token) for token in TOKENS}
"""The lexemes of each token: those of `xs[` are `xs` and `[`, those of `:-1` are `:`, `-` and `1`."""
