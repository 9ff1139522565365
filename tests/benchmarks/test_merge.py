"""Runs of several machines come together: the same run once, other corpora never."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.merge import merge
from benchmarks.results import RunFolder, read_json, write_json

COPY = {"env_id": "textgym/Copy-v0", "env_kwargs": {}, "fingerprint": "f00d"}


def finished(path: Path, score: float, *, seconds: float = 1.0, **config: object) -> None:
    folder = RunFolder(path)
    folder.start({**COPY, **config})
    folder.log({"timesteps": 1})
    folder.finish({"score": score, "seconds": seconds, "train_seconds": seconds / 2})


def test_the_same_run_is_kept_once_and_all_others_too(tmp_path: Path) -> None:
    for machine, seeds, seconds in (("a", (0, 1), 1.0), ("b", (1, 2), 2.0)):
        for seed in seeds:
            finished(tmp_path / machine / "Copy" / f"ppo-{seed}", seed / 4, seed=seed, seconds=seconds)
    RunFolder(tmp_path / "b" / "Copy" / "ppo-3").start({**COPY, "seed": 3})
    merged = merge(tmp_path / "all", [tmp_path / "a", tmp_path / "b"])
    assert merged.added == ["Copy/ppo-0", "Copy/ppo-1", "Copy/ppo-2"]
    assert (merged.known, merged.differing, merged.unfinished) == ([], {}, ["Copy/ppo-3"])
    for seed in range(3):
        folder = RunFolder(tmp_path / "all" / "Copy" / f"ppo-{seed}")
        assert (folder.result()["score"], folder.metrics()) == (seed / 4, [{"timesteps": 1}])
    again = merge(tmp_path / "all", [tmp_path / "b"])
    assert (again.added, again.known) == ([], ["Copy/ppo-0", "Copy/ppo-1", "Copy/ppo-2"])
    assert not list(tmp_path.rglob("*.partial"))


def test_a_finished_run_takes_the_place_of_an_unfinished_one(tmp_path: Path) -> None:
    RunFolder(tmp_path / "all" / "ppo-0").start({**COPY, "seed": 0})
    finished(tmp_path / "a" / "ppo-0", 0.5, seed=0)
    assert merge(tmp_path / "all", [tmp_path / "a"]).added == ["ppo-0"]
    assert RunFolder(tmp_path / "all" / "ppo-0").result()["score"] == 0.5


def test_differing_results_are_reported_and_the_first_is_kept(tmp_path: Path) -> None:
    for machine, score in (("a", 0.5), ("b", 0.75)):
        finished(tmp_path / machine / "ppo-0", score, seed=0)
    call = ["merge", *(str(tmp_path / name) for name in ("all", "a", "b"))]
    told = CliRunner().invoke(app, call)
    assert told.exit_code == 1
    assert "ppo-0 has different results; kept the first of" in told.stderr
    assert "1 runs added" in told.stdout
    assert RunFolder(tmp_path / "all" / "ppo-0").result()["score"] == 0.5


def test_different_corpora_and_different_runs_of_one_name_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    finished(tmp_path / "a" / "ppo-0", 0.5, seed=0)
    finished(tmp_path / "b" / "ppo-1", 0.5, seed=1, fingerprint="beef")
    with pytest.raises(ValueError, match=r"different corpora .*a/ppo-0 has fingerprint f00d, .*b/ppo-1 has .*beef"):
        merge(tmp_path / "all", [tmp_path / "a", tmp_path / "b"])
    noisy = {"env_kwargs": {"noise": [{"name": "flip"}]}, "fingerprint": "beef"}
    finished(tmp_path / "d" / "ppo-2", 0.5, seed=2, **noisy)
    with pytest.raises(ValueError, match="different corpora"):
        merge(tmp_path / "all", [tmp_path / "a", tmp_path / "d"])
    finished(tmp_path / "e" / "ppo-2", 0.5, seed=2, env_kwargs={"length": 9}, fingerprint="beef")
    merge(tmp_path / "other", [tmp_path / "a", tmp_path / "e"])
    finished(tmp_path / "c" / "ppo-0", 0.5, seed=0, tokens=7)
    with pytest.raises(ValueError, match=r"two different runs are called ppo-0: .* differ in tokens"):
        merge(tmp_path / "all", [tmp_path / "a", tmp_path / "c"])
    with pytest.raises(ValueError, match="no run below"):
        merge(tmp_path / "all", [tmp_path / "a" / "nothing"])
    assert not (tmp_path / "all").exists()
    told = CliRunner().invoke(app, ["merge", *(str(tmp_path / name) for name in ("all", "a", "b"))])
    assert told.exit_code == 2
    assert told.stderr.count("\n") == 1


def test_what_suites_say_about_their_runs_is_united(tmp_path: Path) -> None:
    for machine, policy in (("a", "PPO"), ("b", "REINFORCE")):
        finished(tmp_path / machine / policy, 0.5, seed=0, policy=policy)
        words = {"title": machine, "order": ["Warm start", policy], "questions": {policy: "?"}}
        write_json(tmp_path / machine / "profile.json", words)
        (tmp_path / machine / policy / "model").mkdir()
        write_json(tmp_path / machine / policy / "model" / "config.json", {"model_type": machine})
    merge(tmp_path / "all", [tmp_path / "a", tmp_path / "b"])
    assert read_json(tmp_path / "all" / "profile.json") == {
        "title": "a", "order": ["Warm start", "PPO", "REINFORCE"], "questions": {"PPO": "?", "REINFORCE": "?"},
    }  # fmt: skip
    assert read_json(tmp_path / "all" / "REINFORCE" / "model" / "config.json") == {"model_type": "b"}


def test_the_united_plan_asks_for_all_that_was_asked_for_if_it_is_of_one_suite(tmp_path: Path) -> None:
    for machine, suite, learner, seeds in (
        ("a", "quick", "ppo", [0, 1]),
        ("b", "quick", "grpo", [1, 2]),
        ("c", "noise", "ppo", [0]),
    ):
        finished(tmp_path / machine / f"{suite}-{learner}", 0.5, seed=0)
        asked = {"suite": suite, "quick": False, "algorithms": [learner], "seeds": seeds}
        write_json(tmp_path / machine / "plan.json", {"suite": suite, "runs": {learner: machine}, "asked": asked})
    merge(tmp_path / "all", [tmp_path / "a", tmp_path / "b"])
    plan = read_json(tmp_path / "all" / "plan.json")
    assert plan["asked"] == {"suite": "quick", "quick": False, "algorithms": ["ppo", "grpo"], "seeds": [0, 1, 2]}
    assert plan["runs"] == {"ppo": "a", "grpo": "b"}
    merge(tmp_path / "all", [tmp_path / "c"])
    assert "asked" not in read_json(tmp_path / "all" / "plan.json")
