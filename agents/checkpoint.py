"""Checkpoints: a run that is killed at any moment goes on from its last one, and ends as if nothing had happened.

Stable-Baselines3's own `save` and `load` keep less (neither the environment nor chance), and they use pickle, which
runs whatever code a file holds: never load one from somebody you do not trust. A checkpoint of ours is data only.
"""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, EventCallback

from agents.callbacks import check_finite
from agents.run_description import describe_run, differences
from agents.state_files import read_state, remove_partial, remove_state, write_state

KNOWN = (PPO, A2C, MaskablePPO, TRPO)
"""The algorithms of others whose state is what is named here, and their policy's and optimizer's."""

_NAME = re.compile(r"step-\d{12,}")
_COUNTERS = (
    "num_timesteps", "_total_timesteps", "_num_timesteps_at_start", "_current_progress_remaining", "_n_updates",
    "_episode_num",
)  # fmt: skip
_EPISODES = ("ep_info_buffer", "ep_success_buffer")
_PENDING = ("_last_obs", "_last_episode_starts")
_LOGGED = ("name_to_value", "name_to_count", "name_to_excluded")


@runtime_checkable
class HasTrainingState(Protocol):
    """An algorithm or a callback that holds more than what Stable-Baselines3's hold, so that a checkpoint asks it."""

    def training_state(self) -> dict[str, Any]:
        """Returns what a run needs to go on from here, between two rollouts: see `agents.state_files.write_state`."""

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restores what `training_state` returned.

        Raises:
            ValueError: if it is the state of something else.
        """


def save_checkpoint(algorithm: BaseAlgorithm, folder: str | Path, callback: BaseCallback | None = None) -> Path:
    """Writes all that a run needs to go on exactly from here, wholly or not at all.

    That is: weights, optimizer, counters and schedules' progress, the environment with its rows' texts and annotators,
    the observation that waits for an answer, what is still to be logged, the states of torch's, numpy's and Python's
    global generators, and what the algorithm and the callbacks keep by themselves.

    Args:
        algorithm: between two rollouts: before or after `learn`, or in a callback's `_on_rollout_start`.
        folder: where the checkpoints of a run go; made if it is not there.
        callback: the callbacks of `learn`. Of those that are not `HasTrainingState`, only how often they were called is
            kept.

    Returns:
        The checkpoint: a folder in `folder`, named by the number of timesteps.

    Raises:
        ValueError: if the algorithm or the environment can't be restored exactly.
        FloatingPointError: if a weight or a logged loss is not finite.
        FileExistsError: if there is a checkpoint of that timestep.
    """
    _check_kind(algorithm)
    check_finite(algorithm)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{algorithm.num_timesteps:012d}"
    write_state(path, _state_of(algorithm, callback))
    return path


def load_checkpoint(algorithm: BaseAlgorithm, folder: str | Path, callback: BaseCallback | None = None) -> int:
    """Restores a run, so that it goes on exactly from a checkpoint; with the CPU and as many threads, to the last bit.

    It is refused before anything has changed, unless an algorithm's or a callback's own state refuses.

    Args:
        algorithm: one that was made with the same arguments, on the same environment.
        folder: a checkpoint, or a folder of checkpoints, of which the newest is taken.
        callback: the callbacks, as when the checkpoint was taken; None leaves their state out.

    Returns:
        How many timesteps are left: `algorithm.learn(left, reset_num_timesteps=False)` does them.

    Raises:
        ValueError: if there is no checkpoint, it is damaged, or it belongs to another run: the message names the file
            and all that differs.
    """
    _check_kind(algorithm)
    path = Path(folder) if _NAME.fullmatch(Path(folder).name) else newest_checkpoint(folder)
    if path is None:
        raise ValueError(f"no checkpoint in {folder}")
    state = read_state(path)
    wrong = list(differences(state["run"], describe_run(algorithm)))
    if not wrong:  # else the weights may well differ, and that says less
        wrong = list(differences(_shapes(state["weights"]), _shapes(algorithm.get_parameters())))
    own = isinstance(algorithm, HasTrainingState)
    if own != ("own" in state):
        wrong.append("the algorithm's own state is " + ("missing" if own else "not expected"))
    if callback is not None:
        absent = state["callbacks"].keys() - dict(_numbered(callback))
        wrong += [f"the callback {name} is missing" for name in sorted(absent) if "state" in state["callbacks"][name]]
    if wrong:
        raise ValueError(f"{path} is of another run: {'; '.join(wrong)}")
    made_with, now = state["made_with"], _made_with(algorithm)
    if made_with != now:
        changed = "; ".join(differences(made_with, now))
        warnings.warn(f"{path}: {changed}: the run goes on, but not to the last bit as before", stacklevel=2)
    _restore(algorithm, state, callback)
    left: int = algorithm._total_timesteps - algorithm.num_timesteps
    return max(0, left)


def newest_checkpoint(folder: str | Path) -> Path | None:
    """Returns the newest checkpoint in a folder; None if there is none, or no folder."""
    found = _checkpoints(Path(folder))
    return found[-1] if found else None


def timesteps_of(checkpoint: Path) -> int:
    """Returns after how many timesteps a checkpoint was taken."""
    return int(checkpoint.name.removeprefix("step-"))


class Checkpoints(BaseCallback):
    """Takes checkpoints between updates, for PPO, A2C, MaskablePPO, TRPO and our own algorithms.

        model = PPO(TransformerPolicy, make_vec_env("textgym/Copy-v0", n_envs=32), ..., seed=0)
        model.learn(100_000, callback=Checkpoints("checkpoints", resume=True))

    The same script, started again after a kill, goes on from the newest checkpoint, and ends with the same weights. Let
    it be the first of the callbacks: what those after it do before a rollout is then done anew when a run goes on.

    The first checkpoint is taken before the first rollout, the last after the last update. Weights or logged losses
    that are not finite are never kept. Taking checkpoints changes nothing in the run.

    Args:
        folder: where they go, one folder each; a run needs a folder of its own.
        every: how many updates lie between two, at least 1; and more, up to the next at which the algorithm writes its
            log, where that is not at each.
        keep: how many of the newest are kept, at least 1.
        resume: whether to go on from the newest checkpoint, if there is one when learning begins.

    Raises:
        ValueError: if a number is out of its range, the algorithm or the environment can't be restored exactly, or the
            checkpoint is damaged or of another run.
        FileExistsError: when learning begins, if the folder holds another run's checkpoints.
        FloatingPointError: if a weight or a logged loss is not finite.
    """

    def __init__(self, folder: str | Path, *, every: int = 50, keep: int = 2, resume: bool = False) -> None:
        super().__init__()
        if every < 1 or keep < 1:
            raise ValueError(f"every and keep must be at least 1, got {every} and {keep}")
        self.folder, self.every, self.keep, self.resume = Path(folder), every, keep, resume
        self._own: set[Path] = set()

    def _on_training_start(self) -> None:
        _check_kind(self.model)
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_partial(self.folder)
        newest = newest_checkpoint(self.folder)
        if newest is not None and newest not in self._own and self.resume:
            self._go_on(newest)
        elif newest is not None and (newest not in self._own or timesteps_of(newest) > self.model.num_timesteps):
            raise FileExistsError(
                f"{self.folder} holds the checkpoints of another run: give each run a folder of its own, or go on from "
                "them with resume=True"
            )
        self._rollouts = self._since = 0
        self._writing = False

    def _go_on(self, checkpoint: Path) -> None:
        asked = self.locals["total_timesteps"]
        load_checkpoint(self.model, checkpoint, self._root)
        if self.model._total_timesteps != asked:
            raise ValueError(
                f"{checkpoint} is of a run of {self.model._total_timesteps} timesteps in all, and {asked} are asked "
                "for: ask for as many, or use load_checkpoint and learn(..., reset_num_timesteps=False)"
            )
        self._own.add(checkpoint)

    @property
    def _root(self) -> BaseCallback:
        """All callbacks of `learn`, this one among them."""
        root: BaseCallback = self.locals["callback"]
        return root

    def _on_rollout_start(self) -> None:
        logged = self._rollouts % (self.locals.get("log_interval") or 1) == 0
        if not self._own or (self._since >= self.every and logged):
            self._save()
        self._writing = True

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._writing = False
        self._rollouts += 1
        self._since += 1

    def _on_training_end(self) -> None:
        if not self._writing:  # else a callback has broken off a rollout, and there is nothing exact to keep
            self._save()

    def _save(self) -> None:
        """Takes a checkpoint, unless there is one of this timestep, and removes those that are too many."""
        self._since = 0
        newest = newest_checkpoint(self.folder)
        if newest is not None and timesteps_of(newest) == self.model.num_timesteps:
            return
        self._own.add(save_checkpoint(self.model, self.folder, self._root))
        for old in _checkpoints(self.folder)[: -self.keep]:
            remove_state(old)


def _checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, the oldest first."""
    found = folder.glob("step-*") if folder.exists() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name))


