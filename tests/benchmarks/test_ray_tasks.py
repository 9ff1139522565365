"""The same plan on a Ray cluster: the same results, also when a node dies, and each written once."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from benchmarks.processes import Processes
from benchmarks.ray_tasks import RayTasks, pack, unpack
from benchmarks.results import RunFolder
from benchmarks.runner import Run, execute
from tests.benchmarks.test_runner import running, until

JOBS = """
import os, time
from pathlib import Path
from benchmarks.results import RunFolder

def wait(folder, config, tell):
    '''Notes who runs it, waits for the gate, and leaves a file that others read.'''
    if "notes" in config:
        with open(config["notes"], "a") as notes:
            notes.write(f"{folder.name} {os.getpid()}\\n")
    tell(0.5)
    while "gate" in config and not Path(config["gate"]).exists():
        time.sleep(0.1)
        tell(0.5)
    folder.log({"timesteps": config["x"]})
    (folder.path / "model").mkdir()
    (folder.path / "model" / "weights").write_bytes(bytes([config["x"]]) * 300_000)
    return {"doubled": 2 * config["x"]}

def add(folder, config, tell):
    others = [RunFolder(folder.path.parent / name) for name in config["names"]]
    sizes = [len((other.path / "model" / "weights").read_bytes()) for other in others]
    return {"sum": sum(other.result()["doubled"] for other in others), "sizes": sizes}

def fail(folder, config, tell):
    raise RuntimeError("no such luck")
"""


@pytest.fixture(scope="module")
def jobs() -> Iterator[ModuleType]:
    """A module that workers can import."""
    folder = tempfile.mkdtemp()
    (Path(folder) / "ray_jobs_of_a_test.py").write_text(JOBS)
    sys.path.insert(0, folder)
    import ray_jobs_of_a_test  # type: ignore[import-not-found]

    yield ray_jobs_of_a_test
    sys.path.remove(folder)
    shutil.rmtree(folder)


def plan(jobs: ModuleType, **more: Any) -> list[Run]:
    return [
        Run("a", jobs.wait, {"x": 1, **more}),
        Run("b", jobs.wait, {"x": 2, **more}),
        Run("sum", jobs.add, {"names": ["a", "b"]}, after=("a", "b")),
        Run("bad", jobs.fail),
        Run("unfed", jobs.add, {"names": ["bad"]}, after=("bad",)),
    ]


FAILURES = {"bad": "exit code 1", "unfed": "not started: it reads bad, which failed"}


def test_a_folder_comes_out_as_it_was_packed_with_the_configuration_last(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "run")
    folder.start({"seed": 1})
    (folder.path / "model").mkdir()
    (folder.path / "model" / "config.json").write_text("{}")
    folder.log({"timesteps": 1})
    folder.finish({"score": 1})
    packed = pack(folder.path)
    assert packed.rfind(b"config.json") > packed.rfind(b"result.json") > packed.find(b"metrics.jsonl")
    (tmp_path / "b" / "run").mkdir(parents=True)
    (tmp_path / "b" / "run" / "old").touch()
    unpack(packed, tmp_path / "b" / "run")
    other = RunFolder(tmp_path / "b" / "run")
    assert (other.identity, other.metrics(), other.result()) == (folder.identity, [{"timesteps": 1}], {"score": 1})
    assert sorted(path.name for path in other.path.iterdir()) == [
        "config.json",
        "metrics.jsonl",
        "model",
        "result.json",
    ]
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["run"]


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r'pip install "textgym\[ray\]"'):
        RayTasks("local")
    with pytest.raises(ValueError, match=r"needs some CPU, .* got num_cpus=0, num_gpus=0.0"):
        RayTasks("local", num_cpus=0)


class Cluster:
    """Two nodes of one CPU each on this machine, that meet at its own address."""

    def __init__(self) -> None:
        self.place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short, since sockets lie below it
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.connect(("192.0.2.1", 9))  # sends nothing: it finds out which address others would see
        host = probe.getsockname()[0]
        with socket.socket() as free:
            free.bind((host, 0))
            self.address = f"{host}:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self.head = self.start("--head", f"--port={port}", f"--temp-dir={self.place}", "--include-dashboard=false")
        until(lambda: self.answers(host, int(port)))
        self.other = self.start(f"--address={self.address}")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        call = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1", *arguments]
        return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def answers(host: str, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, port)) == 0

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """Ends a node and all that it started, by their ids, as a power cut would."""
        for process in [node.pid, *below(node.pid)]:
            if running(process):
                os.kill(process, signal.SIGKILL)
        node.wait()

    def end(self) -> None:
        for node in (self.other, self.head):
            self.kill(node)
        shutil.rmtree(self.place, ignore_errors=True)


def below(process: int) -> list[int]:
    """Returns the ids of all processes that a process has started, directly or not."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        made = Cluster()
        try:
            yield made
        finally:
            made.end()


