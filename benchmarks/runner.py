"""Executes a plan of runs; what is finished is skipped, so a plan that was killed goes on where it was.

Who does the work is a `Workers`: processes of this machine (`benchmarks.processes`), or a Ray cluster
(`benchmarks.ray_tasks`). Each run has a process of its own there, so one that crashes takes no other with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.progress import Display
from benchmarks.results import LOG, RunFolder, identity

Tell = Callable[[float], None]
"""Takes the share of a run that is done, in [0, 1]."""

RESERVED = ("function", "versions")
"""What `config.json` has besides the configuration."""


@dataclass(frozen=True)
class Run:
    """One run of a plan.

    Attributes:
        name: the name of its folder, below that of the plan.
        function: what it does; of a module's top level, since another process calls it. It gets the folder, the
            `config` and a function to tell its progress, and returns the result, to which its `seconds` are added.
        config: plain data on which the result depends, with the corpus' `fingerprint`, and with what the runs that it
            reads depend on. A finished run of another function or configuration is run again.
        weight: how long it takes in comparison with others, for the overall progress.
        after: the names of the runs that it reads. It starts when they are finished, and not at all if one failed.

    Raises:
        ValueError: if the configuration has a key of `RESERVED`.
    """

    name: str
    function: Callable[[RunFolder, Mapping[str, Any], Tell], Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in RESERVED:
            if key in self.config:
                raise ValueError(f"the config of a run must not have {key!r}, which is added to it")

    @property
    def record(self) -> dict[str, Any]:
        """What `config.json` will say: the configuration and the function's name; the versions are added."""
        return {**self.config, "function": f"{self.function.__module__}.{self.function.__qualname__}"}

    @property
    def identity(self) -> str:
        """What makes it the same run on any machine; see `benchmarks.results.identity`."""
        return identity(self.record)

    def finished(self, folder: Path) -> bool:
        """Whether this very run is finished in a plan's folder."""
        return RunFolder(folder / self.name).finished_as(self.record)


@dataclass(frozen=True)
class News:
    """What is new of a run under way.

    Attributes:
        name: the run's.
        share: how much of it is done, in [0, 1].
        ended: whether it has ended.
        failure: why it failed; empty if it did not.
    """

    name: str
    share: float = 0.0
    ended: bool = False
    failure: str = ""


class Workers(ABC):
    """Who does the runs. What a run leaves behind is in its folder when the news of its end comes."""

    @abstractmethod
    def has_room(self) -> bool:
        """Says whether one more run can be started."""

    @abstractmethod
    def start(self, run: Run, folder: Path, *, beside: int) -> None:
        """Starts a run.

        Args:
            run: the run; those that it reads are finished.
            folder: the plan's.
            beside: how many runs of the plan, itself among them, may go on at the same time.
        """

    @abstractmethod
    def news(self) -> list[News]:
        """Returns what is new, after half a second at most."""

    @abstractmethod
    def stop(self) -> None:
        """Ends what is under way; what it has written stays."""


def execute(
    runs: Sequence[Run], folder: str | Path, *, workers: Workers, console: Console, title: str
) -> dict[str, str]:
    """Executes those runs that are not finished, and returns why others failed, by name.

    A failed run is reported with the end of its log, and the rest goes on; what reads it is not started.

    Args:
        runs: the plan; the longest first keeps all workers busy.
        folder: where each run gets a folder of its name.
        workers: who does the runs.
        console: where progress is shown: bars on a terminal, else plain lines.
        title: what the runs are, for the display.

    Raises:
        ValueError: if two runs have the same name, or a run reads one that is not in the plan, or itself.
        KeyboardInterrupt: after Ctrl-C, when all workers have stopped; what they have written stays.
    """
    before = ancestors(runs)
    folder = Path(folder)
    waiting = {run.name: run for run in runs if not run.finished(folder)}
    active: dict[str, Run] = {}
    failed: dict[str, str] = {}
    with Display(console, title, {run.name: run.weight for run in runs}) as display:
        for run in runs:
            if run.name not in waiting:
                display.end(run.name, "was finished before")
        try:
            while waiting or active:
                for run in list(waiting.values()):
                    missing = [name for name in run.after if name in failed]
                    if missing:
                        del waiting[run.name]
                        failed[run.name] = f"not started: it reads {', '.join(missing)}, which failed"
                        display.fail(run.name, failed[run.name])
                    elif workers.has_room() and not any(name in waiting or name in active for name in run.after):
                        active[run.name] = waiting.pop(run.name)
                        workers.start(run, folder, beside=runs_beside(run.name, before))
                for news in workers.news() if active else ():
                    display.tell(news.name, news.share)
                    if news.ended and not news.failure:
                        del active[news.name]
                        display.end(news.name, "finished")
                    elif news.ended:
                        del active[news.name]
                        failed[news.name] = news.failure
                        RunFolder(folder / news.name).fail(news.failure)
                        display.fail(news.name, news.failure, folder / news.name / LOG)
                display.refresh()
        finally:
            workers.stop()
    return failed


def ancestors(runs: Sequence[Run]) -> dict[str, set[str]]:
    """Returns which runs must be finished before each, directly or not.

    Raises:
        ValueError: if two runs have the same name, or a run reads one that is not in the plan, or itself.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ValueError(f"the runs of a plan need different names, got {', '.join(names)}")
    after = {run.name: run.after for run in runs}
    for run in runs:
        for name in run.after:
            if name not in after:
                raise ValueError(f"{run.name} reads {name}, which is not in the plan")
    before: dict[str, set[str]] = {}
    try:
        for name in TopologicalSorter(after).static_order():
            before[name] = set(after[name]).union(*(before[other] for other in after[name]))
    except CycleError as error:
        raise ValueError(f"runs of a plan wait for each other: {', '.join(error.args[1])}") from error
    return before


def runs_beside(name: str, before: Mapping[str, set[str]]) -> int:
    """Returns how many runs may go on beside a run and itself: those that are neither before nor after it."""
    return sum(name not in earlier and other not in before[name] for other, earlier in before.items())
