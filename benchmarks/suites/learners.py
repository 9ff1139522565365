"""The learners side by side: what each makes of four tasks, how soon, and in how much time.

Fresh transformers learn `Copy` and `Chain`, paid with gold; warm-started ones go on with `Summarize` and `Docstring`,
paid the tasks' own noisy feedback. Beside the learners stand what needs no training: random tokens, the warm start, and
the best of n texts of either, chosen by the same feedback. Each task has a report of its own, and all together a page
of scores with the tokens and the time that each learner needed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from agents.best_of_n import BestOfN
from benchmarks.credit import Estimator
from benchmarks.efficiency import tokens_needed
from benchmarks.evaluation import Evaluation, evaluate, make_env
from benchmarks.learners import LEARNERS, MODEL, make_policy, run_name, title_of
from benchmarks.policies import Policy
from benchmarks.problems import RANDOM
from benchmarks.report import PROFILE, write_report
from benchmarks.results import RunFolder, write_json
from benchmarks.runner import Run, Tell
from benchmarks.samples import score_samples
from benchmarks.suites import docstring
from benchmarks.training import train_run, trained_policy

TAGS = ("algorithms", "fresh", "warm-started")
MINUTES = 120

WARM_START = "Warm start"


@dataclass(frozen=True)
class Problem:
    """One task of the suite.

    Attributes:
        task: its name, as in the environment's id.
        tokens: how many tokens a learner writes.
        question: what it asks, in a few words.
        env_kwargs: the environment's further arguments.
        warm_start: the arguments of the warm start, or None where learners begin with fresh weights.
    """

    task: str
    tokens: int
    question: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    warm_start: dict[str, Any] | None = None

    @property
    def env_id(self) -> str:
        return f"textgym/{self.task}-v0"

    @property
    def baseline(self) -> str:
        """The policy from which learners begin."""
        return RANDOM if self.warm_start is None else WARM_START

    @property
    def measure(self) -> str:
        """What learners are paid, without noise."""
        return "gold_return" if self.env_kwargs.get("reward") == "gold" else "clean_return"


PROBLEMS = (
    Problem("Copy", 60_000, "a token at each place", {"difficulty": "easy", "reward": "gold"}),
    Problem("Chain", 60_000, "credit over many tokens", {"difficulty": "easy", "reward": "gold"}),
    Problem("Summarize", 60_000, "what matters in a report", {"difficulty": "easy"},
            {"learning_rate": 3e-3, "batch_size": 32, "max_epochs": 3, "patience": 2}),
    Problem("Docstring", 60_000, "real text", {},
            {"learning_rate": 3e-3, "batch_size": 32, "max_epochs": 12, "patience": 1}),
)  # fmt: skip

_ON = {"learning_rate": [3e-4, 0.0], "ent_coef": 0.0}
_PPO_ON = {**_ON, "n_steps": 80, "batch_size": 2560, "gae_lambda": 1.0, "vf_coef": 0.1}
_GROUPS_ON = {**_ON, "learning_rate": [1e-3, 0.0], "n_steps": 48, "kl_coef": 0.005}


@dataclass(frozen=True)
class Settings:
    """What the suite does; every number that one may want to change.

    Attributes:
        learners: the further arguments of each.
        problems: the tasks.
        seeds: the training seeds.
        shares: the share of a problem's tokens that a learner writes, where it is not 1: TRPO needs more time for each.
        rows: how many texts a learner writes at a time.
        warm: those of learners that go on from a warm start, on top: whole texts at a time, small steps, no entropy.
        fresh: the learners that can't begin with the warm start, since their model is another.
        model: the transformer, as transformers' configuration.
        best_of: how many texts the best is chosen from, for the policies without training.
        texts: about how many texts each policy writes for the test prompts.
        samples: how many of the texts a report shows.
    """

    learners: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in LEARNERS})
    problems: tuple[Problem, ...] = PROBLEMS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    shares: dict[str, float] = field(default_factory=lambda: {"trpo": 0.2})
    rows: int = 64
    warm: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "ppo": _PPO_ON,
            "maskable_ppo": _PPO_ON,
            "a2c": {"learning_rate": [1e-3, 0.0], "ent_coef": 0.0, "n_steps": 40},
            "trpo": {"n_steps": 40, "batch_size": 2560, "learning_rate": 3e-4, "target_kl": 0.02},
            "reinforce": {
                **_GROUPS_ON, "learning_rate": [5e-4, 0.0], "baseline": "leave_one_out", "group_size": 4,
                "normalize_advantage": True,
            },
            "rloo": {**_GROUPS_ON, "normalize_advantage": True},
            "grpo": _GROUPS_ON,
            "self_training": {**_ON, "n_steps": 48},
            "weighted_likelihood": {**_ON, "n_steps": 48},
            "dpo": {"learning_rate": 1e-4},
            "contrastive": {"learning_rate": 1e-4},
            "cloning": {"learning_rate": 1e-4},
        }
    )  # fmt: skip
    fresh: tuple[str, ...] = ("ngram_ppo",)
    model: dict[str, Any] = field(default_factory=lambda: dict(docstring.SMALL_GPT2))
    best_of: tuple[int, ...] = (4, 16)
    texts: int = 512
    samples: int = 6


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    copy, chain, *_ = settings.problems
    summarize = next(one for one in settings.problems if one.task == "Summarize")
    short = {**(summarize.warm_start or {}), "max_epochs": 1}
    summarize = replace(summarize, env_kwargs={**summarize.env_kwargs, "size": 512}, warm_start=short)
    few = [replace(one, tokens=1024) for one in (copy, chain, summarize)]
    return replace(
        settings,
        learners={"ppo": {}, "reinforce": {}},
        problems=tuple(few),
        seeds=settings.seeds[:2],
        rows=16,
        warm={name: {**own, "n_steps": 16} for name, own in settings.warm.items() if name in ("ppo", "reinforce")},
        model={**settings.model, "n_layer": 1, "n_embd": 32, "n_head": 2},
        best_of=(2,),
        texts=32,
        samples=2,
    )


def plan(settings: Settings) -> list[Run]:
    """Returns all runs: the warm starts, on which the others of their tasks rest, then seed by seed, then the rest."""
    shared = {one.task: _shared(one, settings) for one in settings.problems}
    runs = [
        Run(f"{one.task}/{docstring.WARM_START}", run_warm_start, shared[one.task] | _warm_start(one, settings))
        for one in settings.problems
        if one.warm_start is not None
    ]
    runs += [
        _learner(one, shared[one.task], settings, learner, seed)
        for seed in settings.seeds
        for one in settings.problems
        for learner in settings.learners
    ]
    for one in settings.problems:
        own = {**shared[one.task], "seed": 0, "settings": {}}
        runs.append(Run(f"{one.task}/random", run_untrained, {**own, "policy": RANDOM, "n": 1}, weight=500))
        for n in settings.best_of:
            config = {**own, "policy": f"Best of {n}", "n": n}
            config["settings"] = {"drawn from": one.baseline.lower(), "chosen by": "observed return"}
            if one.warm_start is not None:
                config["warm_start"] = _warm_start(one, settings)["settings"]
            name = f"{one.task}/best-of-{n}"
            runs.append(Run(name, run_untrained, config, weight=1000 * n, after=_after(config, one)))
    return runs


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes a report of each task and the page of scores, and prints the table."""
    untrained = [RANDOM, WARM_START, *(f"Best of {n}" for n in settings.best_of)]
    learners = [title_of(name) for name in settings.learners]
    for one in settings.problems:
        title = f"{one.task}: {one.question}"
        about = {"title": title, "introduction": "", "baseline": one.baseline, "order": [*untrained, *learners]}
        if any(run.finished for run in map(RunFolder, (folder / one.task).glob("*"))):
            write_json(folder / one.task / PROFILE, about)
            write_report(folder / one.task)
    write_json(
        folder / PROFILE,
        {
            "title": "The learners",
            "introduction": "Each learner learns four tasks from feedback alone: two with fresh weights, two from a "
            "transformer that learnt the references. 0 is random tokens, 1 the optimum, in gold on test prompts. The "
            "best of n texts, chosen by the feedback that the learners are paid, needs no training, but n texts for "
            "each that it gives.",
            "order": [*untrained, *learners],
            "baseline": untrained[-1],
            "untrained": untrained,
            "questions": {one.env_id: one.question for one in settings.problems},
            "predicted": {},
        },
    )
    write_report(folder, console)


