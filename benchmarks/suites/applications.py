"""The uses: do PPO and REINFORCE improve a warm-started transformer on translation, summaries, dialogue and the rest?

For each task a small transformer learns the references of the train split; PPO and REINFORCE train it further on the
task's own noisy feedback, with several seeds. Each task has a report of its own, as `docstring` has, and all together a
page of scores: the share of the way from random tokens to the references, in gold, on test prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.evaluation import evaluate, make_env
from benchmarks.learners import run_name, title_of
from benchmarks.report import PROFILE, write_report
from benchmarks.results import RunFolder, write_json
from benchmarks.runner import Run, Tell
from benchmarks.suites import docstring

TAGS = ("algorithms", "warm-started")
MINUTES = 115

TASKS = {
    "Translate": "a second language",
    "Summarize": "what matters in a report",
    "Dialogue": "a booking in several turns",
    "Story": "text under attributes",
    "Code": "a program from examples",
    "KnowledgeQA": "questions of several hops",
    "KnowledgeGraph": "triples from text",
}
"""The tasks, and what each is about, in a few words."""


WARM_START = "Warm start"


@dataclass(frozen=True)
class Settings:
    """What the suite does; every number that one may want to change.

    Attributes:
        tasks: which of `TASKS`.
        difficulty: the preset of all of them.
        model: the transformer, as transformers' configuration.
        warm_start: the arguments of `agents.supervised.warm_start`: short, to leave something to learn.
        warm_starts: further ones on single tasks: long texts teach much in an epoch, and to find a fact among others
            takes a while.
        seeds: the training seeds of each learner.
        rows: how many texts a learner writes at a time.
        tokens: how many tokens each learner writes.
        learners: the arguments of each.
        tuned: further ones on single tasks: the warm start of Dialogue is all but certain of its tokens, and the first
            steps of PPO, without a value function yet, must not undo that.
        episodes: how many test prompts are evaluated.
        samples: how many of the texts a task's report shows.
    """

    tasks: tuple[str, ...] = tuple(TASKS)
    difficulty: str = "easy"
    model: dict[str, Any] = field(default_factory=lambda: dict(docstring.SMALL_GPT2))
    warm_start: dict[str, Any] = field(
        default_factory=lambda: {"learning_rate": 3e-3, "batch_size": 32, "max_epochs": 3, "patience": 2}
    )
    warm_starts: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "Dialogue": {"max_epochs": 5},
            "KnowledgeGraph": {"max_epochs": 2},
            "KnowledgeQA": {"learning_rate": 1e-3, "max_epochs": 8, "prompt_weight": 0.1},
        }
    )
    seeds: tuple[int, ...] = (0, 1, 2)
    rows: int = 64
    tokens: int = 400_000
    learners: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "ppo": {
                "learning_rate": [3e-4, 0.0], "n_steps": 80, "batch_size": 2560, "n_epochs": 4, "gae_lambda": 1.0,
                "vf_coef": 0.1, "ent_coef": 0.0,
            },
            "reinforce": {
                "learning_rate": [5e-4, 0.0], "n_steps": 48, "baseline": "leave_one_out", "group_size": 4,
                "normalize_advantage": True, "kl_coef": 0.005, "ent_coef": 0.0,
            },
        }
    )  # fmt: skip
    tuned: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {"Dialogue": {"ppo": {"learning_rate": [1e-4, 0.0]}}}
    )
    episodes: int = 512
    samples: int = 8


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    shared = ("model", "warm_start", "seeds", "rows", "tokens", "learners", "episodes", "samples")
    tiny = docstring.quick(docstring.Settings(**{name: getattr(settings, name) for name in shared}))
    return replace(
        settings, tasks=settings.tasks[:2], warm_starts={}, tuned={}, **{name: getattr(tiny, name) for name in shared}
    )


def plan(settings: Settings) -> list[Run]:
    """Returns for each task the warm start and the learners that go on from it."""
    shared = {task: _shared(task, settings) for task in settings.tasks}
    warm = {
        task: {
            **shared[task],
            "policy": WARM_START,
            "seed": 0,
            "settings": {"model": settings.model, **settings.warm_start, **settings.warm_starts.get(task, {})},
        }
        for task in settings.tasks
    }
    starts = [Run(_start(task), run_warm_start, config) for task, config in warm.items()]
    learning = [
        Run(
            f"{task}/{run_name(learner, seed)}",
            run_learner,
            {
                **shared[task],
                "policy": title_of(learner),
                "learner": learner,
                "seed": seed,
                "settings": {
                    "tokens": settings.tokens,
                    "rows": settings.rows,
                    **arguments,
                    **settings.tuned.get(task, {}).get(learner, {}),
                },
                "warm_start": warm[task]["settings"],
            },
            weight=2.0 if learner == "ppo" else 1.0,
            after=(_start(task),),
        )
        for seed in settings.seeds
        for task in settings.tasks
        for learner, arguments in settings.learners.items()
    ]
    return starts + learning


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes the page of scores and a report of each task, of what is finished, and prints the table."""
    order = [WARM_START, *(title_of(name) for name in settings.learners)]
    write_json(
        folder / PROFILE,
        {
            "title": f"The uses ({settings.difficulty})",
            "introduction": "A small transformer learnt the references of each task: the warm start. From there each "
            "learner trained it on the task's own noisy feedback. 0 is random tokens, 1 what the references get.",
            "order": order,
            "baseline": WARM_START,
            "questions": {_env_id(task): TASKS[task] for task in settings.tasks},
            "predicted": {},
        },
    )
    for task in settings.tasks:
        if RunFolder(folder / _start(task)).finished:
            about = {"title": task, "introduction": f"{task}: {TASKS[task]}.", "baseline": WARM_START, "order": order}
            write_json(folder / task / PROFILE, about)
            write_report(folder / task)
    write_report(folder, console)


def _start(task: str) -> str:
    return f"{task}/{docstring.WARM_START}"


def _env_id(task: str) -> str:
    return f"textgym/{task}-v0"


def _shared(name: str, settings: Settings) -> dict[str, Any]:
    """Returns what the configurations of all runs on one task have in common."""
    env_kwargs: dict[str, Any] = {"difficulty": settings.difficulty}
    task = make_env(_env_id(name), num_rows=1, **env_kwargs).simulator.task
    random = evaluate("random", _env_id(name), episodes=settings.episodes, **env_kwargs).returns["gold_return"]
    return {
        "env_id": _env_id(name),
        "env_kwargs": env_kwargs,
        "fingerprint": task.fingerprint,
        "episodes": settings.episodes,
        "samples": settings.samples,
        "swept": {} if task.swept is None else {task.swept: task.presets[settings.difficulty][task.swept]},
        "random_return": float(random.mean()),
        "optimal_return": 1.0,
        "scored": True,
    }


def run_warm_start(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Teaches a fresh transformer the references and evaluates it."""
    return _scored(docstring.run_warm_start(folder, config, tell), config)


def run_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains one learner with one seed from the warm start and evaluates it."""
    return _scored(docstring.run_learner(folder, config, tell), config)


def _scored(result: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    gold, random = float(result["evaluation"]["gold_return"].mean()), config["random_return"]
    return {**result, "gold": gold, "score": (gold - random) / (config["optimal_return"] - random)}
