"""Rating: one of K levels, as a person gives stars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.metrics.base import Metric


class Rating(Annotator):
    """Rates a text on an ordinal scale: the latent quality plus a judgement error, cut into levels.

    With q in [0, 1] the metric's place between its bounds, xi a standard normal draw, and K - 1 cut points,

        level = 1 + the number of cut points that are at most q^skew + bias + s(q) xi,
        s(q)^2 = spread^2 + (human_spread * min(0.64 q, 0.67 - 0.67 q))^2,

    and the answer is `low + (high - low) (level - 1) / (K - 1)`. This is the ordinal model with the granularity, skew
    and variance of Nguyen, Daume and Boyd-Graber 2017, "Reinforcement learning for bandit neural machine translation
    with simulated human feedback", section 4: people agree on very bad and very good texts, and least in between.

    Args:
        metric: the metric that is rated.
        levels: the number of levels K, at least 2.
        spread: the standard deviation of the judgement error, in units of the whole scale, at least 0.
        bias: what is added to the quality, in the same units; negative for a harsh rater.
        skew: above 1 for a rater who is harsh in the middle of the scale, below for a lenient one; above 0.
        human_spread: how strong the variance that people were found to have is, at least 0; 1 as found.
        cuts: the K - 1 cut points, ascending; by default `1/K, ..., (K-1)/K`, levels of equal width.
    """

    def __init__(
        self,
        metric: Metric,
        levels: int = 5,
        spread: float = 0.0,
        bias: float = 0.0,
        skew: float = 1.0,
        human_spread: float = 0.0,
        cuts: Sequence[float] | None = None,
    ) -> None:
        super().__init__(metric)
        if levels < 2:
            raise ValueError(f"levels must be at least 2, got {levels}")
        if spread < 0 or not np.isfinite([spread, bias]).all():
            raise ValueError(f"spread must be non-negative and bias finite, got spread={spread}, bias={bias}")
        if not 0 < skew < np.inf:
            raise ValueError(f"skew must be finite and above 0, got {skew}")
        if not 0 <= human_spread < np.inf:
            raise ValueError(f"human_spread must be finite and non-negative, got {human_spread}")
        self.cuts = np.arange(1, levels) / levels if cuts is None else np.array(cuts, np.float64)
        if self.cuts.shape != (levels - 1,) or not (np.diff(self.cuts) > 0).all() or not np.isfinite(self.cuts).all():
            raise ValueError(f"cuts must be levels - 1 = {levels - 1} finite and ascending numbers, got {cuts}")
        self.levels, self.spread, self.bias, self.skew, self.human_spread = levels, spread, bias, skew, human_spread
        self.low, self.high = metric.low, metric.high
        self.outcomes = np.linspace(self.low, self.high, levels)

    def answer(self, question: Question) -> Answer:
        q = (question.quality - self.low) / (self.high - self.low)
        latent = (q if self.skew == 1 else np.maximum(q, 0.0) ** self.skew) + self.bias
        if self.spread > 0 or self.human_spread > 0:
            human = self.human_spread * np.maximum(np.minimum(0.64 * q, 0.67 - 0.67 * q), 0.0)
            latent = latent + np.sqrt(self.spread**2 + human**2) * question.address.normal(question.readings)
        level = np.searchsorted(self.cuts, latent, side="right")
        readings = self.low + (self.high - self.low) * level / (self.levels - 1)
        return Answer(readings, {"level": level + 1})
