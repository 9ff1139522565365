"""Learners are made as their settings say, and so are their environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluation import evaluate
from benchmarks.learners import DEFAULTS, LEARNERS, train
from benchmarks.results import RunFolder
from benchmarks.titles import TITLES

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


def test_every_learner_has_a_title_and_defaults() -> None:
    assert list(TITLES) == list(LEARNERS) == list(DEFAULTS)


def run(path: Path, learner: str, **arguments: Any) -> Any:
    folder = RunFolder(path)
    folder.start({})
    env_kwargs = {"reward": "gold", "length": 3, "letters": 6, "size": 216}
    return train(
        folder, learner=learner, env_id="textgym/Copy-v0", seed=0, model=None, env_kwargs=env_kwargs, **arguments
    )


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_every_learner_takes_its_defaults(tmp_path: Path, learner: str) -> None:
    algorithm = run(tmp_path, learner, tokens=256, rows=4)
    assert algorithm.num_timesteps >= 256
    assert (tmp_path / "model" / "model.safetensors").exists()


BARS = {"a2c": 0.5, "trpo": 0.5, "reinforce": 0.8, "rloo": 0.8}
"""What a learner must reach, in gold on test prompts, of which random tokens get 0.05; 0.9 where it is not here."""


@pytest.mark.slow
@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_every_learner_learns_to_copy(tmp_path: Path, learner: str) -> None:
    algorithm = run(tmp_path, learner, tokens=40_000)
    found = evaluate(algorithm, "textgym/Copy-v0", episodes=27, length=3, letters=6, size=216)
    assert found.returns["gold_return"].mean() > BARS.get(learner, 0.9)