def _check_kind(algorithm: BaseAlgorithm) -> None:
    if not isinstance(algorithm, (*KNOWN, HasTrainingState)):
        known = ", ".join(kind.__name__ for kind in KNOWN)
        raise ValueError(
            f"checkpoints are for {known} and for what has training_state() and set_training_state(), "
            f"got {type(algorithm).__name__}"
        )
    environment = algorithm.get_env()
    if not hasattr(type(environment), "get_state"):  # of the class: wrappers hand on what they lack to what they wrap
        raise ValueError(
            f"{type(environment).__name__} has no get_state() and so can't be restored: make the environment with "
            "agents.vec_env.make_vec_env, and without wrappers"
        )


def _state_of(algorithm: Any, callback: BaseCallback | None) -> dict[str, Any]:
    state = {
        "made_with": _made_with(algorithm),
        "run": describe_run(algorithm),
        "counters": {name: getattr(algorithm, name) for name in _COUNTERS},
        "episodes": {name: list(getattr(algorithm, name) or ()) for name in _EPISODES},
        "pending": {name: getattr(algorithm, name) for name in _PENDING},
        "weights": algorithm.get_parameters(),
        "environment": algorithm.get_env().get_state(),
        "chance": _chance(algorithm),
        "logged": {name: dict(getattr(algorithm.logger, name)) for name in _LOGGED if hasattr(algorithm, "_logger")},
        "callbacks": {},
    }
    if isinstance(algorithm, HasTrainingState):
        state["own"] = algorithm.training_state()
    for name, one in _numbered(callback):
        state["callbacks"][name] = {"n_calls": one.n_calls}
        if isinstance(one, HasTrainingState):
            state["callbacks"][name]["state"] = one.training_state()
    return state


