"""RLHF, all of it: people compare a policy's texts, a model learns from that, and a policy learns from the model.

The model is then the only reward. On test prompts, what it says of the policy's texts, the proxy, and what they are
worth, gold, are measured while the policy moves away from its reference: Gao, Schulman and Hilton 2023, "Scaling laws
for reward model overoptimization". The best of n texts of the reference is an optimiser on the same axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.evaluation import make_env
from benchmarks.learners import run_name, title_of
from benchmarks.overoptimisation import gather_courses, section_of, told_of
from benchmarks.report import PROFILE, write_report
from benchmarks.results import RunFolder, write_json
from benchmarks.rlhf_runs import (
    BEST_OF_N,
    REFERENCE,
    REWARD_MODEL,
    run_best_of_n,
    run_learner,
    run_reference,
    run_reward_model,
)
from benchmarks.runner import Run

_PPO: dict[str, Any] = {"learning_rate": [3e-4, 0.0], "n_steps": 32, "batch_size": 512, "ent_coef": 0.0}
_REINFORCE: dict[str, Any] = {
    "learning_rate": 2e-3, "n_steps": 16, "baseline": "value", "normalize_advantage": False, "ent_coef": 0.0,
}  # fmt: skip


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
        learners: the arguments of each.
        penalties: the weights of the divergence from the reference with which REINFORCE learns.
        pessimism: how many deviations between the members count against a text that a learner is paid for.
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
    learners: dict[str, dict[str, Any]] = field(default_factory=lambda: {"ppo": _PPO, "reinforce": _REINFORCE})
    penalties: tuple[float, ...] = (0.0, 0.05)
    pessimism: float = 0.0
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
        learners={name: {**arguments, "n_steps": 16} for name, arguments in settings.learners.items()},
        episodes=16,
        samples=8,
        sampled=8,
    )


def plan(settings: Settings) -> list[Run]:
    """Returns the reference, the reward model that learns from its texts, and those who learn from that."""
    task = make_env(settings.env_id, num_rows=1, **settings.env_kwargs).simulator.task
    shared = {"env_id": settings.env_id, "env_kwargs": settings.env_kwargs, "fingerprint": task.fingerprint, "seed": 0}
    start = {"model": settings.model, "warm_start": settings.warm_start}
    reference = {**shared, "policy": "Reference", "settings": start}
    names = ("annotator", "pairs", "members", "objective", "schedule")
    judged = {**shared, "policy": "Reward model", "settings": {**start, **_chosen(settings, names)}}
    proxied = {"reward_model": judged["settings"], "episodes": settings.episodes}
    learning = [
        Run(
            run_name(name, seed),
            run_learner,
            {
                **shared,
                **proxied,
                "policy": title,
                "seed": seed,
                "learner": learner,
                "pessimism": settings.pessimism,
                "settings": {**_chosen(settings, ("tokens", "rows", "points")), **arguments},
            },
            after=(REWARD_MODEL,),
        )
        for seed in settings.seeds
        for name, title, learner, arguments in _methods(settings)
    ]
    sampling = {**shared, **proxied, "policy": "Best of n", "settings": _chosen(settings, ("samples", "sampled"))}
    return [
        Run(REFERENCE, run_reference, reference, weight=0.2),
        Run(REWARD_MODEL, run_reward_model, judged, weight=0.5, after=(REFERENCE,)),
        *learning,
        Run(BEST_OF_N, run_best_of_n, sampling, weight=0.5, after=(REWARD_MODEL,)),
    ]


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes the report of what is finished, and prints its table."""
    order = [title for _, title, _, _ in _methods(settings)] + ["Best of n"]
    introduction = (
        f"People compared {settings.pairs} pairs of texts of a reference policy, and {settings.members} transformers "
        "learnt from their answers: the proxy. It was the only reward from there on."
    )
    reward_model = RunFolder(folder / REWARD_MODEL)
    if reward_model.finished:
        introduction += f" {told_of(reward_model.result())}"
    courses = gather_courses(folder, order)
    sections = [section_of(courses)] if courses else []
    about = {"title": "Learning from a model of what people want", "introduction": introduction, "order": order}
    write_json(folder / PROFILE, {**about, "sections": sections})
    write_report(folder, console)


def _methods(settings: Settings) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yields a name, a title, the learner and its arguments for each way to optimise the reward model."""
    for learner, arguments in settings.learners.items():
        for penalty in settings.penalties if learner == "reinforce" else (0.0,):
            held = {"kl_coef": penalty} if penalty else {}
            name, title = (f"{learner}-kl-{penalty:g}", f", KL {penalty:g}") if penalty else (learner, "")
            yield name, title_of(learner) + title, learner, {**arguments, **held}


def _chosen(settings: Settings, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in names}
