"""How a plan gets on: one bar for all runs and one for each under way; plain lines where the output is no terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_SECONDS = 15.0
"""How often progress is told where the output is not a terminal."""


class Display:
    """Shows the progress of a plan while it is entered.

    Args:
        console: where it is shown.
        title: what the runs are.
        weights: for each run by name, how long it takes in comparison with others.
    """

    def __init__(self, console: Console, title: str, weights: Mapping[str, float]) -> None:
        self.console, self.title, self.weights = console, title, weights
        self.shares = dict.fromkeys(weights, 0.0)
        self.began = self.told = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        self.progress = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
        )
        self.total = self.progress.add_task(f"[bold]{title}", total=1.0)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    @property
    def share(self) -> float:
        """How much of all runs is done, in [0, 1]."""
        done = sum(self.weights[name] * share for name, share in self.shares.items())
        return done / sum(self.weights.values()) if self.weights else 1.0

    def tell(self, name: str, share: float) -> None:
        """Takes how much of a run is done; the first time it has started."""
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(f"  {name}", total=1.0)
            self._say(f"{name} started")
        self.shares[name] = share
        self.progress.update(self.tasks[name], completed=share)

    def end(self, name: str, how: str) -> None:
        """Says how a run ended."""
        self.shares[name] = 1.0
        if name in self.tasks:
            self.progress.remove_task(self.tasks.pop(name))
        self._say(f"{name} {how}")

    def fail(self, name: str, reason: str, log: Path | None = None) -> None:
        """Says that a run failed, with the end of its log."""
        self.end(name, "failed")
        self.console.print(f"[bold red]{name} failed[/] ({reason}){'' if log is None else f'; its log is {log}'}")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:] if log and log.exists() else []
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
