"""The learners by name, and what a run of one leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import configure
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import LinearSchedule
from torch.utils.tensorboard import SummaryWriter

from agents.callbacks import RETURNS, ReturnsCallback, StopOnNonFinite
from agents.checkpoint import Checkpoints, newest_checkpoint, timesteps_of
from agents.cloning import Cloning
from agents.contrastive import Contrastive
from agents.exploration import Exploration
from agents.memory import explained_memory_errors
from agents.ngram_policy import NgramPolicy, is_ngram_model
from agents.offline_algorithm import OfflineAlgorithm
from agents.policy import MaskableTransformerPolicy, TransformerCore, TransformerPolicy
from agents.preference import DPO
from agents.reinforce import REINFORCE
from agents.rollout_buffer import MaskableSequenceRolloutBuffer, SequenceRolloutBuffer
from agents.rounds import learn_in_rounds
from agents.self_training import SelfTraining
from agents.vec_env import GymnasiumVecEnv, make_vec_env
from benchmarks.attribution import attribute
from benchmarks.credit import Estimator, credit
from benchmarks.evaluation import Evaluation, make_env
from benchmarks.results import RunFolder
from benchmarks.titles import TITLES as TITLES
from benchmarks.voices import voices
from textgym.dataset.comparisons import best_texts, compare_scores
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.records import Record

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
        "gamma": 1.0, "gae_lambda": 0.95, "n_steps": 8, "learning_rate": [2e-3, 0.0], "ent_coef": [0.02, 0.0],
        "use_rms_prop": False, "max_grad_norm": 1.0,
    },
    "trpo": {
        "gamma": 1.0, "n_steps": 32, "batch_size": 512, "learning_rate": 1e-3, "target_kl": 0.03, "cg_max_steps": 10,
        "policy_kwargs": {"attn_implementation": "eager"},
    },
    "reinforce": {},
    "rloo": {**_GROUPS, "baseline": "leave_one_out"},
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

LEARNERS: dict[str, partial[BaseAlgorithm]] = {
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


def saved_policy(env_id: str, folder: Path, **env_kwargs: Any) -> TransformerPolicy | NgramPolicy:
    """Returns the policy that a run has saved in a folder: a transformer's, or one over n-grams."""
    if not is_ngram_model(folder):
        return make_policy(env_id, folder, **env_kwargs)
    env = make_env(env_id, num_rows=1, **env_kwargs)
    return NgramPolicy(env.single_observation_space, env.single_action_space, lr_schedule=lambda _: 0.0, model=folder)


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
    every: int = 50,
    tell: Callable[[float], None] = lambda share: None,
) -> BaseAlgorithm:
    """Trains a learner; metrics, TensorBoard files, checkpoints and the model go to the run's folder.

    Where the folder has checkpoints, the run goes on from the newest, and ends as if it had never been broken off.

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
        every: how many updates lie between two checkpoints.
        tell: takes the share that is done, in [0, 1].

    Raises:
        ValueError: if the learner is unknown, a setting is refused, or the folder's checkpoint is damaged or of another
            run.
        FloatingPointError: if a weight or a loss is not finite; the last good checkpoint stays.
        MemoryError: if memory runs out, with what to lower.
    """
    if learner not in LEARNERS:
        raise ValueError(f"the algorithm must be one of {', '.join(LEARNERS)}, got {learner!r}")
    if tokens < 1 or rows < 1:
        raise ValueError(f"tokens and rows must be at least 1, got tokens={tokens}, rows={rows}")
    start = str(model) if isinstance(model, Path) else model
    arguments = _scheduled({**DEFAULTS[learner], **(settings or {})})
    grouping = {"group_size": arguments.get("group_size", 1)}
    env = make_vec_env(env_id, n_envs=rows, seed=seed, **{**grouping, **(env_kwargs or {})})
    policy_kwargs = {"model": start, **arguments.pop("policy_kwargs", {})}
    make = partial(LEARNERS[learner], env=env, seed=seed, policy_kwargs=policy_kwargs)
    _forget_events(folder)
    logger = configure(str(folder.tensorboard), ["tensorboard"])
    if learner in IN_ROUNDS:
        folder.cut(0)  # it has no checkpoints
        del arguments["group_size"]  # the environment has it
        rounds = {name: arguments.pop(name) for name in ("texts_per_round", "passes")}
        algorithm = make(**arguments)
        algorithm.set_logger(logger)
        assert isinstance(algorithm, OfflineAlgorithm)
        with explained_memory_errors(algorithm):
            _learn_in_rounds(algorithm, env, tokens, IN_ROUNDS[learner], folder.log, tell, seed=seed, **rounds)
    else:
        checkpoints = Checkpoints(folder.checkpoints, every=every, resume=True)
        callbacks: list[BaseCallback] = [checkpoints, _Metrics(folder), ReturnsCallback(folder.log), StopOnNonFinite()]
        callbacks.append(_Teller(tell))
        if LEARNERS[learner].func not in (REINFORCE, SelfTraining):  # which see to their exploration themselves
            callbacks.append(Exploration(**{name: arguments.pop(name) for name in EXPLORATION if name in arguments}))
        algorithm = make(**arguments)
        algorithm.set_logger(logger)
        with explained_memory_errors(algorithm):
            algorithm.learn(tokens, callback=CallbackList(callbacks), log_interval=1)
    assert isinstance(algorithm.policy, TransformerCore | NgramPolicy)
    trained = algorithm.policy if isinstance(algorithm.policy, NgramPolicy) else algorithm.policy.backbone
    trained.save_pretrained(folder.path / MODEL)
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


