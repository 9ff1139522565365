"""The parts of RLHF as runs: a reference, a reward model of what people say of its texts, and who optimises that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch

from agents.best_of_n import BestOfN
from agents.reward.model import RewardModel
from agents.reward.objective import Objective
from agents.reward.training import Schedule
from agents.supervised import warm_start
from benchmarks.divergence import MeasureCallback, measure
from benchmarks.evaluation import BATCH_SIZE, make_env, write
from benchmarks.expected_best import expected_best
from benchmarks.haste import Hasty
from benchmarks.learners import MODEL, make_policy
from benchmarks.results import RunFolder
from benchmarks.runner import Tell
from benchmarks.training import train
from textgym import collect
from textgym.dataset.feedback_dataset import FeedbackDataset

REFERENCE, REWARD_MODEL, BEST_OF_N = "reference", "reward_model", "best_of_n"


def run_reference(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Makes the policy whose texts are compared, and from which learning starts."""
    torch.manual_seed(config["seed"])
    policy = make_policy(config["env_id"], config["settings"]["model"], **config["env_kwargs"])
    if config["settings"]["warm_start"] is not None:
        task = make_env(config["env_id"], num_rows=1, **config["env_kwargs"]).simulator.task
        if config["settings"]["hasty"]:
            task = Hasty(task, config["seed"])
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
    rows = min(BATCH_SIZE, samples * sampled)
    env = make_env(config["env_id"], num_rows=rows, split="test", **_paid(folder, config, 0.0))
    torch.manual_seed(config["seed"])
    texts = write(env.simulator, lambda seen: policy.predict(seen)[0], np.repeat(np.arange(sampled), samples), seed=0)
    proxy, gold = (part.reshape(sampled, samples) for part in (texts.clean_return, texts.gold_return))
    points = []
    for n in (2**power for power in range(samples.bit_length())):
        of_proxy, of_gold = expected_best(proxy, gold, n)
        points.append({"n": n, "kl": BestOfN(policy, n).kl_bound, "proxy": of_proxy, "gold": of_gold})
    return {"points": points}


def _compared(policy: Any, config: Mapping[str, Any], split: str) -> FeedbackDataset:
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
