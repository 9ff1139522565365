"""The learners by name, and what a run of one leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import configure

from agents.callbacks import ReturnsCallback, StopOnNonFinite
from agents.policy import TransformerPolicy
from agents.reinforce import REINFORCE
from agents.rollout_buffer import SequenceRolloutBuffer
from agents.vec_env import make_vec_env
from benchmarks.attribution import attribute
from benchmarks.evaluation import Evaluation, make_env
from benchmarks.results import RunFolder

MODEL = "model"
"""The folder of a run in which its language model and value head are kept."""

PPO_DEFAULTS = {"gamma": 1.0, "n_steps": 64, "batch_size": 1024, "n_epochs": 4}
"""What suits short texts better than Stable-Baselines3's own defaults, which are for long episodes of few rows."""

LEARNERS: dict[str, Callable[..., BaseAlgorithm]] = {
    "ppo": lambda env, **settings: PPO(
        TransformerPolicy, env, rollout_buffer_class=SequenceRolloutBuffer, **{**PPO_DEFAULTS, **settings}
    ),
    "reinforce": lambda env, **settings: REINFORCE(TransformerPolicy, env, **settings),
}
TITLES = {"ppo": "PPO", "reinforce": "REINFORCE"}


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
        settings: the learner's further arguments.
        env_kwargs: the environment's further arguments.
        tell: takes the share that is done, in [0, 1].

    Raises:
        ValueError: if the learner is unknown, or a setting is refused.
    """
    if learner not in LEARNERS:
        raise ValueError(f"the algorithm must be one of {', '.join(LEARNERS)}, got {learner!r}")
    if tokens < 1 or rows < 1:
        raise ValueError(f"tokens and rows must be at least 1, got tokens={tokens}, rows={rows}")
    env = make_vec_env(env_id, n_envs=rows, seed=seed, **(env_kwargs or {}))
    start = str(model) if isinstance(model, Path) else model
    algorithm = LEARNERS[learner](env, seed=seed, policy_kwargs={"model": start}, **(settings or {}))
    algorithm.set_logger(configure(str(folder.tensorboard), ["tensorboard"]))
    algorithm.learn(tokens, callback=CallbackList([ReturnsCallback(folder.log), StopOnNonFinite(), _Teller(tell)]))
    assert isinstance(algorithm.policy, TransformerPolicy)
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
