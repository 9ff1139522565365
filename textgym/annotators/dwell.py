"""Dwell: how long a reader stays with the text."""

from __future__ import annotations

from typing import Literal

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.metrics.base import Metric
from textgym.random import normal_quantile
from textgym.types import FloatArray

_LAWS = ("log_normal", "weibull")


class Dwell(Annotator):
    """Answers with the seconds d that a reader stays, as `log(1 + d) / log(1 + session)` in [0, 1].

    With q in [0, 1] the metric's place between its bounds and xi standard normal,

        log_normal  log d = log(scale) + kappa q + spread xi
        weibull     P(d > t) = exp(-(t / (scale e**(kappa q)))**shape), where a shape below 1 means that a reader
                    who has stayed is less and less likely to leave (Liu, White and Dumais 2010, "Understanding web
                    browsing behaviors through Weibull analysis of dwell time")

    A stay is censored at the end of the session: what is seen is `min(d, session)`. Some texts are click-bait, which
    holds readers the longer the less it gives them: there 1 - q stands for q.

    Args:
        metric: the metric whose place between its bounds is the quality q.
        law: `"log_normal"` or `"weibull"`.
        scale: the median stay (log-normal) or the stay that 1 in e readers exceeds (Weibull) at q = 0, in seconds.
        kappa: the gain in log seconds from q = 0 to q = 1, finite.
        spread: the standard deviation of log seconds, at least 0; log-normal only.
        shape: the exponent of the Weibull law, above 0; Weibull only.
        session: the longest stay that is seen, in seconds, above 0.
        clickbait: the share of texts that are click-bait, in [0, 1].
    """

    cost = 0.01

    def __init__(
        self,
        metric: Metric,
        law: Literal["log_normal", "weibull"] = "log_normal",
        scale: float = 10.0,
        kappa: float = 2.0,
        spread: float = 0.8,
        shape: float = 0.7,
        session: float = 300.0,
        clickbait: float = 0.0,
    ) -> None:
        super().__init__(metric)
        if law not in _LAWS:
            raise ValueError(f"law must be one of {', '.join(_LAWS)}, got {law!r}")
        positive = {"scale": scale, "shape": shape, "session": session}
        for name, value in positive.items():
            if not 0 < value < np.inf:
                raise ValueError(f"{name} must be finite and above 0, got {value}")
        if not 0 <= spread < np.inf or not np.isfinite(kappa):
            raise ValueError(f"spread must be at least 0 and kappa finite, got spread={spread}, kappa={kappa}")
        if not 0 <= clickbait <= 1:
            raise ValueError(f"clickbait must be 0 to 1, got {clickbait}")
        self.law, self.scale, self.kappa, self.spread, self.shape = law, scale, kappa, spread, shape
        self.session, self.clickbait = session, clickbait

    def quantile(self, probability: FloatArray, quality: FloatArray) -> FloatArray:
        """Returns the seconds, before censoring, that a stay does not exceed with a probability in (0, 1).

        Args:
            probability: any shape.
            quality: q in [0, 1], of a shape that broadcasts.
        """
        if self.law == "log_normal":
            log_ratio = self.spread * normal_quantile(probability)
        else:
            log_ratio = np.log(-np.log1p(-probability)) / self.shape
        seconds: FloatArray = self.scale * np.exp(self.kappa * quality + log_ratio)
        return seconds

    def answer(self, question: Question) -> Answer:
        quality = (question.quality - self.metric.low) / (self.metric.high - self.metric.low)
        bait = question.address.at_start().uniform() < self.clickbait  # drawn once for a text, not for each token
        chance = question.address.uniform(question.readings, first=1)
        stay = self.quantile(chance, np.where(bait, 1.0 - quality, quality))
        seconds = np.minimum(stay, self.session)
        readings = np.log1p(seconds) / np.log1p(self.session)
        return Answer(readings, {"seconds": seconds, "censored": stay > self.session})
