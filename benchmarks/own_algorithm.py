"""A learner of the user's own: any importable callable, named `module:function`, that makes one.

It is called `make(env, seed, policy_kwargs, **settings)` and returns an object with Stable-Baselines3's
`learn(total_timesteps, callback)` and `predict(observation, deterministic) -> (actions, state)`. `env` is a VecEnv of
Stable-Baselines3, and `env.envs` the same rows as a Gymnasium vector environment in SAME_STEP mode; either will do.
`policy_kwargs["model"]` is the model to begin with: a folder, a configuration, or None for a small fresh one.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorWrapper

from agents.callbacks import RETURNS

RECORDS = 50
"""How many times a run logs what its texts are worth."""


def find(name: str) -> Callable[..., Any]:
    """Imports the callable that `module:function` names; modules of the current directory are found, too.

    Raises:
        ValueError: if there is none, or it can't be called with `env`, `seed` and `policy_kwargs`.
    """
    module_name, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # before any worker is started: it gets the same path
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            places = "neither installed nor in the current directory"
            raise ValueError(f"no module {error.name!r} for the algorithm {name}: it is {places}") from error
        raise ValueError(f"{module_name} can't be imported: {error}") from error
    except Exception as error:
        raise ValueError(f"{module_name} can't be imported: {type(error).__name__}: {error}") from error
    make: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(make):
        known = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        raise ValueError(f"{module_name} has no function {attribute!r}; it has: {', '.join(known) or 'none'}")
    try:
        inspect.signature(make).bind(env=None, seed=0, policy_kwargs={})
    except TypeError as error:
        raise ValueError(f"{name} must take env, seed and policy_kwargs by name: {error}") from error
    return make


def source(name: str) -> str:
    """Returns the SHA-256 of the file of `module:function`, so that a run of edited code is another run."""
    find(name)
    path = sys.modules[name.partition(":")[0]].__file__
    assert path is not None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def check_algorithm(name: str, algorithm: Any) -> None:
    """Raises a TypeError if what a callable has made is no algorithm."""
    missing = [method for method in ("learn", "predict") if not callable(getattr(algorithm, method, None))]
    if missing:
        raise TypeError(
            f"what {name} returns needs learn(total_timesteps, callback) and predict(observation, deterministic); "
            f"{type(algorithm).__name__} has no {' and no '.join(missing)}"
        )


class Recorder(VectorWrapper):
    """Notes what finished texts are worth, for algorithms that have no callbacks of Stable-Baselines3.

    Args:
        envs: a vector environment in SAME_STEP mode.
        tokens: how many tokens are to be written.
        on_record: takes each record, as that of `agents.callbacks.ReturnsCallback`.
        tell: takes the share that is done, in [0, 1].
    """

    def __init__(
        self, envs: Any, *, tokens: int, on_record: Callable[[dict[str, float]], None], tell: Callable[[float], None]
    ) -> None:
        super().__init__(envs)
        self.tokens, self.on_record, self.tell = tokens, on_record, tell
        self.timesteps = self.recorded = 0
        self._texts: list[tuple[float, ...]] = []
        self._steps = np.zeros(self.num_envs, np.int64)  # (n,) tokens of each row's unfinished text

    def reset(self, **arguments: Any) -> Any:
        self._steps[:] = 0
        return super().reset(**arguments)

    def step(self, actions: Any) -> Any:
        """Writes one token in each row.

        Raises:
            RuntimeError: if twice as many have been written as should be.
        """
        if self.timesteps >= 2 * self.tokens:
            raise RuntimeError(
                f"the algorithm has written {self.timesteps:,} tokens of {self.tokens:,}: its learn must end after "
                "total_timesteps, or as soon as callback(locals(), globals()) returns False"
            )
        result = super().step(actions)
        info = result[4]
        self.timesteps += self.num_envs
        self._steps += 1
        ended = np.flatnonzero(info.get("_final_info", ()))
        for row in ended.tolist():
            returns = (float(info["final_info"][name][row]) for name in RETURNS)
            self._texts.append((*returns, float(self._steps[row])))
        self._steps[ended] = 0
        if (self.timesteps - self.recorded) * RECORDS >= self.tokens:
            self.record()
        return result

    def record(self) -> None:
        """Logs the mean of the texts that were finished since the last time."""
        self.recorded = self.timesteps
        self.tell(min(1.0, self.timesteps / self.tokens))
        if self._texts:
            means = dict(zip((*RETURNS, "text_length"), np.mean(self._texts, axis=0).tolist(), strict=True))
            self.on_record({"timesteps": float(self.timesteps), "texts": float(len(self._texts)), **means})
            self._texts.clear()

    def callback(self, _locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        """Says whether there are tokens left: a callback in Stable-Baselines3's functional form."""
        return self.timesteps < self.tokens

    def learn(self, algorithm: Any) -> None:
        """Lets an algorithm learn from these rows.

        Raises:
            RuntimeError: if it writes nothing.
        """
        algorithm.learn(total_timesteps=self.tokens, callback=self.callback)
        self.record()
        if not self.timesteps:
            raise RuntimeError("learn has written nothing in the env, or env.envs, that make was given")
