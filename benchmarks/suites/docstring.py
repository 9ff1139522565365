"""The main job: do PPO and REINFORCE improve a warm-started transformer on noisy feedback on real text?

A small transformer learns the train split of `textgym/Docstring-v0` until validation perplexity stops falling. PPO and
REINFORCE train it further on the default noisy feedback, each with several seeds. Random, warm start and both learners
then write one text for each of the same test prompts, and the report compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from agents.supervised import warm_start
from benchmarks.credit import Estimator
from benchmarks.evaluation import Evaluation, evaluate, make_env
from benchmarks.learners import MODEL, make_policy, run_name, title_of
from benchmarks.report import PROFILE, write_report
from benchmarks.results import RunFolder, collect, write_json
from benchmarks.runner import Run, Tell
from benchmarks.samples import score_samples
from benchmarks.training import train_run, trained_policy

TAGS = ("algorithms", "warm-started")
MINUTES = 6

WARM_START, RANDOM = "warm_start", "random"
SMALL_GPT2: dict[str, Any] = {
    "model_type": "gpt2", "n_layer": 2, "n_embd": 128, "n_head": 4,
    "activation_function": "gelu_pytorch_tanh",  # GPT-2's own function in one operation, and so faster
    "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What the job does; every number that one may want to change.

    Attributes:
        env_id: the environment.
        env_kwargs: its further arguments; by default the task's own feedback and noise.
        model: the transformer, as transformers' configuration.
        warm_start: the arguments of `agents.supervised.warm_start`.
        seeds: the training seeds of each learner.
        rows: how many texts a learner writes at a time.
        tokens: how many tokens each learner writes.
        learners: the arguments of each.
        episodes: how many test prompts are evaluated.
        samples: how many of the texts the report shows.
    """

    env_id: str = "textgym/Docstring-v0"
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=lambda: dict(SMALL_GPT2))
    warm_start: dict[str, Any] = field(
        default_factory=lambda: {"learning_rate": 3e-3, "batch_size": 32, "max_epochs": 12, "patience": 1}
    )
    seeds: tuple[int, ...] = (0, 1, 2)
    rows: int = 64
    tokens: int = 147_456
    learners: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "ppo": {
                "learning_rate": 2e-4, "n_steps": 80, "batch_size": 2560, "n_epochs": 4, "gae_lambda": 1.0,
                "vf_coef": 0.1, "ent_coef": 0.0,
            },
            "reinforce": {
                "learning_rate": 3e-4, "n_steps": 40, "baseline": "value", "normalize_advantage": True,
                "kl_coef": 0.005, "ent_coef": 0.0,
            },
        }
    )  # fmt: skip
    episodes: int = 640
    samples: int = 8


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    return replace(
        settings,
        model={**settings.model, "n_layer": 1, "n_embd": 32, "n_head": 2},
        warm_start={**settings.warm_start, "max_epochs": 1},
        seeds=settings.seeds[:2],
        rows=16,
        tokens=1024,
        learners={
            name: {**arguments, "n_steps": 16, **({"batch_size": 256} if "batch_size" in arguments else {})}
            for name, arguments in settings.learners.items()
        },
        episodes=32,
        samples=3,
    )


def plan(settings: Settings) -> list[Run]:
    """Returns the warm start, the learners that go on from it, and the random policy."""
    task = make_env(settings.env_id, num_rows=1, **settings.env_kwargs).simulator.task
    shared = {
        "env_id": settings.env_id,
        "env_kwargs": settings.env_kwargs,
        "fingerprint": task.fingerprint,
        "episodes": settings.episodes,
        "samples": settings.samples,
    }
    warm = {**shared, "policy": "Warm start", "seed": 0, "settings": {"model": settings.model, **settings.warm_start}}
    learning = [
        Run(
            run_name(learner, seed),
            run_learner,
            {
                **shared,
                "policy": title_of(learner),
                "learner": learner,
                "seed": seed,
                "settings": {"tokens": settings.tokens, "rows": settings.rows, **arguments},
                "warm_start": warm["settings"],
            },
            after=(WARM_START,),
        )
        for seed in settings.seeds
        for learner, arguments in settings.learners.items()
    ]
    random = {**shared, "policy": "Random", "seed": 0}
    return [
        Run(WARM_START, run_warm_start, warm, weight=0.5),
        *learning,
        Run(RANDOM, run_random, random, weight=0.05, after=(WARM_START,)),  # which has all cores until then
    ]


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes the report of what is finished, as `report.html`, and prints its table."""
    learners = [title_of(name) for name in settings.learners]
    write_json(
        folder / PROFILE,
        {
            "title": "Learning to write docstrings from noisy feedback",
            "introduction": "A small transformer reads the signature of a function of Python's standard library and "
            "writes the first sentence of its docstring. It was taught the train split until validation perplexity "
            f"stopped falling: the warm start. From there {' and '.join(learners)} trained it on noisy feedback on its "
            f"own texts, each with {len(settings.seeds)} training seeds.",
            "baseline": "Warm start",
            "order": ["Random", "Warm start", *learners],
        },
    )
    collect(folder)
    write_report(folder, console)
    console.print(f"TensorBoard: tensorboard --logdir {folder}", soft_wrap=True, highlight=False)


def run_warm_start(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Teaches a fresh transformer the train split and evaluates it, on the train split too: where learning begins."""
    torch.manual_seed(config["seed"])
    env_id, env_kwargs = config["env_id"], config["env_kwargs"]
    settings = dict(config["settings"])
    policy = make_policy(env_id, settings.pop("model"), **env_kwargs)
    task = make_env(env_id, num_rows=1, **env_kwargs).simulator.task
    taught = warm_start(policy, task, generator=np.random.default_rng(config["seed"]), tell=tell, **settings)
    for epoch, perplexity in enumerate(taught.validation_perplexities):
        folder.log({"epoch": epoch, "validation_perplexity": perplexity})
    policy.backbone.save_pretrained(folder.path / MODEL)
    prompts = min(len(task.prompt_set("train")), 8 * config["episodes"])  # all of them, unless the job is a quick one
    before = evaluate(policy, env_id, split="train", episodes=prompts, **env_kwargs)
    level = {name: float(values.mean()) for name, values in before.returns.items()}
    return {**_evaluated(policy, config), "train_level": level, "validation_perplexity": taught.perplexity}


def run_learner(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains one learner with one seed from the warm start and evaluates it."""
    algorithm = train_run(folder, config, model=folder.path.parent / WARM_START / MODEL, tell=tell)
    return _evaluated(trained_policy(algorithm), config, Estimator.of(algorithm))


def run_random(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Evaluates the policy that draws every token uniformly."""
    return {"evaluation": _evaluate("random", config).returns}


def _evaluated(policy: Any, config: Mapping[str, Any], estimator: Estimator | None = None) -> dict[str, Any]:
    evaluation = _evaluate(policy, config)
    return {
        "evaluation": evaluation.returns,
        "samples": score_samples(evaluation, config["samples"], policy, estimator, **config["env_kwargs"]),
    }


def _evaluate(policy: Any, config: Mapping[str, Any]) -> Evaluation:
    return evaluate(policy, config["env_id"], episodes=config["episodes"], **config["env_kwargs"])
