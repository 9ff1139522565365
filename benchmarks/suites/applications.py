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
from benchmarks.learners import TITLES
from benchmarks.report import PROFILE, write_report
from benchmarks.results import RunFolder, write_json
from benchmarks.runner import Run, Tell, execute
from benchmarks.suites import docstring

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


@dataclass(frozen=True)
class Settings:
    """What the suite does; what is not here is as in `docstring.Settings`.

    Attributes:
        tasks: which of `TASKS`.
        difficulty: the preset of all of them.
        tokens: how many tokens each learner writes.
        episodes: how many test prompts are evaluated.
        warm_starts: further arguments of the warm start on single tasks: long texts teach much in an epoch, and to find
            a fact among others takes a while.
        job: the model, warm start, seeds, rows and learners. The warm start is short and leaves something to learn.
    """

    tasks: tuple[str, ...] = tuple(TASKS)
    difficulty: str = "easy"
    tokens: int = 150_000
    episodes: int = 512
    warm_starts: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "Dialogue": {"max_epochs": 2},
            "KnowledgeGraph": {"max_epochs": 2},
            "KnowledgeQA": {"learning_rate": 1e-3, "max_epochs": 8, "prompt_weight": 0.1},
        }
    )
    job: docstring.Settings = field(
        default_factory=lambda: docstring.Settings(
            warm_start={"learning_rate": 3e-3, "batch_size": 32, "max_epochs": 3, "patience": 2},
            learners={
                "ppo": {
                    "learning_rate": [3e-4, 0.0], "n_steps": 80, "batch_size": 2560, "n_epochs": 4, "gae_lambda": 1.0,
                    "vf_coef": 0.1, "ent_coef": 0.0,
                },
                "reinforce": {
                    "learning_rate": [5e-4, 0.0], "n_steps": 48, "baseline": "leave_one_out", "group_size": 4,
                    "normalize_advantage": True, "kl_coef": 0.005, "ent_coef": 0.0,
                },
            },
        )
    )  # fmt: skip


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    job = docstring.quick(settings.job)
    return replace(settings, tasks=settings.tasks[:2], tokens=1024, episodes=32, warm_starts={}, job=job)


def run(folder: str | Path, *, settings: Settings, jobs: int, console: Console) -> list[str]:
    """Runs the suite, or what of it is left to do, and returns the names of the runs that failed.

    Args:
        folder: where everything goes; see `benchmarks.results`. The report is its `report.html`.
        settings: what to do.
        jobs: how many runs go on at a time.
        console: where progress and the table are printed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    order = ["Warm start", *(TITLES[name] for name in settings.job.learners)]
    write_json(
        folder / PROFILE,
        {
            "title": f"The uses ({settings.difficulty})",
            "introduction": "A small transformer learnt the references of each task: the warm start. From there each "
            "learner trained it on the task's own noisy feedback. 0 is random tokens, 1 what the references get.",
            "order": order,
            "baseline": order[0],
            "questions": {_env_id(task): TASKS[task] for task in settings.tasks},
            "predicted": {},
        },
    )
    shared = {task: _shared(task, settings) for task in settings.tasks}
    warm = [
        Run(f"{task}/{docstring.WARM_START}", run_warm_start, _warm_start(task, shared[task], settings))
        for task in settings.tasks
    ]
    failed = execute(warm, folder, jobs=jobs, console=console, title="warm starts")
    learning = [
        Run(
            f"{task}/{learner}-{seed}",
            run_learner,
            {
                **shared[task],
                "policy": TITLES[learner],
                "learner": learner,
                "seed": seed,
                "settings": {"tokens": settings.tokens, "rows": settings.job.rows, **arguments},
                "warm_start": _warm_start(task, shared[task], settings)["settings"],
            },
            weight=2.0 if learner == "ppo" else 1.0,
        )
        for seed in settings.job.seeds
        for task in settings.tasks
        for learner, arguments in settings.job.learners.items()
        if f"{task}/{docstring.WARM_START}" not in failed
    ]
    failed += execute(learning, folder, jobs=jobs, console=console, title="learning")
    for task in settings.tasks:
        if (folder / task).exists() and f"{task}/{docstring.WARM_START}" not in failed:
            about = {"title": task, "introduction": f"{task}: {TASKS[task]}.", "baseline": order[0], "order": order}
            write_json(folder / task / PROFILE, about)
            write_report(folder / task)
    write_report(folder, console)
    return failed


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
        "samples": settings.job.samples,
        "swept": {} if task.swept is None else {task.swept: task.presets[settings.difficulty][task.swept]},
        "random_return": float(random.mean()),
        "optimal_return": 1.0,
        "scored": True,
    }


def _warm_start(task: str, shared: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    arguments = {"model": settings.job.model, **settings.job.warm_start, **settings.warm_starts.get(task, {})}
    return {**shared, "policy": "Warm start", "seed": 0, "settings": arguments}


def run_warm_start(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Teaches a fresh transformer the references and evaluates it."""
    return _scored(docstring.run_warm_start(folder, config, tell), config)


def run_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains one learner with one seed from the warm start and evaluates it."""
    return _scored(docstring.run_learner(folder, config, tell), config)


def _scored(result: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    gold, random = float(result["evaluation"]["gold_return"].mean()), config["random_return"]
    return {**result, "gold": gold, "score": (gold - random) / (config["optimal_return"] - random)}
