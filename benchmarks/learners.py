"""The learners by name: how each is made, what suits it, and the policies that runs of them have saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, PPO

from agents.cloning import Cloning
from agents.contrastive import Contrastive
from agents.ngram_policy import NgramPolicy, is_ngram_model
from agents.policy import MaskableTransformerPolicy, TransformerPolicy
from agents.preference import DPO
from agents.reinforce import REINFORCE
from agents.rollout_buffer import MaskableSequenceRolloutBuffer, SequenceRolloutBuffer
from agents.self_training import SelfTraining
from benchmarks.evaluation import make_env
from benchmarks.own_algorithm import find
from benchmarks.results import RunFolder
from benchmarks.titles import TITLES as TITLES
from textgym.dataset.comparisons import best_texts, compare_scores

MODEL = "model"
"""The folder of a run in which its language model and value head are kept."""

_PPO = {
    "gamma": 1.0, "n_steps": 32, "batch_size": 512, "n_epochs": 4, "learning_rate": [1e-3, 0.0],
    "ent_coef": [0.02, 0.0],
}  # fmt: skip
_GROUPS = {"group_size": 4, "n_steps": 24, "credit": "text"}
_ROUNDS = {"group_size": 4, "texts_per_round": 256, "passes": 2.0, "validation_share": 0.0}
DEFAULTS: dict[str, dict[str, Any]] = {
    "ppo": _PPO,
    "maskable_ppo": _PPO,
    "a2c": {
        "gamma": 1.0, "gae_lambda": 1.0, "n_steps": 8, "learning_rate": 1e-3, "ent_coef": [0.05, 0.0], "vf_coef": 0.1,
        "max_grad_norm": 1.0, "use_rms_prop": False,
    },
    "trpo": {
        "gamma": 1.0, "gae_lambda": 1.0, "n_steps": 8, "batch_size": 512, "learning_rate": 1e-3, "target_kl": 0.1,
        "cg_max_steps": 4, "n_critic_updates": 2, "policy_kwargs": {"attn_implementation": "eager"},
    },
    "reinforce": {},
    "rloo": {**_GROUPS, "baseline": "leave_one_out", "n_minibatches": 4},
    "grpo": {
        **_GROUPS, "baseline": "group_normalised", "normalize_length": "text", "n_epochs": 2, "n_minibatches": 2,
        "ent_coef": [0.02, 0.0],
    },
    "self_training": {"keep": "best"},
    "weighted_likelihood": {"keep": "weighted"},
    "dpo": {**_ROUNDS, "beta": 0.1, "reference": "data"},
    "contrastive": _ROUNDS,
    "cloning": _ROUNDS,
    "ngram_ppo": {**_PPO, "learning_rate": [0.3, 0.0]},
}  # fmt: skip
"""What suits fresh policies and short texts better than the algorithms' own defaults; [start, end] is a schedule."""

LEARNERS: dict[str, partial[Any]] = {
    "ppo": partial(PPO, TransformerPolicy, rollout_buffer_class=SequenceRolloutBuffer),
    "maskable_ppo": partial(MaskablePPO, MaskableTransformerPolicy, rollout_buffer_class=MaskableSequenceRolloutBuffer),
    "a2c": partial(A2C, TransformerPolicy, rollout_buffer_class=SequenceRolloutBuffer),
    "trpo": partial(TRPO, TransformerPolicy, rollout_buffer_class=SequenceRolloutBuffer),
    "reinforce": partial(REINFORCE, TransformerPolicy),
    "rloo": partial(REINFORCE, TransformerPolicy),
    "grpo": partial(REINFORCE, TransformerPolicy),
    "self_training": partial(SelfTraining, TransformerPolicy),
    "weighted_likelihood": partial(SelfTraining, TransformerPolicy),
    "dpo": partial(DPO, TransformerPolicy),
    "contrastive": partial(Contrastive, TransformerPolicy),
    "cloning": partial(Cloning, TransformerPolicy),
    "ngram_ppo": partial(PPO, NgramPolicy),
}
"""How each of `TITLES` is made."""

IN_ROUNDS: dict[str, Callable[..., Any]] = {"dpo": compare_scores, "contrastive": compare_scores, "cloning": best_texts}
"""Learners from data, and what they learn of the texts of a round, given what each earned."""


def check_learner(learner: str) -> None:
    """Raises a ValueError if there is no such learner, here or in a module of the user's own."""
    if ":" in learner:
        find(learner)
    elif learner not in LEARNERS:
        known = ", ".join(LEARNERS)
        raise ValueError(f"the algorithm must be one of {known}, or module:function of your own, got {learner!r}")


def title_of(learner: str) -> str:
    """Returns how tables and pages call a learner."""
    return TITLES.get(learner, learner)


def run_name(learner: str, seed: int) -> str:
    """Returns how the run of a learner with a seed is called."""
    return f"{learner.replace(':', '.')}-{seed}"


PolicyT = TypeVar("PolicyT", TransformerPolicy, MaskableTransformerPolicy, NgramPolicy)


def make_policy(env_id: str, model: str | Path | Mapping[str, Any] | None, **env_kwargs: Any) -> TransformerPolicy:
    """Returns a policy for an environment, from a folder that a run has saved or from a model's configuration."""
    return _policy(TransformerPolicy, env_id, str(model) if isinstance(model, Path) else model, **env_kwargs)


def saved_policy(
    env_id: str, folder: Path, **env_kwargs: Any
) -> TransformerPolicy | MaskableTransformerPolicy | NgramPolicy:
    """Returns the policy whose model is in a folder: one over n-grams, or a transformer's.

    That of a run of MaskablePPO writes what the mask allows, as it did when it learnt.
    """
    if is_ngram_model(folder):
        return _policy(NgramPolicy, env_id, folder, **env_kwargs)
    run = RunFolder(folder.parent)
    if folder.name == MODEL and run.begun and run.config().get("policy") == TITLES["maskable_ppo"]:
        return _policy(MaskableTransformerPolicy, env_id, str(folder), **env_kwargs)
    return make_policy(env_id, folder, **env_kwargs)


def _policy(kind: type[PolicyT], env_id: str, model: Any, **env_kwargs: Any) -> PolicyT:
    env = make_env(env_id, num_rows=1, **env_kwargs)
    return kind(env.single_observation_space, env.single_action_space, lr_schedule=lambda _: 0.0, model=model)
