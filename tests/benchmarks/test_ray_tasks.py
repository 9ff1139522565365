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
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.processes import Processes
from benchmarks.ray_tasks import RayTasks, pack, unpack
from benchmarks.results import RunFolder, finished_runs
from benchmarks.runner import Run, execute
from tests.benchmarks.test_runner import running, until

JOBS = """
import os, time
from pathlib import Path
from benchmarks.results import RunFolder, finished_runs

def wait(folder, config, tell):
    '''Notes who runs it, waits for the gate, and leaves a file that others read.'''
    if "notes" in config:
        with open(config["notes"], "a") as notes:
            notes.write(f"{folder.name} {os.getpid()}\\n")
    tell(0.5)
    folder.checkpoints.mkdir()
    (folder.checkpoints / "half").write_text("way")
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


def test_no_cluster_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("no token")

    ray = ModuleType("ray")
    ray.init = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(ConnectionError, match="no Ray cluster at auto: no token"):
        RayTasks("auto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = CliRunner().invoke(app, ["benchmark", "diagnostics", "--ray", f"127.0.0.1:{port}"])
    assert told.exit_code == 2
    assert told.stderr.startswith(f"textgym: no Ray cluster at 127.0.0.1:{port}: ")
    assert told.stderr.count("\n") == 1


class Node:
    """A node of one CPU; all of its processes carry a mark in their environment, by which they are found.

    Ray gives a node half a minute to start, which a busy machine may need several times.
    """

    def __init__(self, place: Path, *arguments: str) -> None:
        call = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1", *arguments]
        for _ in range(5):
            identity = secrets.token_hex(8)
            self.mark, self.output = f"TEXTGYM_NODE={identity}", place / f"{identity}.log"
            with self.output.open("w") as log:
                environment = {**os.environ, "TEXTGYM_NODE": identity}
                self.process = subprocess.Popen(call, env=environment, stdout=log, stderr=log)
            until(lambda: self.started() or self.process.poll() is not None)
            if self.started():
                return
            self.kill()
        raise RuntimeError(f"the node did not start: {self.output.read_text()}")

    def started(self) -> bool:
        return "Ray runtime started" in self.output.read_text()

    def processes(self) -> list[int]:
        """Returns the ids of all processes of this node."""
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark.encode() in environment.read_bytes().split(b"\0"):
                    found.append(int(environment.parent.name))
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
        return found

    def kill(self) -> None:
        """Ends all processes of this node at once, by their ids, as a power cut would."""
        while alive := [process for process in self.processes() if running(process)]:
            for process in alive:
                os.kill(process, signal.SIGKILL)
        self.process.wait()


class Cluster:
    """Two nodes on this machine, that meet at its own address."""

    def __init__(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short, since sockets lie below it
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it finds out which address others would see
            host = probe.getsockname()[0]
        with socket.socket() as free:
            free.bind((host, 0))
            port = free.getsockname()[1]
        self.address = f"{host}:{port}"
        self.nodes: list[Node] = []
        places = (f"--port={port}", f"--temp-dir={self.place}", "--include-dashboard=false")
        self.nodes.append(Node(self.place, "--head", *places))
        self.nodes.append(Node(self.place, f"--address={self.address}"))

    def end(self) -> None:
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.place, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(jobs: ModuleType) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        packages = (Path(__file__).parents[2], Path(str(jobs.__file__)).parent)  # what each node has installed
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, packages)))
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        made = Cluster()
        yield made
        made.end()


def notes_of(path: Path) -> list[tuple[str, int]]:
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [(name, int(process)) for name, process in (line.split() for line in lines)]


def in_background(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_ctrl_c_ends_what_runs_on_the_cluster_and_brings_home_how_far_it_came(
    tmp_path: Path, jobs: ModuleType, cluster: Cluster
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it runs in the background
    notes = tmp_path / "notes"

    def interrupt() -> None:
        until(lambda: bool(notes_of(notes)))
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    runs = [Run("endless", jobs.wait, {"x": 1, "notes": str(notes), "gate": str(tmp_path / "never")})]
    workers = RayTasks(cluster.address)
    thread = in_background(interrupt)
    with pytest.raises(KeyboardInterrupt):
        execute(runs, tmp_path / "runs", workers=workers, console=Console(), title="test")
    thread.join()
    until(lambda: not any(running(process) for _, process in notes_of(notes)))
    assert not runs[0].finished(tmp_path / "runs")
    left = RunFolder(tmp_path / "runs" / "endless")
    assert left.identity == runs[0].identity
    assert (left.checkpoints / "half").read_text() == "way"


@pytest.mark.slow
def test_a_suite_runs_on_a_cluster_that_the_command_starts(tmp_path: Path) -> None:
    call = [
        sys.executable,
        "-m",
        "benchmarks",
        "benchmark",
        "quick",
        "--quick",
        "--algorithms=reinforce",
        "--ray=local",
    ]
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()  # in which nobody has left a token
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    environment["HOME"] = str(home)
    told = subprocess.run([*call, f"--out={out}"], env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert len(finished_runs(out)) == 4  # two problems, random tokens beside the learner
    assert (out / "report.html").exists()


@pytest.mark.slow
def test_a_node_dies_and_the_results_are_those_of_processes(tmp_path: Path, jobs: ModuleType, cluster: Cluster) -> None:
    notes, gate, out = tmp_path / "notes", tmp_path / "gate", StringIO()
    workers = RayTasks(cluster.address)
    until(lambda: sum(node["Alive"] for node in workers.ray.nodes()) == 2)
    lost: list[str] = []

    def cut_power() -> None:
        until(lambda: {name for name, _ in notes_of(notes)} == {"a", "b"}, seconds=300)
        gone = cluster.nodes[1].processes()
        lost.extend(name for name, process in notes_of(notes) if process in gone)
        cluster.nodes[1].kill()
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
