"""Which tokens may come next in a program of the small language, so that it can still be completed in the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from textgym.tasks.parts.code_language import ARITHMETIC, COMPARISONS, DEEPEST, FUNCTIONS, LEXEMES

CONTENT = "an expression, or the closing bracket of an empty list or of a slice without this end"
EXPRESSION = "an expression"
OPERAND = "an operand, which does not begin with `not`"
OPERATOR = "an operator, or what closes or continues the innermost bracket"
VARIABLE = "the x after `for`"
SOURCE = "the in after `for x`"
IN = "the in after `not`"

State = tuple[str, tuple[str, ...]]
"""What is expected, and what is under way, from the outermost to the innermost: brackets and unfinished conditions."""

START: State = EXPRESSION, ("text",)

_BRACKETS: Mapping[str, str] = {
    "[": "list", "(": "one", "xs.count(": "one", "max(": "first of several", "min(": "first of several",
} | {name: "argument" for name in FUNCTIONS if name not in ("xs.count(", "max(", "min(")}  # fmt: skip

# What each bracket becomes at a lexeme after an expression; nothing where it closes.
_FORWARD: Mapping[str, Mapping[str, str]] = {
    "text": {},
    "condition": {"else": ""},
    "one": {")": ""},
    "argument": {")": "", "for": "filtered argument"},
    "first of several": {")": "", ",": "several", "for": "filtered argument"},
    "several": {")": "", ",": "several"},
    "filtered argument": {")": "", "if": "filtered argument"},
    "list": {"]": "", ",": "elements", "for": "filtered list"},
    "elements": {"]": "", ",": "elements"},
    "filtered list": {"]": "", "if": "filtered list"},
    "place": {"]": "", ":": "stop"},
    "stop": {"]": "", ":": "stride"},
    "stride": {"]": ""},
}
_AFTER = {
    "]": OPERATOR, ")": OPERATOR, ",": EXPRESSION, ":": CONTENT,
    "else": EXPRESSION, "if": EXPRESSION, "for": VARIABLE,
}  # fmt: skip
_MAY_BE_EMPTY = {"list": ("]",), "place": (":",), "stop": (":", "]"), "stride": ("]",)}
_FEWEST = {CONTENT: 0, EXPRESSION: 1, OPERAND: 1, OPERATOR: 0, VARIABLE: 3, SOURCE: 2, IN: 2}

_ALIKE: dict[tuple[str, ...], list[str]] = {}  # tokens that differ only in a number
for _token, _lexemes in LEXEMES.items():
    _ALIKE.setdefault(tuple("0" if lexeme.isdigit() else lexeme for lexeme in _lexemes), []).append(_token)


def advance(state: State, lexeme: str) -> State | None:
    """Returns the state after one more lexeme, or None where no program goes on so."""
    expects, brackets = state
    if expects == VARIABLE:
        return (SOURCE, brackets) if lexeme == "x" else None
    if expects in (SOURCE, IN):
        after = EXPRESSION if expects == SOURCE else OPERAND
        return (after, brackets) if lexeme == "in" else None
    if expects != OPERATOR:
        if lexeme.isdigit() or lexeme in ("xs", "x"):
            return OPERATOR, brackets
        if lexeme == "-":
            return OPERAND, brackets
        if lexeme == "not" and expects != OPERAND:
            return EXPRESSION, brackets
        if lexeme in _BRACKETS:
            inside = CONTENT if lexeme == "[" else EXPRESSION
            return _opened(inside, brackets, _BRACKETS[lexeme])
        may_be_empty = expects == CONTENT and lexeme in _MAY_BE_EMPTY[brackets[-1]]
        return _forward(brackets, lexeme) if may_be_empty else None
    if lexeme in ARITHMETIC or lexeme in COMPARISONS:
        return OPERAND, brackets
    if lexeme in ("and", "or"):
        return EXPRESSION, brackets
    if lexeme == "not":
        return IN, brackets
    if lexeme == "[":
        return _opened(CONTENT, brackets, "place")
    if lexeme == "if" and lexeme not in _FORWARD[brackets[-1]] and brackets[-1] != "condition":
        return EXPRESSION, (*brackets, "condition")
    return _forward(brackets, lexeme) if lexeme in _FORWARD[brackets[-1]] else None


def _opened(expects: str, brackets: tuple[str, ...], bracket: str) -> State | None:
    deep = sum(bracket not in ("text", "condition") for bracket in brackets) == DEEPEST
    return None if deep else (expects, (*brackets, bracket))


def _forward(brackets: tuple[str, ...], lexeme: str) -> State:
    becomes = _FORWARD[brackets[-1]][lexeme]
    return _AFTER[lexeme], (*brackets[:-1], becomes) if becomes else brackets[:-1]


@lru_cache(maxsize=2**15)
def write(state: State, token: str) -> State | None:
    """Returns the state after one more token, or None where no program goes on so."""
    after: State | None = state
    for lexeme in LEXEMES.get(token, ("",)):
        if after is None:
            break
        after = advance(after, lexeme)
    return after


def fewest_tokens(state: State) -> int:
    """Returns the fewest tokens that make a whole program of what has been written."""
    expects, brackets = state
    tokens = _FEWEST[expects] + (expects == CONTENT and brackets[-1] == "place")
    square = False  # whether a `]` was the last, which with a `)` behind it is one token
    for bracket in reversed(brackets[1:]):
        if bracket == "condition":
            tokens, square = tokens + 2, False  # `else` and an operand
        elif square and ")" in _FORWARD[bracket]:
            square = False
        else:
            tokens, square = tokens + 1, "]" in _FORWARD[bracket]
    return tokens


def is_whole(state: State) -> bool:
    """Returns whether what has been written is a program."""
    return state == (OPERATOR, ("text",))


def next_tokens(state: State, left: int) -> Sequence[str]:
    """Returns the tokens after which a program can be completed, where `left` more tokens may be written."""
    return [token for fewest, alike in _following(state) if fewest < left for token in alike]


@lru_cache(maxsize=2**14)
def _following(state: State) -> Sequence[tuple[int, Sequence[str]]]:
    """Returns the tokens that may follow, those alike together, and for each group the fewest tokens needed then."""
    after = [(alike, write(state, alike[0])) for alike in _ALIKE.values()]
    return [(fewest_tokens(state), alike) for alike, state in after if state is not None]
