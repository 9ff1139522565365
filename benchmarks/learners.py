"""The learners by name, and what a run of one leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

from agents.callbacks import RETURNS, ReturnsCallback, StopOnNonFinite
from agents.cloning import Cloning
from agents.contrastive import Contrastive
from agents.exploration import Exploration
from agents.offline_algorithm import OfflineAlgorithm
from agents.policy import MaskableTransformerPolicy, TransformerCore, TransformerPolicy
from agents.preference import DPO
from agents.reinforce import REINFORCE
from agents.rollout_buffer import MaskableSequenceRolloutBuffer, SequenceRolloutBuffer
from agents.rounds import learn_in_rounds
from agents.vec_env import GymnasiumVecEnv, make_vec_env
from benchmarks.attribution import attribute
from benchmarks.evaluation import Evaluation, make_env
from benchmarks.results import RunFolder
from textgym.dataset.comparisons import best_texts, compare_scores
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.records import Record

MODEL = "model"
"""The folder of a run in which its language model and value head are kept."""

_PPO = {
    "gamma": 1.0, "n_steps": 32, "batch_size": 512, "n_epochs": 4, "learning_rate": [1e-3, 0.0],
    "ent_coef": [0.02, 0.0],
}  # fmt: skip
_ROUNDS = {"group_size": 4, "texts_per_round": 256, "passes": 2.0, "validation_share": 0.0}
DEFAULTS: dict[str, dict[str, Any]] = {
    "ppo": _PPO,
    "maskable_ppo": _PPO,
    "reinforce": {},
    "dpo": {**_ROUNDS, "beta": 0.1, "reference": "data"},
    "contrastive": _ROUNDS,
    "cloning": _ROUNDS,
}
"""What suits fresh policies and short texts better than the algorithms' own defaults; [start, end] is a schedule."""

LEARNERS: dict[str, Callable[..., BaseAlgorithm]] = {
    "ppo": partial(PPO, TransformerPolicy, rollout_buffer_class=SequenceRolloutBuffer),
    "maskable_ppo": partial(MaskablePPO, MaskableTransformerPolicy, rollout_buffer_class=MaskableSequenceRolloutBuffer),
    "reinforce": partial(REINFORCE, TransformerPolicy),
    "dpo": partial(DPO, TransformerPolicy),
    "contrastive": partial(Contrastive, TransformerPolicy),
    "cloning": partial(Cloning, TransformerPolicy),
}
TITLES = {
    "ppo": "PPO", "maskable_ppo": "MaskablePPO", "reinforce": "REINFORCE", "dpo": "DPO", "contrastive": "Contrastive",
    "cloning": "Cloning",
}  # fmt: skip

IN_ROUNDS: dict[str, Callable[..., Any]] = {"dpo": compare_scores, "contrastive": compare_scores, "cloning": best_texts}
"""Learners from data, and what they learn of the texts of a round, given what each earned."""

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
            `temperature` and `guidance` may be scheduled for every learner but those of `IN_ROUNDS`, which instead have
            `texts_per_round` and `passes`.
        env_kwargs: the environment's further arguments; its `group_size` is the learner's, if that has one.
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
    logger = configure(str(folder.tensorboard), ["tensorboard"])
    if learner in IN_ROUNDS:
        del arguments["group_size"]  # the environment has it
        rounds = {name: arguments.pop(name) for name in ("texts_per_round", "passes")}
        algorithm = LEARNERS[learner](env=env, seed=seed, policy_kwargs={"model": start}, **arguments)
        algorithm.set_logger(logger)
        assert isinstance(algorithm, OfflineAlgorithm)
        _learn_in_rounds(algorithm, env, tokens, IN_ROUNDS[learner], folder.log, tell, seed=seed, **rounds)
    else:
        callbacks: list[BaseCallback] = [ReturnsCallback(folder.log), StopOnNonFinite(), _Teller(tell)]
        if learner != "reinforce":  # which sees to its exploration itself
            callbacks.append(Exploration(**{name: arguments.pop(name) for name in EXPLORATION if name in arguments}))
        algorithm = LEARNERS[learner](env=env, seed=seed, policy_kwargs={"model": start}, **arguments)
        algorithm.set_logger(logger)
        algorithm.learn(tokens, callback=CallbackList(callbacks))
    assert isinstance(algorithm.policy, TransformerCore)
    algorithm.policy.backbone.save_pretrained(folder.path / MODEL)
    env.close()
    return algorithm


def _learn_in_rounds(
    algorithm: OfflineAlgorithm[Any],
    env: GymnasiumVecEnv,
    tokens: int,
    choose: Callable[..., Any],
    log: Callable[[Mapping[str, Any]], None],
    tell: Callable[[float], None],
    **rounds: Any,
) -> None:
    """Trains a learner from data on its own texts, which are compared by what the environment pays for them."""
    earned = PAID[env.get_attr("simulator", 0)[0].reward_kind]
    latest = _TrainValues()

    def on_round(written: int, texts: FeedbackDataset) -> None:
        lengths = [len(text.completion_ids) for text in texts]
        means = {name: float(np.mean([getattr(text, name) or 0.0 for text in texts])) for name in RETURNS}
        log({"timesteps": written, "texts": len(texts), **means, "text_length": np.mean(lengths), **latest.values})
        for name, mean in means.items():
            algorithm.logger.record(f"rollout/{name}", mean)
        tell(min(1.0, written / tokens))

    read = partial(choose, score=earned)
    written = learn_in_rounds(algorithm, env.envs, tokens, read=read, callback=latest, on_round=on_round, **rounds)
    log({"timesteps": written, **latest.values})


PAID: dict[str, str | Callable[[Record], float | None]] = {
    "gold": "gold_return",
    "feedback": "observed_return",
    "sum": lambda text: None if text.observed_return is None else text.gold_return + text.observed_return,
}
"""What a text earned, by the environment's `reward`; without a correction of the sum, which records don't have."""


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


class _TrainValues(BaseCallback):
    """Keeps what the last learning logged of its training."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, float] = {}

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        values = self.logger.name_to_value.items()
        self.values = {name: float(value) for name, value in values if name.startswith("train/")}
