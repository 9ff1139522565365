"""What a run leaves behind: a folder that a kill at any moment leaves readable, and one table of many runs.

A run's folder holds `config.json` (what was run), `metrics.jsonl` (one line for each record, written at once),
`tensorboard/`, `log.txt`, `checkpoints/` while it goes on, and `result.json`, whose presence says that it is finished.
A run that failed has `failed.json` in its place, until it is started again.

A suite's folder has `plan.json`: the suite, what was asked of it, and the identity of each run by its name.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import shutil
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import pyarrow

CONFIG, METRICS, RESULT = "config.json", "metrics.jsonl", "result.json"
LOG, FAILED = "log.txt", "failed.json"
PLAN = "plan.json"
PACKAGES = ("textgym", "gymnasium", "numpy", "sb3-contrib", "stable-baselines3", "tokenizers", "torch", "transformers")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that results depend on; absent ones are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def identity(config: Mapping[str, Any]) -> str:
    """Returns what makes a run the same run anywhere: the SHA-256 of its configuration, in hexadecimal.

    It is taken over canonical JSON (sorted keys, no spaces), without the versions, which are only recorded.

    Args:
        config: plain data; what it was written from and what is read back give the same.
    """
    plain: dict[str, Any] = json.loads(json.dumps(config, default=_plain, allow_nan=False))
    plain.pop("versions", None)
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class RunFolder:
    """The folder of one run.

    Args:
        path: the folder; `start` makes it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._metrics: TextIO | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def tensorboard(self) -> Path:
        """Where the run's TensorBoard files go."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """Where an unfinished run's checkpoints go, from which it can go on."""
        return self.path / "checkpoints"

    def start(self, config: Mapping[str, Any]) -> None:
        """Begins the run, or lets it go on: one with checkpoints, of this configuration and these versions, is kept.

        What any other has left is removed.

        Args:
            config: plain data that says what is run: seed, spec, the corpus' fingerprint. The versions are added.
        """
        self.close()
        if self.begun and self.checkpoints.exists() and not self.finished and not self.changes(config):
            (self.path / FAILED).unlink(missing_ok=True)
            return
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        write_json(self.path / CONFIG, {**config, "versions": versions()})

    def changes(self, config: Mapping[str, Any]) -> list[str]:
        """Returns what would be run otherwise than this run was: `seed was 0 and is 1`; versions count."""
        before, now = self.config(), json.loads(json.dumps({**config, "versions": versions()}, default=_plain))
        absent = "absent"
        return [
            f"{key} was {before.get(key, absent)!r} and is {now.get(key, absent)!r}"
            for key in {**before, **now}
            if before.get(key, absent) != now.get(key, absent)
        ]

    def log(self, record: Mapping[str, Any]) -> None:
        """Appends one record to the metrics and flushes it; a number that is not finite becomes null."""
        if self._metrics is None:
            self._metrics = (self.path / METRICS).open("a", encoding="utf-8")
        plain = {key: _plain(value) if hasattr(value, "tolist") else value for key, value in record.items()}
        finite = {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in plain.items()}
        self._metrics.write(json.dumps(finite, allow_nan=False) + "\n")
        self._metrics.flush()

    def sync(self) -> int:
        """Puts the metrics on the disk, and returns how many bytes they have."""
        path = self.path / METRICS
        if not path.exists():
            return 0
        with path.open("rb") as file:
            os.fsync(file.fileno())
        return path.stat().st_size

    def cut(self, size: int) -> None:
        """Cuts the metrics back to their first `size` bytes.

        Raises:
            ValueError: if they have fewer, or that is not the end of a line.
        """
        self.close()
        path = self.path / METRICS
        content = path.read_bytes() if path.exists() else b""
        if len(content) < size or (size and content[size - 1 : size] != b"\n"):
            raise ValueError(f"{path} has no line that ends after {size} bytes, where the run goes on: it was changed")
        if size < len(content):
            os.truncate(path, size)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Writes the result, which marks the run as finished, and removes the checkpoints."""
        self.close()
        write_json(self.path / RESULT, result)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def close(self) -> None:
        """Closes the metrics."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    @property
    def begun(self) -> bool:
        """Whether the folder is that of a run."""
        return (self.path / CONFIG).exists()

    @property
    def finished(self) -> bool:
        """Whether the run has its result."""
        return (self.path / RESULT).exists()

    def finished_as(self, config: Mapping[str, Any]) -> bool:
        """Whether the run is finished and was run as `config` says; the versions may differ."""
        return self.finished and self.identity == identity(config)

    def fail(self, reason: str) -> None:
        """Notes that the run has failed, and why."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / FAILED, {"reason": reason})

    @property
    def failed(self) -> bool:
        """Whether the run has failed, and was not started again since."""
        return (self.path / FAILED).exists()

    @property
    def identity(self) -> str:
        """What makes this run the same run anywhere: the hash of what was run."""
        return identity(self.config())

    def config(self) -> dict[str, Any]:
        """Returns what was run."""
        return read_json(self.path / CONFIG)

    def result(self) -> dict[str, Any]:
        """Returns the result of a finished run."""
        return read_json(self.path / RESULT)

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the records in the order in which they were written.

        A last line that a kill has cut short is left out, with a warning.

        Raises:
            ValueError: if any other line is not a JSON object; the message names the file and the line.
        """
        path = self.path / METRICS
        if not path.exists():
            return []
        records: list[dict[str, Any]] = []
        lines = path.read_bytes().split(b"\n")  # the last is empty unless a kill has cut it short
        for number, line in enumerate(lines, start=1):
            if number == len(lines):
                if line:
                    warnings.warn(f"{path}: line {number} was cut short and is left out", stacklevel=2)
                break
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: not a JSON object: {error}") from error
            if not isinstance(record, dict):
                raise ValueError(f"{path}, line {number}: not a JSON object")
            records.append(record)
        return records


