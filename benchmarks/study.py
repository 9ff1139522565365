"""Studies: many short runs of fresh transformers on small problems, and what the finished ones scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from agents.backbone import DEFAULT_CONFIG
from benchmarks.learners import run_name, title_of
from benchmarks.problems import run_config, run_learner, score
from benchmarks.results import RunFolder, finished_runs
from benchmarks.runner import Run, Tell
from textgym.types import FloatArray

ONE_LAYER = {**DEFAULT_CONFIG, "n_layer": 1, "activation_function": "gelu_pytorch_tanh"}
"""A model for problems of a few letters: half of the default one, and so twice as fast."""

TINY = {**ONE_LAYER, "n_embd": 16, "n_head": 2}
"""A model to see that everything works."""

_PPO = {"n_steps": 16, "batch_size": 256, "learning_rate": [4e-3, 0.0]}


@dataclass(frozen=True)
class Problem:
    """A problem that a study's learners learn.

    Attributes:
        task: its name, as in the environment's id.
        arguments: the environment's.
        tokens: how many tokens a learner writes.
        question: what it asks, in a few words.
    """

    task: str
    arguments: dict[str, Any]
    tokens: int
    question: str = ""

    @property
    def env_id(self) -> str:
        return f"textgym/{self.task}-v0"


@dataclass(frozen=True)
class StudySettings:
    """The numbers that all studies have.

    Attributes:
        learners: the arguments of each learner, which suit `model`, 64 rows and problems of three or four tokens.
        others: the arguments of learners that only `--algorithms` brings in.
        shares: the share of a problem's tokens that a learner writes, where it is not 1: one that reads each token
            several times needs fewer, and more time for each.
        seeds: the training seeds.
        rows: how many texts are written at a time.
        model: the transformer, as transformers' configuration.
        texts: about how many texts each trained policy writes for the test prompts.
    """

    learners: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "ppo": _PPO,
            "reinforce": {"n_steps": 4, "learning_rate": 2e-3},
        }
    )
    others: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "maskable_ppo": _PPO,
            "grpo": {"n_steps": 16, "n_minibatches": 4, "learning_rate": [2e-3, 0.0]},
        }
    )
    shares: dict[str, float] = field(default_factory=lambda: {"ppo": 0.75, "maskable_ppo": 0.75})
    seeds: tuple[int, ...] = (0, 1, 2)
    rows: int = 64
    model: dict[str, Any] = field(default_factory=lambda: dict(ONE_LAYER))
    texts: int = 256

    @property
    def order(self) -> list[str]:
        """The learners as tables call them."""
        return [title_of(learner) for learner in self.learners]

    def small(self, **changes: Any) -> Self:
        """Returns settings of one seed and a tiny model that show that everything works, with further changes."""
        return replace(self, seeds=self.seeds[:1], rows=16, model=dict(TINY), texts=16, **changes)

    def tokens_for(self, learner: str, tokens: int) -> int:
        """Returns how many of a problem's tokens a learner writes."""
        return int(tokens * self.shares.get(learner, 1.0))

    def run(
        self,
        name: str,
        env_id: str,
        env_kwargs: Mapping[str, Any],
        *,
        learner: str,
        seed: int,
        tokens: int,
        arguments: Mapping[str, Any] | None = None,
        function: Callable[[RunFolder, Mapping[str, Any], Tell], Mapping[str, Any]] = run_learner,
        scored: bool = False,
        **more: Any,
    ) -> Run:
        """Returns one run.

        Args:
            name: what it is about; learner and seed are added.
            env_id: the environment.
            env_kwargs: its arguments while it is learnt.
            learner: the learner.
            seed: the training seed.
            tokens: how many tokens it writes.
            arguments: the learner's arguments beside those of `learners`.
            function: what the run does.
            scored: whether it stands for its environment in a table of scores.
            **more: what else its configuration says, by which the report finds it.
        """
        settings = {"tokens": tokens, "rows": self.rows, "model": self.model, **self.learners[learner]}
        config = run_config(
            env_id,
            env_kwargs,
            learner=learner,
            seed=seed,
            texts=self.texts,
            settings={**settings, **(arguments or {})},
            scored=scored,
        )
        return Run(f"{name}-{run_name(learner, seed)}", function, {**config, **more}, weight=tokens)


class FinishedRun:
    """A finished run: its folder, and what its files say.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.config, self.result = folder, folder.config(), folder.result()

    def curve(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Returns the tokens, the number of texts and their score at each log point while it learnt, (n,) each."""
        known = [record for record in self.folder.metrics() if record.get("gold_return") is not None]
        columns = [[record[name] for record in known] for name in ("timesteps", "texts", "gold_return")]
        tokens, texts, gold = (np.array(column, np.float64) for column in columns)
        return tokens, texts, score(gold, self.config)


class FinishedRuns(list[FinishedRun]):
    """The finished runs of a suite's folder."""

    @classmethod
    def below(cls, folder: str | Path) -> FinishedRuns:
        """Reads them, in the order of their names."""
        return cls(FinishedRun(run) for run in finished_runs(folder))

    def where(self, **wanted: Any) -> FinishedRuns:
        """Returns those whose configuration has these values."""
        return FinishedRuns(run for run in self if all(run.config.get(name) == value for name, value in wanted.items()))

    def scores(self, **wanted: Any) -> FloatArray:
        """Returns the scores of those whose configuration has these values, (seeds,)."""
        return np.array([run.result["score"] for run in self.where(**wanted)], np.float64)
