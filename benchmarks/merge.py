"""Brings runs from several machines together: the same identity is the same run, and is kept once."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.results import FAILED, PLAN, RunFolder, identity, read_json, run_folders, write_json
from textgym.simulator import Simulator

_NOT_CORPUS = {*inspect.signature(Simulator).parameters} - {"difficulty"}
"""The arguments of environments that don't change what there is to write about."""


@dataclass
class Merged:
    """What a merge did, by the names of runs.

    Attributes:
        added: those that were copied.
        known: those that were there already, with the same result.
        differing: those of which several results exist, with the folders; the first is kept.
        unfinished: those that no folder has finished; they are left out.
    """

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    differing: dict[str, list[Path]] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)


def merge(out: str | Path, folders: Sequence[str | Path]) -> Merged:
    """Copies the finished runs of several folders into one, and what their suites say about them.

    Args:
        out: where they go; what is there already counts as the first of the folders.
        folders: where they come from; they stay as they are.

    Raises:
        ValueError: if a folder has no run, two different runs have the same name, or two runs of one environment were
            made on different corpora; nothing is copied then.
    """
    out, sources = Path(out), [Path(folder) for folder in folders]
    found: dict[str, list[RunFolder]] = {}
    for folder in (out, *sources):
        runs = run_folders(folder)
        if not runs and folder != out:
            raise ValueError(f"no run below {folder}")
        for run in runs:
            found.setdefault(run.path.relative_to(folder).as_posix(), []).append(run)
    _check_names(found)
    _check_corpora(found)
    merged = Merged()
    for name, runs in found.items():
        finished = [run for run in runs if run.finished]
        if not finished:
            merged.unfinished.append(name)
            continue
        if len({_result(run) for run in finished}) > 1:
            merged.differing[name] = [run.path for run in finished]
        if finished[0].path == out / name:
            merged.known.append(name)
        else:
            _copy(finished[0].path, out / name)
            merged.added.append(name)
    for folder in sources:
        _merge_words(folder, out, inside=[run.path for run in run_folders(folder)])
    return merged


def _check_names(found: Mapping[str, Sequence[RunFolder]]) -> None:
    for name, runs in found.items():
        for run in runs[1:]:
            if run.identity != runs[0].identity:
                raise ValueError(
                    f"two different runs are called {name}: {runs[0].path} and {run.path} differ in "
                    f"{', '.join(_differences(runs[0].config(), run.config()))}; merge them into different folders"
                )


def _check_corpora(found: Mapping[str, Sequence[RunFolder]]) -> None:
    """Raises a ValueError if two runs of the same task have different fingerprints, whatever their feedback is."""
    known: dict[str, tuple[str, RunFolder]] = {}
    for runs in found.values():
        for run in runs:
            config = run.config()
            arguments = {name: value for name, value in config.get("env_kwargs", {}).items() if name not in _NOT_CORPUS}
            environment = identity({"env_id": config.get("env_id"), "arguments": arguments})
            fingerprint = str(config.get("fingerprint"))
            other, first = known.setdefault(environment, (fingerprint, run))
            if other != fingerprint:
                raise ValueError(
                    f"runs on different corpora can't be merged: {first.path} has fingerprint {other}, "
                    f"{run.path} has {fingerprint}"
                )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys([*one, *other])
    return [name for name in names if name != "versions" and one.get(name) != other.get(name)]


def _result(run: RunFolder) -> str:
    """Returns the hash of a result, without the times that it took."""
    return identity({name: value for name, value in run.result().items() if not name.endswith("seconds")})


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(partial, target)


def _merge_words(folder: Path, out: Path, *, inside: Sequence[Path]) -> None:
    """Brings what a suite says about its runs, JSON files outside of their folders, into `out`."""
    for path in folder.rglob("*.json"):
        if path.name != FAILED and not any(path.is_relative_to(run) for run in inside):
            target = out / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            words = read_json(path)
            if target.exists():
                words = union(read_json(target), words)
                if path.name == PLAN and _suite(read_json(target)) != _suite(read_json(path)):
                    words.pop("asked", None)  # no suite can report on the runs of two
            write_json(target, words)


def _suite(plan: Mapping[str, Any]) -> tuple[Any, Any]:
    """Returns whose plan it is."""
    return plan.get("suite"), plan.get("asked", {}).get("quick")


def union(one: Any, other: Any) -> Any:
    """Returns what either has: of two objects all keys, of two lists all members; else the first."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: union(one.get(name, value), value) for name, value in {**one, **other}.items()}
    if isinstance(one, list) and isinstance(other, list):
        return one + [member for member in other if member not in one]
    return one
