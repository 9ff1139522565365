"""Workers that are tasks on a Ray cluster, whose nodes need not share a disk.

The folders of the runs that a run reads go along with its task, and its own folder comes back as the task's result.
This process alone writes results, each whole or not at all, so a task that Ray repeats because its node has died leaves
nothing twice. Every node needs the same packages installed.
"""

from __future__ import annotations

import io
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import tarfile
import tempfile
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from benchmarks.processes import RunProcess
from benchmarks.results import CONFIG, LOG, RunFolder
from benchmarks.runner import News, Run, Workers


class RayTasks(Workers):
    """Runs as tasks of a Ray cluster, which starts as many at a time as it has room for.

    Args:
        address: the cluster's, as `ray.init` takes it, or `"local"` for one of this machine that ends with the plan.
        num_cpus: how many CPUs a run needs; it computes with as many threads.
        num_gpus: how many GPUs a run needs; it sees no others.
        max_retries: how often a run is started anew when its node has died. One that fails by itself is not.

    Raises:
        ValueError: if Ray is not installed, or a number is out of its range.
        ConnectionError: if there is no cluster at the address, or it does not let us in.
    """

    def __init__(self, address: str, *, num_cpus: float = 1.0, num_gpus: float = 0.0, max_retries: int = 3) -> None:
        if num_cpus <= 0 or num_gpus < 0 or max_retries < 0:
            given = f"got num_cpus={num_cpus}, num_gpus={num_gpus}, max_retries={max_retries}"
            raise ValueError(f"a run needs some CPU, and no negative number of GPUs or retries, {given}")
        if address == "local":  # before Ray is imported, which reads these
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # else whoever reaches its ports can run code
            if "RAY_AUTH_TOKEN_PATH" not in os.environ:
                os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ValueError('a Ray cluster needs Ray: pip install "textgym[ray]"') from error
        self.ray = ray
        try:
            if re.fullmatch(r"[^/]+:\d+", address):  # Ray itself would try for minutes
                host, _, port = address.rpartition(":")
                socket.create_connection((host, int(port)), timeout=10).close()
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # of any kind, and bare ones among them
            raise ConnectionError(f"no Ray cluster at {address}: {error}") from error
        self.threads = max(1, int(num_cpus))
        self.needs = {"num_cpus": num_cpus, "num_gpus": num_gpus, "max_retries": max_retries}
        self.task = ray.remote(_task)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        self.board = ray.remote(_Board).options(num_cpus=0, scheduling_strategy=here).remote()
        self.pending: dict[Any, tuple[Run, Path]] = {}
        self.packed: dict[str, Any] = {}

    def has_room(self) -> bool:
        return True

    def start(self, run: Run, folder: Path, *, beside: int) -> None:
        for name in run.after:
            if name not in self.packed:
                self.packed[name] = self.ray.put(pack(folder / name))
        files = {name: self.packed[name] for name in run.after}
        own = RunFolder(folder / run.name)
        if (own.path / CONFIG).exists() and own.identity == run.identity:  # what an interrupted one has left
            files[run.name] = self.ray.put(pack(own.path))
        task = self.task.options(name=run.name, **self.needs)
        result = task.remote(run, self.threads, self.board, list(files), *files.values())
        self.pending[result] = (run, folder)

    def news(self) -> list[News]:
        results = list(self.pending)
        self.ray.wait(results, timeout=0.5)
        ended, _ = self.ray.wait(results, num_returns=len(results), timeout=0)
        try:
            shares = self.ray.get(self.board.shares.remote(), timeout=5)
        except self.ray.exceptions.RayError:
            shares = {}
        under_way = {run.name for result, (run, _) in self.pending.items() if result not in ended}
        news = [News(name, share) for name, share in shares.items() if name in under_way]
        return news + [self._ended(result, *self.pending.pop(result)) for result in ended]

    def _ended(self, result: Any, run: Run, folder: Path) -> News:
        try:
            failure, packed = self.ray.get(result)
        except self.ray.exceptions.TaskCancelledError:  # before it began
            return News(run.name, ended=True, failure=CANCELLED)
        except self.ray.exceptions.RayError as error:  # what happened to the task itself, not to the run in it
            place = folder / run.name
            place.mkdir(parents=True, exist_ok=True)
            (place / LOG).write_text(str(error), encoding="utf-8")
            return News(run.name, ended=True, failure=type(error).__name__)
        unpack(packed, folder / run.name)
        return News(run.name, ended=True, failure=failure)

    def stop(self) -> None:
        for result in self.pending:
            self.ray.cancel(result)
        if self.pending:
            ended, _ = self.ray.wait(list(self.pending), num_returns=len(self.pending), timeout=10)
            for result in ended:
                self._ended(result, *self.pending[result])
        self.pending.clear()
        self.ray.shutdown()


CANCELLED = "cancelled"


class _Board:
    """An actor on which tasks write how much they have done."""

    def __init__(self) -> None:
        self.known: dict[str, float] = {}

    def tell(self, name: str, share: float) -> None:
        self.known[name] = share

    def shares(self) -> dict[str, float]:
        return self.known


def _task(run: Run, threads: int, board: Any, names: list[str], *files: bytes) -> tuple[str, bytes]:
    """What a task does: one run in a process of its own; returns why it failed, empty if it did not, and its folder."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as where a script has started the cluster in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # by which Ray cancels a task
    with tempfile.TemporaryDirectory(prefix="textgym-") as place:
        folder = Path(place)
        for name, packed in zip(names, files, strict=True):
            unpack(packed, folder / name)
        one = RunProcess.start(run, folder, threads=threads)
        try:
            while not (news := one.news()).ended:
                board.tell.remote(run.name, news.share)
                wait([one.process.sentinel], timeout=0.5)
        except KeyboardInterrupt:  # what it has done so far comes back, to go on from
            news = News(run.name, ended=True, failure=CANCELLED)
        finally:  # a task that is cancelled takes its process with it
            one.process.terminate()
            one.process.join()
        return news.failure, pack(folder / run.name)


def pack(folder: Path) -> bytes:
    """Returns a folder as an archive, `config.json` last: what is unpacked in part is no run."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        paths = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
        for path in sorted(paths, key=lambda path: (path == folder / CONFIG, path)):
            archive.add(path, path.relative_to(folder).as_posix())
    return packed.getvalue()


def unpack(packed: bytes, folder: Path) -> None:
    """Puts a folder that was packed in the place of one, whole or not at all."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(partial, filter="data")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
