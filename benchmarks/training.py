"""Training: one learner on one environment, and what the run leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import LinearSchedule
from tensorboard.compat.proto.event_pb2 import Event, SessionLog

from agents.callbacks import RETURNS, ReturnsCallback, StopOnNonFinite
from agents.checkpoint import Checkpoints, newest_checkpoint, timesteps_of
from agents.exploration import Exploration
from agents.memory import explained_memory_errors
from agents.ngram_policy import NgramPolicy
from agents.offline_algorithm import OfflineAlgorithm
from agents.policy import TransformerCore
from agents.reinforce import REINFORCE
from agents.rounds import learn_in_rounds
from agents.self_training import SelfTraining
from agents.state.description import arguments_of
from agents.vec_env import GymnasiumVecEnv, make_vec_env
from benchmarks.learners import DEFAULTS, IN_ROUNDS, LEARNERS, MODEL, check_learner
from benchmarks.own_algorithm import Recorder, check_algorithm, find
from benchmarks.results import RunFolder
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.records import Record
from textgym.registration import check_number, suggestion

EXPLORATION = ("ent_coef", "temperature", "guidance")
"""The settings that may be scheduled for every learner but those from data."""

Tell = Callable[[float], None]


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
    fingerprint: str | None = None,
    callbacks: Sequence[BaseCallback] = (),
    every: int | None = None,
    tell: Tell = lambda share: None,
) -> Any:
    """Trains a learner and returns it; metrics, TensorBoard files, checkpoints and the model go to the run's folder.

    Where the folder has checkpoints, the run goes on from the newest, and ends as if it had never been broken off.
    Learners from data, and those of the user's own, have none and begin anew. One of the user's own that is none of
    Stable-Baselines3 has metrics only, and keeps its model to itself.

    Args:
        folder: a started run.
        learner: one of `LEARNERS`, or `module:function`; see `benchmarks.own_algorithm`.
        env_id: the environment.
        tokens: how many tokens are written in all; whole rollouts, so perhaps a few more.
        seed: the seed of the learner and of the environment's rows.
        model: the model to begin with: a folder, a configuration, or None for a small fresh one.
        rows: how many texts are written at a time.
        settings: the learner's further arguments; [start, end] is a linear schedule of a number. `ent_coef`,
            `temperature` and `guidance` may be scheduled for every learner but those from data.
        env_kwargs: the environment's further arguments; its `group_size` is the learner's, if that has one.
        fingerprint: what the corpus's must be; any by default.
        callbacks: further callbacks of Stable-Baselines3, for learners that have them.
        every: how many updates lie between two checkpoints; by default a twentieth of the run.
        tell: takes the share that is done, in [0, 1].

    Raises:
        ValueError: if the learner is unknown, a setting is refused, the corpus is another, or the folder's checkpoint
            is damaged or of another run.
        FloatingPointError: if a weight or a loss is not finite; the last good checkpoint stays.
        MemoryError: if memory runs out, with what to lower.
    """
    check_learner(learner)
    if tokens < 1 or rows < 1:
        raise ValueError(f"tokens and rows must be at least 1, got tokens={tokens}, rows={rows}")
    check_settings(learner, settings or {})
    arguments = _scheduled({**DEFAULTS.get(learner, {}), **(settings or {})})
    grouping = {"group_size": arguments.get("group_size", 1)}
    env = make_vec_env(env_id, n_envs=rows, seed=seed, **{**grouping, **(env_kwargs or {})})
    found = env.get_attr("simulator", 0)[0].task.fingerprint
    if fingerprint not in (None, found):
        raise ValueError(
            f"the corpus of {env_id} has the fingerprint {found} here, and {fingerprint} where this run was planned: "
            "Python, textgym or the package that the corpus is made of differ"
        )
    start = str(model) if isinstance(model, Path) else model
    policy_kwargs = {"model": start, **arguments.pop("policy_kwargs", {})}
    make = partial(LEARNERS.get(learner) or find(learner), env=env, seed=seed, policy_kwargs=policy_kwargs)
    if learner in IN_ROUNDS:
        algorithm = _from_data(folder, make, arguments, tokens=tokens, choose=IN_ROUNDS[learner], seed=seed, tell=tell)
    elif learner in LEARNERS:
        more = [*callbacks, _Teller(tell)]
        algorithm = _by_callbacks(folder, make, arguments, tokens=tokens, every=every, more=more)
    else:
        algorithm = _of_the_user(folder, learner, make, arguments, tokens=tokens, tell=tell)
    policy = getattr(algorithm, "policy", None)
    if isinstance(policy, TransformerCore | NgramPolicy):
        (policy if isinstance(policy, NgramPolicy) else policy.backbone).save_pretrained(folder.path / MODEL)
    env.close()
    return algorithm


def train_run(folder: RunFolder, config: Mapping[str, Any], *, model: Any, tell: Tell) -> Any:
    """Trains the learner that a run's configuration names, with its settings, and returns it; see `train`.

    Args:
        folder: the run's.
        config: its `learner`, `env_id`, `env_kwargs`, `seed`, and `settings`, among them `tokens` and `rows`.
        model: the model to begin with.
        tell: takes the share that is done, in [0, 1].
    """
    own = ("tokens", "rows", "model")
    return train(
        folder,
        learner=config["learner"],
        env_id=config["env_id"],
        tokens=config["settings"]["tokens"],
        rows=config["settings"]["rows"],
        seed=config["seed"],
        model=model,
        settings={name: value for name, value in config["settings"].items() if name not in own},
        env_kwargs=config["env_kwargs"],
        fingerprint=config.get("fingerprint"),
        tell=tell,
    )


def trained_policy(algorithm: Any) -> Any:
    """Returns what is evaluated of a learner: its policy, or a learner of the user's own itself, if it has none."""
    return algorithm.policy if isinstance(algorithm, BaseAlgorithm) else algorithm


