"""What a plan would do is said without doing it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.outlook import print_plan, seconds_left, state
from benchmarks.results import RunFolder
from benchmarks.runner import Run


def slow(*_: object) -> dict[str, object]:
    raise AssertionError("nothing is run")


def fast(*_: object) -> dict[str, object]:
    raise AssertionError("nothing is run")


def finished(folder: Path, run: Run, seconds: float) -> None:
    place = RunFolder(folder / run.name)
    place.start(run.record)
    place.finish({"seconds": seconds})


RUNS = [
    Run("slow-0", slow, {"seed": 0, "settings": {"tokens": 12_000}}, weight=2.0),
    Run("slow-1", slow, {"seed": 1}, weight=3.0),
    Run("fast-0", fast, {"seed": 0}),
    Run("fast-1", fast, {"seed": 1}),
]


def test_the_state_of_every_run(tmp_path: Path) -> None:
    assert {state(run, tmp_path) for run in RUNS} == {"to do"}
    finished(tmp_path, RUNS[0], 10.0)
    RunFolder(tmp_path / "slow-1").start(RUNS[1].record)
    RunFolder(tmp_path / "fast-0").start(RUNS[2].record)
    RunFolder(tmp_path / "fast-0").fail("exit code 9")
    finished(tmp_path, Run("fast-1", fast, {"seed": 7}), 1.0)
    expected = ["finished", "interrupted", "failed before", "to do; replaces another"]
    assert [state(run, tmp_path) for run in RUNS] == expected
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_plan(RUNS, tmp_path, jobs=2, console=console)
    told = console.export_text()
    assert all(text in told for text in (RUNS[0].identity[:12], "12,000", *expected))
    assert "1 of 4 finished; 12 s left, with 2 at a time" in told  # (3 + 1 + 1) * 10 / 2 seconds, two at a time


def test_the_time_left_comes_from_the_runs_of_the_same_function(tmp_path: Path) -> None:
    assert seconds_left(RUNS, tmp_path, jobs=2) is None
    finished(tmp_path, RUNS[0], 10.0)
    assert seconds_left(RUNS, tmp_path, jobs=1) == pytest.approx((3 + 1 + 1) * 10 / 2)
    finished(tmp_path, RUNS[2], 1.0)
    assert seconds_left(RUNS, tmp_path, jobs=1) == pytest.approx(3 * 10 / 2 + 1 * 1 / 1)
    assert seconds_left(RUNS, tmp_path, jobs=8) == pytest.approx((3 * 10 / 2 + 1) / 2)  # two runs take two jobs
    finished(tmp_path, RUNS[1], 1.0)
    finished(tmp_path, RUNS[3], 1.0)
    assert seconds_left(RUNS, tmp_path, jobs=1) == 0.0
