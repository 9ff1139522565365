"""Lessons: data in tokens, what is held out of them, and passes over them that can be taken up anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch

from textgym.types import IntArray


class Lessons(Protocol):
    """Data in tokens: S units, each a text or several that are compared."""

    def __len__(self) -> int: ...

    def part(self, rows: IntArray) -> Self:
        """Returns some of the units, by their number (r,)."""

    def batches(self, batch_size: int, generator: np.random.Generator) -> Iterator[IntArray]:
        """Yields every unit once, in batches (b,)."""

    @property
    def lengths(self) -> IntArray:
        """The length of each unit's longest text with its prompt, (S,)."""

    @property
    def learnt(self) -> IntArray:
        """How many tokens of each unit are learnt from, (S,)."""

    @property
    def prompts(self) -> list[bytes]:
        """What is the same for units on the same prompt and different otherwise, (S,)."""


LessonsT = TypeVar("LessonsT", bound=Lessons)


@dataclass(frozen=True)
class Told:
    """The loss of a batch.

    Attributes:
        loss: (), with gradient.
        values: what is logged beside it.
        count: how many tokens, pairs or comparisons these are means of.
    """

    loss: torch.Tensor
    values: dict[str, float]
    count: int


def hold_out(lessons: LessonsT, share: float, generator: np.random.Generator) -> tuple[LessonsT, LessonsT | None]:
    """Returns the lessons without all units on a share of the prompts, and these; None where the share is no prompt."""
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(lessons.prompts))}
    of_prompt = np.array([numbers[prompt] for prompt in lessons.prompts], np.int64)
    chosen = generator.permutation(len(numbers))[: int(share * len(numbers))]
    if not len(chosen):
        return lessons, None
    held_out = np.isin(of_prompt, chosen)
    return lessons.part(np.flatnonzero(~held_out)), lessons.part(np.flatnonzero(held_out))


class Passes:
    """Batches without end, each pass over the lessons in another order; its place can be kept and taken up again.

    Args:
        seed: of the orders.
    """

    def __init__(self, seed: int | None) -> None:
        self._generator = np.random.default_rng(seed)
        self.restart()

    def restart(self) -> None:
        """Begins a new pass, over other lessons."""
        self._start: dict[str, Any] | None = None  # the generator's state before the order of this pass was drawn
        self._batches: list[IntArray] | None = None
        self._position = 0  # batches of this pass that were handed out

    @property
    def over(self) -> bool:
        """Whether the last batch of a pass was handed out."""
        return self._batches is not None and self._position >= len(self._batches)

    def next(self, lessons: Lessons, batch_size: int) -> IntArray:
        """Returns the next batch, (b,)."""
        while self._batches is None or self.over:
            if self.over:
                self.restart()
            if self._start is None:
                self._start = dict(self._generator.bit_generator.state)
            self._generator.bit_generator.state = self._start
            self._batches = list(lessons.batches(batch_size, self._generator))
        self._position += 1
        return self._batches[self._position - 1]

    def state(self) -> dict[str, Any]:
        """Returns the place in the pass and the next chance, as plain data."""
        return {"generator": self._generator.bit_generator.state, "start": self._start, "position": self._position}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on from such a place in the same lessons."""
        self._generator.bit_generator.state = state["generator"]
        self._start, self._position, self._batches = state["start"], state["position"], None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_batches": None}
