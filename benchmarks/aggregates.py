"""Scores of several runs on several tasks in few numbers, each with its interval, after Agarwal et al. 2021.

The paper is "Deep reinforcement learning at the edge of the statistical precipice"; its package is rliable. Scores are
normalised: 0 is random, 1 is optimal. All intervals are percentiles of stratified bootstraps: the runs of each task are
drawn again by themselves. All chance comes from a generator that the caller passes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.statistics import (
    Interval,
    Statistic,
    check_resampling,
    checked_scores,
    drawn_shares,
    interquartile_mean,
    percentile_interval,
    stratified_bootstrap,
)
from textgym.types import FloatArray

FEW_SEEDS = 5
"""With fewer training seeds than this, an interval is too narrow to be relied upon."""


@dataclass(frozen=True)
class Band:
    """A line with its pointwise interval.

    Attributes:
        at: (p,) the places: thresholds of a score, or tokens.
        estimate: (p,) the line.
        low: (p,) the lower edge.
        high: (p,) the upper edge.
    """

    at: FloatArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray


def mean_score(scores: ArrayLike, axes: tuple[int, ...] = (-2, -1)) -> FloatArray:
    """Returns the mean over runs and tasks."""
    return np.asarray(np.mean(np.asarray(scores, np.float64), axis=axes))


def median_of_tasks(scores: ArrayLike, axes: tuple[int, ...] = (-2, -1)) -> FloatArray:
    """Returns the median over tasks of each task's mean score; `axes` are those of the runs and of the tasks."""
    runs, tasks = _two(axes)
    return np.asarray(np.median(np.mean(np.asarray(scores, np.float64), axis=runs, keepdims=True), axis=(runs, tasks)))


def optimality_gap(scores: ArrayLike, axes: tuple[int, ...] = (-2, -1), target: float = 1.0) -> FloatArray:
    """Returns the mean of `max(0, target - score)`: by how much runs fall short of the target; less is better."""
    return np.asarray(np.maximum(0.0, target - np.asarray(scores, np.float64)).mean(axis=axes))


AGGREGATES: dict[str, Statistic] = {
    "interquartile mean": interquartile_mean,
    "median": median_of_tasks,
    "mean": mean_score,
    "optimality gap": optimality_gap,
}
"""What is told of a policy's scores, by name."""


def aggregate(scores: ArrayLike, *, generator: np.random.Generator, resamples: int = 5000) -> dict[str, Interval]:
    """Returns each of `AGGREGATES` of scores, (runs, tasks), with its 95 % interval; all from the same draws."""
    seed = generator.integers(2**63)
    return {
        name: stratified_bootstrap(
            scores, generator=np.random.default_rng(seed), statistic=statistic, resamples=resamples
        )
        for name, statistic in AGGREGATES.items()
    }


def probability_of_improvement(
    first: ArrayLike,
    second: ArrayLike,
    *,
    generator: np.random.Generator,
    resamples: int = 5000,
    confidence: float = 0.95,
) -> Interval:
    """Returns how probable it is that a run of the first policy beats one of the second, on a task drawn at random.

    On a task it is the Mann-Whitney U statistic over N M: the share of pairs of runs in which the first scores higher,
    ties counting one half; then averaged over tasks. A bootstrap sample weighs
    each pair by how often its two runs were drawn, so all samples are a few products.

    Args:
        first: (N, tasks) the scores of the first policy.
        second: (M, tasks) the scores of the second, on the same tasks.
        generator: where the draws come from.
        resamples: how many bootstrap samples are drawn, at least 1.
        confidence: the share of samples inside the interval, in (0, 1).

    Raises:
        ValueError: if an array is empty or not finite, or the numbers of tasks differ.
    """
    first, second = checked_scores(first, "(runs, tasks)"), checked_scores(second, "(runs, tasks)")
    check_resampling(resamples, confidence)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"both policies need the same tasks, got {first.shape[1]} and {second.shape[1]}")
    ours, theirs = first.T[:, :, None], second.T[:, None, :]
    wins = (ours > theirs) + 0.5 * (ours == theirs)  # (tasks, N, M)
    left = drawn_shares(first.shape[0], (resamples, len(wins)), generator)  # (B, tasks, N)
    right = drawn_shares(second.shape[0], (resamples, len(wins)), generator)
    samples = ((left.swapaxes(0, 1) @ wins) * right.swapaxes(0, 1)).sum(axis=2).mean(axis=0)  # (B,)
    return percentile_interval(float(wins.mean()), samples, confidence)


