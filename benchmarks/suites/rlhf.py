"""RLHF, all of it: people compare a policy's texts, a model learns from that, and a policy learns from the model.

The model is then the only reward. On test prompts, what it says of the policy's texts, the proxy, and what they are
worth, gold, are measured while the policy moves away from its reference: Gao, Schulman and Hilton 2023, "Scaling laws
for reward model overoptimization". The best of n texts of the reference is an optimiser on the same axes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.evaluation import make_env
from benchmarks.overoptimisation import OVEROPTIMISATION, gather_curves, print_curves
from benchmarks.overoptimisation_page import write_curves_page
from benchmarks.results import write_json
from benchmarks.rlhf_runs import (
    BEST_OF_N,
    REFERENCE,
    REWARD_MODEL,
    run_best_of_n,
    run_learner,
    run_reference,
    run_reward_model,
)
from benchmarks.runner import Run, execute


@dataclass(frozen=True)
class Arm:
    """One way to optimise the reward model.

    Attributes:
        title: what it is called.
        learner: one of `benchmarks.learners.LEARNERS`.
        settings: its arguments. REINFORCE's `kl_coef` holds it to the reference.
        pessimism: how many deviations between the members count against a text.
    """

    title: str
    learner: str
    settings: dict[str, Any]
    pessimism: float = 0.0


_PPO = {"learning_rate": [3e-4, 0.0], "n_steps": 32, "batch_size": 512, "ent_coef": 0.0}
_REINFORCE = {"learning_rate": 2e-3, "n_steps": 16, "baseline": "value", "normalize_advantage": False, "ent_coef": 0.0}


@dataclass(frozen=True)
class Settings:
    """What the suite does; every number that one may want to change.

    By default people compare texts of letters and praise that a fresh transformer wrote. There is little praise in
    these, which is welcome, so that the model can't learn that more of it does harm.

    Attributes:
        env_id: the environment.
        env_kwargs: its further arguments.
        model: the transformer, as transformers' configuration.
        warm_start: the arguments of `agents.supervised.warm_start` that make the reference; None leaves it fresh.
        annotator: who compares each text with the one before for the same prompt.
        pairs: how many pairs are compared.
        members: how many members the reward model has.
        objective: its losses.
        schedule: how long and how fast it learns.
        rows: how many texts a learner writes at a time.
        tokens: how many tokens each learner writes.
        points: how often it is measured on the way.
        seeds: the training seeds.
        arms: the learners, by name.
        episodes: how many test prompts it is measured on.
        samples: how many texts for each of `sampled` test prompts the best of n is chosen from.
        sampled: how many test prompts that is done for.
    """

    env_id: str = "textgym/Hacking-v0"
    env_kwargs: dict[str, Any] = field(default_factory=lambda: {"length": 12, "agreement": 6})
    model: dict[str, Any] = field(
        default_factory=lambda: {
            "model_type": "gpt2", "n_layer": 2, "n_embd": 64, "n_head": 4,
            "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
        }
    )  # fmt: skip
    warm_start: dict[str, Any] | None = None
    annotator: dict[str, Any] = field(
        default_factory=lambda: {"name": "preference", "metric": "gold", "teacher": "mistake", "beta": 20.0}
    )
    pairs: int = 500
    members: int = 3
    objective: dict[str, Any] = field(default_factory=lambda: {"flip_rate": None})
    schedule: dict[str, Any] = field(default_factory=lambda: {"learning_rate": 1e-3, "patience": 3})
    rows: int = 64
    tokens: int = 40_000
    points: int = 20
    seeds: tuple[int, ...] = (0, 1)
    arms: dict[str, Arm] = field(
        default_factory=lambda: {
            "ppo": Arm("PPO", "ppo", _PPO),
            "reinforce": Arm("REINFORCE", "reinforce", _REINFORCE),
            "reinforce-kl": Arm("with KL 0.05", "reinforce", {**_REINFORCE, "kl_coef": 0.05}),
        }
    )
    episodes: int = 128
    samples: int = 256
    sampled: int = 64


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    return replace(
        settings,
        model={**settings.model, "n_layer": 1, "n_embd": 32},
        pairs=40,
        members=2,
        schedule={**settings.schedule, "max_epochs": 2},
        rows=16,
        tokens=2048,
        points=3,
        seeds=settings.seeds[:1],
        arms={name: replace(arm, settings={**arm.settings, "n_steps": 16}) for name, arm in settings.arms.items()},
        episodes=16,
        samples=8,
        sampled=8,
    )


def run(folder: str | Path, *, settings: Settings, jobs: int, console: Console) -> list[str]:
    """Runs the suite, or what of it is left to do, and returns the names of the runs that failed.

    Args:
        folder: where everything goes; see `benchmarks.results`. The report is its `report.html`.
        settings: what to do.
        jobs: how many runs go on at a time.
        console: where progress and the table are printed.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for stage in plan(settings):
        failed = execute(stage, folder, jobs=jobs, console=console, title="RLHF")
        if failed:
            return failed
    report(folder, settings, console)
    return []


def plan(settings: Settings) -> list[list[Run]]:
    """Returns all runs in stages, each of which needs what the ones before it leave behind."""
    task = make_env(settings.env_id, num_rows=1, **settings.env_kwargs).simulator.task
    shared = {"env_id": settings.env_id, "env_kwargs": settings.env_kwargs, "fingerprint": task.fingerprint, "seed": 0}
    start = {"model": settings.model, "warm_start": settings.warm_start}
    reference = {**shared, "policy": "Reference", "settings": start}
    names = ("annotator", "pairs", "members", "objective", "schedule")
    judged = {**shared, "policy": "Reward model", "settings": {**start, **_chosen(settings, names)}}
    proxied = {"reward_model": judged["settings"], "episodes": settings.episodes}
    learning = [
        Run(
            f"{name}-{seed}",
            run_learner,
            {
                **shared,
                **proxied,
                "policy": arm.title,
                "seed": seed,
                "learner": arm.learner,
                "pessimism": arm.pessimism,
                "settings": {**_chosen(settings, ("tokens", "rows", "points")), **arm.settings},
            },
        )
        for seed in settings.seeds
        for name, arm in settings.arms.items()
    ]
    sampling = {**shared, **proxied, "policy": "Best of n", "settings": _chosen(settings, ("samples", "sampled"))}
    return [
        [Run(REFERENCE, run_reference, reference)],
        [Run(REWARD_MODEL, run_reward_model, judged)],
        [*learning, Run(BEST_OF_N, run_best_of_n, sampling, weight=0.5)],
    ]


def report(folder: str | Path, settings: Settings, console: Console) -> None:
    """Writes the report of what is finished, and prints its table."""
    title = {
        "title": "Learning from a model of what people want",
        "introduction": f"People compared {settings.pairs} pairs of texts of a reference policy, and "
        f"{settings.members} transformers learnt from their answers: the proxy. It was the only reward from there on. "
        "What it says of a policy's texts, and what these are worth, is drawn against the distance from the reference.",
        "order": [arm.title for arm in settings.arms.values()] + ["Best of n"],
    }
    write_json(Path(folder) / OVEROPTIMISATION, title)
    found = gather_curves(folder)
    print_curves(found, console)
    console.print(f"report: {write_curves_page(found, folder)}", soft_wrap=True, highlight=False)


def _chosen(settings: Settings, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in names}
