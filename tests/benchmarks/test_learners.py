"""Learners are made as their settings say, and so are their environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.learners import train
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
