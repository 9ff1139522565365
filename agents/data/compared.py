"""Compared texts: which of several texts for a prompt is better than which, in tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from agents.data.reading import Reader
from agents.data.texts import Texts, batches_by_length
from textgym.dataset.comparisons import Comparison, Comparisons, Written
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.types import BoolArray, IntArray

NONE = -1
"""In place of the number of a text where there is none."""


@dataclass(frozen=True)
class Compared:
    """C comparisons of N texts, each read once however often it is compared.

    Attributes:
        texts: the texts.
        chosen: (C,) the number of the better text.
        rejected: (C, R) the numbers of the texts that are worse, and `NONE` behind them.
        ties: how many pairs of texts were left out, because neither is better.
    """

    texts: Texts
    chosen: IntArray
    rejected: IntArray
    ties: int = 0

    @classmethod
    def read(cls, data: Any, reader: Reader) -> Compared:
        """Reads the comparisons of data.

        Args:
            data: a `FeedbackDataset`, for the answers of its annotators who compare texts; comparisons, such as
                `compare_scores` returns; or rows with `prompt`, `chosen` and `rejected`, strings or token ids, of which
                the last may be a list of several texts.
            reader: of the environment.

        Raises:
            ValueError: if there is no comparison, or something does not fit; the message names it.
        """
        compared = data.comparisons() if isinstance(data, FeedbackDataset) else data
        ties = compared.ties if isinstance(compared, Comparisons) else 0
        if not len(compared):
            raise ValueError(
                f"there is no comparison in {data!r:.80}, {ties} ties were left out: a data set needs answers of an "
                "annotator who compares texts, else compare scores with textgym.dataset.comparisons.compare_scores"
            )
        if isinstance(compared[0], Comparison):
            texts, groups = _of_comparisons(compared, reader)
        else:
            texts, groups = _of_rows(compared, reader)
        rejected = np.full((len(groups), max(len(group) for group in groups) - 1), NONE, np.int64)
        for row, group in enumerate(groups):
            rejected[row, : len(group) - 1] = group[1:]
        return cls(texts, np.array([group[0] for group in groups], np.int64), rejected, ties)

    def __len__(self) -> int:
        return len(self.chosen)

    def part(self, rows: IntArray) -> Compared:
        """Returns some of the comparisons, by their number (r,)."""
        return Compared(self.texts, self.chosen[rows], self.rejected[rows], self.ties)

    def batches(self, batch_size: int, generator: np.random.Generator) -> Iterator[IntArray]:
        """Yields every comparison once, in a random order of batches (b,) of comparisons of similar length."""
        return batches_by_length(self.lengths, batch_size, generator)

    def of_batch(self, batch: IntArray) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
        """Returns the distinct texts of some comparisons, and where in these the compared ones are.

        Args:
            batch: (b,) which comparisons.

        Returns:
            The numbers of the texts, (n,); the places among these of the better text, (b,), and of the worse ones,
            (b, R); and which of the latter there are, (b, R).
        """
        chosen, rejected = self.chosen[batch], self.rejected[batch]
        known = rejected != NONE
        rejected = np.where(known, rejected, chosen[:, None])
        numbers, places = np.unique(np.column_stack((chosen, rejected)), return_inverse=True)
        places = places.reshape(len(batch), -1)
        return numbers, places[:, 0], places[:, 1:], known

    @cached_property
    def lengths(self) -> IntArray:
        """The length of the longest text of each comparison, with its prompt, (C,)."""
        lengths: IntArray = self._over_texts(self.texts.lengths).max(axis=1)
        return lengths

    @cached_property
    def learnt(self) -> IntArray:
        """How many tokens of each comparison are learnt from, (C,)."""
        learnt: IntArray = self._over_texts(self.texts.learnt).sum(axis=1)
        return learnt

    @property
    def prompts(self) -> list[bytes]:
        """The prompt of each comparison, (C,)."""
        return [self.texts.prompts[number] for number in self.chosen]

    def _over_texts(self, values: IntArray) -> IntArray:
        """Returns the values of the texts of each comparison, (C, 1 + R), 0 where there is none."""
        numbers = np.column_stack((self.chosen, self.rejected))
        return np.where(numbers != NONE, values[numbers], 0)


def _of_comparisons(comparisons: Sequence[Comparison], reader: Reader) -> tuple[Texts, list[list[int]]]:
    """Returns the texts, and for each comparison their numbers, the better one first."""
    numbers: dict[Any, int] = {}
    written: list[Written] = []
    groups = []
    for chosen, rejected in comparisons:
        group = []
        for text in (chosen, *rejected):
            key = id(text.record), text.completion if text.ids is None else tuple(text.ids)
            if key not in numbers:
                numbers[key] = len(written)
                written.append(text)
            group.append(numbers[key])
        groups.append(group)
    return reader.texts(written), groups


def _of_rows(rows: Sequence[Any], reader: Reader) -> tuple[Texts, list[list[int]]]:
    prompts, texts = reader.rows(rows, "chosen", "rejected")
    starts = np.cumsum([0, *map(len, texts)]).tolist()
    groups = [list(range(first, end)) for first, end in pairwise(starts)]
    before = [prompt for prompt, some in zip(prompts, texts, strict=True) for _ in some]
    flat = [text for some in texts for text in some]
    return Texts.of_tokens(before, flat, pad_id=reader.task.vocabulary.pad_id), groups
