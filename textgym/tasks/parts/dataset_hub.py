"""The rows of a data set that Hugging Face's `datasets` loads, by its name or from a local folder."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any

from textgym.tasks.parts.dataset_files import RawRow

_PACKAGED = "datasets.packaged_modules."
_DATA_ONLY = ("arrow", "csv", "json", "parquet", "text")


def load_splits(name: str, config: str | None) -> dict[str, Any]:
    """Returns the splits of a data set by their names; those of the hub are fetched once and kept by `datasets`.

    Only formats that are nothing but data are taken: no loading scripts, no pickles, no archives.

    Args:
        name: its name on the hub, or a folder.
        config: which of its configurations.

    Raises:
        ValueError: if it cannot be loaded, or is in another format.
        ImportError: if `datasets` is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise ImportError(
            f'the data set {name!r} needs the package datasets: pip install "textgym[data]"; or give a file'
        ) from error
    try:
        builder = datasets.load_dataset_builder(name, config)
        modules = [made.__module__ for made in type(builder).__mro__]  # the first ones may be made at run time
        kinds = [module.split(".")[2] for module in modules if module.startswith(_PACKAGED)]
        if not kinds or kinds[0] not in _DATA_ONLY:
            raise ValueError(f"its format is {[*kinds, 'unknown'][0]}, and only {', '.join(_DATA_ONLY)} are read")
        loaded = datasets.load_dataset(name, config)
    except Exception as error:  # whatever goes wrong in there, from the network to a damaged file
        told = f"{error}{f' ({error.__cause__})' if error.__cause__ else ''}"
        raise ValueError(f"datasets cannot load {name!r}: {told}") from error
    return dict(loaded)


def read_split(split: Any, place: str, wanted: Collection[str]) -> Generator[RawRow, None, None]:
    """Yields the rows of a split, with the columns that will be looked at if it has them all.

    Args:
        split: a `datasets.Dataset`.
        place: what it is called in errors.
        wanted: the paths of the columns.
    """
    tops = {path if path in split.column_names else path.partition(".")[0] for path in wanted}
    if tops <= set(split.column_names):
        split = split.select_columns(sorted(tops))
    if not len(split):
        yield RawRow(place, None, "the split has no rows")
    for number, row in enumerate(split, start=1):
        yield RawRow(f"{place}, row {number}", row)