def _shared(one: Problem, settings: Settings) -> dict[str, Any]:
    """Returns what the configurations of all runs on one task have in common."""
    simulator = make_env(one.env_id, num_rows=1, split="test", **one.env_kwargs).simulator
    task, prompts = simulator.task, len(simulator.prompt_set)
    episodes = min(prompts, settings.texts)
    random = task.random_return
    if random is None:
        found = evaluate("random", one.env_id, episodes=episodes, **one.env_kwargs)
        random = float(found.returns["gold_return"].mean())
    difficulty = one.env_kwargs.get("difficulty")
    return {
        "env_id": one.env_id,
        "env_kwargs": one.env_kwargs,
        "fingerprint": task.fingerprint,
        "episodes": episodes,
        "repeats": max(1, settings.texts // episodes),
        "samples": settings.samples,
        "swept": {task.swept: task.presets[difficulty][task.swept]} if task.swept and difficulty else {},
        "random_return": random,
        "optimal_return": 1.0 if task.optimal_return is None else task.optimal_return,
        "measure": one.measure,
        "scored": True,
    }


def _warm_start(one: Problem, settings: Settings) -> dict[str, Any]:
    return {"policy": WARM_START, "seed": 0, "settings": {"model": settings.model, **(one.warm_start or {})}}


def _learner(one: Problem, shared: Mapping[str, Any], settings: Settings, learner: str, seed: int) -> Run:
    warm = one.warm_start is not None and learner not in settings.fresh
    tokens = int(one.tokens * settings.shares.get(learner, 1.0))
    config = {
        **shared,
        "policy": title_of(learner),
        "learner": learner,
        "seed": seed,
        "model": None if learner in settings.fresh else settings.model,
        "settings": {
            "tokens": tokens,
            "rows": settings.rows,
            **settings.learners[learner],
            **(settings.warm.get(learner, {}) if warm else {}),
        },
    }
    if warm:
        config["warm_start"] = _warm_start(one, settings)["settings"]
    name = f"{one.task}/{run_name(learner, seed)}"
    return Run(name, run_learner, config, weight=tokens, after=_after(config, one))


def _after(config: Mapping[str, Any], one: Problem) -> tuple[str, ...]:
    """Returns the runs that one of this configuration reads."""
    return (f"{one.task}/{docstring.WARM_START}",) if "warm_start" in config else ()


def run_warm_start(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Teaches a fresh transformer the references and evaluates it."""
    taught = docstring.run_warm_start(folder, config, tell)
    return {**taught, **_score(taught["evaluation"], config)}


def run_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains one learner on one task with one seed and evaluates it."""
    measure = config["measure"]
    began = time.monotonic()
    algorithm = train_run(
        folder, config, model=_taught(folder) / MODEL if "warm_start" in config else config["model"], tell=tell
    )
    seconds = time.monotonic() - began
    start = config["random_return"]
    if "warm_start" in config:
        start = RunFolder(_taught(folder)).result()["train_level"][measure]
    elif measure != "gold_return":
        found = evaluate("random", config["env_id"], episodes=config["episodes"], **config["env_kwargs"])
        start = float(found.returns[measure].mean())
    return {
        **_evaluated(trained_policy(algorithm), config, Estimator.of(algorithm)),
        "tokens_needed": tokens_needed(folder.metrics(), measure, start),
        "train_seconds": round(seconds, 1),
    }


def run_untrained(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Evaluates random tokens, or the best of n texts of what the learners begin with."""
    policy: Any = "random"
    if "warm_start" in config:
        policy = make_policy(config["env_id"], _taught(folder) / MODEL, **config["env_kwargs"])
    return _evaluated(BestOfN(policy, config["n"]) if config["n"] > 1 else policy, config, None)


def _taught(folder: RunFolder) -> Path:
    return folder.path.parent / docstring.WARM_START


def _evaluated(policy: Policy, config: Mapping[str, Any], estimator: Estimator | None) -> dict[str, Any]:
    """Evaluates a policy, several times where the prompts are few, and shows some of what it wrote."""
    env_id, episodes, env_kwargs = config["env_id"], config["episodes"], config["env_kwargs"]
    found: list[Evaluation] = [
        evaluate(policy, env_id, episodes=episodes, seed=seed, **env_kwargs) for seed in range(config["repeats"])
    ]
    returns = {name: np.mean([one.returns[name] for one in found], axis=0) for name in found[0].returns}
    network: Any = policy if estimator is not None else None
    return {
        "evaluation": returns,
        "samples": score_samples(found[0], config["samples"], network, estimator, **env_kwargs),
        **_score(returns, config),
    }


def _score(returns: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    gold, random = float(np.mean(returns["gold_return"])), config["random_return"]
    return {"gold": gold, "score": (gold - random) / (config["optimal_return"] - random)}
