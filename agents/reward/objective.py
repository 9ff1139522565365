"""Objective: how people's answers follow from the utilities of texts, and what of an answer is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from agents.reward.judgements import Judgements

RatingLoss = Literal["ordinal", "classes", "squared", "huber"]
ComparisonLoss = Literal["mixture", "conservative", "unbiased"]

_MOST_LEVELS = 20  # with more, ratings are numbers
_MAD_TO_DEVIATION = 1.4826  # of the normal distribution


@dataclass(frozen=True)
class Objective:
    """How answers follow from utilities r, and what makes learning robust to wrong ones.

    Annotator a sees the utility `u = exp(s_a) r + b_a`, with a log-scale s_a and a bias b_a that are learnt and have
    normal priors with mean 0 and precision `shrinkage`; a new text's score leaves them out. In a comparison the bias
    cancels, and the scale says how surely the annotator tells texts apart.

    Attributes:
        ratings: `"ordinal"`, cumulative logits of the levels (McCullagh 1980); `"classes"`, a logit for each level,
            whose expected level is the utility, so that it takes no comparisons; `"squared"`, squared error of the
            standardised rating; `"huber"`, the same with a linear tail from an error of one deviation, standardised
            by the median and the median distance from it (Huber 1964).
        robustness: of the first two: 0 is their cross-entropy, 1 the mean absolute error; see
            `generalised_cross_entropy`.
        comparisons: the loss of two texts: `"mixture"`, the likelihood of labels some of which are turned round;
            `"conservative"` or `"unbiased"`, see `agents.losses.preferences`. Without turned labels all three are that
            of Bradley and Terry. More than two texts have the likelihood of Plackett and Luce.
        flip_rate: the share of turned labels, in [0, 0.5); None learns it, which takes the mixture, and finds too few
            rather than too many: where texts are close, a wrong label needs no other reason.
        shrinkage: the precision of the annotators' priors, above 0; infinite leaves the annotators out.

    Raises:
        ValueError: if a loss is unknown or a number out of its range.
    """

    ratings: RatingLoss = "ordinal"
    robustness: float = 0.0
    comparisons: ComparisonLoss = "mixture"
    flip_rate: float | None = 0.0
    shrinkage: float = 4.0

    def __post_init__(self) -> None:
        for name, allowed in (("ratings", RatingLoss), ("comparisons", ComparisonLoss)):
            if getattr(self, name) not in get_args(allowed):
                raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, got {getattr(self, name)!r}")
        if not 0 <= self.robustness <= 1 or (self.robustness and not self.has_levels):
            raise ValueError(
                f"robustness must be 0 to 1, and 0 unless ratings is ordinal or classes, got {self.robustness}"
            )
        if self.flip_rate is None and self.comparisons != "mixture":
            raise ValueError(
                f"{self.comparisons} comparisons need a flip_rate: comparisons='mixture' with flip_rate=None finds one"
            )
        if self.flip_rate is not None and not 0 <= self.flip_rate < 0.5:
            raise ValueError(f"flip_rate must be at least 0 and below 0.5, or None, got {self.flip_rate}")
        if not self.shrinkage > 0:
            raise ValueError(f"shrinkage must be positive, got {self.shrinkage}")

    @property
    def has_levels(self) -> bool:
        """Whether ratings are learnt as levels instead of numbers."""
        return self.ratings in ("ordinal", "classes")


def prepared(answers: Judgements, objective: Objective) -> tuple[Judgements, int]:
    """Returns answers whose ratings are what `rating_losses` takes, and the number of levels, K.

    Raises:
        ValueError: if there are too many levels or just one, or comparisons that the objective can't learn.
    """
    rated, levels = answers.rated, answers.levels
    of_two = (answers.texts >= 0).sum(axis=1) == 2
    if objective.flip_rate != 0 and not of_two.any():
        raise ValueError(
            f"flip_rate={objective.flip_rate} is about comparisons of two texts, and there are none: let it be 0"
        )
    if objective.ratings == "classes" and not rated.all():
        raise ValueError("ratings='classes' learns from ratings alone: choose 'ordinal', or the signal that rates")
    if not rated.any():
        return answers, 2
    if len(levels) < 2:
        raise ValueError(f"all {int(rated.sum())} ratings are {levels[0]:g}: there is nothing to learn from them")
    if not objective.has_levels:
        own = answers.ratings[rated]
        middle, deviation = own.mean(), own.std()
        if objective.ratings == "huber":
            middle = np.median(own)
            deviation = _MAD_TO_DEVIATION * np.median(np.abs(own - middle)) or deviation
        return answers.with_ratings((answers.ratings - middle) / deviation), 2
    if len(levels) > _MOST_LEVELS:
        raise ValueError(
            f"there are {len(levels)} different ratings, more than {_MOST_LEVELS} levels: choose ratings='squared' or "
            "'huber'"
        )
    return answers.with_ratings(np.where(rated, np.searchsorted(levels, answers.ratings), np.nan)), len(levels)
