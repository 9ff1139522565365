"""The suite of learners: how soon is worked out by hand, the plan covers all, and references need no training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.efficiency import in_thousands, smoothed, tokens_needed
from benchmarks.learners import LEARNERS, TITLES
from benchmarks.report import gather
from benchmarks.results import RunFolder
from benchmarks.suites.learners import PROBLEMS, Settings, plan, quick, report


def records(values: list[float], texts: list[int] | None = None, step: int = 100) -> list[dict[str, Any]]:
    counts = texts or [1] * len(values)
    known = [
        {"timesteps": step * (number + 1), "texts": count, "gold_return": value}
        for number, (value, count) in enumerate(zip(values, counts, strict=True))
    ]
    return [*known, {"timesteps": step * len(values)}]  # after the last update there are no texts


def test_a_curve_is_smoothed_over_its_texts() -> None:
    tokens, values = np.array([100.0, 200.0, 300.0]), np.array([0.0, 0.6, 0.9])
    np.testing.assert_allclose(smoothed(tokens, values, np.ones(3), 1.0), values)
    np.testing.assert_allclose(smoothed(tokens, values, np.ones(3), 200.0), [0.0, 0.3, 0.75])
    np.testing.assert_allclose(smoothed(tokens, values, np.array([1.0, 3.0, 1.0]), 200.0), [0.0, 0.45, 0.675])


def test_the_tokens_needed_by_hand() -> None:
    """From 0.2 to the best, 1.0: nine tenths of the way are 0.92."""
    curve = records([0.2, 0.5, 0.91, 0.93, 0.7, 1.0])
    assert tokens_needed(curve, "gold_return", 0.2) == 400
    assert tokens_needed(curve, "gold_return", 0.2, share=0.3) == 200
    assert tokens_needed(curve, "gold_return", 0.2, share=1.0) == 600
    assert tokens_needed(curve, "gold_return", 1.0) is None
    assert tokens_needed(curve, "clean_return", 0.0) is None
    late = tokens_needed(curve, "gold_return", 0.2, window=0.5)  # means of three: the best is 0.877, the bar 0.809
    assert late == 500
    assert tokens_needed(records([0.0] * 10 + [1.0] * 10), "gold_return", 0.0) == 1200  # the window is two points


def test_seeds_that_never_get_there_are_counted() -> None:
    assert in_thousands([1000.0, 3000.0]) == "2.0k [1.0, 3.0]"
    assert in_thousands([2000.0, None]) == "2.0k [2.0, 2.0], 1 of 2 never"
    assert in_thousands([None]) == "never"


def test_the_plan_has_every_learner_on_every_task_after_its_warm_start() -> None:
    settings = replace(Settings(), seeds=(3, 4))
    runs = plan(settings)
    assert len({run.name for run in runs}) == len(runs)
    warm = [run.name for run in runs if run.config["policy"] == "Warm start"]
    assert warm == [run.name for run in runs[: len(warm)]] == ["Summarize/warm_start", "Docstring/warm_start"]
    for problem in PROBLEMS:
        own = [run.config for run in runs if run.config["env_id"] == problem.env_id]
        for learner in LEARNERS:
            found = [config for config in own if config["policy"] == TITLES[learner]]
            assert [config["seed"] for config in found] == [3, 4]
            begins = problem.warm_start is not None and learner != "ngram_ppo"
            assert all(("warm_start" in config) == begins for config in found)
        assert {"Random", "Best of 4", "Best of 16"} < {config["policy"] for config in own}
    bandit = next(run.config for run in runs if run.name == "Chain/best-of-16")
    assert (bandit["random_return"], bandit["measure"], bandit["episodes"] * bandit["repeats"]) == (
        0.2,
        "gold_return",
        512,
    )
    assert next(run.config for run in runs if run.name == "Docstring/ppo-3")["measure"] == "clean_return"


def test_the_page_and_the_table_say_how_soon(tmp_path: Path) -> None:
    settings = replace(
        Settings(), problems=PROBLEMS[:1], seeds=(0, 1), learners={"ppo": {}, "reinforce": {}}, best_of=(2,)
    )
    for run in plan(settings):
        folder = RunFolder(tmp_path / run.name)
        folder.start(run.config)
        for record in records([0.1, 0.5, 0.9]):
            folder.log({**record, "clean_return": 0.5, "observed_return": 0.4} if "texts" in record else record)
        returns = {name: [0.5, 1.0] for name in ("gold_return", "clean_return", "observed_return")}
        learnt = (
            {"tokens_needed": 1500.0 + run.config["seed"], "train_seconds": 30.0} if "learner" in run.config else {}
        )
        folder.finish({"evaluation": returns, "samples": [], "score": 0.7, "gold": 0.75, **learnt})
    report(tmp_path, settings, Console(file=open("/dev/null", "w")))  # noqa: SIM115
    found = gather(tmp_path)
    assert found.colours == {"Random": "plain", "Best of 2": "plain", "PPO": "s0", "REINFORCE": "s1"}
    expected = ["Copy", "PPO", "0.700 [0.700, 0.700]", "1.5k [1.5, 1.5]", "30.0 [30.0, 30.0]"]
    page, lines = (tmp_path / "report.html").read_text(), (tmp_path / "scores.md").read_text().splitlines()
    assert f"| {' | '.join(expected)} |" in lines
    assert "<h2>How soon</h2>" in page
    assert (tmp_path / "Copy" / "report.html").exists()
    told = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "report.html").read_text() == page


@pytest.mark.slow
def test_the_quick_suite_ends_with_reports_and_does_nothing_twice(tmp_path: Path) -> None:
    call = ["benchmark", "learners", "--quick", "--out", str(tmp_path)]
    first = CliRunner().invoke(app, call)
    assert first.exit_code == 0, first.output
    page = (tmp_path / "report.html").read_text()
    assert [part for part in ("Best of 2", "How soon", "While learning", "Warm start") if part not in page] == []
    assert "credit by GAE" in (tmp_path / "Chain" / "report.html").read_text()
    again = CliRunner().invoke(app, call)
    assert again.output.count("was finished before") == len(plan(quick(Settings())))
    assert (tmp_path / "report.html").read_text() == page
