"""Point estimates and bootstrap intervals for a few training runs, on the recommendations of Agarwal et al. 2021.

The paper is "Deep reinforcement learning at the edge of the statistical precipice". All intervals are percentile
bootstraps, and all chance comes from a generator that the caller passes in. With three training seeds a bootstrap
over seeds is a little too narrow (it can't see a fourth): read the intervals as lower limits of the uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from textgym.types import FloatArray

Statistic = Callable[[FloatArray, tuple[int, ...]], FloatArray]
"""Maps scores and the axes to reduce, such as `(-2, -1)`, to numbers: `np.mean`, or `interquartile_mean`."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the interval that holds the true value at the chosen confidence; low <= high."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def above(self, other: Interval) -> bool:
        """Whether this interval lies wholly above the other."""
        return self.low > other.high


def interquartile_mean(scores: ArrayLike, axis: int | tuple[int, ...] | None = None) -> FloatArray:
    """Returns the mean of what remains when a quarter of the scores, rounded down, is cut off at either end.

    Args:
        scores: an array of at least one score along the axes.
        axis: the axes that are pooled and reduced; all of them where it is None.

    Returns:
        An array of the remaining axes.
    """
    scores = np.asarray(scores, np.float64)
    axes = tuple(range(scores.ndim)) if axis is None else np.atleast_1d(axis)
    pooled = np.moveaxis(scores, axes, range(len(axes)))
    pooled = np.sort(pooled.reshape(-1, *pooled.shape[len(axes) :]), axis=0)
    cut = len(pooled) // 4
    mean: FloatArray = pooled[cut : len(pooled) - cut].mean(axis=0)
    return mean


def stratified_bootstrap(
    scores: ArrayLike,
    *,
    generator: np.random.Generator,
    statistic: Statistic = interquartile_mean,
    resamples: int = 5000,
    confidence: float = 0.95,
) -> Interval:
    """Returns the interval of a statistic over runs and tasks; runs are drawn again within each task (its stratum).

    Args:
        scores: (runs, tasks) one score of each run on each task.
        generator: where the draws come from.
        statistic: what is computed from the scores.
        resamples: how many bootstrap samples are drawn, at least 1.
        confidence: the share of samples inside the interval, in (0, 1).
    """
    scores = checked_scores(scores, "(runs, tasks)")
    check_resampling(resamples, confidence)
    drawn = generator.integers(len(scores), size=(resamples, *scores.shape))  # (B, runs, tasks)
    samples = statistic(np.take_along_axis(scores[None], drawn, axis=1), (-2, -1))
    return percentile_interval(float(statistic(scores, (-2, -1))), samples, confidence)


def paired_bootstrap(
    returns: ArrayLike, *, generator: np.random.Generator, resamples: int = 5000, confidence: float = 0.95
) -> Interval:
    """Returns the mean return with its interval over training seeds and prompts, both drawn again.

    Args:
        returns: (seeds, prompts) the return of each training seed on each prompt, the prompts the same for all.
        generator: where the draws come from.
        resamples: how many bootstrap samples are drawn, at least 1.
        confidence: the share of samples inside the interval, in (0, 1).
    """
    returns = checked_scores(returns, "(seeds, prompts)")
    return paired_difference(
        returns, np.zeros((1, returns.shape[1])), generator=generator, resamples=resamples, confidence=confidence
    )


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    generator: np.random.Generator,
    resamples: int = 5000,
    confidence: float = 0.95,
) -> Interval:
    """Returns by how much the first policy's mean return exceeds the second's, with its interval.

    Each bootstrap sample draws the prompts once for both policies, so that what makes a prompt hard cancels, and the
    training seeds of each policy by themselves.

    Args:
        first: (seeds, prompts) the returns of the first policy.
        second: (other seeds, prompts) the returns of the second, on the same prompts.
        generator: where the draws come from.
        resamples: how many bootstrap samples are drawn, at least 1.
        confidence: the share of samples inside the interval, in (0, 1).

    Raises:
        ValueError: if an array is empty or not finite, or the numbers of prompts differ.
    """
    first, second = checked_scores(first, "(seeds, prompts)"), checked_scores(second, "(seeds, prompts)")
    (difference,) = paired_differences(
        {"": first}, {"": second}, generator=generator, resamples=resamples, confidence=confidence
    ).values()
    return difference


