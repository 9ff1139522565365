"""Suites: what a file in `benchmarks/suites` has, how it is found, and the one way to run it."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from benchmarks import suites
from benchmarks.runner import Run, Workers, execute

FOLDER = Path(suites.__file__).parent


class Suite(Protocol):
    """What a module in `benchmarks/suites` has; the first line of its docstring is its help.

    Its `Settings` is a frozen dataclass of every number that one may want to change, all with defaults, among them
    `learners`, the arguments of each learner by name, and `seeds`, the training seeds: what `--algorithms` and
    `--seeds` choose. It may have `others`, the arguments of learners that only `--algorithms` brings in.
    """

    Settings: Any

    def quick(self, settings: Any) -> Any:
        """Returns settings that go through every part in seconds."""

    def plan(self, settings: Any) -> list[Run]:
        """Returns all runs, those that others read included."""

    def report(self, folder: Path, settings: Any, console: Console) -> None:
        """Writes the report of what is finished, of which there is something, and prints its table."""


def suite_names() -> dict[str, str]:
    """Returns the suites, each with the first line of its docstring; imports none."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem] = docstring.partition("\n")[0]
    return found


def load_suite(name: str) -> Suite:
    """Imports a suite.

    Raises:
        ValueError: if there is none of that name.
    """
    known = suite_names()
    if name not in known:
        raise ValueError(f"the suite must be one of {', '.join(known)}, got {name!r}")
    suite: Suite = import_module(f"{suites.__name__}.{name}")
    return suite


def chosen(settings: Any, *, algorithms: Sequence[str] = (), seeds: int | None = None) -> Any:
    """Returns settings with other learners or seeds.

    Args:
        settings: a suite's.
        algorithms: the learners, instead of the suite's own; one that the suite has no arguments for gets none.
        seeds: the number of training seeds, counted from 0.

    Raises:
        ValueError: if a learner is unknown, or there is no seed.
    """
    from benchmarks.learners import check_learner

    for name in algorithms:
        check_learner(name)
    if algorithms:
        known = {**getattr(settings, "others", {}), **settings.learners}
        settings = replace(settings, learners={name: known.get(name, {}) for name in algorithms})
    if seeds is None:
        return settings
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    return replace(settings, seeds=tuple(range(seeds)))


def planned(name: str, settings: Any) -> list[Run]:
    """Returns a suite's plan; a learner of the user's own has the hash of its `source` in the configuration."""
    from benchmarks.own_algorithm import source

    runs = load_suite(name).plan(settings)
    learners = {str(run.config.get("learner", "")) for run in runs}
    sources = {learner: source(learner) for learner in learners if ":" in learner}
    return [
        replace(run, config={**run.config, "source": sources[run.config["learner"]]})
        if run.config.get("learner") in sources
        else run
        for run in runs
    ]


def run_suite(
    name: str, folder: str | Path, *, settings: Any, workers: Workers, console: Console, fresh: bool = False
) -> dict[str, str]:
    """Runs a suite, or what of it is left to do, writes its report, and returns why runs failed, by name.

    After Ctrl-C it reports on what is finished.

    Args:
        name: the suite.
        folder: where everything goes; see `benchmarks.results`. The report is its `report.html`.
        settings: what to do.
        workers: who does the runs.
        console: where progress and the table are printed.
        fresh: whether to remove first what is there of these runs.
    """
    suite, folder = load_suite(name), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    runs = planned(name, settings)
    for run in runs if fresh else ():
        shutil.rmtree(folder / run.name, ignore_errors=True)
    try:
        return execute(runs, folder, workers=workers, console=console, title=name)
    finally:
        if any(run.finished(folder) for run in runs):
            suite.report(folder, settings, console)
