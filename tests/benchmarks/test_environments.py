"""The page of environments says what the registry holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.environments import PAGE, describe, mask_cost, speeds, training
from benchmarks.report import PROFILE
from benchmarks.report.records import MEASURES
from benchmarks.report.tables import Table
from benchmarks.results import RunFolder, write_json
from textgym.registration import ENVIRONMENTS


def test_a_row_of_the_table() -> None:
    row = describe("textgym/Bandit-v0")
    assert row[0] == "`textgym/Bandit-v0`"
    assert row[5:7] == ["`arms`", "`gold`"]
    assert float(row[8]) < float(row[10]) == 1.0
    assert row[4].count("/") == 2


def finished(path: Path, policy: str, seed: int, gold: float, **settings: object) -> None:
    folder = RunFolder(path)
    config = {"env_id": "textgym/Copy-v0", "env_kwargs": {}, "fingerprint": "f", "policy": policy, "seed": seed}
    learner = {"learner": policy.lower()} if settings else {}
    folder.start({**config, **learner, "settings": settings})
    folder.log({"timesteps": 5, **dict.fromkeys(MEASURES, gold)})
    evaluation = {measure: [gold, gold + 0.1] for measure in MEASURES}
    folder.finish({"evaluation": evaluation, "seconds": 90.0 + seed * 60})


def test_what_training_brought(tmp_path: Path) -> None:
    for task, gains in (("Copy", 0.3), ("Reverse", -0.2)):
        finished(tmp_path / task / "warm_start", "Warm start", 0, 0.5)
        for seed in (0, 1):
            finished(tmp_path / task / f"ppo-{seed}", "PPO", seed, 0.5 + gains, tokens=2048)
        about = {"title": task, "introduction": "", "baseline": "Warm start", "order": ["Warm start", "PPO"]}
        write_json(tmp_path / task / PROFILE, about)
    section = training(tmp_path)
    assert "`textgym benchmark applications --seeds 2`: 2,048 tokens for each run" in section
    assert "a median of 2.0 minutes and 2.5 at most" in section
    assert "| task | Warm start, clean | PPO, clean | Warm start, gold | PPO, gold |" in section
    assert "| Copy | 0.550 [0.500, 0.600] | 0.850 [0.800, 0.900] |" in section
    assert "- Copy: PPO ends above the warm start on gold return, by 0.300" in section
    assert "- Reverse: PPO ends below the warm start on gold return, by -0.200" in section
    with pytest.raises(ValueError, match=r"no reports below .*make them with `textgym benchmark applications"):
        training(tmp_path / "Copy" / "ppo-0")


def test_speeds_of_every_preset_and_of_one_without() -> None:
    measured = speeds("textgym/Copy-v0", rows=2, seconds=0.01, repeats=1)
    assert len(measured) == 4
    assert all(int(speed.replace(",", "")) > 0 for speed in measured[1:])
    assert speeds("textgym/Docstring-v0", rows=2, seconds=0.01, repeats=1)[2:] == ["", ""]


def test_what_masks_cost_in_memory() -> None:
    told = mask_cost(rows=64, repeats=1)
    assert "Masks of 32,768 tokens for 64 rows: 2 MiB" in told
    assert "0 MiB a step" in told


def test_a_table_in_markdown() -> None:
    assert Table(["a", "b"], [["1", "2"]]).markdown() == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_the_committed_page_has_every_environment() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [env_id for env_id in ENVIRONMENTS if page.count(f"| `{env_id}` |") < 1] == []
