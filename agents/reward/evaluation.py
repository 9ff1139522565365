"""What a reward model says, and how well it foresees answers: accuracy, correlation with ratings, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from agents.reward.judgements import Judgements
from textgym.types import FloatArray, IntArray

BINS = 10


class Prediction(NamedTuple):
    """What a reward model says of n texts, in standard deviations of the texts that it learnt from, whose mean is 0.

    Attributes:
        mean: (n,) over the members.
        deviation: (n,) between the members; 0 with a single one.
    """

    mean: FloatArray
    deviation: FloatArray

    def pessimistic(self, strength: float) -> FloatArray:
        """Returns `mean - strength * deviation`, (n,)."""
        return self.mean - strength * self.deviation


@dataclass(frozen=True, eq=False)
class Foresight:
    """How well scores foresee answers. What can't be told, for want of such answers, is NaN.

    Attributes:
        pairs: how many pairs were compared; a ranking of K has K (K - 1) / 2.
        accuracy: the share of pairs whose better text has the higher score; an equal one counts half.
        confidence: (BINS,) the mean probability that the model gives to the text it thinks better, of the pairs with
            such a probability in the i-th of BINS equal parts of [0.5, 1]; NaN where there is none.
        agreement: (BINS,) the share of these pairs in which the answer agrees.
        counts: (BINS,) how many pairs these are.
        calibration_error: the mean distance of confidence and agreement over pairs (Guo et al. 2017, "On calibration of
            modern neural networks", eq. 3).
        ratings: how many ratings there were.
        correlation: Pearson's, of scores with ratings.
    """

    pairs: int
    accuracy: float
    confidence: FloatArray
    agreement: FloatArray
    counts: IntArray
    calibration_error: float
    ratings: int
    correlation: float

    def __str__(self) -> str:
        told = []
        if self.pairs:
            told.append(f"{self.pairs:,} pairs: accuracy {self.accuracy:.3f}, calibration error "
                        f"{self.calibration_error:.3f}")  # fmt: skip
        if self.ratings:
            told.append(f"{self.ratings:,} ratings: correlation {self.correlation:.3f}")
        return "; ".join(told) or "no answers"


def foresee(
    answers: Judgements,
    scores: FloatArray,
    utilities: FloatArray,
    flip_rates: FloatArray,
    *,
    conservative: bool = False,
) -> Foresight:
    """Returns how well the scores of texts foresee answers about them.

    Args:
        answers: the answers.
        scores: (N,) of all texts.
        utilities: (members, N) of all texts.
        flip_rates: (members,) eps, the share of labels that each member takes for turned round.
        conservative: whether the utilities were learnt with `conservative_loss`, which is least where sigma of a margin
            is eps + (1 - 2 eps) q, q the probability of the label. By the other losses sigma is the probability that
            the label should have, and q = eps + (1 - 2 eps) sigma.
    """
    rated = answers.rated
    pairs = _pairs(answers.texts[~rated])  # (p, 2), the better first
    better, worse = scores[pairs[:, 0]], scores[pairs[:, 1]]
    right = np.heaviside(better - worse, 0.5)
    margins = utilities[:, pairs[:, 0]] - utilities[:, pairs[:, 1]]
    as_labelled = 0.5 + 0.5 * np.tanh(0.5 * margins)  # sigma, without overflow
    eps = flip_rates[:, None]
    if conservative:
        probability = np.clip((as_labelled - eps) / (1 - 2 * eps), 0, 1).mean(axis=0)
    else:
        probability = (eps + (1 - 2 * eps) * as_labelled).mean(axis=0)
    agrees = np.heaviside(probability - 0.5, 0.5)
    sure = np.maximum(probability, 1 - probability)
    part = np.minimum(((sure - 0.5) * 2 * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(part, minlength=BINS)
    with np.errstate(invalid="ignore"):
        confidence, agreement = (np.bincount(part, of, minlength=BINS) / counts for of in (sure, agrees))
    gaps = np.abs(confidence - agreement)[counts > 0]
    own, ratings = scores[answers.texts[rated, 0]], answers.ratings[rated]
    varied = len(own) > 1 and own.std() > 0 and ratings.std() > 0
    return Foresight(
        pairs=len(pairs),
        accuracy=float(right.mean()) if len(pairs) else np.nan,
        confidence=confidence,
        agreement=agreement,
        counts=counts,
        calibration_error=float(gaps @ counts[counts > 0] / len(pairs)) if len(pairs) else np.nan,
        ratings=len(ratings),
        correlation=float(np.corrcoef(own, ratings)[0, 1]) if varied else np.nan,
    )


def _pairs(texts: IntArray) -> IntArray:
    """Returns every two of the texts of m comparisons, (m, K) with the best first, as (p, 2)."""
    first, second = np.triu_indices(texts.shape[1], k=1)
    pairs = np.stack((texts[:, first], texts[:, second]), axis=2).reshape(-1, 2)
    return pairs[pairs[:, 1] >= 0]