def check_settings(learner: str, settings: Mapping[str, Any]) -> None:
    """Raises a ValueError if a learner of ours has no such setting, or its value is of the wrong kind.

    A list is [start, end] of a setting that can be scheduled.
    """
    if learner not in LEARNERS:
        return
    made = LEARNERS[learner]
    parameters = arguments_of(cast(type, made.func))
    known = parameters.keys() - {"policy", "env", "seed", "data", *made.keywords}
    known |= {*DEFAULTS[learner]} if learner in IN_ROUNDS else {*EXPLORATION}
    for name, value in settings.items():
        if name not in known:
            listed = ", ".join(sorted(known))
            raise ValueError(f"{learner} has no setting {name!r}{suggestion(name, known)}; it has {listed}")
        kind = str(parameters[name].annotation) if name in parameters else ""
        changes = "Schedule" in kind or "Callable" in kind or (name in EXPLORATION and learner not in IN_ROUNDS)
        if isinstance(value, list) and not (changes and _is_schedule(value)):
            also = ", or [start, end] for a schedule" if changes else ""
            raise ValueError(f"the setting {name} must be one value{also}, got {value}")
        if name in parameters and not isinstance(value, list):
            check_number(parameters[name], value, "the setting ")
        if name.endswith("_kwargs") and not isinstance(value, Mapping):
            raise ValueError(f"the setting {name} must be a mapping, got {value!r}")


def _is_schedule(value: Any) -> bool:
    """Returns whether a setting is [start, end], of numbers."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value)


def _scheduled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings in which [start, end] has become a schedule that goes linearly from the one to the other."""
    return {
        name: LinearSchedule(value[0], value[1], end_fraction=1.0) if _is_schedule(value) else value
        for name, value in settings.items()
    }


def _made(make: partial[Any], arguments: Mapping[str, Any]) -> Any:
    """Returns a learner with some settings; one that Stable-Baselines3 refuses by any error is a ValueError."""
    try:
        return make(**arguments)
    except (TypeError, AssertionError) as error:
        raise ValueError(f"{make.func.__name__} refuses a setting of {dict(arguments)}: {error}") from error


