"""What noise costs a learner, and how much of that comes back: areas, inflation, the share of a gap, with intervals.

All intervals are 95 % percentile bootstraps over training seeds, each level's and each variant's runs drawn again by
themselves, from a fixed seed: a report never changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.statistics import Interval, percentile_interval
from textgym.types import FloatArray

RESAMPLES = 5000


def mean_score(scores: FloatArray) -> Interval:
    """Returns the mean of scores, (seeds,), with its interval."""
    return percentile_interval(float(scores.mean()), _means(scores, np.random.default_rng(0)))


def area_under_curve(levels: Sequence[float], scores: Sequence[FloatArray]) -> Interval | None:
    """Returns the area under the scores against the level, as a share of what the score without noise would have.

    With the levels `0 = l_0 < ... < l_n` and S the mean score, it is the trapezoidal rule's

        integral of S(l) dl from 0 to l_n  /  (l_n S(0)),

    so 1 is a learner that noise does not touch, and 0 one that learns nothing as soon as there is some. None where the
    interval of S(0) is not above 0: what was not learnt without noise cannot be lost.

    Args:
        levels: L ascending levels, the first 0.
        scores: for each level the score of each seed, (seeds,).

    Raises:
        ValueError: if there are not at least two ascending levels, the first 0, with scores each.
    """
    x = np.asarray(levels, np.float64)
    if len(x) < 2 or x[0] != 0 or (np.diff(x) <= 0).any() or [len(one) > 0 for one in scores] != [True] * len(x):
        raise ValueError(f"an area needs ascending levels from 0 with scores each, got levels {list(levels)}")
    if mean_score(scores[0]).low <= 0:
        return None
    generator = np.random.default_rng(0)
    drawn = np.stack([_means(one, generator) for one in scores], axis=1)  # (B, L)
    means = np.vstack([[one.mean() for one in scores], drawn])
    areas = np.trapezoid(means, x, axis=1) / (x[-1] * means[:, 0])
    return percentile_interval(float(areas[0]), areas[1:])


def tokens_to_reach(
    tokens: FloatArray, texts: FloatArray, scores: FloatArray, *, target: float, window: float
) -> float:
    """Returns after how many tokens a learning curve has reached a score, infinity if it never does.

    The curve is smoothed: at each point it is the mean score of all texts finished in the last `window` tokens.

    Args:
        tokens: (n,) the tokens written at each log point, ascending.
        texts: (n,) how many texts were finished since the point before.
        scores: (n,) their mean score.
        target: the score to reach.
        window: over how many tokens is averaged; points before the first whole window do not count.
    """
    inside = (tokens > tokens[:, None] - window) & (tokens <= tokens[:, None])  # (n, n)
    smooth = (inside * texts * scores).sum(axis=1) / np.maximum((inside * texts).sum(axis=1), 1)
    reached = np.flatnonzero((smooth >= target) & (tokens >= window))
    return float(tokens[reached[0]]) if len(reached) else np.inf


def inflation(noisy: Sequence[float], clean: Sequence[float], *, budget: float) -> list[float] | str | None:
    """Returns N_noisy / N_clean, how many times as many tokens noise makes it take to reach a score, as a cell.

    It is the ratio of the medians over seeds. Runs that did not get there in their budget are censored: a median among
    them is only known to be more than the budget, and then so is the ratio, `"> 2.10"`; where only the interval goes so
    far it reads `"1.50 [1.20, > 2.10]"`, or `"1.50 [< 1.20, 1.70]"` if that is so without noise. None where most runs
    without noise did not get there either.

    Args:
        noisy: the tokens that each run with noise took; infinity if it did not get there.
        clean: the same for runs without noise.
        budget: how many tokens a run with noise had.
    """
    base = float(np.median(clean))
    if not np.isfinite(base):
        return None
    ratio = float(np.median(noisy)) / base
    if not np.isfinite(ratio):
        return f"> {budget / base:.2f}"
    generator = np.random.default_rng(0)
    drawn = [np.median(_drawn(np.asarray(side, np.float64), generator), axis=1) for side in (noisy, clean)]
    capped = np.minimum(drawn[0], budget) / np.minimum(drawn[1], budget)
    found = percentile_interval(ratio, capped)
    noisy_censored, clean_censored = (np.isinf(side).mean() > 0.025 for side in drawn)
    if not (noisy_censored or clean_censored):
        return [ratio, found.low, found.high]
    low = f"< {found.low:.2f}" if clean_censored else f"{found.low:.2f}"
    high = f"> {budget / base:.2f}" if noisy_censored else f"{found.high:.2f}"
    return f"{ratio:.2f} [{low}, {high}]"


def share_of_gap(clean: FloatArray, noisy: FloatArray, corrected: FloatArray) -> Interval | None:
    """Returns (corrected - noisy) / (clean - noisy) of mean scores: 0 closes nothing of the gap, 1 all of it.

    Below 0 the correction does harm. None where noise costs nothing that can be told from chance, so that the lower end
    of the interval of clean - noisy is not above 0, or there are single runs: there is no gap to close.

    Args:
        clean: the scores of runs without noise, (seeds,).
        noisy: those with noise, (other seeds,).
        corrected: those with noise and a corrector, (other seeds,).
    """
    generator = np.random.default_rng(0)
    means = [np.concatenate([[one.mean()], _means(one, generator)]) for one in (clean, noisy, corrected)]
    gap = means[0] - means[1]
    if min(len(clean), len(noisy)) < 2 or np.quantile(gap[1:], 0.025) <= 0:
        return None
    shares = (means[2] - means[1]) / gap
    return percentile_interval(float(shares[0]), shares[1:][gap[1:] > 0])


def _drawn(scores: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Returns bootstrap samples, (B, seeds)."""
    return scores[generator.integers(len(scores), size=(RESAMPLES, len(scores)))]


def _means(scores: FloatArray, generator: np.random.Generator) -> FloatArray:
    means: FloatArray = _drawn(scores, generator).mean(axis=1)
    return means
