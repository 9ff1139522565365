"""Judgements: what people said about texts, each alone or in comparison, as arrays to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from textgym.dataset.feedback_dataset import FeedbackDataset, compares
from textgym.types import FloatArray, IntArray

Row = Mapping[str, Any]

_COLUMNS = ({"chosen", "rejected"}, {"completions"}, {"completion", "rating"})


@dataclass(frozen=True, eq=False, repr=False)
class Judgements:
    """m answers about N different texts.

    Attributes:
        prompts: (N,) the prompt of each text.
        completions: (N,) each text, as a string or as token ids.
        texts: (m, K) the texts that each answer is about: a single one that is rated, or several, the best first; -1
            behind them.
        ratings: (m,) the rating of a single text; NaN where texts are compared.
        annotators: (m,) the number of who answered; -1 where that is not known.
        annotator_names: (A,) who they are.
        ties: how many answers were left out because they prefer neither text.
    """

    prompts: list[str]
    completions: list[str | tuple[int, ...]]
    texts: IntArray
    ratings: FloatArray
    annotators: IntArray
    annotator_names: tuple[str, ...]
    ties: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        rated = int(self.rated.sum())
        told = f"{len(self.prompts):,} texts; {rated:,} ratings, {len(self) - rated:,} comparisons"
        return f"Judgements({told}; {len(self.annotator_names)} annotators; {self.ties:,} ties left out)"

    @property
    def rated(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which answers are ratings, (m,)."""
        return ~np.isnan(self.ratings)

    @classmethod
    def of(cls, data: FeedbackDataset | Sequence[Row], signal: str | None = None) -> Judgements:
        """Reads a data set of feedback, or rows of plain data.

        A row has `prompt`, and `chosen` and `rejected`; or `completions`, the best first; or `completion` and
        `rating`, a number. It may have `annotator`, a name. Texts are strings or token ids.

        Args:
            data: the data.
            signal: which signal of a data set; by default all that compare texts, or rate whole ones.

        Raises:
            ValueError: if a row has other columns, a rating is not finite, or there is no answer at all.
        """
        if isinstance(data, FeedbackDataset):
            rows, ties = _rows_of(data, signal)
        elif signal is not None:
            raise ValueError(f"signal={signal!r} chooses from a FeedbackDataset; rows of plain data have none")
        else:
            rows, ties = list(data), 0
        if not rows:
            raise ValueError(f"there is nothing to learn from: {ties} ties, and no other answer about whole texts")
        return _judgements(rows, ties)

    @property
    def levels(self) -> FloatArray:
        """The different ratings, ascending, (K,)."""
        return np.unique(self.ratings[self.rated])

    def with_ratings(self, ratings: FloatArray) -> Judgements:
        """Returns the same answers with other numbers for the ratings, (m,)."""
        return replace(self, ratings=ratings)

    def split(self, share: float, generator: np.random.Generator) -> tuple[Judgements, Judgements]:
        """Returns the answers about most prompts and those about a share of the prompts, drawn by lot.

        Raises:
            ValueError: if the share is not in (0, 1), or there are fewer than two prompts.
        """
        if not 0 < share < 1:
            raise ValueError(f"the share of the prompts that is held out must be above 0 and below 1, got {share}")
        _, prompts = np.unique(np.array(self.prompts, object).astype(str), return_inverse=True)  # (N,)
        of_answers = prompts[self.texts[:, 0]]  # (m,)
        known = generator.permutation(np.unique(of_answers))
        if len(known) < 2:
            raise ValueError("there must be answers about two prompts at least, since some prompts are held out")
        count = min(max(1, round(share * len(known))), len(known) - 1)
        held_out = np.isin(of_answers, known[:count])
        return self.part(np.flatnonzero(~held_out)), self.part(np.flatnonzero(held_out))

    def part(self, answers: IntArray) -> Judgements:
        """Returns some of the answers, (r,), by their place among these; the texts stay numbered as they are."""
        chosen = {name: getattr(self, name)[answers] for name in ("texts", "ratings", "annotators")}
        return replace(self, **chosen)


