"""Callbacks for any Stable-Baselines3 algorithm: what finished texts were worth, a stop at broken losses, and a bar."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
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
                    "an info of a finished text has no clean_return: ReturnsCallback needs a text environment"
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

    def _emit(self, record: dict[str, float]) -> None:
        if self.on_record is not None:
            self.on_record({"timesteps": float(self.num_timesteps), **record, **_train_values(self)})


class StopOnNonFinite(BaseCallback):
    """Raises an error as soon as a value that the algorithm logs of its training is not a finite number.

    It looks before each rollout, so that not a single token is sampled from broken weights, and after the last update.

    Raises:
        FloatingPointError: with the name of the value.
    """

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        for name, value in _train_values(self).items():
            if "loss" in name and not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} became {value} after {self.num_timesteps} timesteps: "
                    "lower the learning rate or max_grad_norm, or look for rewards that are not finite"
                )

    def _on_training_end(self) -> None:
        self._on_rollout_start()


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


def _train_values(callback: BaseCallback) -> dict[str, float]:
    values = callback.logger.name_to_value.items()
    return {name: float(value) for name, value in values if name.startswith("train/")}
