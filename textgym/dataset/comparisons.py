"""Comparisons: which texts are better than which, in tokens, by what was said or by a score of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from textgym.dataset.records import Record

RETURNS = ("observed_return", "clean_return", "gold_return")

Score = str | Callable[[Record], float | None]
"""A signal's label, an annotator's name, one of `RETURNS`, or a function that gives None where nothing is known."""


class Written(NamedTuple):
    """A text about a record's prompt: the record's own, or one that an annotator compared with it or made of it.

    Attributes:
        record: the record.
        completion: the text, decoded.
        ids: its token ids, with the end token if it was written; None where a file has none.
    """

    record: Record
    completion: str
    ids: list[int] | None

    @classmethod
    def of(cls, record: Record) -> Written:
        """Returns the record's own text."""
        return cls(record, record.completion, record.completion_ids)

    @property
    def words(self) -> str | list[int]:
        """The token ids where they are known, else the text."""
        return self.completion if self.ids is None else self.ids


class Comparison(NamedTuple):
    """A text and all those that are worse, for the same prompt."""

    chosen: Written
    rejected: tuple[Written, ...]


@dataclass(frozen=True, repr=False)
class Comparisons(Sequence[Comparison]):
    """Comparisons, and how many pairs of texts were alike and so are in none.

    Attributes:
        comparisons: the comparisons.
        ties: how many pairs were left out.
    """

    comparisons: list[Comparison]
    ties: int

    @overload
    def __getitem__(self, index: int) -> Comparison: ...
    @overload
    def __getitem__(self, index: slice) -> Comparisons: ...
    def __getitem__(self, index: int | slice) -> Comparison | Comparisons:
        return Comparisons(self.comparisons[index], self.ties) if isinstance(index, slice) else self.comparisons[index]

    def __len__(self) -> int:
        return len(self.comparisons)

    def __repr__(self) -> str:
        return f"Comparisons({len(self):,}; {self.ties:,} ties left out)"


def compare_scores(records: Iterable[Record], score: Score = "observed_return", margin: float = 0.0) -> Comparisons:
    """Returns for each text those for the same prompt whose score is lower by more than a margin.

    So a prompt with K texts of different scores gives K - 1 comparisons: each text but the worst, with all that are
    worse. Two texts that read the same are no pair, and texts without a score take no part.

    Args:
        records: the texts, in any order; a `FeedbackDataset` is such.
        score: what is compared: a return, what was observed of a signal, or a function of a record.
        margin: how much better a text must be, at least 0; pairs that are nearer are ties.
    """
    if not margin >= 0:
        raise ValueError(f"margin must be at least 0, got {margin}")
    comparisons, ties = [], 0
    for scored in _by_prompt(records, score):
        for place, (high, chosen) in enumerate(scored):
            others = [(low, one) for low, one in scored[place + 1 :] if one.completion_ids != chosen.completion_ids]
            worse = tuple(Written.of(one) for low, one in others if high - low > margin)
            ties += len(others) - len(worse)
            if worse:
                comparisons.append(Comparison(Written.of(chosen), worse))
    return Comparisons(comparisons, ties)


def best_texts(records: Iterable[Record], score: Score = "observed_return") -> list[Written]:
    """Returns the text with the highest score of each prompt; of several, the first."""
    return [Written.of(scored[0][1]) for scored in _by_prompt(records, score)]


def _by_prompt(records: Iterable[Record], score: Score) -> list[list[tuple[float, Record]]]:
    """Returns the texts of each prompt with their scores, the best first; those without a score are left out."""
    scored: dict[tuple[str, str, int], list[tuple[float, Record]]] = {}
    for record in records:
        value = _value(record, score)
        if value is not None:
            place = record.source.fingerprint, record.source.split, record.sample
            scored.setdefault(place, []).append((value, record))
    return [sorted(texts, key=lambda text: -text[0]) for texts in scored.values()]


def _value(record: Record, score: Score) -> float | None:
    if not isinstance(score, str):
        return score(record)
    if score in RETURNS:
        value: float | None = getattr(record, score)
        return value
    for part in record.feedback:
        if score in (part.signal, part.kind):
            return part.observed_value
    known = ", ".join([*RETURNS, *(part.signal for part in record.feedback)])
    raise ValueError(f"score must be a function or one of {known}, got {score!r}")
