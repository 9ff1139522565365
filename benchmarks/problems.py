"""Problems whose optimum is known: how a run of one is told, what it does, and its score.

The score is (R - R_random) / (R_optimal - R_random) of gold on test prompts: 0 is what random tokens earn, 1 is the
optimum, whatever the learner was paid. What both earn is known of the diagnostics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.credit import Estimator
from benchmarks.evaluation import Evaluation, evaluate, make_env
from benchmarks.learners import title_of
from benchmarks.policies import Policy
from benchmarks.report import PROFILE, write_report
from benchmarks.results import RunFolder, write_json
from benchmarks.runner import Run, Tell
from benchmarks.samples import score_samples
from benchmarks.training import train_run, trained_policy
from textgym.tasks.base import Task

RANDOM = "Random"
"""How tables call what writes tokens at random, among those that are allowed."""

SAMPLES = 2
"""How many texts of a learner a report shows of a problem."""

RANDOM_TEXTS = 4096
"""About how many texts it writes for the test prompts: they cost nothing."""


@lru_cache(maxsize=256)
def _task(env_id: str, env_kwargs: str) -> Task:
    return make_env(env_id, num_rows=1, **json.loads(env_kwargs)).simulator.task


def task_of(env_id: str, env_kwargs: Mapping[str, Any]) -> Task:
    """Returns the task of an environment; a wrong argument is an error here, and not first in a run."""
    return _task(env_id, json.dumps(env_kwargs, sort_keys=True))


def run_config(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    *,
    learner: str | None,
    seed: int,
    texts: int,
    settings: Mapping[str, Any],
    scored: bool = True,
) -> dict[str, Any]:
    """Returns the configuration of a run of `run_learner`.

    Args:
        env_id: the environment.
        env_kwargs: its arguments while it is learnt, among them `reward`, what the learner is paid.
        learner: the learner; None for random tokens.
        seed: the training seed.
        texts: about how many texts the trained policy writes for the test prompts.
        settings: `tokens` and `rows`, the `model` to begin with where it is not the default one, and the learner's
            further arguments.
        scored: whether the run stands for its environment in the table of scores.
    """
    task = task_of(env_id, env_kwargs)
    known = {**task.presets.get(env_kwargs.get("difficulty", ""), {}), **env_kwargs}
    return {
        "env_id": env_id,
        "env_kwargs": dict(env_kwargs),
        "fingerprint": task.fingerprint,
        **({"policy": RANDOM} if learner is None else {"policy": title_of(learner), "learner": learner}),
        "seed": seed,
        "swept": {task.swept: known[task.swept]} if task.swept in known else {},
        "random_return": task.random_return,
        "optimal_return": task.optimal_return,
        "scored": scored,
        "texts": texts,
        "settings": dict(settings),
    }


def random_run(name: str, env_id: str, env_kwargs: Mapping[str, Any]) -> Run:
    """Returns the run in which random tokens stand beside the learners of a problem.

    Args:
        name: what the run is about.
        env_id: the environment.
        env_kwargs: its arguments.
    """
    config = run_config(env_id, env_kwargs, learner=None, seed=0, texts=RANDOM_TEXTS, settings={})
    return Run(f"{name}-random", run_random, config, weight=RANDOM_TEXTS)


def run_random(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Scores what random tokens are worth for the test prompts."""
    return scored_texts(write_texts("random", config), config)


def run_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains one learner on one problem with one seed, and scores what it writes for the test prompts.

    Of the first seed of a problem in the table of scores some texts are kept, for the report.
    """
    algorithm = train_learner(folder, config, tell)
    found = write_texts(algorithm, config)
    if config["seed"] or not config["scored"]:
        return scored_texts(found, config)
    estimator = Estimator.of(algorithm)
    network: Any = None if estimator is None else trained_policy(algorithm)
    samples = score_samples(found[0], SAMPLES, network, estimator, **config["env_kwargs"])
    return {**scored_texts(found, config), "samples": samples}


def train_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> Any:
    """Trains one learner on one problem with one seed, and returns it."""
    return train_run(folder, config, model=config["settings"].get("model"), tell=tell)


def write_texts(policy: Policy, config: Mapping[str, Any], *, split: str = "test", **changes: Any) -> list[Evaluation]:
    """Lets a policy write about `config["texts"]` texts for the prompts of a split, again and again if these are few.

    Args:
        policy: the policy.
        config: that of a run.
        split: the split.
        **changes: arguments of the environment that are other than in training.
    """
    env_kwargs = {**config["env_kwargs"], **changes}
    prompts = len(task_of(config["env_id"], env_kwargs).prompt_set(split))
    episodes = min(prompts, config["texts"])
    return [
        evaluate(policy, config["env_id"], split=split, episodes=episodes, seed=seed, **env_kwargs)
        for seed in range(max(1, config["texts"] // episodes))
    ]


def mean_return(found: Sequence[Evaluation], name: str) -> float:
    """Returns the mean of one of the returns over all texts."""
    return float(np.mean([one.returns[name].mean() for one in found]))


def scored_texts(found: Sequence[Evaluation], config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the mean gold and clean return of texts, their score, and the mean of each signal."""
    gold = mean_return(found, "gold_return")
    return {
        "gold": gold,
        "clean": mean_return(found, "clean_return"),
        "score": score(gold, config),
        "signals": np.mean([one.texts.signals.mean(axis=0) for one in found], axis=0),
    }


def score(gold: Any, config: Mapping[str, Any]) -> Any:
    """Returns the share of the way from random tokens to the optimum that a gold return, or an array of them, is."""
    random, optimal = config["random_return"], config["optimal_return"]
    return (gold - random) / (optimal - random)


def report_scores(folder: Path, about: Mapping[str, Any], console: Console) -> None:
    """Writes the page of the scores of a folder's finished runs, as `report.html`, and prints their table.

    Args:
        folder: a suite's.
        about: what its `profile.json` says; see `benchmarks.report.gathering`.
        console: where the table is printed.
    """
    write_json(folder / PROFILE, about)
    write_report(folder, console)
