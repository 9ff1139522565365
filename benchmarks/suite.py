"""Suites: what a file in `benchmarks/suites` has, how it is found, and the one way to run it."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from benchmarks import suites
from benchmarks.results import PLAN, read_json, write_json
from benchmarks.runner import Run, Workers, execute

FOLDER = Path(suites.__file__).parent


class Suite(Protocol):
    """What a module in `benchmarks/suites` has; the first line of its docstring is its help.

    `TAGS` says what kind of suite it is: about `"algorithms"` or `"feedback"`, with `"fresh"` transformers or
    `"warm-started"` ones. `MINUTES` is what all of it takes with two jobs on two CPU cores. Both are literals.

    Its `Settings` is a frozen dataclass of every number that one may want to change, all with defaults, among them
    `learners`, the arguments of each learner by name, and `seeds`, the training seeds: what `--algorithms` and
    `--seeds` choose. It may have `others`, the arguments of learners that only `--algorithms` brings in.
    """

    TAGS: tuple[str, ...]
    MINUTES: int
    Settings: Any

    def quick(self, settings: Any) -> Any:
        """Returns settings that go through every part in seconds."""

    def plan(self, settings: Any) -> list[Run]:
        """Returns all runs, those that others read included."""

    def report(self, folder: Path, settings: Any, console: Console) -> None:
        """Writes the report of what is finished, of which there is something, and prints its table."""


@dataclass(frozen=True)
class Outline:
    """What the file of a suite tells without being imported.

    Attributes:
        question: the first line of its docstring.
        tags, minutes: see `Suite`; of a file without them, none and 0.
    """

    question: str
    tags: tuple[str, ...]
    minutes: int

    def __str__(self) -> str:
        return f"{self.question} ({', '.join(self.tags)}; {self.minutes} min on two cores)"


def outlines() -> dict[str, Outline]:
    """Returns the suites by name; imports none."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        told = {
            target.id: ast.literal_eval(line.value)
            for line in module.body
            if isinstance(line, ast.Assign)
            for target in line.targets
            if isinstance(target, ast.Name) and target.id in ("TAGS", "MINUTES")
        }
        question = (ast.get_docstring(module) or "").partition("\n")[0]
        found[path.stem] = Outline(question, tags=told.get("TAGS", ()), minutes=told.get("MINUTES", 0))
    return found


def load_suite(name: str) -> Suite:
    """Imports a suite.

    Raises:
        ValueError: if there is none of that name.
    """
    known = outlines()
    if name not in known:
        raise ValueError(f"the suite must be one of {', '.join(known)}, got {name!r}")
    suite: Suite = import_module(f"{suites.__name__}.{name}")
    return suite


@dataclass(frozen=True)
class Request:
    """What is asked for of a suite, as on the command line.

    Attributes:
        suite: its name.
        quick: whether only its quick form.
        algorithms: the learners, instead of the suite's own; one that the suite has no arguments for gets none.
        seeds: the training seeds, instead of the suite's own.
    """

    suite: str
    quick: bool = False
    algorithms: Sequence[str] = ()
    seeds: Sequence[int] = ()

    def settings(self) -> Any:
        """Returns the suite's settings for it.

        Raises:
            ValueError: if there is no such suite or learner.
        """
        suite = load_suite(self.suite)
        settings = suite.quick(suite.Settings()) if self.quick else suite.Settings()
        return chosen(settings, algorithms=self.algorithms, seeds=self.seeds)


def chosen(settings: Any, *, algorithms: Sequence[str] = (), seeds: Sequence[int] = ()) -> Any:
    """Returns a suite's settings with other learners or seeds, where some are given; see `Request`."""
    from benchmarks.learners import check_learner

    for name in algorithms:
        check_learner(name)
    if algorithms:
        known = {**getattr(settings, "others", {}), **settings.learners}
        settings = replace(settings, learners={name: known.get(name, {}) for name in algorithms})
    return replace(settings, seeds=tuple(sorted(seeds))) if seeds else settings


def planned(name: str, settings: Any) -> list[Run]:
    """Returns a suite's plan, with what its configurations leave to defaults, and to code of the user's.

    A run has under `defaults` the arguments of its learner and the feedback and noise of its task where the suite gives
    none, and a learner of the user's own the hash of its `source`: with any of these changed it is another run.
    """
    from benchmarks.learners import DEFAULTS
    from benchmarks.own_algorithm import source

    runs = load_suite(name).plan(settings)
    learners = {str(run.config.get("learner", "")) for run in runs}
    sources = {learner: {"source": source(learner)} for learner in learners if ":" in learner}
    return [
        replace(run, config={**run.config, "defaults": defaults, **sources.get(learner, {})})
        for run in runs
        for learner in [run.config.get("learner", "")]
        for defaults in [{"settings": DEFAULTS.get(learner, {}), "env_kwargs": _task_defaults(run.config)}]
    ]


def _task_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the feedback and the noise that a run's task has by default, where the run has no others."""
    import gymnasium

    from textgym.registration import load_component, split_spec

    task = gymnasium.spec(config["env_id"]).kwargs.get("task") if "env_id" in config else None
    if task is None:
        return {}
    own: Any = load_component("tasks", split_spec("tasks", task)[0])
    defaults = {"feedback": own.default_feedback, "noise": own.default_noise}
    return {part: value for part, value in defaults.items() if part not in config.get("env_kwargs", {})}


def report_suite(folder: str | Path, console: Console) -> None:
    """Writes the report of what is finished in a folder: as its suite does, or else what the runs alone tell."""
    from benchmarks.report import write_report

    folder = Path(folder)
    asked = read_json(folder / PLAN).get("asked") if (folder / PLAN).exists() else None
    if asked is None:
        write_report(folder, console)
    else:
        request = Request(**asked)
        load_suite(request.suite).report(folder, request.settings(), console)


def run_suite(
    name: str,
    folder: str | Path,
    *,
    settings: Any,
    workers: Workers,
    console: Console,
    fresh: bool = False,
    asked: Request | None = None,
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
        asked: where the settings come from, so that `report_suite` finds them again. What was asked of the suite in
            this folder before, with other learners or seeds, is reported, too.
    """
    suite, folder = load_suite(name), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    runs = known = planned(name, settings)
    for run in runs if fresh else ():
        shutil.rmtree(folder / run.name, ignore_errors=True)
    if asked is not None:
        now = replace(asked, algorithms=[*settings.learners], seeds=[*settings.seeds])
        asked = _with_earlier(now, folder)
        if asked != now:
            settings = asked.settings()
            known = planned(name, settings)
    plan = {"suite": name, "runs": {run.name: run.identity for run in known}}
    write_json(folder / PLAN, plan | ({"asked": asdict(asked)} if asked else {}))
    try:
        return execute(runs, folder, workers=workers, console=console, title=name)
    finally:
        if any(run.finished(folder) for run in known):
            suite.report(folder, settings, console)


def _with_earlier(asked: Request, folder: Path) -> Request:
    """Returns what is asked for together with what was asked of the same suite in this folder before."""
    from benchmarks.merge import union

    before = read_json(folder / PLAN).get("asked") if (folder / PLAN).exists() else None
    if before is None or (before["suite"], before["quick"]) != (asked.suite, asked.quick):
        return asked
    return Request(**union(before, asdict(asked)))
