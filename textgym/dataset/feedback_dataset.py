"""Data sets of feedback: records in memory and on disk, and the columns that trainers expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from textgym.dataset.comparisons import Comparison, Comparisons, Written
from textgym.dataset.records import Reading, Record, SignalFeedback, Source, from_row, to_rows
from textgym.dataset.storage import read_rows, write_rows
from textgym.registration import suggestion

if TYPE_CHECKING:
    from textgym.dataset.cleaning import CleaningReport

Row = dict[str, Any]


@dataclass(frozen=True, repr=False)
class FeedbackDataset(Sequence[Record]):
    """Texts and what was said about them, with views in the formats of preference and supervised trainers.

    A view is a list of rows, ready for `datasets.Dataset.from_list` or `textgym.dataset.storage.write_rows`. Its
    columns are those of TRL's dataset types. Where a view takes `signal`, that is a signal's label or the name of an
    annotator; without it, all signals that fit take part.

    Args:
        records: the texts.
    """

    records: list[Record]

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> FeedbackDataset: ...
    def __getitem__(self, index: int | slice) -> Record | FeedbackDataset:
        return FeedbackDataset(self.records[index]) if isinstance(index, slice) else self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def __add__(self, other: FeedbackDataset) -> FeedbackDataset:
        return FeedbackDataset([*self.records, *other.records])

    def __repr__(self) -> str:
        return f"FeedbackDataset({len(self):,} texts; {', '.join(self.signals) or 'no signal'})"

    @property
    def signals(self) -> dict[str, str]:
        """The label of every signal and its kind: an annotator's name or `"metric"`."""
        return {part.signal: part.kind for record in self.records for part in record.feedback}

    def parts(self, signal: str | None = None) -> Iterator[tuple[Record, SignalFeedback]]:
        """Yields what each signal said about each text, with the text.

        Raises:
            ValueError: if no signal has the label or the kind `signal`.
        """
        known = self.signals
        if signal is not None and signal not in {*known, *known.values()}:
            names = {*known, *known.values()}
            raise ValueError(f"no signal {signal!r}{suggestion(signal, names)}; known: {', '.join(known) or 'none'}")
        for record in self.records:
            for part in record.feedback:
                if signal in (None, part.signal, part.kind):
                    yield record, part

    def preferences(self, signal: str | None = None) -> list[Row]:
        """Returns `prompt`, `chosen`, `rejected` of every answer that prefers one text to another one.

        An answer about a pair gives one row, a ranking one for each two of its texts; ties give none.
        """
        return [
            {"prompt": chosen.record.prompt, "chosen": chosen.completion, "rejected": worse.completion}
            for chosen, rejected in self.comparisons(signal)
            for worse in rejected
        ]

    def comparisons(self, signal: str | None = None) -> Comparisons:
        """Returns the same with token ids, as learners of preferences take them: each text with those that are worse.

        An answer about a pair gives one, a ranking of K texts K - 1: each text but the last with all behind it.
        """
        found, ties = [], 0
        for record, reading in self._answers(signal):
            if "opponent" in reading.said:
                ties += reading.value == 0.5
                opponent = Written(record, reading.said["opponent"], reading.said.get("opponent_ids"))
                pair = Written.of(record), opponent
                chosen, rejected = pair if (reading.value or 0.0) > 0.5 else pair[::-1]
                if reading.value != 0.5 and chosen.completion != rejected.completion:
                    found.append(Comparison(chosen, (rejected,)))
        for ranked in self._rankings(signal):
            for place, best in enumerate(ranked):
                others = tuple(Written.of(one) for one in ranked[place + 1 :] if one.completion != best.completion)
                found += [Comparison(Written.of(best), others)] if others else []
        return Comparisons(found, ties)

    def rankings(self, signal: str | None = None) -> list[Row]:
        """Returns `prompt` and `completions`, the best first, of every ranking of a whole group.

        Data sets that were collected alike and added up keep their groups apart.
        """
        return [
            {"prompt": ranked[0].prompt, "completions": [record.completion for record in ranked]}
            for ranked in self._rankings(signal)
        ]

    def _rankings(self, signal: str | None) -> Iterator[list[Record]]:
        """Yields the texts of every ranking of a whole group, the best first."""
        groups: dict[Any, dict[int, Record]] = {}
        group_of: dict[int, dict[int, Record]] = {}
        for record in self.records:
            place = record.episode % record.source.group_size
            if place in groups.get(record.group, (place,)):  # the first text of the group, or of the next data set's
                groups[record.group] = {}
            groups[record.group][place] = record
            group_of.setdefault(id(record), groups[record.group])
        for record, reading in self._answers(signal):
            texts = group_of[id(record)]
            ranks = {place: rank for place, rank in enumerate(reading.said.get("ranking", ())) if rank > 0}
            best_first = sorted(ranks.keys() & texts.keys(), key=ranks.__getitem__)
            if len(best_first) > 1:
                yield [texts[place] for place in best_first]

    def unpaired(self, signal: str | None = None, threshold: float = 0.5) -> list[Row]:
        """Returns `prompt`, `completion`, `label`, whether the text is a good one.

        A text with answers of its own is good if their mean reaches `threshold`, a place between the lowest and the
        highest answer in [0, 1]; of two that were compared, the chosen one is good and the rejected one is not.
        """
        rows = []
        for record, part in self.parts(signal):
            mean = _mean_answer(part)
            if mean is not None and not compares(part):
                good = mean - part.low >= threshold * (part.high - part.low)
                rows.append({"prompt": record.prompt, "completion": record.completion, "label": good})
        for pair in self.preferences(signal):
            for column, good in (("chosen", True), ("rejected", False)):
                rows.append({"prompt": pair["prompt"], "completion": pair[column], "label": good})
        return rows

    def supervised(self, signal: str | None = None) -> list[Row]:
        """Returns `prompt`, `completion` to imitate: all demonstrations of whole texts, and corrected texts.

        Where there are none, the best text of each prompt: by the mean answer of `signal`; else by the observed return,
        among the texts of which most signals were observed, since others can't be compared with them. A text that
        nobody was asked about is never the best one.
        """
        return [{"prompt": text.record.prompt, "completion": text.completion} for text in self.imitated(signal)]

    def imitated(self, signal: str | None = None) -> list[Written]:
        """Returns the texts of `supervised` with token ids, as learners take them."""
        shown = [
            Written(record, reading.said[name], reading.said.get(f"{name}_ids"))
            for record, reading in self._answers(signal)
            for name in ("demonstration", "corrected")
            if name in reading.said
        ]
        return shown or self._best(signal)

    def _best(self, signal: str | None) -> list[Written]:
        best: dict[str, tuple[int, float, Record]] = {}
        for record, part in self.parts(signal):
            observed = sum(own.observed_value is not None for own in record.feedback) if signal is None else 0
            score = record.observed_return if signal is None else _mean_answer(part)
            if score is not None and (record.prompt not in best or (observed, score) > best[record.prompt][:2]):
                best[record.prompt] = (observed, score, record)
        return [Written.of(record) for _, _, record in best.values()]

    def ratings(self, signal: str | None = None) -> list[Row]:
        """Returns `prompt`, `completion`, `rating` of every answer about a whole text: its level.

        Without `signal`, of all answers that have a level; answers of a `signal` without levels give their number.
        """
        return [
            {"prompt": record.prompt, "completion": record.completion, "rating": float(level)}
            for record, part in self.parts(signal)
            for reading in part.readings
            if part.timing == "episode" and reading.value is not None
            for level in [reading.said.get("level", None if signal is None else reading.value)]
            if level is not None
        ]

    def edits(self, signal: str | None = None) -> list[Row]:
        """Returns `prompt`, `completion`, `corrected` of every text that was corrected."""
        return self._said("corrected", signal)

    def corrections(self, signal: str | None = None) -> list[tuple[Written, Written]]:
        """Returns every text that was corrected and what was made of it, with token ids, as learners take them."""
        return [
            (Written.of(record), Written(record, reading.said["corrected"], reading.said.get("corrected_ids")))
            for record, reading in self._answers(signal)
            if "corrected" in reading.said
        ]

    def comments(self, signal: str | None = None) -> list[Row]:
        """Returns `prompt`, `completion`, `comment` of every comment."""
        return self._said("comment", signal)

    def clean(self, **arguments: Any) -> tuple[FeedbackDataset, CleaningReport]:
        """Returns the data set without what is doubtful, and what was dropped and why.

        The arguments are those of `textgym.dataset.cleaning.clean`.
        """
        from textgym.dataset.cleaning import clean

        return clean(self, **arguments)

    def save(self, path: str | Path) -> None:
        """Writes all records to a `.jsonl` or `.parquet` file, wholly or not at all; `load` reads them again.

        `datasets.load_dataset("json", data_files=path)`, or `"parquet"`, reads the same file.
        """
        write_rows(to_rows(self.records), path)

    def _said(self, name: str, signal: str | None) -> list[Row]:
        return [
            {"prompt": record.prompt, "completion": record.completion, name: reading.said[name]}
            for record, reading in self._answers(signal)
            if name in reading.said
        ]

    def _answers(self, signal: str | None) -> Iterator[tuple[Record, Reading]]:
        """Yields the answers that were given, each with its text."""
        for record, part in self.parts(signal):
            for reading in part.readings:
                if reading.value is not None:
                    yield record, reading


def load(path: str | Path) -> FeedbackDataset:
    """Reads what `FeedbackDataset.save` wrote.

    Raises:
        ValueError: if the file's ending is not `.jsonl` or `.parquet`, or a row is not a record; the message names it.
    """
    sources: dict[Source, Source] = {}
    records = []
    for number, row in read_rows(path):
        try:
            records.append(from_row(row, sources))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    return FeedbackDataset(records)


def compares(part: SignalFeedback) -> bool:
    """Returns whether the answers are about a text in comparison with others, and so don't estimate its true value."""
    return any("opponent" in reading.said or "ranking" in reading.said for reading in part.readings)


def _mean_answer(part: SignalFeedback) -> float | None:
    """Returns the mean over annotators of what each said about a text, added up over its tokens; None if nothing."""
    given = [reading for reading in part.readings if reading.value is not None]
    moments = len({reading.step for reading in given})
    return sum(reading.value or 0.0 for reading in given) * moments / len(given) if given else None
