"""Samples of Code: programs with descriptions and examples, each program in one split only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from textgym.tasks.base import SPLITS
from textgym.tasks.parts.code_expressions import Expression, run
from textgym.tasks.parts.code_language import NUMBERS, lexemes_of
from textgym.tasks.parts.code_parser import parse_lexemes
from textgym.tasks.parts.code_phrases import Writer
from textgym.tasks.parts.code_programs import draw_program
from textgym.tasks.parts.code_tests import POOL, Example, behaviour, meets
from textgym.tasks.parts.code_words import program_ids, prompt_ids
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.held_out import split_of
from textgym.tasks.parts.prompts import size_of_split

_MOST_DRAWS = 4000  # in a row, of samples that cannot be used
_TRIES = 6
# How often a program of each depth is drawn.
_DEPTHS = {1: (1,), 2: (1, 2, 2, 2, 2), 3: (1, 2, 2, 2, 3, 3, 3, 3, 3, 3)}
_HIDDEN_INPUTS = frozenset(POOL)


class Sample(NamedTuple):
    """A prompt, the program that answers it, what the prompt shows of it, and it with k for its numbers."""

    prompt: tuple[int, ...]
    program: tuple[int, ...]
    examples: tuple[Example, ...]
    shape: str


def draw_samples(
    *, depth: int, operators: int, wordings: int, vague: float, examples: int, longest: int, size: int
) -> Mapping[str, Sequence[Sample]]:
    """Returns the samples of each split; `Code` says what the arguments are.

    No program has more samples than two and twice what those of its split have on average.

    Raises:
        ValueError: if there are not so many different prompts.
    """
    draws, in_vain = Draws(7), 0
    wanted = {split: size_of_split(size, split) for split in SPLITS}
    split_by_behaviour: dict[str, str] = {}
    made: dict[str, dict[tuple[int, ...], Sample]] = {split: {} for split in SPLITS}
    frequency: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    while any(len(made[split]) < wanted[split] for split in SPLITS):
        in_vain += 1
        if in_vain > _MOST_DRAWS:
            raise ValueError(f"size must be smaller, got {size}: there are not so many different prompts")
        writer = Writer(draws, operators=operators, wordings=wordings, leaves_out=draws.chance(vague))
        phrase = draw_program(writer, draws.choice(_DEPTHS[depth]))
        split = split_of(phrase.shape)
        code, *others = writer.readings(phrase.code)
        known = frequency[split]
        if len(made[split]) == wanted[split] or known[code] > 1 + 2 * len(made[split]) / (len(known) + 1):
            continue
        program = _parsed(code)
        shown = _draw_examples(draws, program, count=examples, longest=longest, natural=operators == 1)
        does = _behaviour(code)
        if shown is None or does is None or split_by_behaviour.setdefault(does, split) != split:
            continue
        if any(all(meets(_parsed(other), example) for example in shown) for other in others):
            continue  # the examples leave open which number it is
        prompt = tuple(prompt_ids(phrase.english, shown))
        if prompt not in made[split]:
            made[split][prompt], in_vain = Sample(prompt, program_ids(code), shown, phrase.shape), 0
            known[code] += 1
    return {split: list(samples.values()) for split, samples in made.items()}


@lru_cache(maxsize=2**13)
def _parsed(code: str) -> Expression:
    program = parse_lexemes(lexemes_of(code))
    assert program is not None, code
    return program


@lru_cache(maxsize=2**13)
def _behaviour(code: str) -> str | None:
    return behaviour(_parsed(code))


def _draw_examples(
    draws: Draws, program: Expression, *, count: int, longest: int, natural: bool
) -> tuple[Example, ...] | None:
    """Returns different inputs with their outputs, or None where too few were found that the vocabulary can spell.

    Of a few inputs each is the one whose output is least like that of a simple program, and like the others' outputs.
    """
    chosen: list[Example] = []
    for _ in range(count):
        least, best = 100, None
        for _ in range(_TRIES):
            xs = _draw_input(draws, longest, natural=natural)
            if xs in _HIDDEN_INPUTS or any(xs == other for other, _ in chosen):
                continue
            output = run(program, xs)
            if not _can_be_shown(output):
                continue
            alike = [*_simple_outputs(xs), *(shown for _, shown in chosen)].count(output)
            if alike < least:
                least, best = alike, (xs, output)
            if not alike:
                break
        if best is None:
            return None
        chosen.append(best)
    return tuple(chosen)


def _draw_input(draws: Draws, longest: int, *, natural: bool) -> tuple[int, ...]:
    length = max(draws.below(longest), draws.below(longest)) + 1
    low, kinds = (0, 10) if natural else (-4, 17)
    return tuple(low + draws.below(kinds) for _ in range(length))


def _can_be_shown(output: Any) -> bool:
    if type(output) is list:
        return all(map(_can_be_shown, output))
    return type(output) is int and output in NUMBERS


def _simple_outputs(xs: tuple[int, ...]) -> list[Any]:
    """Returns what simple programs make of an input."""
    rising = sorted(xs)
    return [list(xs), rising, rising[::-1], list(xs[::-1]), [], xs[0], xs[-1], rising[0], rising[-1], sum(xs), len(xs)]
