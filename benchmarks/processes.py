"""Workers that are processes of this machine, one for each run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.results import LOG, RunFolder
from benchmarks.runner import News, Run, Workers

START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
"""How processes are started: elsewhere, forks of a process that has such libraries in it are not safe."""

PRELOADED = (
    "stable_baselines3",
    "sb3_contrib",
    "transformers.models.auto.modeling_auto",
    "transformers.models.gpt2.modeling_gpt2",
)
"""What most runs import and takes seconds: a server imports it once, and runs are forks of it.

Nothing of ours, and nothing that starts threads or CUDA: the server looks first in the folder it is started in, where
there may be other packages with the names of ours.
"""


def cores() -> int:
    """Returns with how many threads all runs together may compute: OMP_NUM_THREADS, or the cores given to us."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes(Workers):
    """Runs in processes of this machine.

    Args:
        jobs: how many go on at a time; each computes with its share of `cores()` threads.

    Raises:
        ValueError: if there is none.
    """

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {jobs}")
        self.jobs = jobs
        self.active: list[RunProcess] = []

    def has_room(self) -> bool:
        return len(self.active) < self.jobs

    def start(self, run: Run, folder: Path, *, beside: int) -> None:
        threads = max(1, cores() // min(self.jobs, beside))
        self.active.append(RunProcess.start(run, folder, threads=threads))

    def news(self) -> list[News]:
        wait([part for one in self.active for part in (one.messages, one.process.sentinel)], timeout=0.5)
        news = [one.news() for one in self.active]
        self.active = [one for one, told in zip(self.active, news, strict=True) if not told.ended]
        return news

    def stop(self) -> None:
        for one in self.active:
            one.process.terminate()
        for one in self.active:
            one.process.join()
        self.active.clear()


@dataclass
class RunProcess:
    """One run in a process of its own.

    Attributes:
        run: the run.
        process: what does it.
        messages: what it tells of its progress.
        share: the last that it has told.
    """

    run: Run
    process: BaseProcess
    messages: Connection
    share: float = 0.0

    @classmethod
    def start(cls, run: Run, folder: Path, *, threads: int) -> RunProcess:
        """Starts a run of a plan's folder with a number of threads to compute with."""
        context: Any = multiprocessing.get_context(START_METHOD)
        if START_METHOD == "forkserver":
            _ensure_server(context)
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(run, folder / run.name, threads, sender), daemon=True)
        process.start()
        sender.close()
        return cls(run, process, receiver)

    def news(self) -> News:
        """Returns how it gets on."""
        alive = self.process.is_alive()
        with contextlib.suppress(EOFError):
            while self.messages.poll():
                self.share = self.messages.recv()
        if alive:
            return News(self.run.name, self.share)
        code = self.process.exitcode
        return News(self.run.name, self.share, ended=True, failure=f"exit code {code}" if code else "")


def _ensure_server(context: Any) -> None:
    """Starts the server that runs are forks of, if it does not run; Ctrl-C, which reaches all, is not meant for it."""
    context.set_forkserver_preload(list(PRELOADED))
    resource_tracker.ensure_running()  # starting it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which the server inherits
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(run: Run, path: Path, threads: int, messages: Connection) -> None:
    """What a process does: one run, with all it prints in the run's log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent ends its children
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = RunFolder(path)
    folder.start(run.record)
    log = os.open(path / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    try:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # for what is imported later
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(threads)
        began = time.monotonic()
        result = run.function(folder, run.config, messages.send)
        folder.finish({**result, "seconds": round(time.monotonic() - began, 1)})
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


def _end_with_parent() -> None:
    """Ends this process when its parent has ended, however that came about."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