def paired_differences(
    first: Mapping[str, ArrayLike],
    second: Mapping[str, ArrayLike] | None = None,
    *,
    generator: np.random.Generator,
    resamples: int = 5000,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Returns what `paired_difference` does, for several measures of the same texts at once.

    A mean over drawn seeds and prompts is a product with how often each was drawn, so all samples of a measure are one
    matrix product, and all measures share their draws.

    Args:
        first: for each measure the returns of the first policy, (seeds, prompts).
        second: for each measure the returns of the second, (other seeds, prompts); None for zeros, and so for the mean
            of the first.
        generator: where the draws come from.
        resamples: how many bootstrap samples are drawn, at least 1.
        confidence: the share of samples inside the interval, in (0, 1).

    Raises:
        ValueError: if an array is empty or not finite, or the shapes do not fit.
    """
    check_resampling(resamples, confidence)
    ours = {name: checked_scores(returns, "(seeds, prompts)") for name, returns in first.items()}
    seeds, prompts = next(iter(ours.values())).shape
    theirs = {
        name: np.zeros((1, prompts)) if second is None else checked_scores(second[name], "(seeds, prompts)")
        for name in ours
    }
    for one, other in zip(ours.values(), theirs.values(), strict=True):
        if other.shape[1] != one.shape[1]:
            raise ValueError(f"both policies need the same prompts, got {one.shape[1]} and {other.shape[1]}")
        if one.shape != (seeds, prompts):
            raise ValueError(f"all measures need the same shape, got {(seeds, prompts)} and {one.shape}")
    drawn = drawn_shares(prompts, resamples, generator)  # (B, P)
    left = drawn_shares(seeds, resamples, generator)  # (B, seeds)
    right = drawn_shares(len(next(iter(theirs.values()))), resamples, generator)
    found = {}
    for name, one in ours.items():
        other = theirs[name]
        gaps = left @ one - right @ other  # (B, P)
        found[name] = percentile_interval(float(one.mean() - other.mean()), (gaps * drawn).sum(axis=1), confidence)
    return found


def drawn_shares(count: int, size: int | tuple[int, ...], generator: np.random.Generator) -> FloatArray:
    """Returns the share of each of `count` things in samples of that many with replacement, (*size, count)."""
    return generator.multinomial(count, np.full(count, 1 / count), size=size) / count


def correlation(one: ArrayLike, other: ArrayLike) -> float | None:
    """Returns Pearson's correlation of two series (T,), or None where one varies by less than a millionth of itself."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if len(first) < 2 or any(np.ptp(series) <= 1e-6 * np.abs(series).max() for series in (first, second)):
        return None
    return float(np.corrcoef(first, second)[0, 1])


def percentile_interval(estimate: float, samples: FloatArray, confidence: float = 0.95) -> Interval:
    """Returns an estimate with the interval between the percentiles of its bootstrap samples, (resamples,)."""
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high))


def checked_scores(scores: ArrayLike, shape: str) -> FloatArray:
    """Returns scores as an array of two axes, whose meaning `shape` says in an error.

    Raises:
        ValueError: if they have another number of axes, one is empty, or a number is not finite.
    """
    array = np.asarray(scores, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"scores must be finite numbers of shape {shape}, neither axis empty, got {array.shape}")
    return array


def check_resampling(resamples: int, confidence: float) -> None:
    """Raises a ValueError unless there is at least one bootstrap sample, and the confidence lies in (0, 1)."""
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"resamples must be at least 1 and confidence in (0, 1), got resamples={resamples}, confidence={confidence}"
        )
