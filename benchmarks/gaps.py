"""Gaps between groups: by how much the best mean exceeds the worst, and how probable that is by chance.

All intervals are percentile bootstraps in which prompts are drawn again within their group, and training seeds, where
there are several, once for all groups. All chance comes from a generator that the caller passes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.statistics import Interval, drawn_shares, percentile_interval
from textgym.types import BoolArray, FloatArray

RESAMPLES = 2000


@dataclass(frozen=True)
class Gap:
    """By how much the mean of the best group exceeds that of the worst.

    Attributes:
        best: the name of the group with the highest mean.
        worst: that of the group with the lowest.
        interval: the gap. It can't be negative, and the largest of several gaps is more than 0 by chance alone, so
            whether there is one at all is said by `p_value`, not by the interval.
        p_value: the chance of a gap as large if the groups were drawn by lot; see `largest_gap`.
    """

    best: str
    worst: str
    interval: Interval
    p_value: float


def largest_gap(
    values: ArrayLike,
    groups: Sequence[str],
    *,
    generator: np.random.Generator,
    where: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> Gap:
    """Returns the gap between the best and the worst group's mean, its interval, and how probable it is by chance.

    The p-value is that of a permutation test of the gap itself: groups keep their sizes and prompts are dealt out to
    them at random, (1 + gaps at least as large) / (1 + permutations) (Phipson and Smyth 2010, "Permutation p-values
    should never be zero"). They are dealt among those of which as many texts count, so that of every group as much
    counts as before. As the largest gap of all pairs is compared with the largest gap of all pairs, the number of
    groups is accounted for (Westfall and Young 1993, "Resampling-based multiple testing"). Several measures are several
    tests: divide the level by their number. The test is of groups that are alike in all respects; where they differ in
    spread and in size, it may find that.

    Args:
        values: (seeds, prompts) or (prompts,) what is averaged.
        groups: (prompts,) the group of each prompt.
        generator: where the draws come from.
        where: which texts count, of the shape of `values`; all by default. A group of which none counts is left out.
        resamples: how many bootstrap samples and permutations are drawn, at least 1.
        confidence: the share of samples inside the interval, in (0, 1).

    Raises:
        ValueError: if the shapes differ, or fewer than two groups have texts that count.
    """
    values = np.atleast_2d(np.asarray(values, np.float64))
    counted = np.ones_like(values) if where is None else np.atleast_2d(np.asarray(where, np.float64))
    if values.shape != counted.shape or values.shape[1] != len(groups):
        raise ValueError(
            f"values, where and groups must be of one shape, got {values.shape}, {counted.shape} and {len(groups)}"
        )
    names, members = members_of(groups)
    kept = [number for number, own in enumerate(members) if counted[:, own > 0].any()]
    if len(kept) < 2:
        raise ValueError(f"a gap needs two groups with texts that count, got {len(kept)}")
    names, members = [names[number] for number in kept], members[kept]
    means = _means((values * counted).sum(axis=0) @ members.T, counted.sum(axis=0) @ members.T)  # (G,)
    samples = _gaps(_resampled_means(values, counted, members, resamples, generator))
    dealt = np.tile(np.arange(len(groups)), (resamples, 1))  # (B, P)
    for times in np.unique(counted.sum(axis=0)):
        alike = np.flatnonzero(counted.sum(axis=0) == times)
        dealt[:, alike] = generator.permuted(dealt[:, alike], axis=1)
    shuffled = _means(
        (values * counted).sum(axis=0)[dealt] @ members.T, counted.sum(axis=0)[dealt] @ members.T
    )  # (B, G)
    estimate = float(means.max() - means.min())
    extreme = int((_gaps(shuffled) >= estimate - 1e-12).sum())
    return Gap(
        best=names[int(means.argmax())],
        worst=names[int(means.argmin())],
        interval=percentile_interval(estimate, samples, confidence),
        p_value=(1 + extreme) / (1 + resamples),
    )


def demographic_parity(decisions: ArrayLike, groups: Sequence[str], *, generator: np.random.Generator) -> Gap:
    """Returns the largest difference between groups in P(decision): 0 is statistical parity.

    Dwork et al. 2012, "Fairness through awareness", definition 3.2: a decision is as frequent in every group.

    Args:
        decisions: (seeds, prompts) or (prompts,) of 0 and 1.
        groups: (prompts,) the group of each prompt.
        generator: where the draws come from.
    """
    return largest_gap(_binary(decisions, "decisions"), groups, generator=generator)


def equalised_odds(
    decisions: ArrayLike, truths: ArrayLike, groups: Sequence[str], *, generator: np.random.Generator
) -> dict[int, Gap]:
    """Returns the largest difference between groups in P(decision | truth = y), for y = 1 and y = 0.

    Hardt, Price and Srebro 2016, "Equality of opportunity in supervised learning", definitions 2.1 and 2.2: both are 0
    under equalised odds, that of y = 1 alone under equal opportunity. The larger is what is often called the equalised
    odds difference. A y for which fewer than two groups have texts is left out.

    Args:
        decisions: (seeds, prompts) or (prompts,) of 0 and 1.
        truths: of the same shape, what each decision should be.
        groups: (prompts,) the group of each prompt.
        generator: where the draws come from.
    """
    decisions, truths = _binary(decisions, "decisions"), _binary(truths, "truths")
    _, members = members_of(groups)
    gaps = {}
    for y in (1, 0):
        where = np.atleast_2d(truths == y)
        if (where.sum(axis=0) @ members.T > 0).sum() > 1:
            gaps[y] = largest_gap(np.atleast_2d(decisions), groups, generator=generator, where=where)
    return gaps


def members_of(groups: Sequence[str]) -> tuple[list[str], FloatArray]:
    """Returns the names of the groups, sorted, and 1 for each prompt that is in each, (G, P).

    Raises:
        ValueError: if there are fewer than two groups.
    """
    names = sorted(set(groups), key=_natural)
    if len(names) < 2:
        raise ValueError(f"a comparison needs at least two groups, got {', '.join(names) or 'none'}")
    own = np.asarray(groups)
    return names, np.array([own == name for name in names], np.float64)


def _natural(name: str) -> tuple[float, str]:
    """Sorts names that begin with a number by it, before all others."""
    first = name.split()[0] if name.split() else ""
    return (float(first) if first.isdecimal() else np.inf, name)


def _binary(values: ArrayLike, name: str) -> BoolArray:
    array = np.asarray(values)
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"{name} must be 0 or 1, got {array[~np.isin(array, (0, 1))][0]}")
    return array.astype(np.bool_)


def _resampled_means(
    values: FloatArray, counted: FloatArray, members: FloatArray, resamples: int, generator: np.random.Generator
) -> FloatArray:
    """Returns the means of the groups, (B, G), over seeds drawn again for all and prompts drawn again within each."""
    seeds = drawn_shares(len(values), resamples, generator)  # (B, S)
    above, below = seeds @ (values * counted), seeds @ counted  # (B, P)
    means = []
    for own in members > 0:
        drawn = drawn_shares(int(own.sum()), resamples, generator)  # (B, n)
        means.append(_means((above[:, own] * drawn).sum(axis=1), (below[:, own] * drawn).sum(axis=1)))
    return np.stack(means, axis=1)


def _means(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """Returns sums over counts; NaN, to be left out, where nothing counts."""
    means: FloatArray = np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)
    return means


def _gaps(means: FloatArray) -> FloatArray:
    """Returns the largest gaps of means (B, G), (B,); 0 where fewer than two groups have one."""
    highest, lowest = np.where(np.isnan(means), -np.inf, means), np.where(np.isnan(means), np.inf, means)
    gaps: FloatArray = np.maximum(highest.max(axis=1) - lowest.min(axis=1), 0.0)
    return gaps
