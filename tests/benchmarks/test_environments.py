"""The page of environments says what the registry holds."""

from __future__ import annotations

from benchmarks.environments import PAGE, describe, mask_cost, speeds
from benchmarks.scores import markdown_table
from textgym.registration import ENVIRONMENTS


def test_a_row_of_the_table() -> None:
    row = describe("textgym/Bandit-v0")
    assert row[0] == "`textgym/Bandit-v0`"
    assert row[5:7] == ["`arms`", "`gold`"]
    assert float(row[8]) < float(row[10]) == 1.0
    assert row[4].count("/") == 2


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
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_the_committed_page_has_every_environment() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [env_id for env_id in ENVIRONMENTS if page.count(f"| `{env_id}` |") < 1] == []
