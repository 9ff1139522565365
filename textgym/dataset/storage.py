"""Rows of plain data on disk, as JSON Lines or Parquet: there wholly or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SUFFIXES = (".jsonl", ".parquet")


def write_rows(rows: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Writes rows that have the same columns; the file's ending, `.jsonl` or `.parquet`, says how.

    The file's folder is made if need be.

    Raises:
        ValueError: if the ending is another one, or a row holds what the format cannot say.
        ImportError: if Parquet is asked for without pyarrow.
    """
    path = _checked(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.suffix == ".jsonl":
            with open(partial, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        else:
            pyarrow, parquet = _pyarrow()
            parquet.write_table(pyarrow.Table.from_pylist(list(rows)), partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_rows(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Yields the rows of a file with their numbers: its lines from 1, empty ones left out.

    Raises:
        ValueError: if the file's ending is another one, or a line is not JSON.
        ImportError: if Parquet is asked for without pyarrow.
    """
    path = _checked(path)
    if path.suffix == ".parquet":
        yield from enumerate(_pyarrow()[1].read_table(path).to_pylist(), start=1)
        return
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise ValueError(f"{path}:{number}: not JSON: {error}") from error
                yield number, row


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"a data set's file must end in {' or '.join(SUFFIXES)}, got {str(path)!r}")
    return path


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError('Parquet needs pyarrow: pip install "textgym[data]"; or use a .jsonl file') from error
    return pyarrow, pyarrow.parquet
