"""Collecting: a policy writes texts in an environment, and all that is said about them becomes a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.record_writer import Info, RecordWriter
from textgym.env import TextEnv
from textgym.vector_env import TextVectorEnv


def collect(env: Any, policy: Any, episodes: int, *, seed: int = 0) -> FeedbackDataset:
    """Lets a policy write texts and returns what was said about them.

    Every row of a vector environment writes the same number of texts, to within one group, and the first of them: to
    take whichever texts end first would favour short ones. The records are in the order of rows, then of episodes.

    Args:
        env: an environment id, or an environment made from one of ours: single or vector, wrapped or not.
        policy: a function from an observation to an action, for a vector environment from a batch to actions; or an
            object with such a method `predict`, as Stable-Baselines3 has it.
        episodes: how many texts, at least 1. With `group_size`, a multiple of it leaves no group incomplete.
        seed: of the environment, 0 to 2**63 - 1; that of row i is `row_seeds(seed, n)[i]`.

    Raises:
        ValueError: if the environment is not ours, an argument is not allowed, or a wrapper cuts texts short.
    """
    if not all(isinstance(number, int | np.integer) for number in (episodes, seed)):
        raise ValueError(f"episodes and seed must be whole numbers, got episodes={episodes!r}, seed={seed!r}")
    if episodes < 1 or not 0 <= seed < 2**63:
        raise ValueError(f"episodes must be at least 1 and seed 0 to 2**63 - 1, got episodes={episodes}, seed={seed}")
    env = gymnasium.make(env) if isinstance(env, str) else env
    if not isinstance(getattr(env, "unwrapped", None), TextEnv | TextVectorEnv):
        raise ValueError(
            f"env must be one of TextGym's ids or environments, got {env!r}; a vector environment is one if it is made "
            'with gymnasium.make_vec(..., vectorization_mode="vector_entry_point")'
        )
    writer = RecordWriter(env, seed, episodes)
    act = _as_function(policy)
    vector = env.unwrapped if isinstance(env.unwrapped, TextVectorEnv) else None
    rows = env if vector else _OneRow(env)
    restarts = vector is not None and vector.autoreset_mode is not AutoresetMode.DISABLED
    with _progress(episodes) as advance:
        observation, info = rows.reset(seed=seed)
        writer.start(info)
        while not writer.full:
            actions = np.atleast_1d(act(observation))
            observation, _, terminated, truncated, info = rows.step(actions)
            if truncated.any():
                raise ValueError("a wrapper cut a text short, so there is no feedback on it: collect without TimeLimit")
            for part in (info, info.get("final_info", {})):
                advance(writer.write(actions, part))
            if terminated.any() and not restarts:
                observation, info = rows.reset(options={"reset_mask": terminated})
            writer.start(info)
    return FeedbackDataset(writer.records)


class _OneRow:
    """A single environment in the form of a vector environment of one row whose autoreset is disabled.

    Observations stay as the policy of a single environment expects them.
    """

    def __init__(self, env: Any) -> None:
        self._env = env

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Any, Info]:
        observation, info = self._env.reset(seed=seed)
        return observation, _as_batch(info)

    def step(self, actions: np.ndarray[Any, Any]) -> tuple[Any, float, Any, Any, Info]:
        observation, reward, terminated, truncated, info = self._env.step(actions[0])
        return observation, reward, np.array([terminated]), np.array([truncated]), _as_batch(info)


def _as_batch(info: Info) -> Info:
    """Returns the info of a single environment in the form of a vector environment of one row."""
    batch: dict[str, Any] = {}
    for name, value in info.items():
        batch[name] = _as_batch(value) if isinstance(value, Mapping) else np.asarray(value)[None]
        batch[f"_{name}"] = np.ones(1, np.bool_)
    return batch


def _as_function(policy: Any) -> Callable[[Any], Any]:
    if hasattr(policy, "predict"):
        return lambda observation: policy.predict(observation)[0]
    if not callable(policy):
        raise ValueError(f"policy must be a function or have a method predict, got {policy!r}")
    function: Callable[[Any], Any] = policy
    return function


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], Any]]:
    """Yields a function that is told how many more texts there are; shows a bar after some seconds, given tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda count: None
        return
    with tqdm(total=total, desc="collect", unit="text", delay=3.0, leave=False) as bar:
        yield bar.update