def performance_profile(
    scores: ArrayLike,
    thresholds: ArrayLike,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Band:
    """Returns the share of runs that score above each threshold, averaged over tasks: the score distribution.

    The band holds each share by itself with the chosen confidence, not all of them at once.

    Args:
        scores: (runs, tasks) the scores.
        thresholds: (p,) the thresholds, ascending.
        generator: where the draws come from.
        resamples: how many bootstrap samples are drawn, at least 1.
        confidence: the share of samples inside the band, in (0, 1).
    """
    scores, thresholds = checked_scores(scores, "(runs, tasks)"), np.asarray(thresholds, np.float64)
    check_resampling(resamples, confidence)
    runs, tasks = scores.shape
    above = (scores.T[:, :, None] > thresholds).astype(np.float64)  # (tasks, runs, p)
    shares = drawn_shares(runs, (resamples, tasks), generator)  # (B, tasks, runs)
    samples = shares.reshape(resamples, -1) @ above.reshape(tasks * runs, -1) / tasks  # (B, p)
    return _band(thresholds, above.mean(axis=(0, 1)), samples, confidence)


def efficiency_curve(
    tokens: ArrayLike,
    scores: ArrayLike,
    *,
    generator: np.random.Generator,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Band:
    """Returns the interquartile mean over runs and tasks against the tokens that were written: the sample efficiency.

    The runs of each task are drawn again as a whole, so that a bootstrap sample has the same runs at all places.

    Args:
        tokens: (p,) the common grid.
        scores: (runs, tasks, p) the score of each run there; see `on_grid`.
        generator: where the draws come from.
        resamples: how many bootstrap samples are drawn, at least 1.
        confidence: the share of samples inside the band, in (0, 1).
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 3 or not scores.size or not np.isfinite(scores).all():
        raise ValueError(f"scores must be finite numbers of shape (runs, tasks, points), got {scores.shape}")
    check_resampling(resamples, confidence)
    runs, tasks, points = scores.shape
    drawn = generator.integers(runs, size=(resamples, runs, tasks))  # (B, runs, tasks)
    samples = scores[drawn, np.arange(tasks)]  # (B, runs, tasks, p)
    return _band(
        np.asarray(tokens, np.float64),
        interquartile_mean(scores, axis=(0, 1)),
        interquartile_mean(samples, axis=(1, 2)).reshape(resamples, points),
        confidence,
    )


def on_grid(grid: FloatArray, runs: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Returns the scores of runs, each with its tokens (p_i,) and scores (p_i,), on a common grid (p,): (runs, p).

    Between two records a score is interpolated; before the first and after the last it is that record's, as a policy
    whose training has ended stays what it is.
    """
    return np.array([np.interp(grid, tokens, scores) for tokens, scores in runs])


def few_seeds(runs: int) -> str:
    """Returns a warning if there are too few runs for their intervals to be relied upon, else nothing."""
    if runs >= FEW_SEEDS:
        return ""
    return (
        f"Only {runs} training seed{'s' if runs > 1 else ''}: with fewer than {FEW_SEEDS} the intervals are too "
        "narrow, since a bootstrap can't see the seeds that were not run."
    )


def _band(at: FloatArray, estimate: FloatArray, samples: FloatArray, confidence: float) -> Band:
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return Band(at, estimate, low, high)


def _two(axes: tuple[int, ...]) -> tuple[int, int]:
    if len(axes) != 2:
        raise ValueError(f"the median needs the axis of the runs and that of the tasks, got {axes}")
    return axes[0], axes[1]