def _restore(algorithm: Any, state: Mapping[str, Any], callback: BaseCallback | None) -> None:
    for name, one in _numbered(callback):
        kept = state["callbacks"].get(name, {})
        if isinstance(one, HasTrainingState) and "state" in kept:
            one.set_training_state(kept["state"])
        one.n_calls = kept.get("n_calls", one.n_calls)
        one.num_timesteps = state["counters"]["num_timesteps"]
    if isinstance(algorithm, HasTrainingState):
        algorithm.set_training_state(state["own"])
    algorithm.set_parameters(state["weights"])
    for name, value in (*state["counters"].items(), *state["pending"].items()):
        setattr(algorithm, name, value)
    for name, episodes in state["episodes"].items():
        setattr(algorithm, name, deque(episodes, maxlen=algorithm._stats_window_size))
    algorithm.get_env().set_state(state["environment"])
    if hasattr(algorithm, "_logger"):
        for name, values in state["logged"].items():
            getattr(algorithm.logger, name).clear()
            getattr(algorithm.logger, name).update(values)
    _set_chance(algorithm, state["chance"])


def _made_with(algorithm: BaseAlgorithm) -> dict[str, Any]:
    """Returns what the last bits of a run depend on."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": algorithm.device.type}


def _chance(algorithm: BaseAlgorithm) -> dict[str, Any]:
    """Returns the states of the global generators, which Stable-Baselines3 seeds and draws from."""
    chance = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002
        "torch": torch.get_rng_state(),
    }
    if algorithm.device.type == "cuda":
        chance["cuda"] = torch.cuda.get_rng_state(algorithm.device)
    return chance


def _set_chance(algorithm: BaseAlgorithm, chance: Mapping[str, Any]) -> None:
    random.setstate(chance["python"])
    np.random.set_state(chance["numpy"])  # noqa: NPY002
    torch.set_rng_state(chance["torch"])
    if algorithm.device.type == "cuda" and "cuda" in chance:
        torch.cuda.set_rng_state(chance["cuda"], algorithm.device)


def _numbered(callback: BaseCallback | None) -> Iterator[tuple[str, BaseCallback]]:
    """Yields a callback and all within it, each with its class and its number among those of that class."""
    count = Counter[str]()
    waiting = [] if callback is None else [callback]
    while waiting:
        one = waiting.pop(0)
        name = type(one).__name__
        count[name] += 1
        yield f"{name} {count[name]}", one
        if isinstance(one, CallbackList):
            waiting[:0] = one.callbacks
        elif isinstance(one, EventCallback) and one.callback is not None:
            waiting.insert(0, one.callback)


def _shapes(value: Any) -> Any:
    """Returns the shapes of the weights; optimizers have none before their first step."""
    return {
        name: {key: tuple(tensor.shape) for key, tensor in part.items() if isinstance(tensor, torch.Tensor)}
        for name, part in value.items()
        if "optimizer" not in name
    }
