"""The short suites: every plan is valid, levels mean what they say, and the quick variants end with a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import textgym
from benchmarks.cli import app
from benchmarks.noise_levels import CHANNELS, DEVIATIONS, LABELS, SHARE, TEXTS, Sweep
from benchmarks.problems import run_config, score
from benchmarks.results import RunFolder
from benchmarks.sections import write_study
from benchmarks.study import FinishedRuns
from benchmarks.suite import load_suite
from benchmarks.suites import annotators, correction, fusion, noise, transfer
from textgym.noise.presets import PRESETS
from textgym.registration import build

STUDIES = ("quick", "noise", "correction", "annotators", "fusion", "transfer")


@pytest.mark.parametrize("name", STUDIES)
def test_plans_are_valid(name: str) -> None:
    suite = load_suite(name)
    for settings in (suite.Settings(), suite.quick(suite.Settings())):
        runs = suite.plan(settings)  # which builds every environment
        assert len({run.name for run in runs}) == len({run.identity for run in runs}) == len(runs)
        assert not [run.name for run in runs if set(run.name) & set("/ ")]
        assert {run.config["seed"] for run in runs} == set(settings.seeds)
        assert {run.config["learner"] for run in runs if "learner" in run.config} == set(settings.learners)


def test_a_run_without_noise_serves_all_channels() -> None:
    settings = noise.Settings()
    runs = noise.plan(settings)
    clean = [run for run in runs if run.config["noise_level"] == 0]
    assert len(clean) == len(settings.problems) * len(settings.learners) * len(settings.seeds)
    assert all(run.config["env_kwargs"]["noise"] == [] for run in clean)
    swept = {sweep.noise for sweep in settings.sweeps}
    assert swept == {*textgym.components("noise"), "human", "crowd", "ai_judge", "implicit"}
    with pytest.raises(ValueError, match="problem must be one of Noise, Chain, Copy, got 'Reverse'"):
        noise.plan(noise.Settings(sweeps=(Sweep("flip", "Reverse"),)))


@pytest.mark.parametrize("name", sorted(CHANNELS))
@pytest.mark.parametrize("level", [0.25, 0.5])
def test_a_level_is_what_its_unit_says(name: str, level: float) -> None:
    (spec,) = Sweep(name, "Noise").specs(level, deviation=0.2)
    if CHANNELS[name].unit == DEVIATIONS:
        channel = build("noise", {**spec, "size": 4096} if name == "pool" else spec)
        grown = {"drift": TEXTS, "fatigue": 16}.get(name, 1)  # fatigue: four times the deviation after 50 texts
        variance = channel.variance(np.array([0.5]))[0] * grown
        assert variance == pytest.approx((0.2 * level) ** 2, rel=0.1 if name == "pool" else 1e-4)
    elif CHANNELS[name].unit == LABELS:
        channel = build("noise", spec)
        mean = channel.mean(channel.levels)
        np.testing.assert_allclose(np.diff(mean) / np.diff(channel.levels), 1 - level, rtol=1e-4)
    elif CHANNELS[name].unit == SHARE:
        assert spec.get("rate", 1 - spec.get("seen", 0)) == pytest.approx(level)


def test_presets_and_steps() -> None:
    assert Sweep("human", "Noise").specs(2.0, deviation=0.2) == ["human/medium"]
    assert {"human", "crowd", "ai_judge", "implicit"} <= set(PRESETS)
    (spec,) = Sweep("quantise", "Noise").specs(1 / 3, deviation=0.2)
    assert spec == {"name": "quantise", "levels": 4}
    (spec,) = Sweep("clip", "Noise").specs(0.2, deviation=0.2)
    assert spec == {"name": "clip", "low": 0.0, "high": 0.8}
    (spec,) = Sweep("fatigue", "Noise").specs(1.0, deviation=0.2)
    assert spec["sigma"] * np.exp(spec["kappa"] * TEXTS) == pytest.approx(spec["ceiling"], rel=1e-3)


def test_a_dear_annotator_is_asked_about_fewer_texts() -> None:
    settings = annotators.Settings(rows=8, amount=60.0)
    longest = 4 * 8  # tokens of one text of all rows
    for kind, cost, texts in (("rating", 1.0, 60), ("demonstration", 5.0, 12), ("comment", 2.0, 30)):
        assert annotators.price(settings, kind) == cost
        assert annotators.affordable(settings, kind, tokens=10**6) == texts * longest
    for kind in ("click", "self_feedback"):
        assert annotators.affordable(settings, kind, tokens=4000) == 4000


def test_the_variances_of_the_docstring() -> None:
    sigmas = np.array(fusion.Settings().sigmas)
    assert (sigmas**2).mean() / 3 == pytest.approx(0.122, abs=5e-4)
    assert 1 / (sigmas**-2).sum() == pytest.approx(0.0089, abs=5e-5)


def test_every_corrector_that_can_be_told_is_also_told() -> None:
    found = [(noise, variant) for noise, variant, _ in correction.variants(correction.Settings())]
    assert found[:6] == [
        ("none", "clean"),
        ("flip", "noisy"),
        ("flip", "surrogate"),
        ("flip", "surrogate oracle"),
        ("flip", "dawid_skene"),
        ("flip", "dawid_skene oracle"),
    ]
    assert ("biased annotators", "calibrate affine") in found


def test_references_please_an_annotator_as_well_as_can_be() -> None:
    run = transfer.plan(transfer.quick(transfer.Settings()))[0]
    assert transfer.reference_answer(run.config, {"name": "edit"}) == 1.0
    assert transfer.reference_answer(run.config, {"name": "rating", "metric": "rouge_l"}) == 1.0


def test_a_score_is_0_at_random_and_1_at_the_optimum() -> None:
    config = run_config("textgym/Chain-v0", {"length": 4}, learner="ppo", seed=0, texts=4, settings={})
    assert config["swept"] == {"length": 4}
    np.testing.assert_allclose(score(np.array([0.2, 1.0, 0.6]), config), [0.0, 1.0, 0.5])


def finished(path: Path, name: str, config: dict[str, Any], value: float, *, tokens: int = 1000) -> None:
    folder = RunFolder(path / name)
    known = {"random_return": 0.0, "optimal_return": 1.0, "settings": {"tokens": tokens}}
    folder.start({**config, **known})
    for number in range(1, 11):
        folder.log({"timesteps": number * tokens / 10, "texts": 5, "gold_return": value * number / 10})
    folder.finish({"score": value})


def test_the_report_of_noise_shares_the_runs_without_and_leaves_out_what_is_missing(tmp_path: Path) -> None:
    settings = noise.Settings(
        sweeps=(Sweep("gaussian", "Noise", (1.0, 2.0)), Sweep("flip", "Chain", (0.4,))), target=0.4, window=100
    )
    for seed in range(3):
        base = {"policy": "PPO", "seed": seed}
        for policy, value in (("PPO", 0.8), ("REINFORCE", 0.4)):
            clean = {"policy": policy, "seed": seed, "problem": "Noise, none", "noise_level": 0.0}
            finished(tmp_path, f"{policy}-{seed}", clean, value)
        for level, value in ((1.0, 0.6), (2.0, 0.2)):
            swept = {**base, "problem": "Noise, gaussian", "noise_level": level}
            finished(tmp_path, f"{level}-{seed}", swept, value)
    noise.report(tmp_path, settings, Console(file=open("/dev/null", "w")))  # noqa: SIM115
    study = json.loads((tmp_path / "profile.json").read_text())
    areas, slower = (section["tables"][0]["rows"] for section in study["sections"])
    area = ((0.8 + 0.6) / 2 + (0.6 + 0.2) / 2) / (2 * 0.8)
    assert areas[0][3] == pytest.approx([area] * 3)
    assert areas[0][4] is None  # REINFORCE, which has no run with noise
    assert areas[1][3] is None
    assert slower[0][2] == slower[0][3] == "> 2.00"  # 500 tokens without noise, of 1000
    chart = study["sections"][0]["charts"][0]
    assert chart["lines"][0]["y"] == pytest.approx([0.8, 0.6, 0.2])
    assert [one["x"] for one in chart["lines"]] == [[0, 1, 2], [0]]
    assert [chart["title"] for chart in study["sections"][0]["charts"]] == ["gaussian"]  # of flips there is no run


def test_the_charts_of_correction_have_what_is_known_of_each_noise(tmp_path: Path) -> None:
    settings = correction.Settings(seeds=(0, 1))
    for seed in settings.seeds:
        base = {"policy": "PPO", "seed": seed}
        for variant, value in (("clean", 0.9), ("noisy", 0.4), ("median", 0.6)):
            noise_name = "none" if variant == "clean" else "contamination"
            finished(tmp_path, f"{variant}-{seed}", {**base, "noise": noise_name, "variant": variant}, value)
    correction.report(tmp_path, settings, Console(file=open("/dev/null", "w")))  # noqa: SIM115
    (section,) = json.loads((tmp_path / "profile.json").read_text())["sections"]
    drawn = {chart["title"]: [row[0] for row in chart["rows"]] for chart in section["charts"]}
    assert drawn == {"contamination": ["clean", "noisy", "median"]}  # of other noise there is no run
    assert "median, PPO: 0.600 [0.600, 0.600]" in (tmp_path / "report.html").read_text()


def test_a_study_has_its_tables_on_the_page_in_markdown_and_on_the_terminal(tmp_path: Path) -> None:
    finished(tmp_path, "run", {"env_id": "textgym/Copy-v0", "policy": "PPO", "seed": 0, "scored": False}, 0.5)
    rows = [["a{b}", None, [0.5, 0.25, 0.75], 2.0, "> 3.00"]]
    table = {"title": "Table", "head": list("vwxyz"), "rows": rows}
    study = {
        "title": "T",
        "introduction": "I",
        "order": [],
        "sections": [{"title": "S", "note": "N", "tables": [table]}],
    }
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    write_study(tmp_path, study, console)
    assert "| a{b} |  | 0.500 [0.250, 0.750] | 2 | > 3.00 |" in (tmp_path / "scores.md").read_text()
    assert "a{b}" in console.export_text()
    page = (tmp_path / "report.html").read_text()
    assert "<h2>S</h2>" in page
    assert "&gt; 3.00" in page


def test_finished_runs_are_found_by_what_their_configuration_says(tmp_path: Path) -> None:
    finished(tmp_path, "a", {"policy": "PPO", "seed": 0}, 0.5)
    finished(tmp_path, "b", {"policy": "PPO", "seed": 1}, 0.7)
    RunFolder(tmp_path / "c").start({"policy": "PPO"})  # not finished
    runs = FinishedRuns.below(tmp_path)
    assert runs.scores(policy="PPO").tolist() == [0.5, 0.7]
    assert runs.scores(policy="PPO", seed=1).tolist() == [0.7]
    assert not runs.where(policy="REINFORCE")
    tokens, texts, scores = runs[0].curve()
    assert tokens.tolist() == [100 * n for n in range(1, 11)]
    assert texts.tolist() == [5] * 10
    assert scores[-1] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_study_ends_with_a_report_and_does_nothing_twice(tmp_path: Path, name: str) -> None:
    call = ["benchmark", name, "--quick", "--out", str(tmp_path)]
    first = CliRunner().invoke(app, call)
    assert first.exit_code == 0, first.output
    report = tmp_path / ("report.html" if name == "quick" else "scores.md")
    told = report.read_text()
    assert "REINFORCE" in told
    again = CliRunner().invoke(app, call)
    suite = load_suite(name)
    assert again.output.count("was finished before") == len(suite.plan(suite.quick(suite.Settings())))
    assert report.read_text() == told
