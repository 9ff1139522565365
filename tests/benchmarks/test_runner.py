"""A plan goes on past failures, is never run twice, and leaves everything written when it is stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from benchmarks.processes import PRELOADED, Processes, cores
from benchmarks.results import RunFolder
from benchmarks.runner import Run, ancestors, execute, runs_beside

JOBS = """
import os, signal, time
from rich.console import Console
from benchmarks.processes import Processes
from benchmarks.results import RunFolder
from benchmarks.runner import Run, execute

def double(folder, config, tell):
    folder.log({"timesteps": 1})
    tell(0.5)
    print("doubling")
    return {"doubled": 2 * config["x"]}

def add(folder, config, tell):
    names = config["names"]
    return {"sum": sum(RunFolder(folder.path.parent / name).result()["doubled"] for name in names)}

def begin(folder, config, tell):
    import sys
    preloaded = "torch" in sys.modules
    import torch
    return {"preloaded": preloaded, "threads": torch.get_num_threads(), "process": os.getpid()}

def blocked(folder, config, tell):
    return {"blocked": [int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, ())]}

def fail(folder, config, tell):
    raise RuntimeError("no such luck [bold]")

def crash(folder, config, tell):
    os._exit(9)

def endless(folder, config, tell):
    for step in range(10_000):
        folder.log({"timesteps": step, "process": os.getpid()})  # and tells nothing, which would fail without a parent
        time.sleep(0.05)

def main(folder):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it runs in the background
    execute([Run("endless", endless)], folder, workers=Processes(1), console=Console(), title="test")
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that child processes can import."""
    (tmp_path / "jobs_of_a_test.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "jobs_of_a_test", raising=False)
    import jobs_of_a_test  # type: ignore[import-not-found]

    module: ModuleType = jobs_of_a_test
    return module


def test_a_plan_goes_on_past_failures_and_runs_nothing_twice(tmp_path: Path, jobs: ModuleType) -> None:
    out = StringIO()
    console = Console(file=out, width=200)
    runs = [
        Run("a", jobs.double, {"x": 1}),
        Run("bad", jobs.fail),
        Run("worse", jobs.crash),
        Run("b", jobs.double, {"x": 2}),
    ]
    failed = execute(runs, tmp_path, workers=Processes(2), console=console, title="test")
    assert failed == {"bad": "exit code 1", "worse": "exit code 9"}
    results = [RunFolder(tmp_path / name).result() for name in "ab"]
    assert [result["doubled"] for result in results] == [2, 4]
    assert all(0 <= result["seconds"] < 60 for result in results)
    assert (tmp_path / "a" / "log.txt").read_text() == "doubling\n"
    told = out.getvalue()
    assert "RuntimeError: no such luck [bold]" in told
    assert "worse failed (exit code 9)" in told
    assert "\x1b" not in told  # no bars and no colours outside a terminal
    progress = [line for line in told.splitlines() if line.startswith("test: ")]  # the details of failures lie between
    assert progress[-1].startswith("test: 100%")

    before = (tmp_path / "a" / "result.json").stat().st_mtime_ns
    changed = [runs[0], Run("b", jobs.double, {"x": 3})]
    assert execute(changed, tmp_path, workers=Processes(2), console=console, title="test") == {}
    assert (tmp_path / "a" / "result.json").stat().st_mtime_ns == before
    assert RunFolder(tmp_path / "b").result()["doubled"] == 6
    assert "a was finished before" in out.getvalue()


def test_a_run_waits_for_those_that_it_reads_and_is_not_started_if_one_failed(tmp_path: Path, jobs: ModuleType) -> None:
    out = StringIO()
    runs = [
        Run("sum", jobs.add, {"names": ["a", "deep/b"]}, after=("a", "deep/b")),
        Run("a", jobs.double, {"x": 1}),
        Run("deep/b", jobs.double, {"x": 2}),
        Run("bad", jobs.fail),
        Run("unfed", jobs.add, {"names": ["bad"]}, after=("bad", "a")),
        Run("unfed too", jobs.double, {"x": 3}, after=("unfed",)),
    ]
    console = Console(file=out, width=200)
    failed = execute(runs, tmp_path, workers=Processes(2), console=console, title="test")
    assert failed == {
        "bad": "exit code 1",
        "unfed": "not started: it reads bad, which failed",
        "unfed too": "not started: it reads unfed, which failed",
    }
    assert RunFolder(tmp_path / "sum").result()["sum"] == 6
    assert RunFolder(tmp_path / "bad").failed
    assert not (tmp_path / "unfed").exists()
    assert "unfed failed (not started" in out.getvalue()


@pytest.mark.parametrize(("name", "beside"), [("start", 2), ("a", 3), ("b", 3), ("sum", 2), ("alone", 5)])
def test_threads_depend_on_the_plan_alone(jobs: ModuleType, name: str, beside: int) -> None:
    runs = [
        Run("start", jobs.double),
        Run("a", jobs.double, after=("start",)),
        Run("b", jobs.double, after=("start",)),
        Run("sum", jobs.add, after=("a", "b")),
        Run("alone", jobs.double),
    ]
    assert runs_beside(name, ancestors(runs)) == beside


def test_runs_share_the_cores_that_we_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cores() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 2}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert cores() == 2
    monkeypatch.delattr("os.sched_getaffinity")
    assert cores() == 64


CALLS_OF_CUDA = """
import json, sys, threading
import torch
calls = []
for name in ("is_available", "device_count", "_lazy_init", "init", "current_device", "get_device_properties"):
    def told(*args, _name=name, _original=getattr(torch.cuda, name), **kwargs):
        calls.append(_name)
        return _original(*args, **kwargs)
    setattr(torch.cuda, name, told)
