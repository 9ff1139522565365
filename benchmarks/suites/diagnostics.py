"""Diagnostics: thirteen small problems whose optimum is known, each asking one question of an algorithm.

Fresh transformers learn each with every learner and several seeds, and write texts for test prompts. The score is
(R - R_random) / (R_optimal - R_random) of gold, which is what they are paid. Only `Noise` and the three problems about
feedback that misleads or conflicts pay their feedback; of the three stands what theory predicts beside what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import problems
from benchmarks.evaluation import make_env
from benchmarks.learners import run_name, title_of
from benchmarks.results import RunFolder
from benchmarks.runner import Run, Tell
from textgym.tasks.base import Task

TAGS = ("algorithms", "fresh")
MINUTES = 46


@dataclass(frozen=True)
class Diagnostic:
    """One problem of the suite.

    Attributes:
        task: its name, as in the environment's id.
        tokens: how many tokens a learner writes.
        question: what it asks, in a few words.
        rows: how many texts are written at a time.
        reward: what the learner is paid: gold, or the feedback.
        predicted: for problems that show a failure, what theory says.
        difficulty: its own preset, where it is not the suite's.
    """

    task: str
    tokens: int
    question: str
    rows: int = 64
    reward: str = "gold"
    predicted: str = ""
    difficulty: str | None = None

    @property
    def env_id(self) -> str:
        return f"textgym/{self.task}-v0"


DIAGNOSTICS = (
    Diagnostic("Bandit", 40_000, "which token pays"),
    Diagnostic("Copy", 100_000, "a token at each place"),
    Diagnostic("Reverse", 100_000, "the same, backwards"),
    Diagnostic("Chain", 100_000, "credit over many tokens"),
    Diagnostic("Lock", 50_000, "exploration"),
    Diagnostic("Vocabulary", 60_000, "many actions"),
    Diagnostic("Horizon", 160_000, "long texts"),
    Diagnostic("Memory", 50_000, "a long prompt"),
    Diagnostic("Stop", 80_000, "when to end"),
    Diagnostic("Noise", 80_000, "noisy feedback", reward="feedback"),
    Diagnostic("Tradeoff", 100_000, "two signals in conflict", reward="feedback",
               predicted="an optimum between the readers; other weights lead along the front"),
    Diagnostic("Hacking", 100_000, "a proxy that parts from gold", reward="feedback",
               predicted="gold rises with the proxy and falls when praise outgrows what is welcome"),
    Diagnostic("Drift", 120_000, "a taste that moves", rows=32, reward="feedback", difficulty="medium",
               predicted="gold rises, and falls once the taste is more than halfway to the next letter, "
               "after 500 texts of a row"),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What the suite does; every number that one may want to change.

    Attributes:
        diagnostics: the problems.
        difficulty: the preset of all of them that have none of their own.
        learners: the further arguments of each; `n_steps` are for 64 rows, and fewer rows write more steps.
        shares: the share of a problem's tokens that a learner writes, where it is not 1 and gold can be learnt: one
            that reads each token several times needs fewer, and more time for each.
        seeds: the training seeds.
        texts: about how many texts each trained policy writes for the test prompts.
        front: further weights of `Tradeoff`'s first reader, to draw its front; with the first seed only.
    """

    diagnostics: tuple[Diagnostic, ...] = DIAGNOSTICS
    difficulty: str = "easy"
    learners: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "ppo": {"n_steps": 32, "batch_size": 512},
            "reinforce": {"n_steps": 16},
            "maskable_ppo": {"n_steps": 32, "batch_size": 512},
        }
    )
    shares: dict[str, float] = field(default_factory=lambda: {"ppo": 0.6, "maskable_ppo": 0.6})
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    texts: int = 256
    front: tuple[float, ...] = (0.2, 0.4, 0.8)


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    few = tuple(replace(one, tokens=2048) for one in settings.diagnostics if one.task in ("Bandit", "Vocabulary"))
    hacked = tuple(replace(one, tokens=2048) for one in settings.diagnostics if one.task in ("Tradeoff", "Hacking"))
    return replace(settings, diagnostics=few + hacked, seeds=(0, 1), texts=32, front=(0.4,))


