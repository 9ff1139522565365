"""The report says what the runs' files say, on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from benchmarks.report import PROFILE, gather, verdicts, write_report
from benchmarks.report.records import MEASURES, Row
from benchmarks.report.verdicts import verdict
from benchmarks.results import RunFolder, write_json
from benchmarks.statistics import Interval

PROMPTS = 40
VOICE = {"signal": "rating:rouge_l", "clean": -0.15, "observed": 0.05, "said": {"answer": "0.5", "comment": "<dull>"}}
EVIL = "<script>alert(\"x\")</script> & 'quotes'"
VOID = {"meta", "link", "path", "circle", "rect", "br"}


def finished(path: Path, policy: str, mean: float, *, seed: int = 0, **config: Any) -> None:
    """Writes the files of a finished run whose returns are `mean` plus how easy each prompt is."""
    folder = RunFolder(path)
    folder.start({"env_id": "textgym/Docstring-v0", "fingerprint": "f00d", "policy": policy, "seed": seed, **config})
    for step in range(1, 4):
        folder.log({"timesteps": 100 * step, "loss": 1.0, **dict.fromkeys(MEASURES, mean * step / 3)})
    returns = (mean + 0.01 * np.arange(PROMPTS)).tolist()
    text = {"sample": 3, "prompt": EVIL, "reference": "Say it.", "tokens": [" a", " <b>"], "earned": [0.25, -0.5]}
    text |= {"signals": {"rouge_l": [0.125, -0.25]}, "empty": 0.1, "clean_return": -0.15, "gold_return": 0.5}
    text |= {"observed_return": 0.25, "voices": [VOICE]}
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
    write_json(tmp_path / PROFILE, title)
    return tmp_path


def test_the_table_compares_with_the_baseline(runs: Path) -> None:
    (problem,) = gather(runs).problems
    warm, ppo = problem.rows
    assert (warm.policy, warm.seeds, warm.gains) == ("Warm start", 1, {})
    assert (ppo.policy, ppo.seeds, problem.prompts) == ("PPO", 2, PROMPTS)
    gain = ppo.gains["clean_return"]
    assert (gain.estimate, gain.low, gain.high) == pytest.approx(
        (0.35, 0.3, 0.4)
    )  # prompts are paired: seeds alone vary
    assert ppo.returns["gold_return"].estimate == pytest.approx(0.55 + 0.01 * (PROMPTS - 1) / 2)
    assert gather(runs).problems[0].rows == problem.rows


def test_curves_and_samples_are_gathered(runs: Path) -> None:
    report = gather(runs)
    (problem,) = report.problems
    ppo = problem.curves["clean_return"][1]
    assert ppo.learner == "PPO"
    np.testing.assert_allclose(ppo.seeds, np.outer([0.5, 0.6], [1 / 3, 2 / 3, 1]))
    assert problem.levels["gold_return"] == 0.2
    (sample,) = problem.samples
    assert [text.policy for text in sample.texts] == ["Warm start", "PPO"]
    assert sample.texts[0].voices[0].said["answer"] == "0.5"
    assert report.foot["PPO"] == {"learning_rate": "0.0003"}
    assert report.foot["Environment"]["corpus fingerprint"] == "f00d"


@pytest.mark.parametrize(("rates", "told"), [((1e-4, 3e-4), "0.0001 or 0.0003"), (np.arange(5.0), "5 values")])
def test_settings_that_differ_between_runs_are_all_told(tmp_path: Path, rates: Sequence[float], told: str) -> None:
    for number, rate in enumerate(rates):
        finished(tmp_path / str(number), "PPO", 0.5, seed=number, settings={"learning_rate": float(rate), "rows": 64})
    assert gather(tmp_path).foot["PPO"] == {"learning_rate": told, "rows": "64"}


def test_unfinished_runs_and_other_corpora(runs: Path, tmp_path: Path) -> None:
    RunFolder(runs / "ppo-2").start({"policy": "PPO", "fingerprint": "f00d"})
    assert gather(runs).problems[0].rows[1].seeds == 2
    finished(runs / "other", "PPO", 0.1, fingerprint="beef")
    with pytest.raises(ValueError, match="can't be compared; their fingerprints: beef, f00d"):
        gather(runs)
    with pytest.raises(ValueError, match="no finished run below"):
        gather(tmp_path / "nothing")


def test_the_page_is_whole_and_needs_nothing_else(runs: Path) -> None:
    path = write_report(runs)
    page = path.read_text()
    assert_whole(path)
    assert "A &amp; B" in page
    assert "PPO ends above the warm start on clean return, by 0.350" in page
    assert 'title="+0.250\nrouge_l +0.125"' in page
    assert 'title="\N{MINUS SIGN}0.500\nrouge_l \N{MINUS SIGN}0.250"' in page
    assert page.count("<h2>While learning</h2>") == page.count("<h2>Proxy against gold</h2>") == 1
    assert "Only 2 training seeds" in page


def test_a_text_tells_who_said_what_and_what_the_noise_was(runs: Path) -> None:
    page = write_report(runs).read_text()
    minus = "\N{MINUS SIGN}"
    said = '<span class="quiet">answer</span> 0.5; <span class="quiet">comment</span> &lt;dull&gt;'
    voice = f'<th scope="row">rating:rouge_l</th><td>{minus}0.150</td><td>+0.050</td><td>{said}</td>'
    noise = '<th scope="row">noise on the sum</th><td>+0.000</td><td>+0.200</td><td></td>'
    total = f'<th scope="row">return</th><td>{minus}0.150</td><td>+0.250</td><td></td>'
    assert page.count(f"<tr>{voice}</tr><tr>{noise}</tr><tr>{total}</tr>") == 2


def test_results_that_do_not_tell_who_said_what_are_shown_without(runs: Path) -> None:
    for run in ("warm", "ppo-0", "ppo-1"):
        folder = RunFolder(runs / run)
        result = folder.result()
        for text in result["samples"]:
            del text["voices"], text["observed_return"]
        folder.finish(result)
    page = write_report(runs).read_text()
    assert "What each token earned" in page
    assert "Who said what" not in page


def test_a_page_of_one_run_without_evaluation(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start({"env_id": "textgym/Copy-v0", "fingerprint": "f00d", "policy": "PPO", "seed": 0})
    folder.log({"timesteps": 10, "clean_return": 0.5})
    folder.finish({})
    (problem,) = gather(tmp_path / "run").problems
    assert (problem.rows, list(problem.curves)) == ([], ["clean_return"])
    assert "While learning" in write_report(tmp_path / "run").read_text()


def test_the_terminal_tells_the_table_the_verdict_and_the_warning(runs: Path) -> None:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    path = write_report(runs, console)
    told = console.export_text()
    assert "PPO ends above the warm start" in told
    assert "[0.300, 0.400]" in told
    assert "warning: Only 2 training seeds" in told
    assert str(path) in told


@pytest.mark.parametrize(
    ("gain", "says"),
    [((0.1, 0.2), "ends above"), ((-0.2, -0.1), "ends below"), ((-0.1, 0.1), "can't be told from")],
)
def test_the_verdict_goes_by_the_interval(gain: tuple[float, float], says: str) -> None:
    row = Row("PPO", 3, {}, {"clean_return": Interval(sum(gain) / 2, *gain)})
    assert verdict(row, "Warm start", "clean_return").startswith(f"PPO {says} the warm start on clean return")


def test_with_no_baseline_and_no_scores_there_is_no_verdict(tmp_path: Path) -> None:
    finished(tmp_path / "a", "PPO", 0.5)
    assert verdicts(gather(tmp_path)) == []


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


def assert_whole(path: Path) -> None:
    """Checks that a page is well formed, small, without references to anything else, and has a table for each chart."""
    page = path.read_text()
    assert path.stat().st_size < 2_000_000
    for outside in ("http:", "https:", "src=", "<script", "@import", "url(", "file:"):
        assert outside not in page
    check = Balance()
    check.feed(page)
    assert not check.open
    figures = page.split("<figure")[1:]
    for figure in figures:
        inside = figure.partition("</figure>")[0]
        assert inside.count("<svg") == inside.count("<table>") == 1
        assert "<td>" in inside
    names = {file.stem for file in (path.parent / "figures").glob("*.csv")}
    assert len(names) == len(figures)
    for name in names:
        for kind in ("svg", "png"):
            assert (path.parent / "figures" / f"{name}.{kind}").stat().st_size > 500


def test_the_figures_are_pictures_of_their_own(runs: Path) -> None:
    folder = write_report(runs).with_name("figures")
    (folder / "old.png").touch()
    write_report(runs)
    assert not (folder / "old.png").exists()
    drawn = ElementTree.fromstring((folder / "learning.svg").read_text())
    names = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Observed return", "Clean return", "Gold return", "PPO", "warm start"} <= set(names)
    assert (folder / "learning-gold-return.csv").read_text().splitlines()[0] == (
        "line,tokens written,gold return,lowest,highest"
    )
    assert (folder / "learning.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
