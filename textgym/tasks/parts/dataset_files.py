"""The rows of a JSONL, CSV or Parquet file, each with its place, in bounded memory."""

from __future__ import annotations

import csv
import io
import json
from collections import deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

LONGEST = 2**23
"""The most bytes of a line, and of a row of CSV."""

_BATCH = 512


class RawRow(NamedTuple):
    """A row, or what is wrong in its place.

    Attributes:
        place: the file and the line or row, such as `"reviews.jsonl:7"`.
        columns: its columns; None where there are none to be had.
        fault: what is wrong then.
        rows: how many rows it stands for.
    """

    place: str
    columns: Mapping[str, Any] | None
    fault: str = ""
    rows: int = 1


class _Line(NamedTuple):
    number: int
    text: str
    fault: RawRow | None = None


def read_file(path: Path, wanted: Collection[str]) -> Generator[RawRow, None, None]:
    """Yields the rows of a file; its ending, one of `READERS`, says how. Lines that are blank are no rows.

    Args:
        path: the file.
        wanted: the paths of the columns that will be looked at.

    Raises:
        ValueError: if the ending is unknown, or the file cannot be read at all.
        ImportError: if Parquet is asked for without pyarrow.
    """
    if path.suffix not in READERS:
        raise ValueError(f"a file of data must end in {', '.join(READERS)}, got {str(path)!r}")
    try:
        found = READERS[path.suffix](path, wanted)
        yield next(found, RawRow(str(path), None, "the file has no rows"))
        yield from found
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error


def _lines(path: Path) -> Iterator[_Line]:
    """Yields the lines of a file, with their ends, in UTF-8 with or without a byte order mark."""
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(LONGEST):
            number += 1
            place = f"{path}:{number}"
            if len(line) == LONGEST and line[-1:] != b"\n":
                while (rest := file.readline(LONGEST)) and rest[-1:] != b"\n":
                    pass
                yield _Line(number, "", RawRow(place, None, f"the line is longer than {LONGEST:,} bytes"))
                continue
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                wrong = f"not UTF-8: byte 0x{line[error.start]:02x}"
                yield _Line(number, "", RawRow(f"{place}:{error.start + 1}", None, wrong))
                continue
            if "\0" in text:
                yield _Line(number, "", RawRow(f"{place}:{text.index(chr(0)) + 1}", None, "a null byte"))
            elif text.strip():
                yield _Line(number, text)


def _json_lines(path: Path, wanted: Collection[str]) -> Iterator[RawRow]:
    decode = json.JSONDecoder(object_pairs_hook=_unique).decode
    for number, text, fault in _lines(path):
        place = f"{path}:{number}"
        if fault is not None:
            yield fault
            continue
        try:
            row = decode(text)
        except json.JSONDecodeError as error:
            yield RawRow(f"{place}:{error.colno}", None, f"not JSON: {error.msg}")
        except (ValueError, RecursionError) as error:
            yield RawRow(place, None, f"not JSON that can be read: {error}")
        else:
            if isinstance(row, dict):
                yield RawRow(place, row)
            else:
                yield RawRow(place, None, f'a row must be an object such as {{"text": "..."}}, got {text.strip()[:40]}')


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError(f"two columns are called {_repeated([name for name, _ in pairs])!r}")
    return row


def _repeated(names: Sequence[str]) -> str:
    return next(name for place, name in enumerate(names) if name in names[:place])


def _csv(path: Path, wanted: Collection[str]) -> Iterator[RawRow]:
    """Yields the rows below the header.

    A row may go over several lines, in quotes. Where such a row is wrong, only its first line counts as wrong, and
    reading goes on with its second: a quote that is never closed costs a line, not the rest of the file.
    """
    lines = _lines(path)
    header_line = next(lines, None)
    if header_line is None:
        return
    if header_line.fault is not None:
        raise ValueError(f"{header_line.fault.place}: {header_line.fault.fault}, in the header")
    header = _fields(header_line.text)
    if header is None:
        raise ValueError(f"{path}:1: the header is not CSV: its quotes do not match, or it goes over several lines")
    if len(set(header)) < len(header):
        raise ValueError(f"{path}:1: two columns are called {_repeated(header)!r}: give them different names")
    waiting: deque[_Line] = deque()
    while (line := waiting.popleft() if waiting else next(lines, None)) is not None:
        place = f"{path}:{line.number}"
        if line.fault is not None:
            yield line.fault
            continue
        record, whole = [line], line.text
        fields = _fields(whole)
        while fields is None and whole.count('"') % 2 and len(whole) < LONGEST:
            more = waiting.popleft() if waiting else next(lines, None)
            if more is None:
                break
            record.append(more)
            if more.fault is not None:
                break
            whole += more.text
            if not whole.count('"') % 2:
                fields = _fields(whole)
        if fields is not None and len(fields) == len(header):
            yield RawRow(place, dict(zip(header, fields, strict=True)))
            continue
        waiting.extendleft(reversed(record[1:]))
        wrong = (
            "the quotes do not match" if fields is None else f"{len(fields)} columns, and {len(header)} in the header"
        )
        yield RawRow(place, None, wrong)


def _fields(text: str) -> list[str] | None:
    """Returns the columns of one row of CSV, or None if it is not just one."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _parquet(path: Path, wanted: Collection[str]) -> Iterator[RawRow]:
    """Yields the rows; of a group of rows that is damaged, those that can still be read."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError('Parquet needs pyarrow: pip install "textgym[data]"; or use a .jsonl file') from error
    try:
        file = parquet.ParquetFile(path, page_checksum_verification=True)
        names = list(file.schema_arrow.names)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: not Parquet, or cut off: {error}") from error
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: two columns are called {_repeated(names)!r}: give them different names")
    needed = [name for name in names if name in wanted or any(path.startswith(f"{name}.") for path in wanted)]
    if any(path not in names and path.partition(".")[0] not in names for path in wanted):
        needed = names  # an error about the column that is not there lists all that are
    number = 0
    with file:
        for group in range(file.num_row_groups):
            after = number + file.metadata.row_group(group).num_rows
            try:
                for batch in file.iter_batches(_BATCH, row_groups=[group], columns=needed):
                    for row in _rows_of(batch, pyarrow.ArrowException):
                        number += 1
                        place = f"{path}, row {number}"
                        yield RawRow(place, row) if row is not None else RawRow(place, None, "text that is not UTF-8")
            except (pyarrow.ArrowException, OSError) as error:
                place = f"{path}, rows {number + 1} to {after}"
                yield RawRow(place, None, f"damaged: {error}", after - number)
            number = after


def _rows_of(batch: Any, damaged: type[Exception]) -> Iterator[dict[str, Any] | None]:
    try:
        batch.validate(full=True)
        yield from batch.to_pylist()
    except (damaged, UnicodeDecodeError):
        for number in range(len(batch)):
            try:
                (row,) = batch.slice(number, 1).to_pylist()
            except (damaged, UnicodeDecodeError):
                row = None
            yield row


READERS = {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet}
"""How files are read, by their endings."""
