"""What a plan would do: its runs, which of them are finished, and how long the others will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.results import CONFIG, RunFolder
from benchmarks.runner import Run

SHOWN = 12
"""How many digits of an identity are shown."""


def state(run: Run, folder: Path) -> str:
    """Says how far a run is in a plan's folder."""
    found = RunFolder(folder / run.name)
    if not (found.path / CONFIG).exists():
        return "failed before" if found.failed else "to do"
    if found.identity != run.identity:
        return "to do; replaces another"
    if found.finished:
        return "finished"
    return "failed before" if found.failed else "interrupted"


def seconds_left(runs: Sequence[Run], folder: Path, *, jobs: int) -> float | None:
    """Estimates how long the runs that are not finished will take, in seconds, or None where nothing is known.

    A run takes what the finished runs of its function took for their weight, or if there is none, what all took.

    Args:
        runs: the plan.
        folder: the plan's.
        jobs: how many runs go on at a time.
    """
    finished = {run.name: RunFolder(folder / run.name).result()["seconds"] for run in runs if run.finished(folder)}
    left = [run for run in runs if run.name not in finished]
    if not left:
        return 0.0
    seconds: defaultdict[object, float] = defaultdict(float)
    weights: defaultdict[object, float] = defaultdict(float)
    for run in runs:
        for group in (run.function, "all") if run.name in finished else ():
            seconds[group] += finished[run.name]
            weights[group] += run.weight
    if not finished:
        return None
    groups = [(run.weight, run.function if run.function in seconds else "all") for run in left]
    return sum(weight * seconds[group] / weights[group] for weight, group in groups) / min(jobs, len(left))


def print_plan(runs: Sequence[Run], folder: Path, *, jobs: int, console: Console) -> None:
    """Prints the table of runs and the time left."""
    table = Table("run", "identity", "tokens", "weight", "state", box=box.SIMPLE_HEAD, pad_edge=False)
    for run in runs:
        tokens = run.config.get("settings", {}).get("tokens")
        written = "" if tokens is None else f"{tokens:,}"
        table.add_row(run.name, run.identity[:SHOWN], written, f"{run.weight:,g}", state(run, folder))
    console.print(table)
    done = sum(run.finished(folder) for run in runs)
    console.print(f"{done} of {len(runs)} finished; {_time(seconds_left(runs, folder, jobs=jobs), jobs)}")


def _time(seconds: float | None, jobs: int) -> str:
    if seconds is None:
        return "how long they take is known when one is finished"
    at_a_time = f"with {jobs} at a time"
    return f"about {seconds / 60:,.0f} min left, {at_a_time}" if seconds >= 60 else f"{seconds:.0f} s left, {at_a_time}"
