"""`textgym describe` shows what an environment's texts are, whatever the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import textgym
from benchmarks.cli import app


def told(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["describe", *arguments], env={"COLUMNS": "200"})
    assert found.exit_code == 0, found.output
    return found.output


@pytest.mark.parametrize("env_id", textgym.env_ids())
def test_every_environment_is_described(env_id: str) -> None:
    shown = told(env_id, "--samples", "1")
    for part in ("vocabulary", "budget", "default feedback", "fingerprint", "train prompts", "test references"):
        assert part in shown
    assert [f"{split} 0" in shown for split in ("train", "validation", "test")] == [True] * 3


def test_rows_that_are_cut_skipped_and_filtered_are_told(tmp_path: Path) -> None:
    rows = [{"prompt": f"[bold]say {n}[/bold]", "reference": "xy" * (n % 3), "n": n % 6} for n in range(120)]
    path = tmp_path / "rows.jsonl"
    path.write_text("{\n" + "\n".join(map(json.dumps, rows)))
    arguments = [f"data={path}", "on_error=skip", "tokenizer=bytes", "max_reference=3", 'filter={"n": [0, 1, 2, 4, 5]}']
    given = [part for argument in arguments for part in ("--argument", argument)]
    with pytest.warns(UserWarning, match="1 of 121 rows were malformed"):
        shown = told("textgym/Dataset-v0", *given)
    assert "read 121, malformed 1, filtered 20, empty 20, beyond size 0, dropped 0, repeated 0, kept 80" in shown
    assert "cut prompts 0, cut references 40" in shown
    assert "259 tokens" in shown
    assert "[bold]say" in shown
    assert '{"name": "chrf", "beta": 1.0}' in shown
    (row,) = [line.split() for line in shown.splitlines() if line.startswith("train references")]
    assert row[3:] == ["2", "2", row[5], "3", "3", "3"]


def test_mistakes_are_one_line() -> None:
    found = CliRunner().invoke(app, ["describe", "textgym/Dataset-v0", "--argument", "date=x"])
    assert found.exit_code == 2
    assert "unexpected keyword argument 'date' (did you mean 'data'?)" in found.stderr
