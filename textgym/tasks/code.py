"""Code: from a line of description and examples to a program that passes hidden tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.code_language import LONGEST
from textgym.tasks.parts.code_mask import START, State, is_whole, next_tokens, write
from textgym.tasks.parts.code_programs import MOST_DEPTH, MOST_OPERATORS, MOST_WORDINGS
from textgym.tasks.parts.code_samples import Sample, draw_samples
from textgym.tasks.parts.code_tests import Example, credit, meets, program_of, varies
from textgym.tasks.parts.code_words import IDS, VOCABULARY
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray

MOST_EXAMPLES = 3


class Code(Task):
    """Write an expression of Python that does what a description says and examples show.

    Example: prompt `subtract six from the first number: f([8, 7, 1, 9]) == 2, f(xs) ==`, text `xs[0] - 6`.

    The language is a part of Python: the list `xs` and the `x` of a comprehension, numbers, arithmetic, comparisons,
    `and`, `or`, `not`, `if` and `else`, places and slices, lists and comprehensions, `abs`, `len`, `max`, `min`, `set`,
    `sorted`, `sum` and `xs.count`. A text means what Python means by it, and is run by an interpreter of our own, never
    by Python's, with at most 1,000 operations, numbers up to a million, and lists of up to 64 numbers and of nothing
    else. Programs are held out: none is in two splits, nor two that differ only in the numbers of their descriptions or
    that do the same.

    Gold: of up to 16 hidden tests, whose inputs differ from those shown, a program passes p, where its value equals the
    right one as Python compares, and the best constant passes c. Then

        gold = max(0, p - c) / (number of tests - c),

    which is 1 for any program that is right on all of them, and 0 for every constant; what is no program, or fails,
    passes nothing.

    The default feedback is the share of the shown examples that the text passes, if it has three different values or
    more for other inputs (the task's signal `"examples"`), whether it is a program (`"syntax"`), and a rating of
    ROUGE-L, which likes a program that looks as expected. The shown examples are few, so a program that is right for
    them alone is paid like a right one. The mask
    is the grammar of the language, without the tokens after which the program could not be completed in the budget; a
    text that has left the grammar may only end.

    A low score with full syntax means that descriptions are not understood; one that falls from train to test, that
    whole programs were learnt by heart; and one beside a high share of examples passed, that the learner writes what
    these say and not what the description says. Where a number is left out, it must be found from the examples.

    Args:
        depth: how many operations are nested in a program, 1 to 3 at most; with 1 there are so few programs that a test
            split has between two and a dozen.
        operators: how many groups of operators there are: 1 has sums, products, slices, order and filters; 2 adds
            division, squares, distances and ranks; 3 adds choices, counts, sets and lists of two.
        wordings: in how many ways some things are said, 1 or 2.
        vague: the share of descriptions, 0 to 1, that leave a number to the examples, where there is one.
        examples: how many examples a prompt shows, 1 to 3.
        longest: how many numbers the inputs of the examples have at most, 3 to 8.
        size: how many different prompts all splits have together, at least 8.

    Version history: v0, the first.
    """

    presets: ClassVar = {
        "easy": {"depth": 2, "operators": 1, "wordings": 1, "vague": 0.0, "examples": 1, "longest": 4},
        "medium": {"depth": 3, "operators": 2, "wordings": 2, "vague": 0.2, "examples": 2, "longest": 5},
        "hard": {"depth": 3, "operators": 3, "wordings": 2, "vague": 0.5, "examples": 3, "longest": 6},
    }
    swept = "operators"
    default_feedback = (
        {"name": "task_signal", "signal": "examples", "weight": 0.6},
        {"name": "task_signal", "signal": "syntax", "weight": 0.1},
        {"name": "rating", "metric": "rouge_l", "levels": 5, "weight": 0.3},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.1},)
    optimal_return = 1.0

    def __init__(
        self,
        depth: int = 2,
        operators: int = 1,
        wordings: int = 1,
        vague: float = 0.0,
        examples: int = 1,
        longest: int = 4,
        size: int = 4096,
    ) -> None:
        limits = {
            "depth": (depth, 1, MOST_DEPTH),
            "operators": (operators, 1, MOST_OPERATORS),
            "wordings": (wordings, 1, MOST_WORDINGS),
            "vague": (vague, 0, 1),
            "examples": (examples, 1, MOST_EXAMPLES),
            "longest": (longest, 3, 8),
        }
        for name, (value, low, high) in limits.items():
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, got {value}")
        if size < 8:
            raise ValueError(f"size must be at least 8, got {size}")
        self.depth, self.operators, self.wordings, self.vague = depth, operators, wordings, vague
        self.examples, self.longest, self.size = examples, longest, size
        self.vocabulary = VOCABULARY
        self.signals = {"examples": self.examples_passed, "syntax": self.syntax}
        self.max_new_tokens = 1 + max(len(sample.program) for samples in self._samples.values() for sample in samples)

    @cached_property
    def _samples(self) -> Mapping[str, Sequence[Sample]]:
        return draw_samples(
            depth=self.depth,
            operators=self.operators,
            wordings=self.wordings,
            vague=self.vague,
            examples=self.examples,
            longest=self.longest,
            size=self.size,
        )

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts, programs, examples, shapes = zip(*self._samples[split], strict=True)
        data = {"program": programs, "examples": examples, "shape": shapes}
        return PromptSet.from_tokens(prompts, programs, self.vocabulary, data)

    def gold(self, transition: Transition) -> FloatArray:
        references = self._of_samples(transition, "program")
        return np.array([credit(*pair) for pair in zip(_texts(transition), references, strict=True)], np.float64)

    def examples_passed(self, transition: Transition) -> FloatArray:
        """Returns the share of the shown examples that each text passes, (n,); 0 where it is about constant."""
        shown = self._of_samples(transition, "examples")
        return np.array([_share(*pair) for pair in zip(_texts(transition), shown, strict=True)], np.float64)

    def syntax(self, transition: Transition) -> FloatArray:
        """Returns whether each text is a program, (n,): 1 or 0."""
        return np.array([program_of(text) is not None for text in _texts(transition)], np.float64)

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        allowed = np.empty((len(transition), len(self.vocabulary)), np.bool_)
        left = min(transition.text_ids.shape[1], LONGEST) - transition.text_lengths
        for row, text in enumerate(_texts(transition)):
            allowed[row] = _mask(_state(text), int(left[row]))
        return allowed

    @staticmethod
    def _of_samples(transition: Transition, name: str) -> list[Any]:
        values = transition.prompt_set.data[name]
        return [values[sample] for sample in transition.samples.tolist()]


def _texts(transition: Transition) -> list[tuple[int, ...]]:
    """Returns the tokens of each text."""
    rows = zip(transition.text_ids.tolist(), transition.text_lengths.tolist(), strict=True)
    return [tuple(ids[:length]) for ids, length in rows]


def _share(text: tuple[int, ...], examples: Sequence[Example]) -> float:
    program = program_of(text)
    if program is None or not varies(text):
        return 0.0
    return sum(meets(program, example) for example in examples) / len(examples)


@lru_cache(maxsize=2**15)
def _state(text: tuple[int, ...]) -> State | None:
    """Returns how far a text has come as a program; None where it has left the language."""
    if not text:
        return START
    before = _state(text[:-1]) if len(text) <= LONGEST else None
    return before if before is None else write(before, VOCABULARY.tokens[text[-1]])


@lru_cache(maxsize=2**14)
def _mask(state: State | None, left: int) -> BoolArray:
    """Returns the tokens that may come next where so many more may be written, (V,), read-only."""
    mask = np.zeros(len(VOCABULARY), np.bool_)
    if state is not None:
        mask[[IDS[token] for token in next_tokens(state, left)]] = True
    mask[VOCABULARY.end_id] = state is None or is_whole(state)
    mask.flags.writeable = False
    return mask