def run_folders(folder: str | Path) -> list[RunFolder]:
    """Returns the runs below a folder, or that folder itself, in the order of their names; none lies within another."""
    found = {path.parent for path in Path(folder).rglob(CONFIG)}
    return [RunFolder(path) for path in sorted(found) if found.isdisjoint(path.parents)]


def finished_runs(folder: str | Path) -> list[RunFolder]:
    """Returns the finished runs below a folder, but those in whose place its plan has others, not finished yet."""
    folder = Path(folder)
    planned: dict[Path, str] = {}
    for parent in (folder, folder.parent):
        if (parent / PLAN).exists():
            planned |= {parent / name: found for name, found in read_json(parent / PLAN).get("runs", {}).items()}
    return [
        run
        for run in run_folders(folder)
        if run.finished and (run.path not in planned or run.identity == planned[run.path])
    ]


def collect(folder: str | Path) -> pyarrow.Table:
    """Collects the metrics of all runs below a folder in one table and writes it there as `metrics.parquet`.

    Returns:
        A table with a row for each record: `run`, the plain values of the run's configuration (`seed`,
        `fingerprint`, ...), and the record's own columns, null where a record lacks one.

    Raises:
        ValueError: if there is no run, or the runs differ in their fingerprint and so can't be compared.
    """
    import pyarrow
    import pyarrow.parquet

    folder = Path(folder)
    rows: list[dict[str, Any]] = []
    fingerprints: dict[str, str] = {}
    for run in run_folders(folder):
        name = run.path.relative_to(folder).as_posix()
        config = run.config()
        fingerprints.setdefault(str(config.get("fingerprint")), name)
        plain = {key: value for key, value in config.items() if isinstance(value, str | int | float)}
        rows.extend({"run": name, **plain, **record} for record in run.metrics())
    if not fingerprints:
        raise ValueError(f"no run below {folder}: a run is a folder with a {CONFIG}")
    if len(fingerprints) > 1:
        listed = ", ".join(f"{fingerprint} ({name})" for fingerprint, name in fingerprints.items())
        raise ValueError(f"runs on different corpora can't be merged; their fingerprints: {listed}")
    columns = dict.fromkeys(key for row in rows for key in row)
    table = pyarrow.table({key: [row.get(key) for row in rows] for key in columns})
    partial = folder / "metrics.parquet.partial"
    pyarrow.parquet.write_table(table, partial)
    os.replace(partial, folder / "metrics.parquet")
    return table


def read_json(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file.

    Raises:
        ValueError: if the file holds none; the message names it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON object: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: not a JSON object")
    return data


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes a JSON object so that the file is there wholly or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(data, indent=1, default=_plain, allow_nan=False), encoding="utf-8")
    os.replace(partial, path)


def _plain(value: Any) -> Any:
    """Turns arrays and NumPy numbers into lists and plain numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"results must be plain data, got {type(value).__name__}")
