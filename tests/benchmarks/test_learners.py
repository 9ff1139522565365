"""Learners are made as their settings say, and so are their environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluation import evaluate
from benchmarks.learners import IN_ROUNDS, MODEL, make_policy, train
from benchmarks.results import RunFolder

GROUPS: dict[str, Any] = {"n_steps": 8, "baseline": "leave_one_out", "group_size": 2}


def learn(path: Path, **env_kwargs: Any) -> list[dict[str, Any]]:
    folder = RunFolder(path)
    folder.start({})
    train(
        folder,
        learner="reinforce",
        env_id="textgym/Copy-v0",
        tokens=192,
        rows=8,
        seed=0,
        model=None,
        settings=GROUPS,
        env_kwargs=env_kwargs,
    )
    return folder.metrics()


def test_the_environment_groups_texts_as_the_learner_does(tmp_path: Path) -> None:
    records = learn(tmp_path)
    assert records[-1]["timesteps"] == 192
    assert any("train/policy_loss" in record for record in records)
    assert learn(tmp_path, group_size=2) == records
    with pytest.raises(ValueError, match="group_size"):
        learn(tmp_path, group_size=4)


@pytest.mark.parametrize("learner", IN_ROUNDS)
@pytest.mark.parametrize("reward", ["gold", "feedback"])
def test_learners_from_data_learn_from_their_own_texts(tmp_path: Path, learner: str, reward: str) -> None:
    folder = RunFolder(tmp_path)
    folder.start({})
    shares: list[float] = []
    copy = {"length": 3, "letters": 4, "size": 64}
    algorithm = train(
        folder,
        learner=learner,
        env_id="textgym/Copy-v0",
        tokens=5_000,
        rows=32,
        seed=0,
        model={"model_type": "gpt2", "n_layer": 1, "n_embd": 48, "n_head": 2},
        settings={"learning_rate": 3e-3, "texts_per_round": 128},
        env_kwargs={**copy, "reward": reward},
        tell=shares.append,
    )
    records = folder.metrics()
    assert records[-1]["timesteps"] >= 5_000
    assert records[0]["gold_return"] < 0.25
    assert records[-2]["gold_return"] > records[0]["gold_return"] + 0.15
    assert records[0].keys() == {"timesteps", "texts", "clean_return", "observed_return", "gold_return", "text_length"}
    assert "train/loss" in records[-1]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    saved = make_policy("textgym/Copy-v0", tmp_path / MODEL, **copy)
    golds = [evaluate(one, "textgym/Copy-v0", episodes=8, **copy).returns["gold_return"] for one in (saved, algorithm)]
    assert (golds[0] == golds[1]).all()


def test_a_wrong_setting_of_a_learner_from_data_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.start({})
    with pytest.raises(TypeError, match="betta"):
        train(folder, learner="dpo", env_id="textgym/Copy-v0", tokens=1, seed=0, model=None, settings={"betta": 1.0})