def notes_of(path: Path) -> list[tuple[str, int]]:
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [(name, int(process)) for name, process in (line.split() for line in lines)]


def in_background(function: Any) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_ctrl_c_ends_what_runs_on_the_cluster(tmp_path: Path, jobs: ModuleType, cluster: Cluster) -> None:
    notes = tmp_path / "notes"

    def interrupt() -> None:
        until(lambda: bool(notes_of(notes)))
        os.kill(os.getpid(), signal.SIGINT)

    runs = [Run("endless", jobs.wait, {"x": 1, "notes": str(notes), "gate": str(tmp_path / "never")})]
    workers = RayTasks(cluster.address)
    thread = in_background(interrupt)
    with pytest.raises(KeyboardInterrupt):
        execute(runs, tmp_path / "runs", workers=workers, console=Console(file=StringIO()), title="test")
    thread.join()
    until(lambda: not any(running(process) for _, process in notes_of(notes)))
    assert not runs[0].finished(tmp_path / "runs")


@pytest.mark.slow
def test_a_node_dies_and_the_results_are_those_of_processes(tmp_path: Path, jobs: ModuleType, cluster: Cluster) -> None:
    notes, gate, out = tmp_path / "notes", tmp_path / "gate", StringIO()
    workers = RayTasks(cluster.address)
    until(lambda: sum(node["Alive"] for node in workers.ray.nodes()) == 2)
    lost: list[str] = []

    def cut_power() -> None:
        until(lambda: {name for name, _ in notes_of(notes)} == {"a", "b"}, seconds=300)
        gone = below(cluster.other.pid)
        lost.extend(name for name, process in notes_of(notes) if process in gone)
        cluster.kill(cluster.other)
        gate.touch()

    thread = in_background(cut_power)
    runs = plan(jobs, notes=str(notes), gate=str(gate))
    failed = execute(runs, tmp_path / "ray", workers=workers, console=Console(file=out, width=200), title="test")
    thread.join()
    assert failed == FAILURES
    assert len(lost) == 1  # one run was on the node that died, and was started once more
    assert sorted(name for name, _ in notes_of(notes)) == sorted(["a", "b", *lost])
    assert "RuntimeError: no such luck" in out.getvalue()

    console = Console(file=StringIO())
    assert execute(runs, tmp_path / "here", workers=Processes(2), console=console, title="test") == FAILURES
    for name in ("a", "b", "sum"):
        one, other = (RunFolder(tmp_path / place / name) for place in ("ray", "here"))
        results = [{key: value for key, value in run.result().items() if key != "seconds"} for run in (one, other)]
        assert results[0] == results[1]
        assert (one.identity, one.config(), one.metrics()) == (other.identity, other.config(), other.metrics())
        assert contents(one.path) == contents(other.path)
    assert RunFolder(tmp_path / "ray" / "sum").result()["sum"] == 6
    assert not list(tmp_path.rglob("*.partial"))


def contents(folder: Path) -> dict[str, bytes]:
    """Returns all files of a run, but for the time that it took."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "result.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_no_cluster_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with pytest.raises(ConnectionError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        RayTasks("127.0.0.1:1")
