"""Agreement and reliability: how alike several annotators' answers about the same texts are.

All functions take the answers of A annotators about N texts as one array, (N, A), with NaN where one gave none, and
return NaN where there is too little to tell.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

from textgym.types import BoolArray, FloatArray, IntArray

Scale = Literal["nominal", "ordinal", "interval"]


class Reliability(NamedTuple):
    """The reliability of answers.

    Attributes:
        single: ICC(1), of one answer.
        mean: ICC(1, k), of the mean of a text's k answers.
        answers: k, the mean number of answers of a text, corrected for their being unequal.
    """

    single: float
    mean: float
    answers: float


def krippendorff_alpha(answers: FloatArray, scale: Scale = "interval") -> float:
    """Returns alpha = 1 - D_o / D_e, observed over expected disagreement of any two answers.

    Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section C. The disagreement of two answers is, for
    nominal data, whether they differ; for interval data, the square of their difference; for ordinal data, the same of
    their mid-ranks, which is his metric `(sum_(g=c..k) n_g - (n_c + n_k) / 2)^2`.

    Args:
        answers: (N, A) the answers; texts with a single one don't count.
        scale: `"nominal"`, `"ordinal"` or `"interval"`.
    """
    if scale not in get_args(Scale):
        raise ValueError(f"scale must be one of {', '.join(get_args(Scale))}, got {scale!r}")
    answers = _paired(answers)
    given = ~np.isnan(answers)
    if not given.any():
        return np.nan
    _, level, count = np.unique(answers[given], return_inverse=True, return_counts=True)
    per_text, total = given.sum(axis=1), int(given.sum())
    if scale == "nominal":
        observed, expected = per_text**2 - _equal_pairs(given, level), total**2 - (count**2).sum()
    else:
        values = answers.copy()
        if scale == "ordinal":
            values[given] = (np.cumsum(count) - count / 2)[level]
        observed, expected = 2 * per_text * _squares(values), 2 * total * _squares(values[given][None])[0]
    if expected == 0:
        return np.nan
    return float(1 - (observed / (per_text - 1)).sum() / (expected / (total - 1)))


def fleiss_kappa(answers: FloatArray) -> float:
    """Returns kappa = (P - P_e) / (1 - P_e), P the mean share of a text's pairs of answers that are equal.

    Fleiss 1971, "Measuring nominal scale agreement among many raters"; the number of answers may vary, P_e is that of
    all answers' shares, and texts with a single answer don't count.
    """
    answers = _paired(answers)
    given = ~np.isnan(answers)
    if not given.any():
        return np.nan
    _, level, count = np.unique(answers[given], return_inverse=True, return_counts=True)
    per_text = given.sum(axis=1)
    agreement = (_equal_pairs(given, level) - per_text) / (per_text * (per_text - 1))
    return _kappa(float(agreement.mean()), float(((count / count.sum()) ** 2).sum()))


def cohen_kappa(answers: FloatArray) -> float:
    """Returns Cohen's kappa of two annotators, for more the mean over pairs, weighted by the texts that both answered.

    Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    kappas, weights = [], []
    for first in range(answers.shape[1]):
        for second in range(first):
            both = answers[:, [first, second]]
            both = both[~np.isnan(both).any(axis=1)]
            if len(both):
                values = np.unique(both)
                shares = (both[:, :, None] == values).mean(axis=0)  # (2, K)
                kappas.append(_kappa(float((both[:, 0] == both[:, 1]).mean()), float(shares.prod(axis=0).sum())))
                weights.append(len(both))
    known = ~np.isnan(kappas)
    return float(np.average(np.array(kappas)[known], weights=np.array(weights)[known])) if known.any() else np.nan


def reliability(answers: FloatArray) -> Reliability:
    """Returns the intraclass correlations of the one-way random-effects model, ICC(1) and ICC(1, k).

    With the mean squares B between and W within texts, ICC(1) = (B - W) / (B + (k - 1) W) and ICC(1, k) = (B - W) / B
    (Shrout and Fleiss 1979, "Intraclass correlations: uses in assessing rater reliability", case 1); for unequal
    numbers of answers k_i, k = (K - sum k_i^2 / K) / (N - 1), K = sum k_i.
    """
    answers = answers[~np.isnan(answers).all(axis=1)]
    per_text = (~np.isnan(answers)).sum(axis=1)
    texts, total = len(answers), int(per_text.sum())
    if texts < 2 or total == texts:
        return Reliability(np.nan, np.nan, 1.0 if texts else np.nan)
    k = float((total - (per_text**2).sum() / total) / (texts - 1))
    within = _squares(answers).sum() / (total - texts)
    means = np.nanmean(answers, axis=1)
    between = float((per_text * (means - np.nanmean(answers)) ** 2).sum() / (texts - 1))
    if between == 0:
        return Reliability(np.nan, np.nan, k)
    return Reliability(float((between - within) / (between + (k - 1) * within)), float(1 - within / between), k)


def spearman_brown(single: float, answers: float) -> float:
    """Returns the reliability of the mean of k answers, k r / (1 + (k - 1) r), from that of one (Spearman 1910)."""
    return answers * single / (1 + (answers - 1) * single)


def consensus_correlation(answers: FloatArray) -> FloatArray:
    """Returns each annotator's correlation with the mean of the others' answers about the same texts, (A,)."""
    given = ~np.isnan(answers)
    others = given.sum(axis=1, keepdims=True) - given
    rest: FloatArray = (np.nansum(answers, axis=1, keepdims=True) - np.where(given, answers, 0.0)) / np.maximum(
        others, 1
    )
    correlations = np.full(answers.shape[1], np.nan)
    for annotator in range(answers.shape[1]):
        common = given[:, annotator] & (others[:, annotator] > 0)
        own, mean = answers[common, annotator], rest[common, annotator]
        if common.sum() > 1 and own.std() > 0 and mean.std() > 0:
            correlations[annotator] = np.corrcoef(own, mean)[0, 1]
    return correlations


def _paired(answers: FloatArray) -> FloatArray:
    """Returns the texts that have at least two answers."""
    paired: FloatArray = answers[(~np.isnan(answers)).sum(axis=1) > 1]
    return paired


def _equal_pairs(given: BoolArray, level: IntArray) -> IntArray:
    """Returns how many ordered pairs of each text's answers are equal, an answer with itself among them, (N,).

    Args:
        given: (N, A) where there is an answer.
        level: the level of each that is given, a number from 0, text by text.
    """
    text = np.nonzero(given)[0]
    levels = int(level.max()) + 1
    cell, count = np.unique(text * levels + level, return_counts=True)
    pairs = np.zeros(len(given), np.int64)
    np.add.at(pairs, cell // levels, count**2)
    return pairs


def _squares(values: FloatArray) -> FloatArray:
    """Returns the sum of squares about the mean of each row's answers, (N,)."""
    squares: FloatArray = np.nansum((values - np.nanmean(values, axis=1, keepdims=True)) ** 2, axis=1)
    return squares


def _kappa(agreement: float, by_chance: float) -> float:
    return (agreement - by_chance) / (1 - by_chance) if by_chance < 1 else np.nan
