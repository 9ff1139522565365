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
from benchmarks.overoptimisation import BEST_OF_N as BEST
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

TAGS = ("feedback", "warm-started")
MINUTES = 9

_MODEL: dict[str, Any] = {
    "model_type": "gpt2", "n_layer": 2, "n_head": 4, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
}  # fmt: skip

START, JUDGE = "Reference", "Reward model"


@dataclass(frozen=True)
class Problem:
    """One task on which all of it is done.

    Attributes:
        task: its name, as in the environment's id.
        env_kwargs: the environment's further arguments.
        model: the transformer, as transformers' configuration: of the reference, the policies and the reward model.
        warm_start: the arguments of `agents.supervised.warm_start` that make the reference; None leaves it fresh.
        hasty: whether it learns from people in a hurry, see `benchmarks.haste`.
        schedule: how long and how fast the reward model learns.
        tokens: how many tokens each learner writes.
        learners: the arguments of each learner here, on top.
    """

    task: str
    env_kwargs: dict[str, Any]
    model: dict[str, Any]
    warm_start: dict[str, Any] | None
    hasty: bool
    schedule: dict[str, Any]
    tokens: int
    learners: dict[str, dict[str, Any]]

    @property
    def env_id(self) -> str:
        return f"textgym/{self.task}-v0"


