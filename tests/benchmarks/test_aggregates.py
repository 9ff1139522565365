"""The aggregates are those of Agarwal et al. 2021: numbers worked out by hand, and SciPy's Mann-Whitney U."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from benchmarks.aggregates import (
    aggregate,
    efficiency_curve,
    few_seeds,
    median_of_tasks,
    on_grid,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from benchmarks.statistics import interquartile_mean

TWO_TASKS = np.array([[0.0, 1.0], [0.2, 1.2], [0.4, 0.5], [0.6, 0.9]])  # 4 runs
"""Means of the tasks: 0.3 and 0.9. All scores in order: 0, 0.2, 0.4, 0.5, 0.6, 0.9, 1, 1.2."""


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def test_aggregates_by_hand() -> None:
    found = aggregate(TWO_TASKS, generator=generator())
    assert {name: round(interval.estimate, 12) for name, interval in found.items()} == {
        "interquartile mean": 0.6,  # of 0.4, 0.5, 0.6, 0.9
        "median": 0.6,  # of 0.3 and 0.9
        "mean": 0.6,
        "optimality gap": 0.425,  # of 1, 0.8, 0.6, 0.4 and 0, 0, 0.5, 0.1
    }
    assert all(interval.low < interval.estimate < interval.high for interval in found.values())


def test_the_median_is_of_the_tasks_means_not_of_the_runs() -> None:
    scores = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.6]])
    assert median_of_tasks(scores) == 0.3
    assert median_of_tasks(np.stack([scores, scores + 1])).tolist() == [0.3, 1.3]
    assert optimality_gap(scores, target=0.5) == pytest.approx((0.25 + 0.5 + 0.25) / 3)
    with pytest.raises(ValueError, match="the axis of the runs and that of the tasks"):
        median_of_tasks(scores, (0,))


def test_the_same_draws_for_all_aggregates_and_the_same_for_one_seed() -> None:
    assert aggregate(TWO_TASKS, generator=generator()) == aggregate(TWO_TASKS, generator=generator())
    alone = aggregate(np.tile([0.2, 0.4], (3, 1)), generator=generator())
    assert [edge for one in alone.values() for edge in (one.low, one.high)] == pytest.approx([0.3] * 6 + [0.7] * 2)


def test_probability_of_improvement_by_hand() -> None:
    first, second = [[1.0], [3.0]], [[2.0], [3.0]]  # pairs: loses, loses, wins, ties
    found = probability_of_improvement(first, second, generator=generator())
    assert found.estimate == (0 + 0 + 1 + 0.5) / 4
    # Of 16 equally likely pairs of samples, ours 11, 13, 31, 33 and theirs 22, 23, 32, 33:
    wins = {(1, 2): 0.0, (1, 3): 0.0, (3, 2): 1.0, (3, 3): 0.5}
    samples = [
        np.mean([wins[a, b] for a in ours for b in theirs])
        for ours, theirs in product(product((1, 3), repeat=2), product((2, 3), repeat=2))
    ]
    assert sorted(samples) == [0.0] * 4 + [0.25] * 2 + [0.375] * 4 + [0.5] * 3 + [0.75] * 2 + [1.0]
    wide = probability_of_improvement(first, second, generator=generator(), resamples=40_000, confidence=0.4)
    assert (wide.low, wide.high) == (0.25, 0.5)  # 0.3 and 0.7 of the samples are below


def test_on_one_task_it_is_the_mann_whitney_statistic_over_the_pairs() -> None:
    first, second = generator().normal(size=(9, 1)).round(1), generator().normal(0.3, size=(7, 1)).round(1)
    expected = stats.mannwhitneyu(first[:, 0], second[:, 0]).statistic / (9 * 7)
    found = probability_of_improvement(first, second, generator=generator())
    assert found.estimate == pytest.approx(expected)
    back = probability_of_improvement(second, first, generator=generator())
    assert back.estimate == pytest.approx(1 - found.estimate)


def test_tasks_weigh_alike_and_must_be_the_same() -> None:
    first, second = np.array([[1.0, 0.0]] * 3), np.array([[0.0, 1.0]] * 2)
    found = probability_of_improvement(first, second, generator=generator())
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))  # strata: each task by itself
    with pytest.raises(ValueError, match="the same tasks, got 2 and 1"):
        probability_of_improvement(first, second[:, :1], generator=generator())


def test_a_performance_profile_by_hand() -> None:
    band = performance_profile(TWO_TASKS, [0.0, 0.5, 1.0], generator=generator())
    assert band.estimate.tolist() == [7 / 8, 4 / 8, 1 / 8]  # above, not at
    assert (band.low <= band.estimate).all()
    assert (band.estimate <= band.high).all()


def test_a_profiles_band_is_the_bootstrap_of_a_share() -> None:
    """On one task the share above a threshold is a mean of zeros and ones, whose samples are binomial."""
    scores = np.array([[0.0]] * 6 + [[1.0]] * 14)
    band = performance_profile(scores, [0.5], generator=generator(), resamples=20_000)
    expected = stats.binom(20, 0.7).ppf([0.025, 0.975]) / 20
    np.testing.assert_allclose([band.low[0], band.high[0]], expected, atol=1e-12)


def test_the_area_under_a_profile_is_the_mean() -> None:
    """The integral of the share above tau, over tau from 0 to 1, is the mean score."""
    scores = generator().uniform(size=(5, 4))
    at = np.linspace(0, 1, 20_001)
    band = performance_profile(scores, at, generator=generator(), resamples=1)
    assert np.trapezoid(band.estimate, at) == pytest.approx(scores.mean(), abs=1e-4)


def test_sample_efficiency_is_the_interquartile_mean_at_each_place() -> None:
    scores = generator().normal(size=(4, 3, 6))  # runs, tasks, points
    band = efficiency_curve(np.arange(6), scores, generator=generator())
    expected = [interquartile_mean(scores[:, :, point]) for point in range(6)]
    np.testing.assert_allclose(band.estimate, expected)
    slow = np.random.default_rng(7).integers(4, size=(1000, 4, 3))
    samples = [[interquartile_mean(scores[drawn, np.arange(3), point]) for drawn in slow] for point in range(6)]
    np.testing.assert_allclose(band.low, np.quantile(samples, 0.025, axis=1))
    np.testing.assert_allclose(band.high, np.quantile(samples, 0.975, axis=1))
    with pytest.raises(ValueError, match="finite numbers of shape"):
        efficiency_curve(np.arange(6), scores[0], generator=generator())


def test_runs_meet_on_a_grid_and_keep_their_last_score() -> None:
    found = on_grid(np.array([0.0, 15.0, 40.0]), [(np.array([10.0, 20.0]), np.array([1.0, 3.0]))])
    assert found.tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize(("runs", "warns"), [(1, True), (4, True), (5, False), (10, False)])
def test_few_seeds_are_warned_of(runs: int, warns: bool) -> None:
    assert bool(few_seeds(runs)) == warns
    if warns:
        assert few_seeds(runs).startswith(f"Only {runs} training seed")
