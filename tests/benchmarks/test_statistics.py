"""The statistics agree with SciPy and with numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics import (
    Interval,
    correlation,
    interquartile_mean,
    paired_bootstrap,
    paired_difference,
    stratified_bootstrap,
)


def test_a_correlation_is_scipys_and_needs_both_to_vary() -> None:
    one, other = generator().normal(size=(2, 30))
    assert correlation(one, one + other) == pytest.approx(stats.pearsonr(one, one + other).statistic)
    assert correlation([1, 2], [2, 1]) == pytest.approx(-1.0)
    nearly = np.full(30, 0.1) + 1e-9 * one
    assert [correlation(*pair) for pair in (([1], [1]), ([0, 0], [1, 2]), (one, nearly))] == [None] * 3


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (11, 3), (5, 2, 4)])
def test_interquartile_mean_is_scipys_trimmed_mean(shape: tuple[int, ...]) -> None:
    scores = generator().normal(size=shape)
    assert interquartile_mean(scores) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None))


def test_interquartile_mean_by_hand() -> None:
    assert interquartile_mean([0, 1, 2, 3, 4, 5, 6, 100]) == 3.5  # of 2, 3, 4, 5
    assert interquartile_mean([[0.0, 10.0], [4.0, 20.0]], axis=0).tolist() == [2.0, 15.0]


def test_one_task_is_scipys_bootstrap_draw_for_draw() -> None:
    scores = generator().normal(size=(12, 1))
    ours = stratified_bootstrap(scores, generator=generator(), statistic=np.mean, resamples=500)
    theirs = stats.bootstrap(
        (scores[:, 0],), np.mean, n_resamples=500, method="percentile", rng=generator()
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert ours.estimate == pytest.approx(scores.mean())


def test_strata_are_drawn_within_each_task() -> None:
    scores = np.array([[0.0, 100.0, -7.0]] * 4)  # the tasks differ, the runs do not
    assert stratified_bootstrap(scores, generator=generator(), statistic=np.mean) == Interval(31.0, 31.0, 31.0)


def test_prompts_agree_with_scipys_bootstrap_of_a_mean() -> None:
    returns = generator().normal(size=(1, 200))
    ours = paired_bootstrap(returns, generator=generator(), resamples=20_000)
    theirs = stats.bootstrap(
        (returns[0],), np.mean, n_resamples=20_000, method="percentile", rng=generator()
    ).confidence_interval
    deviation = returns.std() / np.sqrt(200)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05 * deviation)


def test_two_prompts_by_hand() -> None:
    """Of two prompts worth 0 and 1 the samples' means are 0, 1/2, 1 with chances 1/4, 1/2, 1/4."""
    assert paired_bootstrap([[0.0, 1.0]], generator=generator(), confidence=0.4) == Interval(0.5, 0.5, 0.5)
    assert paired_bootstrap([[0.0, 1.0]], generator=generator(), confidence=0.6) == Interval(0.5, 0.0, 1.0)


def test_seeds_are_drawn_too() -> None:
    """Two seeds that differ by 1 on every prompt: the same chances, now over seeds alone."""
    returns = np.array([[0.0] * 50, [1.0] * 50])
    assert paired_bootstrap(returns, generator=generator(), confidence=0.6) == Interval(0.5, 0.0, 1.0)


def test_what_makes_a_prompt_hard_cancels_in_a_difference() -> None:
    hard = generator().normal(scale=10.0, size=(1, 300))
    difference = paired_difference(hard + 0.25, hard, generator=generator())
    assert (difference.estimate, difference.low, difference.high) == pytest.approx((0.25, 0.25, 0.25))
    apart = paired_bootstrap(hard + 0.25, generator=generator())
    assert not apart.above(paired_bootstrap(hard, generator=generator()))


def test_ninety_five_per_cent_hold_the_truth() -> None:
    rng = generator()
    held = 0
    for _ in range(200):
        prompts = rng.normal(size=(1, 60))
        first, second = prompts + rng.normal(0.3, 1.0, size=(8, 60)), prompts + rng.normal(0.0, 1.0, size=(1, 60))
        interval = paired_difference(first, second, generator=rng, resamples=400)
        held += interval.low <= 0.3 <= interval.high
    assert 180 <= held <= 200


def test_the_same_generator_gives_the_same_interval() -> None:
    returns = generator().normal(size=(3, 40))
    assert paired_bootstrap(returns, generator=generator()) == paired_bootstrap(returns, generator=generator())


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1.0, 2.0], [[1.0, 2.0]], "shape"),
        ([[]], [[1.0]], "empty"),
        ([[np.nan]], [[1.0]], "finite"),
        ([[1.0, 2.0]], [[1.0]], "same prompts, got 2 and 1"),
    ],
)
def test_bad_scores_are_refused(first: list[float], second: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_difference(first, second, generator=generator())


@pytest.mark.parametrize("bad", [{"resamples": 0}, {"confidence": 1.0}, {"confidence": 0.0}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="resamples must be at least 1 and confidence in"):
        paired_bootstrap([[1.0]], generator=generator(), **bad)  # type: ignore[arg-type]
