"""Cleaning: leaving out what is doubtful in a data set of feedback, and saying what and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from textgym.dataset.agreement import consensus_correlation
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.questions import Asked, asked
from textgym.dataset.records import Record

_ENOUGH = 10  # common questions from which an annotator is judged


@dataclass(frozen=True)
class Dropped:
    """Something that was left out.

    Attributes:
        reason: `"unreliable"`, `"contradiction"` or `"duplicate"`.
        record: the number of the record in the data set before.
        signal: the label of the answer's signal; None where the whole record was left out.
        reading: the number of the answer among the signal's; None likewise.
    """

    reason: str
    record: int
    signal: str | None = None
    reading: int | None = None


@dataclass(frozen=True, repr=False)
class CleaningReport:
    """What was left out, and why; prints as a sentence."""

    dropped: Sequence[Dropped]

    @property
    def counts(self) -> dict[str, int]:
        """How many answers or records were left out for each reason."""
        return dict(Counter(one.reason for one in self.dropped))

    def __str__(self) -> str:
        counted = (
            f"{count:,} {'record' if reason == 'duplicate' else 'answer'}{'s' * (count != 1)} ({reason})"
            for reason, count in self.counts.items()
        )
        return f"left out {', '.join(counted) or 'nothing'}"

    def __repr__(self) -> str:
        return f"CleaningReport({self})"


def clean(
    dataset: FeedbackDataset,
    *,
    min_agreement: float | None = 0.2,
    max_gap: float | None = 0.5,
    keep_duplicates: bool = False,
) -> tuple[FeedbackDataset, CleaningReport]:
    """Leaves out, in this order, answers of unreliable annotators, contradictions, and repeated texts.

    Records keep their true and observed values and returns, which are what the environment paid.

    Args:
        dataset: the texts.
        min_agreement: annotators of a signal whose answers correlate less than this with the mean of the others' about
            the same texts or pairs are unreliable, in [-1, 1]; judged from 10 common questions on. None trusts all.
        max_gap: an answer as far as this from the median of all answers about the same text or pair contradicts them,
            in (0, 1] of the scale. At 0.5, of a pair that was judged both ways the majority's answers stay, and none
            if there is no majority. None keeps contradictions.
        keep_duplicates: whether repeated texts stay; else the first record of each prompt and completion does, and the
            answers about the others are left out with them.

    Raises:
        ValueError: if a threshold is out of its range.
    """
    if min_agreement is not None and not -1 <= min_agreement <= 1:
        raise ValueError(f"min_agreement must be -1 to 1 or None, got {min_agreement}")
    if max_gap is not None and not 0 < max_gap <= 1:
        raise ValueError(f"max_gap must be above 0 and at most 1, or None, got {max_gap}")
    answers = list(asked(dataset))
    unreliable = [] if min_agreement is None else _unreliable(answers, min_agreement)
    distrusted = set(unreliable)
    trusted = [answer for answer in answers if answer not in distrusted]
    contradicting = [] if max_gap is None else _contradicting(dataset, trusted, max_gap)
    dropped = [
        Dropped(reason, answer.record, answer.label, answer.reading)
        for reason, doubtful in (("unreliable", unreliable), ("contradiction", contradicting))
        for answer in doubtful
    ]
    repeated = [] if keep_duplicates else _repeated(dataset)
    gone = {(answer.record, answer.signal, answer.reading) for answer in (*unreliable, *contradicting)}
    left_out = set(repeated)
    kept = [_without(gone, number, record) for number, record in enumerate(dataset) if number not in left_out]
    return FeedbackDataset(kept), CleaningReport([*dropped, *(Dropped("duplicate", number) for number in repeated)])


def _unreliable(answers: Sequence[Asked], min_agreement: float) -> list[Asked]:
    """Returns the answers of annotators who agree too little with the others about the same questions."""
    found = []
    for own in _by(lambda answer: answer.label, answers):
        questions = {answer.question: row for row, answer in enumerate(own)}
        cell = np.array([(questions[answer.question], answer.annotator) for answer in own]).T
        counts, sums = np.zeros((2, len(own), cell[1].max() + 1))
        np.add.at(counts, tuple(cell), 1)
        np.add.at(sums, tuple(cell), [answer.value for answer in own])
        given = counts > 0
        agreement = consensus_correlation(np.where(given, sums / np.maximum(counts, 1), np.nan))
        common = (given & (given.sum(axis=1, keepdims=True) > 1)).sum(axis=0)
        doubtful = (agreement < min_agreement) & (common >= _ENOUGH)
        found += [answer for answer in own if doubtful[answer.annotator]]
    return found


def _contradicting(dataset: FeedbackDataset, answers: Sequence[Asked], max_gap: float) -> list[Asked]:
    """Returns the answers that are far from the median of all about the same question."""
    found = []
    for own in _by(lambda answer: answer.question, answers):
        part = dataset[own[0].record].feedback[own[0].signal]
        middle, gap = median(answer.value for answer in own), max_gap * (part.high - part.low)
        found += [answer for answer in own if abs(answer.value - middle) >= gap]
    return found


def _by(key: Callable[[Asked], Hashable], answers: Sequence[Asked]) -> Iterable[list[Asked]]:
    groups: defaultdict[Hashable, list[Asked]] = defaultdict(list)
    for answer in answers:
        groups[key(answer)].append(answer)
    return groups.values()


def _repeated(dataset: FeedbackDataset) -> list[int]:
    """Returns the numbers of the records whose prompt and completion an earlier one has."""
    first: dict[tuple[str, str], int] = {}
    for number, record in enumerate(dataset):
        first.setdefault((record.prompt, record.completion), number)
    kept = set(first.values())
    return [number for number in range(len(dataset)) if number not in kept]


def _without(gone: set[tuple[int, int, int]], number: int, record: Record) -> Record:
    """Returns a record without some answers: the numbers of their record, signal and reading."""
    feedback = [
        replace(part, readings=[r for which, r in enumerate(part.readings) if (number, place, which) not in gone])
        for place, part in enumerate(record.feedback)
    ]
    return replace(record, feedback=feedback)
