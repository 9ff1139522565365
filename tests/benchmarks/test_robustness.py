"""What noise costs, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.robustness import area_under_curve, inflation, mean_score, share_of_gap, tokens_to_reach
from benchmarks.statistics import Interval
from textgym.types import FloatArray


def seeds(*values: float) -> FloatArray:
    return np.array(values, np.float64)


def test_the_mean_has_the_interval_of_its_seeds() -> None:
    assert mean_score(seeds(0.5, 0.5)) == Interval(0.5, 0.5, 0.5)
    found = mean_score(seeds(0.0, 1.0, 0.5))
    assert found.estimate == 0.5
    assert (found.low, found.high) == (0.0, 1.0)  # each is drawn three times once in 27


def test_the_area_is_that_of_trapezes_as_a_share_of_what_no_noise_gives() -> None:
    scores = [seeds(0.8, 0.8), seeds(0.8, 0.8), seeds(0.0, 0.0)]
    found = area_under_curve([0, 1, 3], scores)  # (0.8 * 1 + 0.4 * 2) / (3 * 0.8)
    assert found is not None
    assert [found.estimate, found.low, found.high] == pytest.approx([2 / 3] * 3)
    assert area_under_curve([0, 1], [seeds(0.0, 0.1), seeds(1, 1)]) is None
    for levels, given in (([1, 2], scores[:2]), ([0, 0], scores[:2]), ([0], scores[:1]), ([0, 1], [seeds(1), seeds()])):
        with pytest.raises(ValueError, match="ascending levels from 0 with scores each"):
            area_under_curve(levels, given)


def test_a_curve_is_smoothed_by_its_texts_before_it_reaches_anything() -> None:
    curve = seeds(100, 200, 300, 400), seeds(10, 10, 30, 10), seeds(0.9, 0.0, 0.6, 1.0)
    # over 200 tokens: (too early), 0.45, 0.45, 0.7
    assert tokens_to_reach(*curve, target=0.4, window=200) == 200
    assert tokens_to_reach(*curve, target=0.5, window=200) == 400
    assert tokens_to_reach(*curve, target=0.75, window=200) == np.inf
    assert tokens_to_reach(*curve, target=0.75, window=100) == 100


def test_inflation_is_a_ratio_of_medians_and_says_where_it_is_censored() -> None:
    clean = [200.0, 200.0, 200.0]
    assert inflation([400.0, 400.0, 400.0], clean, budget=1000) == pytest.approx([2.0, 2.0, 2.0])
    assert inflation([400.0, np.inf, np.inf], clean, budget=1000) == "> 5.00"
    assert inflation([400.0, 400.0, np.inf], clean, budget=1000) == "2.00 [2.00, > 5.00]"
    assert inflation([400.0] * 3, [200.0, 200.0, np.inf], budget=1000) == "2.00 [< 0.40, 2.00]"
    assert inflation([400.0], [np.inf, np.inf, 100.0], budget=1000) is None


def test_the_share_of_a_gap_is_told_only_where_there_is_one() -> None:
    assert share_of_gap(np.array([0.8]), np.array([0.7]), np.array([0.75])) is None  # single runs tell nothing
    clean, noisy = seeds(0.9, 1.0, 1.1), seeds(0.2, 0.2, 0.2)
    closed = share_of_gap(clean, noisy, seeds(0.6, 0.6))
    assert closed is not None
    assert closed.estimate == pytest.approx(0.5)
    assert closed.low == pytest.approx(0.4 / 0.9)
    assert closed.high == pytest.approx(0.4 / 0.7)
    harm = share_of_gap(clean, noisy, seeds(0.0, 0.0))
    assert harm is not None
    assert harm.estimate == pytest.approx(-0.25)
    assert share_of_gap(clean, seeds(0.8, 1.0, 1.2), noisy) is None
