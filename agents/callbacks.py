"""Callbacks for any Stable-Baselines3 algorithm: what texts were worth, judges, a stop at broken losses, and a bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from tqdm import tqdm

RETURNS = ("clean_return", "observed_return", "gold_return")


class ReturnsCallback(BaseCallback):
    """Logs, after each rollout, the mean clean, observed and gold return and the mean length of the texts it finished.

    The logger gets `rollout/clean_return`, `rollout/observed_return`, `rollout/gold_return` and `rollout/text_length`
    (tokens); a rollout that finishes no text logs nothing.

    Args:
        on_record: called with each log point as plain numbers: `timesteps`, `texts` (how many the means are over), the
            four means, and the algorithm's latest `train/...` values. Once more, without means, after the last update.
    """

    def __init__(self, on_record: Callable[[dict[str, float]], None] | None = None) -> None:
        super().__init__()
        self.on_record = on_record
        self._texts: list[tuple[float, ...]] = []
        self._steps = np.zeros(0, np.int64)  # (n,) tokens of each row's unfinished text

    def _on_training_start(self) -> None:
        if self.num_timesteps == 0 or len(self._steps) != self.training_env.num_envs:
            self._steps = np.zeros(self.training_env.num_envs, np.int64)

    def _on_step(self) -> bool:
        self._steps += 1
        for row in np.flatnonzero(self.locals["dones"]):
            info = self.locals["infos"][row]
            if "clean_return" not in info:
                raise ValueError(
                    "an info of a finished text has no clean_return: the environment is no text environment, or a "
                    "wrapper such as TimeLimit cut the text off (leave it out; max_new_tokens bounds texts)"
                )
            self._texts.append((*(float(info[name]) for name in RETURNS), float(self._steps[row])))
            self._steps[row] = 0
        return True

    def _on_rollout_end(self) -> None:
        if not self._texts:
            return
        names = (*RETURNS, "text_length")
        means = dict(zip(names, np.mean(self._texts, axis=0).tolist(), strict=True))
        for name, mean in means.items():
            self.logger.record(f"rollout/{name}", mean)
        self._emit({"texts": float(len(self._texts)), **means})
        self._texts.clear()

    def _on_training_end(self) -> None:
        self._emit({})

    def training_state(self) -> dict[str, Any]:
        """Returns the texts that the rollout has finished, and how far the others are; see `agents.checkpoint`."""
        return {"texts": list(self._texts), "steps": self._steps.copy()}

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restores what `training_state` returned."""
        self._texts, self._steps = list(state["texts"]), state["steps"]

    def _emit(self, record: dict[str, float]) -> None:
        if self.on_record is not None:
            self.on_record({"timesteps": float(self.num_timesteps), **record, **_train_values(self.logger)})


class SelfPreferenceCallback(BaseCallback):
    """Logs, after each rollout, how wrong the judge was of the texts it finished, and whether it likes what is likely.

    A text's error is `observed_return - clean_return`. The logger gets their mean, `rollout/judge_error`, and their
    correlation (Pearson's) with the mean log-probability of the text's tokens under what they were drawn from,
    `rollout/self_preference`: near 1, the judge is a mirror. It is not logged where errors or texts do not vary.
    """

    def _on_training_start(self) -> None:
        if self.num_timesteps == 0 or not hasattr(self, "_log_probs"):
            self._log_probs, self._steps = np.zeros((2, self.training_env.num_envs))  # (n,) of unfinished texts
            self._texts: list[tuple[float, float]] = []

    def _on_step(self) -> bool:
        self._log_probs += np.asarray(torch.as_tensor(self.locals["log_probs"]).cpu(), float)
        self._steps += 1
        for row in np.flatnonzero(self.locals["dones"]):
            info = self.locals["infos"][row]
            error = float(info["observed_return"]) - float(info["clean_return"])
            self._texts.append((error, float(self._log_probs[row] / self._steps[row])))
            self._log_probs[row] = self._steps[row] = 0
        return True

    def _on_rollout_end(self) -> None:
        if not self._texts:
            return
        errors, log_probs = np.array(self._texts).T
        self.logger.record("rollout/judge_error", float(errors.mean()))
        if min(errors.std(), log_probs.std()) > 1e-9:
            self.logger.record("rollout/self_preference", float(np.corrcoef(errors, log_probs)[0, 1]))
        self._texts.clear()

    def training_state(self) -> dict[str, Any]:
        return {"texts": list(self._texts), "log_probs": self._log_probs.copy(), "steps": self._steps.copy()}

    def set_training_state(self, state: dict[str, Any]) -> None:
        self._texts, self._log_probs, self._steps = list(state["texts"]), state["log_probs"], state["steps"]


class StopOnNonFinite(BaseCallback):
    """Raises an error as soon as a loss that the algorithm logs of its training, or a weight, is not a finite number.

    It looks before each rollout, so that not a single token is sampled from broken weights, and after the last update.

    Raises:
        FloatingPointError: see `check_finite`.
    """

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        check_finite(self.model)

    def _on_training_end(self) -> None:
        check_finite(self.model)


class TokenProgressBar(BaseCallback):
    """A bar that counts timesteps of any size, such as the tokens of a batch, and shows the loss."""

    def _on_training_start(self) -> None:
        self._start = self.num_timesteps
        self._bar = tqdm(total=self.locals["total_timesteps"] - self._start, unit="token")

    def _on_step(self) -> bool:
        loss = self.logger.name_to_value.get("train/loss", math.nan)
        self._bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        self._bar.update(self.num_timesteps - self._start - self._bar.n)
        return True

    def _on_training_end(self) -> None:
        self._bar.close()


def check_finite(model: BaseAlgorithm) -> None:
    """Checks the losses that an algorithm has logged since it last wrote its log, and its policy's weights.

    Raises:
        FloatingPointError: if one is not finite; the message names it, and tells timestep, learning rate and returns.
    """
    logged = _train_values(model.logger) if hasattr(model, "_logger") else {}
    broken = [(name, value) for name, value in logged.items() if "loss" in name and not math.isfinite(value)]
    for name, weights in model.policy.state_dict().items():
        if not broken and weights.is_floating_point() and not torch.isfinite(weights).all():
            broken.append((f"weights of {name}", float(weights[~torch.isfinite(weights)][0])))
    if not broken:
        return
    (name, value), rate = broken[0], model.policy.optimizer.param_groups[0]["lr"]
    told = f"the learning rate was {rate:g}"
    if model.ep_info_buffer:
        returns = [episode["r"] for episode in model.ep_info_buffer]
        told += f", and the last {len(returns)} episodes were paid {np.mean(returns):.4g} each"
    raise FloatingPointError(
        f"{name} became {value} after {model.num_timesteps} timesteps; {told}. "
        "Lower the learning rate or max_grad_norm, or look for rewards that are not finite"
    )


def _train_values(logger: Logger) -> dict[str, float]:
    return {name: float(value) for name, value in logger.name_to_value.items() if name.startswith("train/")}