def plan(settings: Settings) -> list[Run]:
    """Returns all runs, seed by seed, so that a broken-off suite has every problem; the longest of a seed first."""
    runs = [problems.random_run(one.task, one.env_id, _env_kwargs(settings, one)) for one in settings.diagnostics]
    for seed in settings.seeds:
        for one in sorted(settings.diagnostics, key=lambda one: -one.tokens):
            task = make_env(one.env_id, num_rows=1, difficulty=one.difficulty or settings.difficulty).simulator.task
            weights: list[float | None] = [None]
            if one.task == "Tradeoff" and seed == settings.seeds[0]:
                weights += settings.front
            for learner in settings.learners:
                if learner != "maskable_ppo":
                    runs += [_run(settings, one, learner, seed, weight) for weight in weights]
                elif type(task).allowed_tokens is not Task.allowed_tokens:  # it has a mask of its own
                    runs.append(_run(settings, one, learner, seed, None))
    return runs


def _env_kwargs(settings: Settings, one: Diagnostic, weight: float | None = None) -> dict[str, Any]:
    weighed = {} if weight is None else {"weight": weight}
    return {"difficulty": one.difficulty or settings.difficulty, **weighed, "reward": one.reward}


def _run(settings: Settings, one: Diagnostic, learner: str, seed: int, weight: float | None) -> Run:
    arguments = dict(settings.learners[learner])
    if "n_steps" in arguments:
        arguments["n_steps"] = arguments["n_steps"] * 64 // one.rows
    share = 1.0 if one.predicted else settings.shares.get(learner, 1.0)  # a failure needs its time
    tokens = int(one.tokens * share)
    config = problems.run_config(
        one.env_id,
        _env_kwargs(settings, one, weight),
        learner=learner,
        seed=seed,
        texts=settings.texts,
        settings={"tokens": tokens, "rows": one.rows, **arguments},
        scored=weight is None,
    )
    name = f"{one.task}{'' if weight is None else f'-{weight}'}-{run_name(learner, seed)}"
    return Run(name, run_learner, config, weight=tokens)


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes the page of scores of what is finished, as `report.html`, and prints their table."""
    problems.report_scores(
        folder,
        {
            "title": f"Diagnostics whose optimum is known ({settings.difficulty})",
            "introduction": "Each problem asks one question of an algorithm. Fresh small transformers learn it with "
            "every learner; the score is 0 for random tokens and 1 for the optimum.",
            "order": [problems.RANDOM, *(title_of(name) for name in settings.learners)],
            "untrained": [problems.RANDOM],
            "questions": {one.env_id: one.question for one in settings.diagnostics},
            "predicted": {one.env_id: one.predicted for one in settings.diagnostics if one.predicted},
        },
        console,
    )


def run_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains one learner on one problem with one seed, scores what it writes, and says what theory expects."""
    found = problems.run_learner(folder, config, tell)
    return {**found, **predictions(config["env_id"], config["env_kwargs"])}


def predictions(env_id: str, env_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what theory says of a problem that shows a failure or a front: as the report reads it."""
    task: Any = make_env(env_id, num_rows=1, **env_kwargs).simulator.task
    if hasattr(task, "proxy_optimal_return"):
        return {"predicted_gold": task.proxy_optimal_return}
    if hasattr(task, "following_return"):
        return {"predicted_gold": 0.0, "turns_after_texts": 1 / (2 * task.speed) if task.speed else None}
    if hasattr(task, "pareto_front"):
        return {"front": task.pareto_front(), "predicted_signals": task.pareto_front()[task.best_count]}
    return {}