def score_samples(
    evaluation: Evaluation,
    count: int,
    policy: BasePolicy | None = None,
    estimator: Estimator | None = None,
    **env_kwargs: Any,
) -> list[dict[str, Any]]:
    """Returns texts spread evenly over an evaluation with what each token earned, and who said what about the whole.

    They are as the report reads them; see `benchmarks.report.records.ScoredText`.

    Args:
        evaluation: the texts.
        count: how many of them, or all if there are fewer.
        policy: what wrote them. If it is given, with an estimator, so is what its gradient credits each token with.
        estimator: of the advantages; see `benchmarks.credit`.
        **env_kwargs: the environment's further arguments, as they were.
    """
    chosen = np.unique(np.linspace(0, len(evaluation.written) - 1, count).astype(int)).tolist()
    texts = evaluation.texts
    found = attribute(
        [texts.tokens[i] for i in chosen], chosen, evaluation.env_id, split=evaluation.split, **env_kwargs
    )
    told = voices(evaluation, chosen, **env_kwargs)
    spelled = make_env(evaluation.env_id, num_rows=1, split=evaluation.split, **env_kwargs).simulator.vocabulary.tokens
    given = None
    if policy is not None and estimator is not None:
        given = credit(policy, evaluation, estimator, **env_kwargs)
    samples = []
    for i, one, said in zip(chosen, found, told, strict=True):
        pieces = [spelled[token] for token in one.tokens]
        gap = "" if "".join(pieces) == evaluation.written[i] else " "
        credited = {}
        if given is not None:
            body, end = np.split(given[i], [len(one.tokens)])
            credited = {"credited": body.tolist(), "credited_end": end.tolist(), "estimator": str(estimator)}
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
                "observed_return": float(texts.observed_return[i]),
                "voices": said,
                **credited,
            }
        )
    return samples


def _forget_events(folder: RunFolder) -> None:
    """Lets TensorBoard forget what a broken-off run has told after its newest checkpoint."""
    checkpoint = newest_checkpoint(folder.checkpoints)
    if checkpoint is not None:
        SummaryWriter(folder.tensorboard, purge_step=timesteps_of(checkpoint) + 1).close()


class _Metrics(BaseCallback):
    """Cuts a run's metrics back to where they were at the checkpoint from which it goes on."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder

    def _on_step(self) -> bool:
        return True

    def training_state(self) -> dict[str, Any]:
        return {"bytes": self.folder.sync()}

    def set_training_state(self, state: dict[str, Any]) -> None:
        self.folder.cut(state["bytes"])


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
