"""OfflineAlgorithm: the base of learners that learn from a data set, with the face of Stable-Baselines3."""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Generic, Self

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule

from agents.callbacks import TokenProgressBar
from agents.data.lessons import LessonsT, Passes, Told, hold_out
from agents.data.reading import Reader
from agents.gradient_step import gradient_step
from agents.policy import TransformerPolicy
from textgym.types import IntArray


class OfflineAlgorithm(BaseAlgorithm, Generic[LessonsT]):
    """Learns from a data set instead of its own rollouts; a timestep is a token that is learnt from.

    `learn`, `save`, `load`, `predict`, loggers and callbacks are Stable-Baselines3's. A callback's step is a batch:
    its rollout starts before the batch is learnt, and ends behind it. The data are not saved with the model; `load`
    takes them anew, `load(path, env=env, data=data)`, and goes on where it stopped.

    Leaves write `read`, which turns data into tokens, and `loss`.

    Args:
        policy: `TransformerPolicy` or its name.
        env: a text environment, or several as a vector environment: for its spaces, vocabulary and prompts.
        data: what is learnt; may be given later, by `set_data`.
        learning_rate: of the policy's optimizer; a number or a function of the progress that remains, 1 to 0.
        batch_size: how many units, texts or comparisons, a step of the optimizer learns from.
        validation_data: what is measured after each pass over the data; by default a share of the data.
        validation_share: the share of the prompts that is held out for it, in [0, 1); 0 measures nothing.
        max_grad_norm: the largest gradient norm of a step.
        seed: of the order of the data, the share that is held out, and the weights of a fresh policy.
        others: as for every algorithm of Stable-Baselines3.

    Raises:
        ValueError: if a number is out of its range, or the data don't fit the environment.
    """

    policy_aliases: ClassVar[dict[str, type[Any]]] = {"TransformerPolicy": TransformerPolicy}
    policy: TransformerPolicy

    def __init__(
        self,
        policy: str | type[TransformerPolicy],
        env: GymEnv | str,
        data: Any = None,
        *,
        learning_rate: float | Schedule = 1e-3,
        batch_size: int = 32,
        validation_data: Any = None,
        validation_share: float = 0.1,
        max_grad_norm: float = 1.0,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        if batch_size < 1 or not 0 <= validation_share < 1:
            raise ValueError(
                f"batch_size must be at least 1 and validation_share in [0, 1), got {batch_size} and {validation_share}"
            )
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            policy_kwargs=policy_kwargs,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            support_multi_env=True,
            seed=seed,
            supported_action_spaces=(spaces.Discrete,),
        )
        self.data, self.validation_data = data, validation_data
        self.batch_size, self.max_grad_norm = batch_size, max_grad_norm
        self.validation_share = validation_share
        self.lessons: LessonsT | None = None
        self.held_out: LessonsT | None = None
        self.passes = Passes(seed)
        if _init_setup_model:
            self._setup_model()

    @abstractmethod
    def read(self, data: Any, reader: Reader) -> LessonsT:
        """Returns data in tokens; raises a ValueError that names what does not fit."""

    @abstractmethod
    def loss(self, lessons: LessonsT, batch: IntArray) -> Told:
        """Returns the loss of some units, (b,)."""

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        made = self.policy_class(self.observation_space, self.action_space, self.lr_schedule, **self.policy_kwargs)
        if not isinstance(made, TransformerPolicy):
            raise ValueError(f"{type(self).__name__} learns a TransformerPolicy, got {type(made).__name__}")
        self.policy = made.to(self.device)
        self.policy_kwargs = made.without_folder(self.policy_kwargs)
        if self.data is not None:
            self._read()

    def set_data(self, data: Any, validation_data: Any = None) -> None:
        """Takes other data, of which a new pass begins."""
        self.data, self.validation_data = data, validation_data
        self.passes.restart()
        self._read()

    def reader(self) -> Reader:
        """Returns what turns texts into the tokens of the environment.

        Raises:
            ValueError: if there is no environment.
        """
        if self.env is None:
            raise ValueError("texts need an environment, whose tokens they are made of: pass env, to load too")
        simulator = self.env.get_attr("simulator", 0)[0]
        return Reader(simulator.task, simulator.max_new_tokens)

    def _read(self) -> None:
        """Puts the data into tokens, and holds out some."""
        reader = self.reader()
        lessons, held_out = self.read(self.data, reader), None
        if self.validation_data is not None:
            held_out = self.read(self.validation_data, reader)
        elif self.validation_share:
            lessons, held_out = hold_out(lessons, self.validation_share, np.random.default_rng(self.seed or 0))
        longest = max(int(part.lengths.max(initial=0)) for part in (lessons, held_out) if part is not None)
        context = self.policy.backbone.context_length
        if longest > context:
            raise ValueError(
                f"a text has {longest} tokens with its prompt, but the policy reads {context}: "
                f"make the environment with context_length={longest}, or leave long texts out"
            )
        if not len(lessons):
            raise ValueError("there is nothing in the data to learn from")
        self.lessons, self.held_out = lessons, held_out

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 10,
        tb_log_name: str | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
        progress_remaining: tuple[float, float] | None = None,
    ) -> Self:
        """Learns until so many tokens were learnt from; as in Stable-Baselines3, perhaps a few more.

        Args:
            total_timesteps: how many tokens.
            callback: one or several.
            log_interval: the number of batches that a point of the log is the mean of.
            tb_log_name: the name of the run for TensorBoard; by default the algorithm's.
            reset_num_timesteps: whether to count from 0; else these tokens come on top.
            progress_bar: whether to show one, in tokens.
            progress_remaining: what schedules are given at the beginning and at the end, if this is a part of something
                longer; by default as in Stable-Baselines3, 1 minus the share of all tokens so far.

        Raises:
            ValueError: if there are no data.
            FloatingPointError: if the loss is not finite.
        """
        if self.lessons is None:
            raise ValueError("there are no data to learn from: pass data, to load too, or call set_data")
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name or type(self).__name__, progress_bar
        )
        iteration = 0
        callback.on_training_start(locals(), globals())
        while self.num_timesteps < total_timesteps:
            callback.on_rollout_start()
            batch = self.passes.next(self.lessons, self.batch_size)
            self._update_current_progress_remaining(self.num_timesteps, total_timesteps)
            if progress_remaining is not None:
                done = self.num_timesteps - self._num_timesteps_at_start
                at = done / (total_timesteps - self._num_timesteps_at_start), (0, 1), progress_remaining
                self._current_progress_remaining = float(np.interp(*at))
            self._update(self.lessons, batch)
            self.num_timesteps += int(self.lessons.learnt[batch].sum())
            iteration += 1
            callback.update_locals(locals())
            if not callback.on_step():
                break
            callback.on_rollout_end()
            if self.passes.over:
                self._log_validation()
            if iteration % log_interval == 0 and self.num_timesteps < total_timesteps:
                self.dump_logs()
        if not self.passes.over:
            self._log_validation()
        callback.on_training_end()
        self.dump_logs()
        return self

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        given = callback if isinstance(callback, list) else [callback]
        callbacks = [one if isinstance(one, BaseCallback) else ConvertCallback(one) for one in given]
        bar: list[BaseCallback] = [TokenProgressBar()] if progress_bar else []
        return super()._init_callback(CallbackList([*callbacks, *bar]))

    def _update(self, lessons: LessonsT, batch: IntArray) -> None:
        """Takes one step of the optimizer."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        told = self.loss(lessons, batch)
        norm = gradient_step(
            told.loss, self.policy.optimizer, self.policy.parameters(), max_grad_norm=self.max_grad_norm
        )
        self._n_updates += 1
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, value in {"loss": told.loss.item(), **told.values, "gradient_norm": float(norm)}.items():
            self.logger.record_mean(f"train/{name}", value)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Returns the loss on what is held out, and what else the algorithm tells; nothing if nothing is."""
        if self.held_out is None:
            return {}
        self.policy.set_training_mode(False)
        order = np.argsort(self.held_out.lengths, kind="stable")
        parts = [order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size)]
        told = [self.loss(self.held_out, part) for part in parts]
        counts = [one.count for one in told]
        rows = [{"loss": one.loss.item(), **one.values} for one in told]
        return {name: float(np.average([row[name] for row in rows], weights=counts)) for name in rows[0]}

    def _log_validation(self) -> None:
        for name, value in self.validate().items():
            self.logger.record(f"validation/{name}", value)

    def dump_logs(self) -> None:
        """Writes what was recorded since the last time."""
        elapsed = max((time.time_ns() - self.start_time) / 1e9, 1e-9)
        self.logger.record("time/fps", int((self.num_timesteps - self._num_timesteps_at_start) / elapsed))
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(step=self.num_timesteps)

    def training_state(self) -> dict[str, Any]:
        """Returns where learning stands beside weights and optimizer: the place in the data and the next chance."""
        return {"passes": self.passes.state(), "data": _digest(self.lessons)}

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Goes on from where `training_state` was taken, with the same data.

        Raises:
            ValueError: if the data are others.
        """
        if state["data"] != _digest(self.lessons):
            raise ValueError("the data are not those that the checkpoint's run learnt from")
        self.passes.set_state(state["passes"])

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "data", "validation_data", "lessons", "held_out"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", "policy.optimizer"], []


def _digest(value: Any) -> str:
    """Returns a hash of lessons: of all arrays and numbers in them."""
    found = hashlib.sha256()
    parts = [value]
    while parts:
        part = parts.pop()
        if is_dataclass(part):
            parts += [getattr(part, one.name) for one in fields(part)]
        elif isinstance(part, list | tuple):
            parts += part
        else:
            found.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return found.hexdigest()
