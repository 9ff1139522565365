"""The report says what the runs' files say, on one page that needs nothing else."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.charts import Curve, interval_strip, learning_curves, nice_ticks, thousands
from benchmarks.page import render, write_page
from benchmarks.report import MEASURES, Row, gather, print_table, verdict
from benchmarks.results import RunFolder, write_json
from benchmarks.statistics import Interval

PROMPTS = 40
EVIL = "<script>alert(\"x\")</script> & 'quotes'"
VOID = {"meta", "path", "circle", "br"}


def finished(path: Path, policy: str, mean: float, *, seed: int = 0, **config: Any) -> None:
    """Writes the files of a finished run whose returns are `mean` plus how easy each prompt is."""
    folder = RunFolder(path)
    folder.start({"env_id": "textgym/Docstring-v0", "fingerprint": "f00d", "policy": policy, "seed": seed, **config})
    for step in range(1, 4):
        folder.log({"timesteps": 100 * step, "loss": 1.0, **dict.fromkeys(MEASURES, mean * step / 3)})
    returns = (mean + 0.01 * np.arange(PROMPTS)).tolist()
    text = {"sample": 3, "prompt": EVIL, "reference": "Say it.", "tokens": [" a", " <b>"], "earned": [0.25, -0.5]}
    text |= {"signals": {"rouge_l": [0.125, -0.25]}, "empty": 0.1, "clean_return": -0.15, "gold_return": 0.5}
    folder.finish(
        {
            "evaluation": dict.fromkeys(MEASURES, returns),
            "samples": [text],
            "train_level": dict.fromkeys(MEASURES, 0.2),
        }
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    finished(tmp_path / "warm", "Warm start", 0.2)
    for seed in range(2):
        finished(tmp_path / f"ppo-{seed}", "PPO", 0.5 + 0.1 * seed, seed=seed, settings={"learning_rate": 3e-4})
    title = {"title": "A & B", "introduction": "What it is.", "baseline": "Warm start", "order": ["Warm start", "PPO"]}
    write_json(tmp_path / "report.json", title)
    return tmp_path


def test_the_table_compares_with_the_baseline(runs: Path) -> None:
    report = gather(runs)
    warm, ppo = report.rows
    assert (warm.policy, warm.seeds, warm.gains) == ("Warm start", 1, {})
    assert (ppo.policy, ppo.seeds, report.prompts) == ("PPO", 2, PROMPTS)
    gain = ppo.gains["clean_return"]
    assert (gain.estimate, gain.low, gain.high) == pytest.approx(
        (0.35, 0.3, 0.4)
    )  # prompts are paired: seeds alone vary
    assert ppo.returns["gold_return"].estimate == pytest.approx(0.55 + 0.01 * (PROMPTS - 1) / 2)
    assert gather(runs).rows == report.rows


def test_curves_and_samples_are_gathered(runs: Path) -> None:
    report = gather(runs)
    ppo = report.curves["clean_return"][1]
    assert ppo.learner == "PPO"
    np.testing.assert_allclose(ppo.seeds, np.outer([0.5, 0.6], [1 / 3, 2 / 3, 1]))
    assert report.levels["gold_return"] == 0.2
    (sample,) = report.samples
    assert [text.policy for text in sample.texts] == ["Warm start", "PPO"]
    assert report.foot["PPO"] == {"learning_rate": "0.0003"}
    assert report.foot["Environment"]["corpus fingerprint"] == "f00d"


def test_unfinished_runs_and_other_corpora(runs: Path, tmp_path: Path) -> None:
    RunFolder(runs / "ppo-2").start({"policy": "PPO", "fingerprint": "f00d"})
    assert gather(runs).rows[1].seeds == 2
    finished(runs / "other", "PPO", 0.1, fingerprint="beef")
    with pytest.raises(ValueError, match="can't be compared; their fingerprints: beef, f00d"):
        gather(runs)
    with pytest.raises(ValueError, match="no finished run below"):
        gather(tmp_path / "nothing")


def test_the_page_is_whole_and_needs_nothing_else(runs: Path) -> None:
    path = write_page(runs)
    page = path.read_text()
    assert path.stat().st_size < 2_000_000
    for outside in ("http:", "https:", "src=", "<script", "@import", "url("):
        assert outside not in page
    check = Balance()
    check.feed(page)
    assert not check.open
    assert "A &amp; B" in page
    assert "PPO ends above the warm start on clean return, by 0.350" in page
    assert 'title="+0.250\nrouge_l +0.125"' in page
    assert 'title="\N{MINUS SIGN}0.500\nrouge_l \N{MINUS SIGN}0.250"' in page
    assert page.count("<figure>") == len(MEASURES)


def test_a_page_of_one_run_without_evaluation(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start({"env_id": "textgym/Copy-v0", "fingerprint": "f00d", "policy": "PPO", "seed": 0})
    folder.log({"timesteps": 10, "clean_return": 0.5})
    folder.finish({})
    report = gather(tmp_path / "run")
    assert (report.rows, list(report.curves)) == ([], ["clean_return"])
    assert "While learning" in render(report)


def test_the_terminal_table(runs: Path) -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_table(gather(runs), console)
    told = console.export_text()
    assert "PPO ends above the warm start" in told
    assert "[0.300, 0.400]" in told


@pytest.mark.parametrize(
    ("gain", "says"),
    [((0.1, 0.2), "ends above"), ((-0.2, -0.1), "ends below"), ((-0.1, 0.1), "can't be told from")],
)
def test_the_verdict_goes_by_the_interval(gain: tuple[float, float], says: str) -> None:
    row = Row("PPO", 3, {}, {"clean_return": Interval(sum(gain) / 2, *gain)})
    assert verdict(row, "Warm start", "clean_return").startswith(f"PPO {says} the warm start on clean return")


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_and_enclose(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= low + span - 1e-6 * step
    assert 2 <= len(ticks) <= 7
    assert f"{step:.3e}"[0] in "125"


def test_ticks_by_hand() -> None:
    assert nice_ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(0.31, 0.58) == [0.3, 0.4, 0.5, 0.6]
    assert [thousands(tokens) for tokens in (0, 500, 50_000, 1.5e6)] == ["0", "500", "50k", "1.5M"]


def test_seeds_of_other_lengths_meet_on_one_grid() -> None:
    long, short = np.arange(1.0, 301.0), np.arange(2.0, 201.0, 2)
    curve = Curve.from_seeds("PPO", [(long, 2 * long), (short, 3 * short)])
    assert curve.seeds.shape == (2, 100)
    assert curve.tokens[-1] == 199.5  # of 199 and 200: the shorter seed's end
    np.testing.assert_allclose(curve.seeds[0], 2 * curve.tokens)


def test_a_chart_puts_values_where_the_axis_says() -> None:
    curve = Curve("PPO", np.array([0.0, 100.0]), np.array([[0.0, 1.0]]))
    chart = learning_curves([curve], levels={"warm start": 0.5}, ticks=[0.0, 0.5, 1.0], title="x < y")
    assert 'd="M34.0 216.0L272.0 10.0"' in chart
    assert '<path class="level" d="M34 113.0H272"/>' in chart
    assert 'aria-label="x &lt; y"' in chart
    assert 'cx="75.0"' in interval_strip(Interval(0.5, 0.4, 0.6), low=0.0, high=1.0, level=None, colour="s0")


class Balance(HTMLParser):
    """Keeps the elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag


def test_the_curves_are_a_picture_of_their_own(runs: Path) -> None:
    drawn = ElementTree.fromstring(write_page(runs).with_name("curves.svg").read_text())
    charts = drawn.findall("{http://www.w3.org/2000/svg}svg")
    assert len(charts) == len(MEASURES)
    assert all(float(chart.get("x")) + float(chart.get("width")) <= float(drawn.get("width")) for chart in charts)