PROBLEMS = (
    Problem(
        "Summarize",
        {"difficulty": "easy"},
        {**_MODEL, "n_embd": 128, "activation_function": "gelu_pytorch_tanh"},
        {"learning_rate": 3e-3, "batch_size": 32, "max_epochs": 5, "patience": 2},
        True,
        {"learning_rate": 3e-4, "patience": 3},
        60_000,
        {
            "ppo": {"learning_rate": [5e-4, 0.0], "n_steps": 80, "batch_size": 2560, "n_epochs": 2,
                    "gae_lambda": 1.0, "vf_coef": 0.1},
            "reinforce": {"learning_rate": 3e-4, "n_steps": 48, "normalize_advantage": True},
        },
    ),
    Problem(
        "Hacking",
        {"length": 12, "agreement": 6},
        {**_MODEL, "n_embd": 64},
        None,
        False,
        {"learning_rate": 1e-3, "patience": 3},
        40_000,
        {
            "ppo": {"learning_rate": [3e-4, 0.0], "n_steps": 32, "batch_size": 512},
            "reinforce": {"learning_rate": 2e-3, "n_steps": 16},
        },
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What the suite does; every number that one may want to change.

    Summaries are those of a transformer that learnt from people in a hurry, who leave details out. In pairs of them the
    fuller one is mostly the better, and what makes a detail wrong is in the report: so the model learns that fuller is
    better, and whoever follows it too far makes details up. In texts of letters and praise, which a fresh transformer
    writes, there is little praise, which is welcome, so that the model can't learn that more of it does harm.

    Attributes:
        problems: the tasks.
        annotator: who compares each text with the one before for the same prompt.
        pairs: how many pairs are compared.
        members: how many members the reward model has.
        objective: its losses.
        rows: how many texts a learner writes at a time.
        points: how often it is measured on the way.
        seeds: the training seeds.
        learners: the arguments of each.
        penalties: the weights of the divergence from the reference with which REINFORCE learns.
        pessimism: how many deviations between the members count against a text that a learner is paid for.
        episodes: how many test prompts it is measured on.
        samples: how many texts for each of `sampled` test prompts the best of n is chosen from.
        sampled: how many test prompts that is done for.
    """

    problems: tuple[Problem, ...] = PROBLEMS
    annotator: dict[str, Any] = field(
        default_factory=lambda: {"name": "preference", "metric": "gold", "teacher": "mistake", "beta": 20.0}
    )
    pairs: int = 500
    members: int = 3
    objective: dict[str, Any] = field(default_factory=lambda: {"flip_rate": None})
    rows: int = 64
    points: int = 20
    seeds: tuple[int, ...] = (0, 1)
    learners: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "ppo": {"ent_coef": 0.0},
            "reinforce": {"baseline": "value", "ent_coef": 0.0},
        }
    )
    penalties: tuple[float, ...] = (0.0, 0.05)
    pessimism: float = 0.0
    episodes: int = 128
    samples: int = 256
    sampled: int = 64


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    summarize, hacking = settings.problems
    summarize = replace(summarize, env_kwargs={**summarize.env_kwargs, "size": 256})
    return replace(
        settings,
        problems=tuple(
            replace(
                one,
                model={**one.model, "n_layer": 1, "n_embd": 32},
                schedule={**one.schedule, "max_epochs": 2},
                tokens=2048,
                learners={name: {**arguments, "n_steps": 16} for name, arguments in one.learners.items()},
            )
            for one in (summarize, hacking)
        ),
        pairs=40,
        members=2,
        rows=16,
        points=3,
        seeds=settings.seeds[:1],
        episodes=16,
        samples=8,
        sampled=8,
    )


def plan(settings: Settings) -> list[Run]:
    """Returns for each task the reference, the reward model that learns from its texts, and who learns from that."""
    return [run for one in settings.problems for run in _plan(one, settings)]


def _plan(one: Problem, settings: Settings) -> Iterator[Run]:
    task = make_env(one.env_id, num_rows=1, **one.env_kwargs).simulator.task
    shared = {"env_id": one.env_id, "env_kwargs": one.env_kwargs, "fingerprint": task.fingerprint, "seed": 0}
    start = {"model": one.model, "warm_start": one.warm_start, "hasty": one.hasty}
    asked = _chosen(settings, ("annotator", "pairs", "members", "objective"))
    judged = {**shared, "policy": JUDGE, "settings": {**start, **asked, "schedule": one.schedule}}
    proxied = {"reward_model": judged["settings"], "episodes": settings.episodes}
    sampling = _chosen(settings, ("samples", "sampled"))
    reference, reward_model = f"{one.task}/{REFERENCE}", f"{one.task}/{REWARD_MODEL}"
    yield Run(reference, run_reference, {**shared, "policy": START, "settings": start}, weight=0.2)
    yield Run(reward_model, run_reward_model, judged, weight=0.5, after=(reference,))
    for seed in settings.seeds:
        for name, title, learner, arguments in _methods(settings):
            config = {
                **shared,
                **proxied,
                "policy": title,
                "seed": seed,
                "learner": learner,
                "pessimism": settings.pessimism,
                "settings": {
                    "tokens": one.tokens,
                    **_chosen(settings, ("rows", "points")),
                    **arguments,
                    **one.learners.get(learner, {}),
                },
            }
            yield Run(f"{one.task}/{run_name(name, seed)}", run_learner, config, after=(reward_model,))
    best = {**shared, **proxied, "policy": BEST, "settings": sampling}
    yield Run(f"{one.task}/{BEST_OF_N}", run_best_of_n, best, weight=0.5, after=(reward_model,))


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes the report of what is finished, and prints its table."""
    order = [title for _, title, _, _ in _methods(settings)] + [BEST]
    introduction = (
        f"People compared {settings.pairs} pairs of texts of a reference policy, and {settings.members} transformers "
        "learnt from their answers: the proxy. It was the only reward from there on."
    )
    sections = []
    for one in settings.problems:
        judge = RunFolder(folder / one.task / REWARD_MODEL)
        courses = gather_courses(folder / one.task, order)
        if judge.finished and courses:
            sections.append(section_of(courses, problem=one.task, introduction=told_of(judge.result())))
    about = {"title": "Learning from a model of what people want", "introduction": introduction, "order": order}
    untrained = [START, JUDGE, BEST]
    write_json(folder / PROFILE, {**about, "untrained": untrained, "sections": sections})
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
