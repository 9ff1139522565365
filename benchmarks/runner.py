"""Executes a plan of runs in parallel processes; what is finished is skipped, so a killed plan goes on where it was.

Every run has its own process, so one that crashes, or is killed for its memory, takes no other with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.results import RunFolder

LOG = "log.txt"
PLAIN_SECONDS = 15.0
"""How often progress is told where the output is not a terminal."""

Tell = Callable[[float], None]
"""Takes the share of a run that is done, in [0, 1]."""


@dataclass(frozen=True)
class Run:
    """One run of a plan.

    Attributes:
        name: its identity: the name of its folder.
        function: what it does; of a module's top level, since another process calls it. It gets the folder, the
            `config` and a function to tell its progress, and returns the result, to which its `seconds` are added.
        config: plain data on which the result depends. A finished run of another configuration is run again.
        weight: how long it takes in comparison with others, for the overall progress.
    """

    name: str
    function: Callable[[RunFolder, Mapping[str, Any], Tell], Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0


@dataclass
class _Active:
    """A run under way."""

    run: Run
    process: BaseProcess
    messages: Connection


def execute(runs: Sequence[Run], folder: str | Path, *, jobs: int, console: Console, title: str) -> list[str]:
    """Executes those runs that are not finished, `jobs` at a time, and returns the names of those that failed.

    A failed run is reported with the end of its log, and the rest goes on.

    Args:
        runs: the plan; the longest first keeps all processes busy.
        folder: where each run gets a folder of its name.
        jobs: how many processes; each computes with its share of the cores.
        console: where progress is shown: bars on a terminal, else plain lines.
        title: what the runs are, for the display.

    Raises:
        ValueError: if `jobs` is not positive, or two runs have the same name.
        KeyboardInterrupt: after Ctrl-C, when all processes have ended; what they have written stays.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if len({run.name for run in runs}) < len(runs):
        raise ValueError(f"the runs of a plan need different names, got {', '.join(run.name for run in runs)}")
    folder = Path(folder)
    waiting = [run for run in runs if not RunFolder(folder / run.name).finished_as(run.config)]
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // min(jobs, max(1, len(waiting))))
    active: list[_Active] = []
    failed: list[str] = []
    with _Display(console, title, runs) as display:
        for run in runs:
            if run not in waiting:
                display.end(run, "was finished before")
        try:
            while waiting or active:
                while waiting and len(active) < jobs:
                    run = waiting.pop(0)
                    receiver, sender = context.Pipe(duplex=False)
                    process = context.Process(target=_work, args=(run, folder / run.name, threads, sender), daemon=True)
                    process.start()
                    sender.close()
                    active.append(_Active(run, process, receiver))
                    display.start(run)
                wait([part for one in active for part in (one.messages, one.process.sentinel)], timeout=0.5)
                for one in list(active):
                    display.tell(one.run, _latest(one.messages))
                    if one.process.is_alive():
                        continue
                    active.remove(one)
                    if one.process.exitcode == 0:
                        display.end(one.run, "finished")
                    else:
                        failed.append(one.run.name)
                        display.fail(one.run, one.process.exitcode, folder / one.run.name / LOG)
                display.refresh()
        finally:
            for one in active:
                one.process.terminate()
            for one in active:
                one.process.join()
    return failed


def _latest(messages: Connection) -> float | None:
    """Returns the newest progress that a process has told, if there is any."""
    share: float | None = None
    with contextlib.suppress(EOFError):
        while messages.poll():
            share = messages.recv()
    return share


def _work(run: Run, path: Path, threads: int, messages: Connection) -> None:
    """What a process does: one run, with all it prints in the run's log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent ends its children
    folder = RunFolder(path)
    folder.start(run.config)
    log = os.open(path / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    try:
        import torch

        torch.set_num_threads(threads)
        began = time.monotonic()
        result = run.function(folder, run.config, messages.send)
        folder.finish({**result, "seconds": round(time.monotonic() - began, 1)})
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


class _Display:
    """One bar for all runs and one for each run under way; plain lines where the output is no terminal."""

    def __init__(self, console: Console, title: str, runs: Sequence[Run]) -> None:
        self.console, self.title = console, title
        self.weights = {run.name: run.weight for run in runs}
        self.shares = dict.fromkeys(self.weights, 0.0)
        self.began = self.told = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        self.progress = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
        )
        self.total = self.progress.add_task(f"[bold]{title}", total=1.0)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Display:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    @property
    def share(self) -> float:
        done = sum(self.weights[name] * share for name, share in self.shares.items())
        return done / sum(self.weights.values()) if self.weights else 1.0

    def start(self, run: Run) -> None:
        self.tasks[run.name] = self.progress.add_task(f"  {run.name}", total=1.0)
        self._say(f"{run.name} started")

    def tell(self, run: Run, share: float | None) -> None:
        if share is not None:
            self.shares[run.name] = share
            self.progress.update(self.tasks[run.name], completed=share)

    def end(self, run: Run, how: str) -> None:
        self.shares[run.name] = 1.0
        if run.name in self.tasks:
            self.progress.remove_task(self.tasks.pop(run.name))
        self._say(f"{run.name} {how}")

    def fail(self, run: Run, exit_code: int | None, log: Path) -> None:
        self.end(run, f"failed with exit code {exit_code}")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:] if log.exists() else []
        self.console.print(f"[bold red]{run.name} failed[/] (exit code {exit_code}); its log is {log}")
        for line in lines:
            self.console.print(f"  {line}", style="dim", markup=False, highlight=False, soft_wrap=True)

    def refresh(self) -> None:
        """Shows the overall progress."""
        self.progress.update(self.total, completed=self.share)
        if time.monotonic() - self.told > PLAIN_SECONDS:
            self.told = time.monotonic()
            self._say("under way")

    def _say(self, what: str) -> None:
        if not self.console.is_terminal:
            seconds = time.monotonic() - self.began
            self.console.print(f"{self.title}: {self.share:4.0%} {seconds:5.0f} s  {what}", highlight=False)