def _by_callbacks(
    folder: RunFolder,
    make: partial[Any],
    arguments: dict[str, Any],
    *,
    tokens: int,
    every: int | None,
    more: Sequence[BaseCallback],
) -> BaseAlgorithm:
    """Trains an on-policy algorithm, which goes on from its newest checkpoint."""
    checkpoints = Checkpoints(folder.checkpoints, every=every, resume=True)
    callbacks = [checkpoints, _Metrics(folder), ReturnsCallback(folder.log), *more]
    if make.func not in (REINFORCE, SelfTraining):  # which see to their exploration themselves
        callbacks.append(Exploration(**{name: arguments.pop(name) for name in EXPLORATION if name in arguments}))
    algorithm: BaseAlgorithm = _made(make, arguments)
    checkpoint = newest_checkpoint(folder.checkpoints)
    _log_to(folder, algorithm, after=None if checkpoint is None else timesteps_of(checkpoint))
    with explained_memory_errors(algorithm):
        algorithm.learn(tokens, callback=CallbackList(callbacks), log_interval=1)
    return algorithm


def _from_data(
    folder: RunFolder,
    make: partial[Any],
    arguments: dict[str, Any],
    *,
    tokens: int,
    choose: Callable[..., Any],
    seed: int,
    tell: Tell,
) -> BaseAlgorithm:
    """Trains a learner from data on its own texts, which are compared by what the environment pays for them."""
    del arguments["group_size"]  # the environment has it
    rounds = {name: arguments.pop(name) for name in ("texts_per_round", "passes")}
    algorithm: OfflineAlgorithm[Any] = _made(make, arguments)
    folder.cut(0)
    _log_to(folder, algorithm)
    env: GymnasiumVecEnv = make.keywords["env"]
    earned = PAID[env.get_attr("simulator", 0)[0].reward_kind]
    latest = _TrainValues()

    def on_round(written: int, texts: FeedbackDataset) -> None:
        lengths = [len(text.completion_ids) for text in texts]
        means = {name: float(np.mean([getattr(text, name) or 0.0 for text in texts])) for name in RETURNS}
        record = {"timesteps": written, "texts": len(texts), **means, "text_length": np.mean(lengths), **latest.values}
        folder.log(record)
        for name, mean in means.items():
            algorithm.logger.record(f"rollout/{name}", mean)
        tell(min(1.0, written / tokens))

    read = partial(choose, score=earned)
    with explained_memory_errors(algorithm):
        written = learn_in_rounds(
            algorithm, env.envs, tokens, read=read, callback=latest, on_round=on_round, seed=seed, **rounds
        )
    folder.log({"timesteps": written, **latest.values})
    return algorithm


PAID: dict[str, str | Callable[[Record], float | None]] = {
    "gold": "gold_return",
    "feedback": "observed_return",
    "sum": lambda text: None if text.observed_return is None else text.gold_return + text.observed_return,
}
"""What a text earned, by the environment's `reward`; without a correction of the sum, which records don't have."""


def _of_the_user(
    folder: RunFolder, learner: str, make: partial[Any], arguments: dict[str, Any], *, tokens: int, tell: Tell
) -> Any:
    """Trains a learner of the user's own."""
    env: GymnasiumVecEnv = make.keywords["env"]
    recorder = Recorder(env.envs, tokens=tokens, on_record=folder.log, tell=tell)
    env.envs = recorder
    algorithm = make(**arguments)
    check_algorithm(learner, algorithm)
    folder.cut(0)
    if isinstance(algorithm, BaseAlgorithm):
        env.envs = recorder.env  # its callbacks record more
        _log_to(folder, algorithm)
        callbacks = [ReturnsCallback(folder.log), StopOnNonFinite(), _Teller(tell)]
        algorithm.learn(tokens, callback=CallbackList(callbacks))
    else:
        recorder.learn(algorithm)
    return algorithm


def _log_to(folder: RunFolder, algorithm: BaseAlgorithm, after: int | None = None) -> None:
    """Gives an algorithm a logger for TensorBoard, which forgets what a broken-off run told after some timesteps."""
    begun = folder.tensorboard.exists()
    logger = configure(str(folder.tensorboard), ["tensorboard"])
    algorithm.set_logger(logger)
    if begun:
        restart = Event(step=0 if after is None else after + 1, session_log=SessionLog(status=SessionLog.START))
        logger.output_formats[0].writer.file_writer.add_event(restart)  # type: ignore[attr-defined]


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
