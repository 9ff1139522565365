"""Rating: one of K levels, as a person gives stars."""

from __future__ import annotations

import numpy as np

from textgym.annotators.base import Annotator, Answer
from textgym.metrics.base import Metric
from textgym.random import Address
from textgym.transition import Transition
from textgym.types import FloatArray


class Rating(Annotator):
    """Rates a text on an ordinal scale: the latent quality plus a judgement error, cut into levels of equal width.

    With q in [0, 1] the metric's place between its bounds, `level = clip(floor(K (q + bias + s xi)), 0, K - 1) + 1`
    and the answer is `low + (high - low) (level - 1) / (K - 1)`. This is the ordinal model of Nguyen, Daume and
    Boyd-Graber 2017, "Reinforcement learning for bandit neural machine translation with simulated human feedback":
    a granular scale, human variance s, and raters who are harsh or lenient.

    Args:
        metric: the metric that is rated.
        levels: the number of levels K, at least 2.
        spread: the standard deviation s of the judgement error, in units of the whole scale, at least 0.
        bias: what is added to the quality, in the same units; negative for a harsh rater.
        readings: how many independent ratings are asked for each text.
    """

    def __init__(
        self, metric: Metric, levels: int = 5, spread: float = 0.0, bias: float = 0.0, readings: int = 1
    ) -> None:
        super().__init__(metric, readings)
        if levels < 2:
            raise ValueError(f"levels must be at least 2, got {levels}")
        if spread < 0 or not np.isfinite([spread, bias]).all():
            raise ValueError(f"spread must be non-negative and bias finite, got spread={spread}, bias={bias}")
        self.levels, self.spread, self.bias = levels, spread, bias
        self.low, self.high = metric.low, metric.high

    def answer(self, quality: FloatArray, transition: Transition, address: Address) -> Answer:
        latent = np.repeat((quality[:, None] - self.low) / (self.high - self.low) + self.bias, self.readings, axis=1)
        if self.spread > 0:
            latent += self.spread * address.normal(self.readings)
        level = np.minimum(np.maximum(np.floor(self.levels * latent), 0.0), self.levels - 1.0)
        readings = self.low + (self.high - self.low) * level / (self.levels - 1)
        return Answer(readings, {"level": level.astype(np.int64) + 1})
