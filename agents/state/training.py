"""What a run of an on-policy algorithm holds between two rollouts: gathered from all its owners, and given back."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, EventCallback

from agents.exploration import Exploration
from agents.state.description import describe_run

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
        """Returns what a run needs to go on from here, between two rollouts: see `agents.state.files.write_state`."""

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restores what `training_state` returned.

        Raises:
            ValueError: if it is the state of something else.
        """


def state_of(algorithm: Any, callback: BaseCallback | None) -> dict[str, Any]:
    """Returns all that a run needs to go on, as nested plain data, arrays and tensors."""
    state = {
        "made_with": made_with(algorithm),
        "run": run_of(algorithm, callback),
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
    for name, one in numbered(callback):
        state["callbacks"][name] = {"n_calls": one.n_calls}
        if isinstance(one, HasTrainingState):
            state["callbacks"][name]["state"] = one.training_state()
    return state


def run_of(algorithm: Any, callback: BaseCallback | None) -> dict[str, Any]:
    """Returns what must be equal for one run to go on where another was broken off; see `describe_run`."""
    explored = hasattr(algorithm, "exploration") or any(isinstance(one, Exploration) for _, one in numbered(callback))
    return describe_run(algorithm, changing=("ent_coef",) if explored else ())


def restore(algorithm: Any, state: Mapping[str, Any], callback: BaseCallback | None) -> None:
    """Restores what `state_of` returned, in an algorithm and callbacks that were made in the same way."""
    for name, one in numbered(callback):
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


def made_with(algorithm: BaseAlgorithm) -> dict[str, Any]:
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


def numbered(callback: BaseCallback | None) -> Iterator[tuple[str, BaseCallback]]:
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


def shapes(value: Any) -> Any:
    """Returns the shapes of the weights; optimizers have none before their first step."""
    return {
        name: {key: tuple(tensor.shape) for key, tensor in part.items() if isinstance(tensor, torch.Tensor)}
        for name, part in value.items()
        if "optimizer" not in name
    }
