"""Gymnasium's vector environments as Stable-Baselines3's: whole batches in, one dict of info for each row out."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from textgym.random import row_seeds

Observation = dict[str, np.ndarray[Any, Any]]
Indices = None | int | Iterable[int]


def make_vec_env(env_id: str, n_envs: int = 1, seed: int | None = None, **env_kwargs: Any) -> GymnasiumVecEnv:
    """Makes a text environment of n rows for Stable-Baselines3.

    Args:
        env_id: its id, such as `"textgym/Copy-v0"`.
        n_envs: the number of rows.
        seed: the seed of the first reset, from which `textgym.row_seeds` makes one for each row; a learner with a
            `seed` of its own replaces it.
        **env_kwargs: the arguments of the environment.
    """
    envs = gymnasium.make_vec(
        env_id,
        num_envs=n_envs,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.SAME_STEP,
        **env_kwargs,
    )
    vec_env = GymnasiumVecEnv(envs)
    if seed is not None:
        vec_env.seed(seed)
    return vec_env


class GymnasiumVecEnv(VecEnv):
    """Shows a Gymnasium vector environment in SAME_STEP mode as a VecEnv of Stable-Baselines3.

    `info` of a row's last step is `final_info`, with Stable-Baselines3's `terminal_observation`, `TimeLimit.truncated`
    and the `episode` record of its `Monitor`; the info of the reset that follows goes to `reset_infos`.

    Args:
        envs: the vector environment.

    Raises:
        ValueError: if it resets finished rows in any other way.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f"Stable-Baselines3 resets in the same step: autoreset_mode must be SAME_STEP, got {mode}")
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self._returns, self._steps = np.zeros(self.num_envs), np.zeros(self.num_envs, np.int64)
        self._start = time.time()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Sets the seeds of the next reset, made by `textgym.row_seeds`; None leaves chance to the environment."""
        self._seeds = [None] * self.num_envs if seed is None else list(row_seeds(seed, self.num_envs))
        return self._seeds

    def reset(self) -> Observation:
        """Starts new episodes in all rows, with the seeds and options that were set since the last reset."""
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        observations, infos = self.envs.reset(seed=seeds, options=_joined_options(self._options))  # type: ignore[arg-type]
        self.reset_infos = _rows(infos, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._steps[:] = 0, 0
        return observations  # type: ignore[no-any-return]

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Keeps the actions, (n,), for `step_wait`."""
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[Observation, np.ndarray[Any, Any], np.ndarray[Any, Any], list[dict[str, Any]]]:
        """Returns observations, rewards (n,) in float32, whether each row's episode ended (n,), and infos."""
        observations, rewards, terminated, truncated, batched = self.envs.step(self._actions)
        final_observations, final_info = batched.pop("final_obs", None), batched.pop("final_info", {})
        infos = _rows(batched, self.num_envs)
        self._returns += rewards
        self._steps += 1
        dones = terminated | truncated
        ended = np.flatnonzero(dones)
        if len(ended):
            last = _rows(final_info, self.num_envs)
            elapsed = round(time.time() - self._start, 6)
            for row in ended.tolist():
                self.reset_infos[row] = infos[row]
                infos[row] = {
                    **last[row],
                    "terminal_observation": final_observations[row],
                    "TimeLimit.truncated": bool(truncated[row] and not terminated[row]),
                    "episode": {"r": float(self._returns[row]), "l": int(self._steps[row]), "t": elapsed},
                }
            self._returns[ended], self._steps[ended] = 0, 0
        return observations, np.asarray(rewards, np.float32), dones, infos

    def get_state(self) -> dict[str, Any]:
        """Returns a copy of all that changes between two steps, as plain data and arrays.

        Raises:
            ValueError: if the vector environment can't tell its state, or has wrappers, whose own would be lost.
        """
        if self.envs is not self.envs.unwrapped or not hasattr(self.envs, "get_state"):
            raise ValueError(f"{self.envs} can't be restored: it must be a TextVectorEnv without wrappers")
        return {
            "envs": self.envs.get_state(),
            "returns": self._returns.copy(),
            "steps": self._steps.copy(),
            "seeds": list(self._seeds),
            "options": copy.deepcopy(self._options),
            "reset_infos": copy.deepcopy(self.reset_infos),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned, here or in another one of an environment made with the same arguments."""
        self.envs.unwrapped.set_state(state["envs"])  # type: ignore[attr-defined]
        self._returns[:], self._steps[:] = state["returns"], state["steps"]
        self._seeds, self._options = list(state["seeds"]), list(state["options"])
        self.reset_infos = list(state["reset_infos"])

    def close(self) -> None:
        """Closes the vector environment."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Returns an attribute of the vector environment, the same for each row."""
        owner = self.envs if hasattr(self.envs, attr_name) else self.envs.unwrapped
        value = getattr(owner, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Refused: the rows of a vector environment have no attributes of their own."""
        raise AttributeError(f"cannot set {attr_name!r}: the rows of a vector environment share their attributes")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of the vector environment that answers for all rows, such as `action_masks`, and splits it."""
        answer = self.get_attr(method_name, indices=0)[0](*method_args, **method_kwargs)
        return [None if answer is None else answer[row] for row in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Indices = None
    ) -> list[bool]:
        """Says for each row whether it has a wrapper; it has a `Monitor`, since it keeps the record of one."""
        return [issubclass(Monitor, wrapper_class) for _ in self._get_indices(indices)]


def _joined_options(options: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Returns one dict of options of n rows: an array where a key differs between rows, by the row."""
    if not any(options):
        return None
    if any(row.keys() != options[0].keys() for row in options):
        raise ValueError(f"all rows must have the same options, got {options}")
    return {key: np.array([row[key] for row in options]) for key in options[0]}


def _rows(batched: dict[str, Any], num_rows: int) -> list[dict[str, Any]]:
    """Splits batched info with its masks `_key` into one dict for each row, without what a row does not have."""
    columns: dict[str, Sequence[Any]] = {}  # what every row has
    others: list[tuple[str, Sequence[Any], list[int]]] = []
    for key, values in batched.items():
        mask = batched.get(f"_{key}")
        if mask is None:  # this key is itself a mask
            continue
        column: Sequence[Any]
        if isinstance(values, dict):
            column = _rows(values, num_rows)
        else:
            column = values.tolist() if values.ndim == 1 else list(values)
        if mask.all():
            columns[key] = column
        else:
            others.append((key, column, np.flatnonzero(mask).tolist()))
    infos: list[dict[str, Any]] = [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ] or [{} for _ in range(num_rows)]
    for key, column, rows in others:
        for row in rows:
            infos[row][key] = column[row]
    return infos
