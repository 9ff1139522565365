"""The hidden tests of programs, and how much of them another program passes."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import islice, zip_longest
from typing import Any, NamedTuple

import numpy as np

from textgym.tasks.parts.code_expressions import Expression, run
from textgym.tasks.parts.code_parser import parse
from textgym.tasks.parts.code_words import VOCABULARY

Example = tuple[tuple[int, ...], Any]
"""An input and the value that is right for it."""

HIDDEN = 16
"""How many hidden tests a program has at most."""


class HiddenTests(NamedTuple):
    """The hidden tests of a program.

    Attributes:
        examples: what is asked and what is right.
        by_luck: the most of them that one and the same answer gets right.
    """

    examples: tuple[Example, ...]
    by_luck: int


_SHORT = ((), (6,), (3, 3), (5, 2), (4, 7), (0, 0, 0))


def _make_pool() -> tuple[tuple[int, ...], ...]:
    """Makes the inputs that hidden tests are chosen from: short ones, and ones with ties, zeros, negative numbers."""
    generator = np.random.Generator(np.random.PCG64(5))
    pool: dict[tuple[int, ...], None] = dict.fromkeys(_SHORT)
    for low, high, length in [(0, 9, 3), (0, 9, 4), (0, 9, 5), (0, 9, 6), (-9, 20, 4), (-9, 20, 5), (2, 5, 6)] * 4:
        pool[tuple(generator.integers(low, high + 1, length).tolist())] = None
    return tuple(pool)


POOL = _make_pool()
_PROBES = POOL[len(_SHORT) : len(_SHORT) + 9]


@lru_cache(maxsize=2**14)
def program_of(ids: tuple[int, ...]) -> Expression | None:
    """Returns the program that token ids spell, or None where they spell none."""
    return parse([VOCABULARY.tokens[token] for token in ids])


def behaviour(program: Expression) -> str | None:
    """Returns what a program does for some of the pool, the same for all programs that do the same.

    None where it has fewer than three different values there: so there are tests that the best constant fails.
    """
    values = [repr(run(program, xs)) for xs in _PROBES]
    return " ".join(values) if len({*values} - {"None"}) >= 3 else None


@lru_cache(maxsize=2**14)
def varies(ids: tuple[int, ...]) -> bool:
    """Returns whether token ids spell a program that has three different values or more for some of the pool."""
    program = program_of(ids)
    return program is not None and behaviour(program) is not None


@lru_cache(maxsize=2**13)
def hidden_tests(reference: tuple[int, ...]) -> HiddenTests:
    """Returns the hidden tests of a program: inputs for which it has a value, these as different as can be."""
    program = program_of(reference)
    assert program is not None
    valued = [(xs, output) for xs in POOL if (output := run(program, xs)) is not None]
    asked: dict[str, list[Example]] = {}
    for xs, output in valued:
        asked.setdefault(repr(output), []).append((xs, output))
    rounds = (example for group in zip_longest(*asked.values()) for example in group if example is not None)
    chosen = tuple(islice(rounds, HIDDEN))
    most = max(Counter(repr(output) for _, output in chosen).values(), default=0)
    return HiddenTests(chosen, most)


def meets(program: Expression, example: Example) -> bool:
    """Returns whether a program's value for the input equals the right one, as Python compares."""
    return bool(run(program, example[0]) == example[1])


@lru_cache(maxsize=2**16)
def credit(text: tuple[int, ...], reference: tuple[int, ...]) -> float:
    """Returns the share of a program's hidden tests that another passes, counted from what luck gets, in [0, 1]."""
    program, tests = program_of(text), hidden_tests(reference)
    if program is None:
        return 0.0
    passed = sum(meets(program, example) for example in tests.examples)
    return max(0, passed - tests.by_luck) / (len(tests.examples) - tests.by_luck)
