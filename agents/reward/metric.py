"""Reward model: what a learnt model of people's answers says of a text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from agents.reward.model import RewardModel
from agents.reward.storage import SETTINGS
from textgym.metrics.base import Metric
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class RewardModelMetric(Metric):
    """The score of a saved `RewardModel`, squashed to [0, 1].

    With the ensemble's mean m and deviation s, in standard deviations of the texts that it learnt from,

        score = 1 / (1 + exp(-(m - pessimism s))),

    0.5 for what these were worth on average, and 0.88 for what is two deviations better. Pessimism, the worse for what
    the members disagree on, is that of Coste et al. 2024, "Reward model ensembles help mitigate overoptimization".

    The texts of a call share a forward pass in float32, so a score may vary with the other texts in its last digits:
    rows of a vector environment agree with single ones to about 1e-6, not to the last bit.

    Args:
        task: the task whose texts are scored; its tokens must be those that the model was taught with.
        path: the folder that `RewardModel.save` wrote.
        pessimism: how many deviations between the members count against a text, at least 0.
        device: where the model computes, such as `"cpu"` or `"cuda"`.
    """

    def __init__(self, task: Task, path: str, pessimism: float = 0.0, device: str = "cpu") -> None:
        super().__init__(task)
        if not 0 <= pessimism < np.inf:
            raise ValueError(f"pessimism must be finite and at least 0, got {pessimism}")
        self.pessimism = pessimism
        settings = Path(path) / SETTINGS
        self.model = _loaded(path, settings.stat().st_mtime_ns if settings.is_file() else 0, task, device)

    def score(self, transition: Transition) -> FloatArray:
        rows, _ = self.model.reader.read_transition(transition)
        score: FloatArray = 0.5 + 0.5 * np.tanh(0.5 * self.model.judge(rows).pessimistic(self.pessimism))
        return score


@lru_cache(maxsize=4)
def _loaded(path: str, written: int, task: Task, device: str) -> RewardModel:
    """Returns the model in a folder, one for all environments of a task, until the folder is written anew."""
    return RewardModel.load(path, task, device)
