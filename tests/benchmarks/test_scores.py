"""Suites of problems: scores, their table and page, and the plan of the diagnostics."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.report import PROFILE, gather, verdicts, write_report
from benchmarks.report.drawing import Words
from benchmarks.report.page import render, sections_of
from benchmarks.report.palette import HUES
from benchmarks.report.records import Report
from benchmarks.report.scores_charts import RADAR_HEIGHT, RADAR_WIDTH, RADIUS, bars, front_chart, radar
from benchmarks.report.scores_sections import aggregate_table, improvement_table, profile_section, scores_table
from benchmarks.report.section import Panels
from benchmarks.results import RunFolder, write_json
from benchmarks.statistics import Interval
from benchmarks.suites.diagnostics import DIAGNOSTICS, Settings, plan, predictions, quick
from tests.benchmarks.test_report import assert_whole

COPY, HACKING, TRADEOFF = "textgym/Copy-v0", "textgym/Hacking-v0", "textgym/Tradeoff-v0"


def finished(path: Path, env_id: str, policy: str, seed: int, score: float, **more: object) -> None:
    folder = RunFolder(path / f"{env_id[8:12]}-{policy}-{seed}-{more.get('weight')}")
    weight = {"weight": more["weight"]} if "weight" in more else {}
    result = {"score": score, "gold": score / 2, **{k: v for k, v in more.items() if k not in ("weight", "scored")}}
    folder.start(
        {
            "env_id": env_id, "policy": policy, "seed": seed, "swept": {"length": 3}, "random_return": 0.1,
            "optimal_return": 1.0, "scored": more.get("scored", True), "fingerprint": env_id,
            "env_kwargs": {"difficulty": "easy", **weight}, "settings": {"tokens": 10},
        }
    )  # fmt: skip
    for step in (1, 2):
        folder.log({"timesteps": 5 * step, "gold_return": score * step / 2, "clean_return": 0.3})
    folder.finish(result)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_json(
        tmp_path / PROFILE,
        {
            "title": "A & B", "introduction": "What it is.", "order": ["PPO", "MaskablePPO", "REINFORCE"],
            "questions": {COPY: "places", HACKING: "a proxy", TRADEOFF: "two"},
            "predicted": {HACKING: "it falls", TRADEOFF: "between"},
        },
    )  # fmt: skip
    for seed in range(4):
        finished(tmp_path, COPY, "PPO", seed, 0.90 + 0.02 * seed)
        finished(tmp_path, COPY, "REINFORCE", seed, 0.97 + 0.01 * seed)
        finished(tmp_path, HACKING, "PPO", seed, 0.6, predicted_gold=0.5)
    front = [[0.0, 1.0], [0.7, 0.7], [1.0, 0.0]]
    finished(tmp_path, TRADEOFF, "PPO", 0, 0.9, front=front, signals=[0.6, 0.7])
    finished(tmp_path, TRADEOFF, "PPO", 0, 0.1, front=front, signals=[0.1, 0.9], weight=0.2, scored=False)
    return tmp_path


def page_of(report: Report) -> str:
    return render(report, sections_of(report))


def test_scores_are_gathered_by_problem_and_policy(suite: Path) -> None:
    report = gather(suite)
    assert report.policies == ["PPO", "REINFORCE"]
    copy, hacking, tradeoff = report.problems
    assert (copy.name, copy.swept, copy.predicted_gold, hacking.predicted_gold) == ("Copy", "length 3", None, 0.5)
    assert copy.interval("PPO").estimate == pytest.approx(0.93)
    assert 0.90 <= copy.interval("PPO").low < 0.93 < copy.interval("PPO").high <= 0.96
    assert tradeoff.scores["PPO"].tolist() == [0.9]  # a run that is not scored only adds a point
    assert sorted(tradeoff.reached["PPO"]) == [[0.1, 0.9], [0.6, 0.7]]
    (curve,) = hacking.curves["gold_return"]
    assert curve.seeds.shape == (4, 2)
    assert verdicts(report) == [f"PPO does not master Copy: {copy.interval('PPO')} of the way to the optimum"]
    assert {policy: scores.shape for policy, scores in report.covering().items()} == {
        "PPO": (4, 1),
        "REINFORCE": (4, 1),
    }


def test_a_missing_run_is_told_and_leaves_the_policy_in(suite: Path) -> None:
    for seed in range(4):
        finished(suite, "textgym/Lock-v0", "PPO", seed, 0.5)
        if seed:
            finished(suite, "textgym/Lock-v0", "REINFORCE", seed, 0.7)
    report = gather(suite)
    assert {policy: scores.shape for policy, scores in report.covering().items()} == {
        "PPO": (4, 2),
        "REINFORCE": (3, 2),
    }
    assert aggregate_table(report).warning.endswith("REINFORCE lacks runs, and is counted with 3 of its seeds.")


def test_the_table_says_the_same_in_markdown_and_in_the_terminal(suite: Path) -> None:
    table = scores_table(gather(suite))
    lines = table.markdown().splitlines()[2:]  # beneath the title
    assert lines[0] == "| problem | swept | optimum | random | PPO | REINFORCE |"
    assert lines[3].startswith("| Hacking * | length 3 | 1.000 | 0.1 | 0.600 [0.600, 0.600] |  |")
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table.printed())
    assert "[0.600, 0.600]" in console.export_text()
    assert "Only 1 training seed:" in table.warning  # that of Tradeoff


def test_over_two_problems_scores_are_aggregated(suite: Path) -> None:
    for seed in range(4):
        finished(suite, "textgym/Lock-v0", "PPO", seed, 0.5)
        finished(suite, "textgym/Lock-v0", "REINFORCE", seed, 0.7)
    report = gather(suite)
    table = aggregate_table(report)
    assert table.head == ["policy", "seeds", "interquartile mean", "median", "mean", "optimality gap"]
    ppo, _ = table.rows
    assert ppo[:2] == ["PPO", "4 (few)"]
    assert [cell.estimate for cell in ppo[2:] if isinstance(cell, Interval)] == pytest.approx(
        [(0.5 + 0.5 + 0.90 + 0.92) / 4, (0.5 + 0.93) / 2, (0.5 + 0.93) / 2, (0.5 + 0.07) / 2]
    )
    improvement = improvement_table(report)
    assert improvement.head == ["probability that", "beats PPO"]
    assert improvement.rows == [["REINFORCE", Interval(1.0, 1.0, 1.0)]]
    assert scores_table(report).rows[-1][0] == "interquartile mean, without *"
    page = page_of(report)
    for heading in ("In short", "Profile", "Scores", "Over all problems", "While learning"):
        assert f"<h2>{heading}</h2>" in page
    assert "Sample efficiency" in page
    assert "Only 4 training seeds" in page


def test_the_page_is_whole_and_needs_nothing_else(suite: Path) -> None:
    path = write_report(suite)
    page = path.read_text()
    assert_whole(path)
    assert "In theory: it falls." in page
    assert "A &amp; B" in page
    assert scores_table(gather(suite)).markdown() in (suite / "scores.md").read_text()
    assert r"\begin{tabular}{lrrrrr}" in (suite / "scores.tex").read_text()
    told = CliRunner().invoke(app, ["report", str(suite)])
    assert told.exit_code == 0
    assert "Hacking *" in told.output


def test_other_prompts_and_nothing_at_all_are_refused(suite: Path, tmp_path: Path) -> None:
    folder = RunFolder(suite / "other")
    folder.start({**RunFolder(suite / "Copy-PPO-0-None").config(), "fingerprint": "other"})
    folder.finish({"score": 1.0, "gold": 1.0})
    with pytest.raises(ValueError, match="runs of textgym/Copy-v0 on different corpora can't be compared"):
        gather(suite)
    (tmp_path / "empty").mkdir()
    write_json(tmp_path / "empty" / PROFILE, {"questions": {}})
    with pytest.raises(ValueError, match="no finished run below"):
        gather(tmp_path / "empty")


def test_a_page_without_failures_or_without_anything_to_learn(suite: Path) -> None:
    report = gather(suite)
    assert "Where the feedback misleads" not in page_of(replace(report, problems=report.problems[:1]))
    assert "While learning" not in page_of(replace(report, problems=report.problems[1:]))
    good = replace(report.problems[0], scores={"PPO": np.ones(3)})
    told = "Every learner masters every problem"
    one = replace(report, policies=["PPO"], problems=[good])
    assert told in page_of(one)
    assert told not in page_of(replace(one, policies=["PPO", "REINFORCE"]))  # which has not tried it
    untried = replace(good, scores={"Random": np.ones(1)})
    assert told not in page_of(replace(one, policies=["Random"], problems=[untried]))


def test_with_a_baseline_learners_are_compared_with_it(suite: Path) -> None:
    report = replace(gather(suite), baseline="PPO")
    assert verdicts(report) == ["REINFORCE ends above the ppo on 1 of 1."]
    assert verdicts(replace(report, untrained=["REINFORCE"])) == []
    (worse,) = verdicts(replace(report, baseline="REINFORCE"))
    assert worse == "PPO ends above the reinforce on 0 of 1, ends below it on Copy."


def test_a_radar_puts_scores_where_the_rings_say() -> None:
    chart = radar(["a", "b", "c", "d"], {"PPO": [0.5, 1.0, None, 2.0]}, {"PPO": "s0"}, title="x < y").svg()
    middle = RADAR_WIDTH / 2, RADAR_HEIGHT / 2
    expected = [(middle[0], middle[1] - RADIUS / 2), (middle[0] + RADIUS, middle[1]), (middle[0] - RADIUS, middle[1])]
    found = re.findall(r'<circle class="dot s0" cx="([\d.]+)" cy="([\d.]+)" r="3"', chart)
    np.testing.assert_allclose(np.array(found, float), expected, atol=0.06)
    assert 'aria-label="x &lt; y"' in chart


def test_bars_and_fronts_put_values_where_the_axes_say() -> None:
    chart = bars({"a": {"B": Interval(0.5, 0.25, 1.5)}}, {"B": "s1"}, title="bars").svg()
    (width,) = re.findall(r'<rect class="bar s1"[^>]* width="([\d.]+)"', chart)
    low, high = re.findall(r'class="whisker" d="M([\d.]+) [\d.]+L([\d.]+)', chart)[0]
    assert float(high) - float(low) == pytest.approx(1.5 * float(width), abs=0.2)  # from 0.25 to the rim
    drawn = front_chart([[0, 1], [1, 0]], {"B": [[0.0, 1.0]]}, {"B": "s1"}).svg()
    corner = re.findall(r'class="corner" cx="([\d.]+)" cy="([\d.]+)"', drawn)[0]
    assert re.findall(r'class="dot s1" cx="([\d.]+)" cy="([\d.]+)"', drawn)[0] == corner


def test_bars_bear_their_names_where_colours_do_not_tell_them_apart() -> None:
    one = Interval(0.5, 0.4, 0.6)
    rows = {"a": {"Random": one, "B": one}, "b": {"Random": one, "Best of 4": one, "B": one}}

    def words(colours: dict[str, str]) -> list[str]:
        drawing = bars(rows, colours, title="bars")
        assert all(0 <= mark.y <= drawing.height for mark in drawing.marks if isinstance(mark, Words))
        return [mark.text for mark in drawing.marks if isinstance(mark, Words)][5:]  # after the axis

    colours = {"Random": "plain", "Best of 4": "s0", "B": "s1"}
    assert words(colours) == ["a", "b", "Random", "Best of 4", "B"]  # a legend
    for alike in ({"Best of 4": "plain"}, {"Best of 4": "s9"}):
        assert words({**colours, **alike}) == ["a", "Random", "B", "b", "Random", "Best of 4", "B"]


def test_a_radar_is_drawn_of_no_more_learners_than_there_are_hues(suite: Path) -> None:
    report = gather(suite)
    (first, *_) = report.problems

    def figures(learners: int, problems: int) -> list[str]:
        names = [f"learner {number}" for number in range(learners)]
        several = [
            replace(first, name=f"Copy {number}", scores={name: np.array([0.5, 0.6]) for name in names})
            for number in range(problems)
        ]
        section = profile_section(replace(report, policies=names, problems=several))
        assert section is not None
        (panels,) = [part for part in section.parts if isinstance(part, Panels)]
        return [figure.name for figure in panels.figures]

    assert figures(len(HUES), 3) == ["profile-radar", "profile-bars"]
    assert figures(len(HUES) + 1, 3) == figures(len(HUES), 2) == ["profile-bars"]


def test_the_baseline_and_random_tokens_are_grey_and_learners_have_hues_everywhere(suite: Path) -> None:
    report = gather(suite)
    assert report.colours == {"PPO": "s0", "REINFORCE": "s1"}
    assert replace(report, baseline="PPO").colours == {"PPO": "plain", "REINFORCE": "s0"}
    assert replace(report, policies=["Random", "PPO"]).colours == {"Random": "plain", "PPO": "s0"}


def test_the_plan_covers_every_diagnostic_with_every_learner_that_fits() -> None:
    runs = plan(Settings(seeds=(3, 4)))
    assert len({run.name for run in runs}) == len(runs)
    for diagnostic in DIAGNOSTICS:
        scored = [run.config for run in runs if run.config["env_id"] == diagnostic.env_id and run.config["scored"]]
        for policy in ("PPO", "REINFORCE"):
            assert [config["seed"] for config in scored if config["policy"] == policy] == [3, 4]
    assert {run.config["env_id"] for run in runs if run.config["policy"] == "MaskablePPO"} == {"textgym/Vocabulary-v0"}
    drift = next(run.config for run in runs if run.name == "Drift-ppo-3")
    assert (drift["settings"]["rows"], drift["settings"]["n_steps"], drift["swept"]) == (32, 64, {"speed": 0.001})
    weights = {run.config["env_kwargs"].get("weight") for run in runs if run.config["env_id"] == TRADEOFF}
    assert weights == {None, 0.2, 0.4, 0.8}
    diagnostics = {env_id for env_id in gymnasium.registry if env_id.startswith("textgym/")} & {
        one.env_id for one in DIAGNOSTICS
    }
    assert len(diagnostics) == len(DIAGNOSTICS) == 13


def test_what_theory_says() -> None:
    assert predictions(HACKING, {"difficulty": "easy"})["predicted_gold"] == pytest.approx(2 * 5 / 6 - 1)
    assert predictions("textgym/Drift-v0", {"difficulty": "medium"})["turns_after_texts"] == 500
    found = predictions(TRADEOFF, {"difficulty": "easy", "weight": 0.5})
    np.testing.assert_allclose(found["predicted_signals"], [math.sqrt(0.5)] * 2)
    assert predictions(COPY, {}) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite_name", "parts", "runs"),
    [
        ("diagnostics", ("Bandit", "MaskablePPO", "The front", "While learning"), len(plan(quick(Settings())))),
        ("applications", ("Translate", "Warm start", "While learning", "ends above the warm start on"), 2 + 2 * 2 * 2),
    ],
)
def test_a_quick_suite_ends_with_a_report_and_does_nothing_twice(
    tmp_path: Path, suite_name: str, parts: tuple[str, ...], runs: int
) -> None:
    call = ["benchmark", suite_name, "--quick", "--out", str(tmp_path)]
    first = CliRunner().invoke(app, call)
    assert first.exit_code == 0, first.output
    page = (tmp_path / "report.html").read_text()
    assert [part for part in parts if part not in page] == []
    again = CliRunner().invoke(app, call)
    assert again.output.count("was finished before") == runs
    assert (tmp_path / "report.html").read_text() == page
