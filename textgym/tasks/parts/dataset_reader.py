"""From rows to samples: which split a row belongs to, what its prompt and reference say, what is left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from textgym.registration import suggestion
from textgym.tasks.base import SPLITS
from textgym.tasks.parts.dataset_files import READERS, RawRow, read_file
from textgym.tasks.parts.dataset_hub import load_splits, read_split
from textgym.tasks.parts.dataset_settings import Settings
from textgym.tasks.parts.dataset_template import MissingColumnError, RowError, Template, value_at
from textgym.tasks.parts.held_out import split_of

_MOST_FAULTS = 5
_LOOKED_AT = 1000  # rows, before a column that is missing counts as one that the data do not have


class Sample(NamedTuple):
    """A row that is kept: its split, prompt and reference, and how it shall sound, None where that is not asked."""

    split: str
    prompt: str
    reference: str
    mood: str | None


class _Source(NamedTuple):
    """Where rows come from, and the split that its data calls them."""

    split: str
    read: Callable[[], Generator[RawRow, None, None]]


class Reader:
    """Reads the rows of all sources, as often as they are asked for.

    Attributes:
        counts: what became of the rows in the last run: `read`, and of these `malformed`, `filtered`, `empty` and
            `beyond size`; the rest are samples.
        faults: the places and faults of the first few malformed rows of the last run.

    Raises:
        ValueError: if a template, a split or a file is not there or not allowed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        columns, labels = settings.columns, settings.labels
        self._prompt, self._reference, self._mood, self._split_by = (
            Template(text, columns, labels)
            for text in (settings.prompt, settings.reference, settings.mood, settings.split_by)
        )
        self._filter = {
            columns.get(name, name): wanted if isinstance(wanted, list | tuple) else [wanted]
            for name, wanted in settings.filter.items()
        }
        templates = (self._prompt, self._reference, self._mood, self._split_by)
        self._wanted = {*(path for template in templates for path in template.paths), *self._filter}
        self._sources = list(self._find_sources())
        given = {source.split for source in self._sources}
        if "train" not in given:
            raise ValueError(f"there must be data for the split train, got {', '.join(sorted(given)) or 'none'}")
        self._held_out = {split for split in SPLITS if split not in given}
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def samples(self) -> Iterator[Sample]:
        """Yields the samples of all sources, in their order.

        Raises:
            ValueError: if a row is malformed and `on_error` is `"raise"`; the message has its place and its column.
        """
        self.counts, self.faults = Counter(), []
        sizes: Counter[str] = Counter()
        most = self._settings.size
        for source in self._sources:
            fed = {source.split, *self._held_out} if source.split == "train" else {source.split}
            with closing(source.read()) as rows:
                for row in rows:
                    self.counts["read"] += row.rows
                    sample = self._sample(row, source)
                    if sample is None:
                        continue
                    if most is None or sizes[sample.split] < most:
                        sizes[sample.split] += 1
                        yield sample
                        continue
                    self.counts["beyond size"] += 1
                    if all(sizes[split] == most for split in fed):
                        break

    def _sample(self, row: RawRow, source: _Source) -> Sample | None:
        """Returns what a row says, or None, and counts why."""
        if row.columns is None:
            self._malformed(row, row.fault)
            return None
        split = source.split
        try:
            if not all(_holds(value_at(row.columns, path), allowed) for path, allowed in self._filter.items()):
                self.counts["filtered"] += 1
                return None
            prompt, reference = self._prompt.fill(row.columns), self._reference.fill(row.columns)
            mood = self._mood.fill(row.columns) if self._settings.mood else None
            if mood not in (None, "negative", "positive"):
                raise RowError(f"mood must be negative or positive, got {mood!r}; labels name the numbers of a column")
            if split == "train" and self._held_out:
                content = self._split_by.fill(row.columns) if self._settings.split_by else f"{prompt}\n{reference}"
                held_out = split_of(content)
                split = held_out if held_out in self._held_out else split
        except RowError as fault:
            if isinstance(fault, MissingColumnError) and self._settings.on_error == "raise":
                self._check_column(fault, row, source)
            self._malformed(row, str(fault))
            return None
        if not prompt or (self._settings.reference and not reference):
            self.counts["empty"] += 1
            return None
        return Sample(split, prompt, reference, mood)

    def _check_column(self, fault: MissingColumnError, row: RawRow, source: _Source) -> None:
        """Raises a ValueError if the other rows lack the column that a row lacks, too: it is its name that is wrong."""
        with closing(source.read()) as rows:
            others = islice(rows, _LOOKED_AT)
            if any(other.columns is not None and _has(other.columns, fault.path) for other in others):
                return
        close = suggestion(fault.part, fault.known)
        told = f"{row.place}: {fault}; none of the first {_LOOKED_AT:,} rows has it{close}: name a column that is there"
        if fault.path == "reference":
            told += ', or give reference="" and a gold that needs no references, such as gold="sentiment"'
        raise ValueError(told)

    def _malformed(self, row: RawRow, fault: str) -> None:
        if self._settings.on_error == "raise":
            raise ValueError(f'{row.place}: {fault}; put it right, or leave such rows out with on_error="skip"')
        self.counts["malformed"] += row.rows
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(f"{row.place}: {fault}")

    def _find_sources(self) -> Iterator[_Source]:
        data = self._settings.data
        if isinstance(data, Mapping):
            for split, paths in data.items():
                if split not in SPLITS:
                    raise ValueError(f"data must name the splits {', '.join(SPLITS)}, got {split!r}")
                yield from self._files(paths, split)
        elif not isinstance(data, str) or Path(data).is_file() or Path(data).suffix in READERS:
            yield from self._files(data, "train")
        else:
            yield from self._hub(data)

    def _files(self, paths: Any, split: str) -> Iterator[_Source]:
        for name in [paths] if isinstance(paths, str) else paths:
            if not isinstance(name, str):
                raise ValueError(f"data must be a file, a list of files, or files by split, got {name!r} among them")
            path = Path(name)
            if path.suffix not in READERS:
                raise ValueError(f"data must be files that end in {', '.join(READERS)}, got {name!r}")
            if not path.is_file():
                raise ValueError(f"data must be files; there is no such file {name!r}")
            yield _Source(split, lambda path=path: read_file(path, self._wanted))  # type: ignore[misc]

    def _hub(self, name: str) -> Iterator[_Source]:
        loaded = load_splits(name, self._settings.config)
        ours = self._settings.splits
        for split, theirs in (ours or {split: split for split in SPLITS if split in loaded}).items():
            if split not in SPLITS or theirs not in loaded:
                raise ValueError(
                    f"splits must map {', '.join(SPLITS)} to splits of {name!r}, which has {', '.join(loaded)}; "
                    f"got {split!r}: {theirs!r}"
                )
            place = f"{name} {theirs}"
            rows = loaded[theirs]
            yield _Source(split, lambda rows=rows, place=place: read_split(rows, place, self._wanted))  # type: ignore[misc]


def _has(row: Mapping[str, Any], path: str) -> bool:
    try:
        value_at(row, path)
    except RowError:
        return False
    return True


def _holds(value: Any, allowed: Sequence[Any]) -> bool:
    """Returns whether a column holds one of the values; in CSV a number is text."""
    return value in allowed or (isinstance(value, str) and value in map(str, allowed))