def _judgements(rows: Sequence[Row], ties: int) -> Judgements:
    numbers: dict[tuple[str, str | tuple[int, ...]], int] = {}
    names: dict[str, int] = {}
    about: list[list[int]] = []
    ratings, annotators = np.full(len(rows), np.nan), np.full(len(rows), -1)
    for place, row in enumerate(rows):
        columns = row.keys() - {"prompt", "annotator"}
        if "prompt" not in row or columns not in _COLUMNS:
            raise ValueError(
                f"row {place} must have prompt, and chosen and rejected, or completions, or completion and rating, and "
                f"may have annotator; got {', '.join(map(str, row))}"
            )
        texts = row["completions"] if "completions" in row else [row[name] for name in _TEXTS if name in row]
        about.append([numbers.setdefault((row["prompt"], _hashable(text)), len(numbers)) for text in texts])
        if (len(about[-1]) < 2 and "rating" not in row) or len(set(about[-1])) < len(about[-1]):
            raise ValueError(f"row {place} must compare at least two texts that differ")
        if "rating" in row:
            ratings[place] = row["rating"]
            if not np.isfinite(ratings[place]):
                raise ValueError(f"row {place}: rating must be a finite number, got {row['rating']!r}")
        if row.get("annotator") is not None:
            annotators[place] = names.setdefault(str(row["annotator"]), len(names))
    places = np.full((len(rows), max(map(len, about))), -1)
    for place, texts in enumerate(about):
        places[place, : len(texts)] = texts
    prompts, completions = map(list, zip(*numbers, strict=True))
    return Judgements(prompts, completions, places, ratings, annotators, tuple(names), ties)


_TEXTS = ("chosen", "rejected", "completion")


def _hashable(text: str | Sequence[int]) -> str | tuple[int, ...]:
    return text if isinstance(text, str) else tuple(map(int, text))


def _rows_of(dataset: FeedbackDataset, signal: str | None) -> tuple[list[Row], int]:
    """Returns the answers of a data set as rows, and how many comparisons said nothing."""
    ids: dict[str, Sequence[int]] = {}  # what was written, where it is known: spelling it anew may take other tokens
    for record in dataset:
        ids.setdefault(record.completion, record.completion_ids)
    rows: list[Row] = []
    ties = 0
    for label, annotator, part in _annotators(dataset, signal):
        if any(compares(own) for _, own in part.parts(label)):
            found = part.rankings(label) or part.preferences(label)
            pairs = sum("opponent" in reading.said for _, own in part.parts(label) for reading in own.readings)
            ties += max(0, pairs - len(found)) if pairs else 0
        else:
            found = part.ratings(label)
        for row in found:
            known = {name: ids.get(text, text) for name, text in row.items() if name in _TEXTS}
            if "completions" in row:
                different = dict.fromkeys(row["completions"])  # a text that was written twice has its better rank
                if len(different) < 2:
                    ties += 1
                    continue
                known = {"completions": [ids.get(text, text) for text in different]}
            rows.append({**row, **known, "annotator": annotator})
    return rows, ties


def _annotators(dataset: FeedbackDataset, signal: str | None) -> Iterator[tuple[str, str, FeedbackDataset]]:
    """Yields for each annotator of each signal its label, a name, and the data set with those answers alone."""
    people = {
        (part.signal, reading.annotator)
        for _, part in dataset.parts(signal)
        if part.timing == "episode"
        for reading in part.readings
        if part.kind != "metric" and reading.value is not None
    }
    for label, number in sorted(people):
        records = [
            replace(
                record,
                feedback=[
                    replace(part, readings=[reading for reading in part.readings if reading.annotator == number])
                    for part in record.feedback
                    if part.signal == label
                ],
            )
            for record in dataset
        ]
        yield label, f"{label}/{number}", FeedbackDataset(records)