for name in sys.argv[1:]:
    __import__(name)
torch.cuda.is_available()
print(json.dumps([calls, threading.active_count(), [name for name in sys.modules if name.startswith("textgym")]]))
"""


def test_what_is_preloaded_can_be_forked(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CALLS_OF_CUDA, *PRELOADED]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert json.loads(told) == [["is_available"], 1, []]  # the call of the test itself: calls are seen


def test_runs_begin_with_the_libraries_and_with_their_own_threads(tmp_path: Path, jobs: ModuleType) -> None:
    runs = [Run(name, jobs.begin, {"name": name}) for name in ("a", "b")]
    assert execute(runs, tmp_path, workers=Processes(1), console=Console(file=StringIO()), title="test") == {}
    found = [RunFolder(tmp_path / run.name).result() for run in runs]
    assert [one["threads"] for one in found] == [cores()] * 2
    if sys.platform == "linux":
        assert all(one["preloaded"] for one in found)
        assert found[0]["process"] != found[1]["process"]


@pytest.mark.skipif(sys.platform != "linux", reason="there is a server on Linux only")
def test_ctrl_c_is_not_meant_for_the_server(tmp_path: Path, jobs: ModuleType) -> None:
    run = Run("a", jobs.blocked, {})
    assert execute([run], tmp_path, workers=Processes(1), console=Console(file=StringIO()), title="test") == {}
    assert signal.SIGINT in RunFolder(tmp_path / "a").result()["blocked"]  # a run has the mask of its server
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_identity_of_a_run_is_that_of_its_function_and_configuration(tmp_path: Path, jobs: ModuleType) -> None:
    run = Run("a", jobs.double, {"x": 1, "sizes": (1, 2)}, weight=2.0)
    assert run.identity == Run("b", jobs.double, {"sizes": [1, 2], "x": 1}).identity
    canonical = b'{"function":"jobs_of_a_test.double","sizes":[1,2],"x":1}'
    assert run.identity == hashlib.sha256(canonical).hexdigest()
    others = [Run("a", jobs.fail, run.config), Run("a", jobs.double, {**run.config, "x": 2})]
    assert len({run.identity, *(other.identity for other in others)}) == 3
    folder = RunFolder(tmp_path / "a")
    folder.start(run.record)
    assert folder.identity == run.identity
    assert folder.config()["versions"]


def test_bars_on_a_terminal(tmp_path: Path, jobs: ModuleType) -> None:
    out = StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    assert (
        execute([Run("a", jobs.double, {"x": 1})], tmp_path, workers=Processes(1), console=console, title="test") == {}
    )
    assert "100%" in out.getvalue()


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_plan_leaves_its_metrics_and_no_process(
    tmp_path: Path, jobs: ModuleType, kill: signal.Signals
) -> None:
    call = f"from jobs_of_a_test import main; main({str(tmp_path / 'runs')!r})"
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    process = subprocess.Popen(
        [sys.executable, "-c", call],
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = RunFolder(tmp_path / "runs" / "endless")
    try:
        until(lambda: len(folder.metrics()) > 2)
        if kill is signal.SIGINT:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        else:
            process.kill()
        _, told = process.communicate(timeout=60)
        child = int(folder.metrics()[0]["process"])
        until(lambda: not running(child))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whoever is left, if the test fails
    assert ("KeyboardInterrupt" in told) == (kill is signal.SIGINT)
    assert len(folder.metrics()) > 2
    assert not folder.finished


def test_bad_plans_are_refused(tmp_path: Path, jobs: ModuleType) -> None:
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        Processes(0)
    with pytest.raises(ValueError, match="different names, got a, a"):
        execute(
            [Run("a", jobs.double)] * 2, tmp_path, workers=Processes(1), console=Console(file=StringIO()), title="test"
        )
    with pytest.raises(ValueError, match="a reads b, which is not in the plan"):
        ancestors([Run("a", jobs.double, after=("b",))])
    with pytest.raises(ValueError, match="wait for each other: a, b, a"):
        ancestors([Run("a", jobs.double, after=("b",)), Run("b", jobs.double, after=("a",))])
    with pytest.raises(ValueError, match="must not have 'versions'"):
        Run("a", jobs.double, {"versions": {}})


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends between opening and reading
        return False
