"""RLHF, all of it: people compare a policy's texts, a model learns from that, and a policy learns from the model.

The model is then the only reward. On test prompts, what it says of the policy's texts, the proxy, and what they are
worth, gold, are measured while the policy moves away from its reference: Gao, Schulman and Hilton 2023, "Scaling laws
for reward model overoptimization". The best of n texts of the reference is an optimiser on the same axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from rich.console import Console

from agents.backbone import Backbone
from agents.reward_model import RewardModel
from agents.reward_network import Objective
from agents.reward_training import Schedule
from agents.supervised import warm_start
from benchmarks.best_of_n import best_of_n, divergence_of_best
from benchmarks.divergence import MeasureCallback, measure
from benchmarks.evaluation import make_env, write
from benchmarks.learners import MODEL, make_policy, train
from benchmarks.overoptimisation import OVEROPTIMISATION, gather_curves, print_curves
from benchmarks.overoptimisation_page import write_curves_page
from benchmarks.results import RunFolder, write_json
from benchmarks.runner import Run, Tell, execute
from textgym import collect

REFERENCE, REWARD_MODEL, BEST_OF_N = "reference", "reward_model", "best_of_n"


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
_REINFORCE = {"learning_rate": 5e-4, "n_steps": 16, "baseline": "value", "normalize_advantage": False, "ent_coef": 0.0}


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
    env_kwargs: dict[str, Any] = field(default_factory=lambda: {"length": 12, "agreement": 4})
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
    tokens: int = 120_000
    points: int = 24
    seeds: tuple[int, ...] = (0, 1)
    arms: dict[str, Arm] = field(
        default_factory=lambda: {
            "ppo": Arm("PPO", "ppo", _PPO),
            "reinforce": Arm("REINFORCE", "reinforce", _REINFORCE),
            "reinforce-kl": Arm("REINFORCE, KL 0.03", "reinforce", {**_REINFORCE, "kl_coef": 0.03}),
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
    names = ("annotator", "pairs", "members", "objective", "schedule", "episodes")
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


def run_reference(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Makes the policy whose texts are compared, and from which learning starts."""
    torch.manual_seed(config["seed"])
    policy = make_policy(config["env_id"], config["settings"]["model"], **config["env_kwargs"])
    if config["settings"]["warm_start"] is not None:
        task = make_env(config["env_id"], num_rows=1, **config["env_kwargs"]).simulator.task
        arguments = config["settings"]["warm_start"]
        warm_start(policy, task, generator=np.random.default_rng(config["seed"]), tell=tell, **arguments)
    policy.backbone.save_pretrained(folder.path / MODEL)
    return {}


def run_reward_model(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Asks people about pairs of the reference's texts and teaches the reward model what they say."""
    settings, start = config["settings"], folder.path.parent / REFERENCE / MODEL
    policy = make_policy(config["env_id"], start, **config["env_kwargs"])
    asked = {name: _compared(policy, config, split) for name, split in (("pairs", "train"), ("test", "test"))}
    asked["pairs"].save(folder.path / "pairs.jsonl")
    task = make_env(config["env_id"], num_rows=1, **config["env_kwargs"]).simulator.task
    model = RewardModel(task, start, members=settings["members"], objective=Objective(**settings["objective"]))
    schedule, generator = Schedule(**settings["schedule"]), np.random.default_rng(config["seed"])
    fit = model.fit(asked["pairs"], generator=generator, schedule=schedule)
    model.save(folder.path / MODEL)
    tell(1.0)
    return {
        "pairs": fit.train_answers + fit.held_out_answers,
        "ties": fit.ties,
        "accuracy": fit.held_out.accuracy,
        "calibration_error": fit.held_out.calibration_error,
        "test_accuracy": model.evaluate(asked["test"]).accuracy,
        "flip_rate": model.flip_rate,
    }


def run_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains one learner from the reference on the reward model alone, and measures it on the way."""
    settings = dict(config["settings"])
    tokens, points = settings.pop("tokens"), settings.pop("points")
    start = folder.path.parent / REFERENCE / MODEL
    policy = make_policy(config["env_id"], start, **config["env_kwargs"])
    paid, proxy = (_paid(folder, config, pessimism) for pessimism in (config["pessimism"], 0.0))
    records: list[dict[str, float]] = []

    def measured(learner: Any) -> dict[str, float]:
        sizes = {"split": "test", "episodes": config["episodes"]}
        return measure(learner, policy.backbone, config["env_id"], **sizes, env_kwargs=proxy)

    if config["learner"] == "reinforce":
        settings["reference"] = str(start)
    train(
        folder,
        learner=config["learner"],
        env_id=config["env_id"],
        tokens=tokens,
        rows=settings.pop("rows"),
        seed=config["seed"],
        model=start,
        settings=settings,
        env_kwargs=paid,
        callbacks=[MeasureCallback(max(1, tokens // points), measured, records.append)],
        tell=tell,
    )
    return {"points": records}


def run_best_of_n(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Lets the reference write many texts for each of some test prompts, and the reward model choose."""
    samples, sampled = config["settings"]["samples"], config["settings"]["sampled"]
    policy = make_policy(config["env_id"], folder.path.parent / REFERENCE / MODEL, **config["env_kwargs"])
    env = make_env(config["env_id"], num_rows=256, split="test", **_paid(folder, config, 0.0))
    torch.manual_seed(config["seed"])
    texts = write(env.simulator, lambda seen: policy.predict(seen)[0], np.repeat(np.arange(sampled), samples), seed=0)
    proxy, gold = (part.reshape(sampled, samples) for part in (texts.clean_return, texts.gold_return))
    points = []
    for n in (2**power for power in range(samples.bit_length())):
        of_proxy, of_gold = best_of_n(proxy, gold, n)
        points.append({"n": n, "kl": divergence_of_best(n), "proxy": of_proxy, "gold": of_gold})
    return {"points": points}


def _compared(policy: Any, config: Mapping[str, Any], split: str) -> Any:
    """Returns pairs of the policy's texts, and on the test split what people without error would say of them."""
    annotator = {**config["settings"]["annotator"], "against": "previous"}
    if split == "test":
        annotator |= {"teacher": "oracle", "beta": None}
    pairs = config["settings"]["pairs"]
    env = gymnasium.make_vec(
        config["env_id"],
        num_envs=min(pairs, 250),
        vectorization_mode="vector_entry_point",
        **{**config["env_kwargs"], "feedback": [annotator], "noise": [], "group_size": 2, "split": split},
    )
    torch.manual_seed(config["seed"])
    return collect(env, policy, 2 * pairs, seed=config["seed"])


def _paid(folder: RunFolder, config: Mapping[str, Any], pessimism: float) -> dict[str, Any]:
    """Returns the arguments of an environment in which the reward model is all the feedback."""
    path = str(folder.path.parent / REWARD_MODEL / MODEL)
    return {
        **config["env_kwargs"],
        "feedback": [{"name": "reward_model", "path": path, "pessimism": pessimism}],
        "noise": [],
    }


def _chosen(settings: Settings, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in names}
