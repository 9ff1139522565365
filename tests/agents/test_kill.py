"""Real processes are killed at random moments, and at each step of writing a checkpoint, and end like one that was not.

Run as a program, `python tests/agents/test_kill.py 30`, it prints what became of so many kills.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ALGORITHMS = ("ppo", "maskable_ppo", "a2c", "trpo", "reinforce", "grpo", "self_training")
EVERY, TOKENS, ROWS = 2, 480, 8
CONFIG: dict[str, Any] = {"fingerprint": "none", "seed": 0}
SETTINGS: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 10, "batch_size": 40},
    "maskable_ppo": {"n_steps": 10, "batch_size": 40},
    "a2c": {"n_steps": 5, "learning_rate": [1e-3, 0.0]},
    "trpo": {"n_steps": 10, "n_critic_updates": 2},
    "reinforce": {"n_steps": 4, "guidance": [0.5, 0.0]},
    "grpo": {"n_steps": 10, "kl_coef": 0.1, "kl_target": 0.05},
    "self_training": {"n_steps": 10},
}
ENVIRONMENT: dict[str, Any] = {
    "length": 3,
    "size": 60,
    "feedback": [
        {"name": "rating", "metric": "token_match", "readings": 2, "pool": {"size": 3, "bias": 0.2}},
        {"name": "demonstration", "weight": 0.0},
    ],
    "noise": [{"name": "drift", "tau": 0.1}],
}
FAULTS = (*range(1, 13), 10, 11, 1)
"""Writing a checkpoint takes nine file operations; the tenth and the eleventh rename and remove an old one, and what a
kill between these two leaves is removed by the first of the next process."""
PHASES = ("start", "rollout", "update", "writing", "finishing")


# --- the process that is killed


def work(path: Path, algorithm: str, fault: int) -> None:
    """Trains, or goes on, in a run's folder; tells its phases in a file beside it, and dies at a file operation."""
    from agents import checkpoint
    from agents.state import files
    from benchmarks.learners import LEARNERS
    from benchmarks.results import RunFolder
    from benchmarks.training import train

    phase = _Phase(path.with_suffix(".phase"))
    for stream in (1, 2):
        os.dup2(os.open(path.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    if fault:
        _die_at(fault, files)
    newest = checkpoint.newest_checkpoint(path / "checkpoints")
    path.with_suffix(".from").write_text("" if newest is None else str(checkpoint.timesteps_of(newest)))
    write = checkpoint.write_state
    checkpoint.write_state = phase.during("writing", write)
    checkpoint.remove_state = phase.during("writing", checkpoint.remove_state)
    learner = LEARNERS[algorithm].func
    learner.train = phase.during("update", learner.train)
    learner.collect_rollouts = phase.during("rollout", learner.collect_rollouts)
    learner.learn = phase.during("start", learner.learn)
    folder = RunFolder(path)
    folder.start(CONFIG)
    model = train(
        folder, learner=algorithm, env_id="textgym/Copy-v0", tokens=TOKENS, rows=ROWS, seed=0, every=EVERY,
        model={"model_type": "gpt2", "n_layer": 1, "n_embd": 32, "n_head": 2}, settings=SETTINGS[algorithm],
        env_kwargs=ENVIRONMENT,
    )  # fmt: skip
    phase.tell("finishing")
    checkpoint.write_state = write
    with tempfile.TemporaryDirectory() as place:
        state = files.read_state(checkpoint.save_checkpoint(model, place))
    for episode in state["episodes"]["ep_info_buffer"]:
        del episode["t"]  # the clock's
    state["run"]["arguments"].pop("ent_coef", None)  # a callback's, which sets it anew before each rollout
    folder.finish(
        {"metrics": _digest((path / "metrics.jsonl").read_bytes())} | {k: _digest(v) for k, v in state.items()}
    )


class _Phase:
    """Says in a file what the process is doing, for the table."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.tell("start")

    def tell(self, phase: str) -> None:
        os.pwrite(self.file, f"{phase:<12}".encode(), 0)
        self.now = phase

    def during(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def told(*arguments: Any, **others: Any) -> Any:
            before = self.now
            self.tell(phase)
            try:
                return function(*arguments, **others)
            finally:
                self.tell(before)

        return told


def _die_at(fault: int, state_files: Any) -> None:
    """Kills this process before its file operation of that number, of those that write and remove checkpoints."""
    count = 0

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **others: Any) -> Any:
            nonlocal count
            count += 1
            if count == fault:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **others)

        return operation

    class Files:
        def __init__(self, module: Any, *names: str) -> None:
            self.module = module
            for name in names:
                setattr(self, name, dying(getattr(module, name)))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.module, name)

    state_files.os = Files(state_files.os, "fsync", "rename")
    state_files.shutil = Files(state_files.shutil, "rmtree")
    state_files.np = Files(state_files.np, "savez")
    state_files.save_file = dying(state_files.save_file)


def _digest(value: Any) -> str:
    """A number that tells two values apart: each part, its type, and all its bits."""
    found = hashlib.sha256()

    def take(part: Any) -> None:
        found.update(type(part).__name__.encode())
        if isinstance(part, dict):
            for key in part:
                take(str(key)), take(part[key])
        elif isinstance(part, list | tuple):
            for one in part:
                take(one)
        elif hasattr(part, "numpy"):
            take(part.numpy())
        elif hasattr(part, "tobytes"):
            found.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        else:
            found.update(part if isinstance(part, bytes) else repr(part).encode())

    take(value)
    return found.hexdigest()


# --- the one that kills it


@dataclass
class Kills:
    """What became of one run that was killed again and again.

    Attributes:
        algorithm: what was trained.
        phases: what it was doing at each kill.
        resumed: after how many timesteps each restart went on; None from nothing.
        different: which parts of what it left differ from an uninterrupted run's.
    """

    algorithm: str
    phases: list[str]
    resumed: list[int | None]
    different: list[str]


def start(path: Path, algorithm: str, fault: int = 0) -> BaseProcess:
    """Starts a process of its own, forked from one that has imported what it needs and done nothing else."""
    path.with_suffix(".phase").unlink(missing_ok=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.training", "torch._dynamo", "transformers.models.gpt2.modeling_gpt2"])
    process = context.Process(target=work, args=(path, algorithm, fault), daemon=True)
    process.start()
    return process


def finish(process: BaseProcess, path: Path) -> dict[str, Any]:
    process.join(600)
    assert process.exitcode == 0, path.with_suffix(".log").read_text()
    result: dict[str, Any] = json.loads((path / "result.json").read_text())
    return result


def whole_run(folder: Path, algorithm: str) -> tuple[dict[str, Any], float]:
    """Returns what an uninterrupted run leaves, and after how many seconds its first rollout began."""
    path, began = folder / f"{algorithm}-whole", time.monotonic()
    process = start(path, algorithm)
    while process.is_alive() and _phase(path) == "start":
        time.sleep(0.002)
    beginning = time.monotonic() - began
    return finish(process, path), beginning


def _phase(path: Path) -> str:
    told = path.with_suffix(".phase")
    return (told.read_text().strip() if told.exists() else "") or "start"


def kill_often(folder: Path, algorithm: str, wanted: list[str], generator: random.Random) -> Kills:
    """Kills a run in each of the wanted phases, some random time after it is in it; then lets it end."""
    whole, beginning = whole_run(folder, algorithm)
    path = folder / f"{algorithm}-killed"
    found = Kills(algorithm, [], [], [])
    while len(found.phases) < len(wanted):
        phase, before = wanted[len(found.phases)], ""
        skipped = 0 if phase in ("start", "finishing") else generator.randrange(4)
        process = start(path, algorithm)
        while process.is_alive():
            now = _phase(path)
            skipped -= now == phase != before
            before = now
            if now == phase and skipped < 0:
                time.sleep(generator.random() * (beginning if phase == "start" else 0.02))
                break
            time.sleep(0.002)
        process.kill()
        _note(process, path, found)
    result = finish(start(path, algorithm), path)
    found.resumed.append(_resumed(path))
    found.different = [name for name in whole if result[name] != whole[name]]
    return found


def kill_at_operations(folder: Path, algorithm: str, faults: Sequence[int]) -> Kills:
    """Kills a run before the file operations of these numbers in turn, each time going on with what is there."""
    whole, _ = whole_run(folder, algorithm)
    path = folder / f"{algorithm}-faults"
    found = Kills(algorithm, [], [], [])
    for fault in faults:
        _note(start(path, algorithm, fault), path, found)
    result = finish(start(path, algorithm), path)
    found.resumed.append(_resumed(path))
    found.different = [name for name in whole if result[name] != whole[name]]
    return found


def _note(process: BaseProcess, path: Path, found: Kills) -> None:
    """Waits for the end of a process; notes where it was if it was killed and had not ended before."""
    process.join(600)
    if process.exitcode == -signal.SIGKILL:
        found.phases.append(_phase(path))
        found.resumed.append(_resumed(path))
    else:
        assert process.exitcode == 0, path.with_suffix(".log").read_text()


def _resumed(path: Path) -> int | None:
    told = path.with_suffix(".from")
    return int(told.read_text()) if told.exists() and told.read_text() else None


def survey(count: int, folder: Path, seed: int = 0) -> list[Kills]:
    """Spreads kills over algorithms and phases, and returns what became of them."""
    generator, found = random.Random(seed), []
    for number, algorithm in enumerate(ALGORITHMS):
        kills = count // len(ALGORITHMS) + (number < count % len(ALGORITHMS))
        cycle = [PHASES[(place + number) % (len(PHASES) - 1)] for place in range(kills - 1)]
        generator.shuffle(cycle)  # what is finishing comes last: nothing is left to kill after it
        found.append(kill_often(folder, algorithm, [*cycle, "finishing"][:kills], generator))
    return found


def table(found: list[Kills]) -> str:
    """The survey as text."""
    lines = [f"{'algorithm':<14}{'kills':>6}  {'fell in':<60}{'went on from step':<48}the same"]
    for one in found:
        places = ", ".join(f"{phase} {n}" for phase in PHASES if (n := one.phases.count(phase)))
        steps = ", ".join("-" if step is None else str(step) for step in one.resumed[1:])
        same = "no: " + ", ".join(one.different) if one.different else "yes"
        lines.append(f"{one.algorithm:<14}{len(one.phases):>6}  {places:<60}{steps:<48}{same}")
    lines.append(f"{'all':<14}{sum(len(one.phases) for one in found):>6}")
    return "\n".join(lines)


@pytest.mark.slow
def test_thirty_kills_change_nothing(tmp_path: Path) -> None:
    found = survey(30, tmp_path)
    print(table(found))
    assert all(not one.different for one in found), table(found)
    assert sum(len(one.phases) for one in found) == 30
    assert {phase for one in found for phase in one.phases} == set(PHASES)


@pytest.mark.slow
def test_a_kill_before_any_file_operation_changes_nothing(tmp_path: Path) -> None:
    found = kill_at_operations(tmp_path, "reinforce", FAULTS)
    print(table([found]))
    assert not found.different
    assert len(found.phases) == len(FAULTS)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as place:
        print(table(survey(int(sys.argv[1]), Path(place))), flush=True)
        print(table([kill_at_operations(Path(place), "reinforce", FAULTS)]))
