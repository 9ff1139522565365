"""The learners by name, and what a run of one leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import LinearSchedule

from agents.callbacks import ReturnsCallback, StopOnNonFinite
from agents.exploration import Exploration
from agents.policy import MaskableTransformerPolicy, TransformerCore, TransformerPolicy
from agents.reinforce import REINFORCE
from agents.rollout_buffer import MaskableSequenceRolloutBuffer, SequenceRolloutBuffer
from agents.vec_env import make_vec_env
from benchmarks.attribution import attribute
from benchmarks.evaluation import Evaluation, make_env
from benchmarks.results import RunFolder

MODEL = "model"
"""The folder of a run in which its language model and value head are kept."""

_PPO = {
    "gamma": 1.0, "n_steps": 32, "batch_size": 512, "n_epochs": 4, "learning_rate": [1e-3, 0.0],
    "ent_coef": [0.02, 0.0],
}  # fmt: skip
DEFAULTS: dict[str, dict[str, Any]] = {"ppo": _PPO, "maskable_ppo": _PPO, "reinforce": {}}
"""What suits fresh policies and short texts better than the algorithms' own defaults; [start, end] is a schedule."""

LEARNERS: dict[str, Callable[..., BaseAlgorithm]] = {
    "ppo": partial(PPO, TransformerPolicy, rollout_buffer_class=SequenceRolloutBuffer),
    "maskable_ppo": partial(MaskablePPO, MaskableTransformerPolicy, rollout_buffer_class=MaskableSequenceRolloutBuffer),
    "reinforce": partial(REINFORCE, TransformerPolicy),
}
TITLES = {"ppo": "PPO", "maskable_ppo": "MaskablePPO", "reinforce": "REINFORCE"}

EXPLORATION = ("ent_coef", "temperature", "guidance")
"""The settings that may be scheduled for every learner."""


def _scheduled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings in which [start, end] has become a schedule that goes linearly from the one to the other."""
    return {
        name: LinearSchedule(value[0], value[1], end_fraction=1.0) if isinstance(value, list) else value
        for name, value in settings.items()
    }


def make_policy(env_id: str, model: str | Path | Mapping[str, Any] | None, **env_kwargs: Any) -> TransformerPolicy:
    """Returns a policy for an environment, from a folder that a run has saved or from a model's configuration."""
    env = make_env(env_id, num_rows=1, **env_kwargs)
    start = str(model) if isinstance(model, Path) else model
    return TransformerPolicy(
        env.single_observation_space, env.single_action_space, lr_schedule=lambda _: 0.0, model=start
    )


def train(
    folder: RunFolder,
    *,
    learner: str,
    env_id: str,
    tokens: int,
    seed: int,
    model: str | Path | Mapping[str, Any] | None,
    rows: int = 64,
    settings: Mapping[str, Any] | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    callbacks: Sequence[BaseCallback] = (),
    tell: Callable[[float], None] = lambda share: None,
) -> BaseAlgorithm:
    """Trains a learner; metrics, TensorBoard files and the model go to the run's folder.

    Args:
        folder: a started run.
        learner: one of `LEARNERS`.
        env_id: the environment.
        tokens: how many tokens are written in all; whole rollouts, so perhaps a few more.
        seed: the seed of the learner and of the environment's rows.
        model: the model to begin with: a folder, a configuration, or None for a small fresh one.
        rows: how many texts are written at a time.
        settings: the learner's further arguments; [start, end] is a linear schedule of a number. `ent_coef`,
            `temperature` and `guidance` may be scheduled for every learner.
        env_kwargs: the environment's further arguments; its `group_size` is the learner's, if that has one.
        callbacks: further callbacks of Stable-Baselines3.
        tell: takes the share that is done, in [0, 1].

    Raises:
        ValueError: if the learner is unknown, or a setting is refused.
    """
    if learner not in LEARNERS:
        raise ValueError(f"the algorithm must be one of {', '.join(LEARNERS)}, got {learner!r}")
    if tokens < 1 or rows < 1:
        raise ValueError(f"tokens and rows must be at least 1, got tokens={tokens}, rows={rows}")
    start = str(model) if isinstance(model, Path) else model
    arguments = _scheduled({**DEFAULTS[learner], **(settings or {})})
    grouping = {"group_size": arguments.get("group_size", 1)}
    env = make_vec_env(env_id, n_envs=rows, seed=seed, **{**grouping, **(env_kwargs or {})})
    callbacks = [ReturnsCallback(folder.log), StopOnNonFinite(), _Teller(tell), *callbacks]
    if learner != "reinforce":  # which sees to its exploration itself
        callbacks.append(Exploration(**{name: arguments.pop(name) for name in EXPLORATION if name in arguments}))
    algorithm = LEARNERS[learner](env=env, seed=seed, policy_kwargs={"model": start}, **arguments)
    algorithm.set_logger(configure(str(folder.tensorboard), ["tensorboard"]))
    algorithm.learn(tokens, callback=CallbackList(callbacks))
    assert isinstance(algorithm.policy, TransformerCore)
    algorithm.policy.backbone.save_pretrained(folder.path / MODEL)
    env.close()
    return algorithm


def score_samples(evaluation: Evaluation, count: int, **env_kwargs: Any) -> list[dict[str, Any]]:
    """Returns texts spread evenly over an evaluation with what each token earned, as the report reads them."""
    chosen = np.unique(np.linspace(0, len(evaluation.written) - 1, count).astype(int)).tolist()
    texts = evaluation.texts
    found = attribute(
        [texts.tokens[i] for i in chosen], chosen, evaluation.env_id, split=evaluation.split, **env_kwargs
    )
    spelled = make_env(evaluation.env_id, num_rows=1, split=evaluation.split, **env_kwargs).simulator.vocabulary.tokens
    samples = []
    for i, one in zip(chosen, found, strict=True):
        pieces = [spelled[token] for token in one.tokens]
        gap = "" if "".join(pieces) == evaluation.written[i] else " "
        samples.append(
            {
                "sample": i,
                "prompt": evaluation.prompts[i],
                "reference": evaluation.references[i],
                "tokens": [piece + gap for piece in pieces],
                "earned": one.clean.tolist(),
                "signals": dict(zip(one.signal_names, one.signals.T.tolist(), strict=True)),
                "empty": one.empty,
                "clean_return": float(texts.clean_return[i]),
                "gold_return": float(texts.gold_return[i]),
            }
        )
    return samples


class _Teller(BaseCallback):
    """Tells after each step of a rollout how much of the training is done."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        super().__init__()
        self.tell = tell

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self.tell(min(1.0, self.num_timesteps / self.locals["total_timesteps"]))
