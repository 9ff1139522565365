"""Questions: which answers of a data set are about the same thing, and so can agree or contradict each other."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.records import Record, SignalFeedback


class Asked(NamedTuple):
    """An answer and what it is about.

    Attributes:
        question: the same for all answers of a signal about the same text, or the same pair in either order.
        value: the answer; about a pair, from the point of view of the text that comes first in the alphabet.
        turned: whether that is the pair's other text.
        annotator: the number of the annotator.
        record: the number of the record.
        label: the signal's label.
        signal: the number of the signal in the record.
        reading: the number of the answer among the signal's.
    """

    question: Hashable
    value: float
    turned: bool
    annotator: int
    label: str
    record: int
    signal: int
    reading: int


def asked(dataset: FeedbackDataset, signal: str | None = None) -> Iterator[Asked]:
    """Yields every answer that was given, of one signal (its label, or the annotator's name) or of all."""
    for number, record in enumerate(dataset):
        for place, part in enumerate(record.feedback):
            if signal in (None, part.signal, part.kind):
                yield from _about(record, part, number, place)


def _about(record: Record, part: SignalFeedback, number: int, place: int) -> Iterator[Asked]:
    for which, reading in enumerate(part.readings):
        if reading.value is not None:
            opponent = reading.said.get("opponent")
            turned = opponent is not None and opponent < record.completion
            texts = (opponent, record.completion) if turned else (record.completion, opponent)
            step = reading.step if part.timing == "step" else None
            value = part.low + part.high - reading.value if turned else reading.value
            question = (part.signal, record.prompt, *texts, step)
            yield Asked(question, value, turned, reading.annotator, part.signal, number, place, which)
