"""RLHF: how far a policy is from its reference, the best of n, what is fitted, and the suite from end to end."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from agents.best_of_n import BestOfN
from benchmarks.cli import app
from benchmarks.divergence import divergence
from benchmarks.evaluation import evaluate, make_env
from benchmarks.expected_best import expected_best
from benchmarks.learners import make_policy
from benchmarks.overoptimisation import Course, course_of, fitted, gather_courses, section_of, table_of, verdicts
from benchmarks.results import RunFolder
from benchmarks.suites.rlhf import Settings, plan

COPY = "textgym/Copy-v0"
SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "initializer_range": 0.5}


def test_best_of_n_is_the_mean_over_all_draws() -> None:
    proxy, gold = (np.random.default_rng(seed).random((3, 6)) for seed in range(2))
    for n in (1, 2, 4, 6):
        best = [[max(draw, key=lambda i: row[i]) for draw in combinations(range(6), n)] for row in proxy]
        expected = [np.mean([values[row, i] for row in range(3) for i in best[row]]) for values in (proxy, gold)]
        assert expected_best(proxy, gold, n) == pytest.approx(expected)


def test_texts_that_the_proxy_can_not_tell_apart_share_their_places() -> None:
    proxy, gold = np.zeros((1, 4)), np.array([[0.0, 1.0, 0.0, 1.0]])
    assert expected_best(proxy, gold, 4) == pytest.approx((0.0, 0.5))
    assert expected_best(proxy, np.array([[0.0, 0.0, 0.0, 1.0]]), 3) == pytest.approx((0.0, 0.25))
    liked, worth = np.array([[1.0, 0.0, 1.0, 0.0, 1.0]]), np.array([[3.0, 9.0, 0.0, 9.0, 0.0]])
    chance = 1 - 1 / 10  # that of two texts one is liked, which then is any of the three
    assert expected_best(liked, worth, 2) == pytest.approx((chance, chance * 1.0 + 0.1 * 9.0))
    with pytest.raises(ValueError, match="n must be 1 to 4"):
        expected_best(proxy, gold, 5)


def test_the_best_of_two_is_so_far_away() -> None:
    """The better of two of many texts has the density 2 u: KL = int_0^1 2 u log 2 u du = log 2 - 1/2."""
    assert BestOfN("random", 1).kl_bound == 0
    u = (np.arange(100_000) + 0.5) / 100_000
    assert BestOfN("random", 2).kl_bound == pytest.approx(float(np.mean(2 * u * np.log(2 * u))), abs=1e-6)


def test_divergence_is_the_mean_log_ratio_of_the_texts_written() -> None:
    """The sum over states is zero for the same model, and agrees with log pi - log pi_0 of the texts on average."""
    torch.manual_seed(0)
    policy, reference = (make_policy(COPY, SMALL) for _ in range(2))
    task = make_env(COPY, num_rows=1).simulator.task
    texts = evaluate(policy, COPY, episodes=128).texts
    same = divergence(policy.backbone, policy.backbone, task, "test", texts)
    np.testing.assert_array_equal(same, 0.0)
    found = divergence(policy.backbone, reference.backbone, task, "test", texts)
    prompts, ratios = task.prompt_set("test"), []
    for sample, tokens in zip(texts.samples, texts.tokens, strict=True):
        start = prompts.prompt_lengths[sample]
        row = torch.tensor([[*prompts.prompt_ids[sample, :start].tolist(), *tokens.tolist()]])
        with torch.no_grad():
            ours, theirs = (p.backbone.lm(row).logits[0].log_softmax(-1) for p in (policy, reference))
        written = (torch.arange(start - 1, row.shape[1] - 1), row[0, start:])
        ratios.append(float((ours[written] - theirs[written]).sum()))
    difference = found - ratios
    assert abs(difference.mean()) < 4 * difference.std() / math.sqrt(len(ratios))
    assert found.mean() > 8 * abs(difference.mean())


@pytest.mark.parametrize("squared", [False, True])
def test_a_planted_law_is_found(squared: bool) -> None:
    d = np.linspace(0, 4, 30)
    gain = d * (0.5 - 0.125 * d) if squared else d * (0.5 - 0.25 * np.log(np.maximum(d, 1e-9)))
    found = fitted(d, gain, squared=squared)
    assert (found.alpha, found.beta) == pytest.approx((0.5, 0.125 if squared else 0.25))
    assert found.explained == pytest.approx(1.0)
    assert fitted(d, np.random.default_rng(0).standard_normal(30), squared=squared).explained < 0.5


def points(gold: list[float]) -> list[dict[str, float]]:
    return [{"kl": float(i * i), "proxy": 0.1 * i, "gold": value} for i, value in enumerate(gold)]


@pytest.fixture
def courses() -> list[Course]:
    first = course_of("A & B", [points([0.2, 0.5, 0.4, 0.1]), points([0.2, 0.7, 0.4, 0.3, 0.9])])
    return [first, course_of("Best of n", [points([0.2, 0.3, 0.4])])]


def test_the_table_and_the_verdict_name_the_turn(courses: list[Course]) -> None:
    first, second = table_of(courses)
    assert first[:9] == ("A & B", "1.00", "0.200", "0.600", "0.200", "0.000", "0.100", "0.300", "9.00")
    assert second[4] == "0.400"
    turned, straight = verdicts(courses)
    assert "rises from 0.200 to 0.600 at 1.00 nats, then falls to 0.200" in turned
    (fallen,) = verdicts([course_of("PPO", [points([0.7, 0.5, 0.2])])])
    assert fallen == "PPO: gold falls from 0.700 to 0.200, while the proxy rises on from 0.000 to 0.200."
    assert straight == "Best of n: gold goes from 0.200 to 0.400, the proxy from 0.000 to 0.200."


def test_the_section_draws_proxy_and_gold(courses: list[Course]) -> None:
    section = section_of(courses, problem="Hacking", introduction="First this.")
    assert section["note"].startswith("First this. A & B: gold rises")
    proxy, gold = section["charts"]
    assert (proxy["title"], gold["title"]) == ("Hacking: proxy", "Hacking: gold")
    assert [line["name"] for line in proxy["lines"]] == ["A & B", "Best of n"]
    assert gold["lines"][0]["y"] == pytest.approx([0.2, 0.6, 0.4, 0.2])
    assert gold["lines"][0]["low"] == pytest.approx([0.2, 0.5, 0.4, 0.1])


def test_points_of_runs_are_gathered_by_method(tmp_path: Path) -> None:
    for seed in range(2):
        run = RunFolder(tmp_path / f"ppo-{seed}")
        run.start({"env_id": COPY, "policy": "PPO", "seed": seed, "settings": {"tokens": 10}})
        run.finish({"points": points([0.2, 0.5])})
    (course,) = gather_courses(tmp_path, ["REINFORCE", "PPO"])
    assert course.distance.shape == (2, 2)


def test_what_a_run_depends_on_is_in_its_configuration() -> None:
    """Another annotator teaches another model, and whoever learns from it learns anew; the reference stays."""
    one, other = (plan(settings) for settings in (Settings(), Settings(pairs=400)))
    for task in ("Summarize", "Hacking"):
        changed = [a.config != b.config for a, b in zip(one, other, strict=True) if a.name.startswith(task)]
        assert changed == [False, *[True] * 8]


@pytest.mark.slow
def test_the_quick_suite_ends_with_a_report(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["benchmark", "rlhf", "--quick", "--out", str(tmp_path)])
    assert told.exit_code == 0, told.output
    for task in ("Summarize", "Hacking"):
        courses = gather_courses(tmp_path / task, [])
        assert {course.name for course in courses} == {"PPO", "REINFORCE", "REINFORCE, KL 0.05", "Best of n"}
        assert all(course.distance[0, 0] == 0 for course in courses)
    assert told.output.count("Where gold turns") == 2
    page = (tmp_path / "report.html").read_text()
    assert "Summarize: against the distance from the reference" in page
    assert "of the time" in page
