"""Click: whether a user who scans a list of results clicks on the text."""

from __future__ import annotations

from typing import Literal

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.metrics.base import Metric
from textgym.types import FloatArray, IntArray

_MODELS = ("position", "cascade", "dependent")
_USERS = {  # P(click) of a result that is not relevant and of one that is; P(stop after a click), likewise
    "perfect": ((0.0, 1.0), (0.0, 0.0)),
    "navigational": ((0.05, 0.95), (0.2, 0.9)),
    "informational": ((0.4, 0.9), (0.1, 0.5)),
}


class Click(Annotator):
    """Answers 1 for a click on the text and 0 for none, where it stands at place k of a list of other results.

    A user who examines a result of relevance q clicks on it with probability alpha, and after a click stops with
    probability s; both go in a straight line from a result that is not relevant, q = 0, to one that is, q = 1. The
    click models of Chuklin, Markov and de Rijke 2015, "Click models for web search", say with which probability E_k
    the place is examined, so that `P(click) = E_k alpha_k`:

        position    E_k = k**-eta, the position-based model
        cascade     E_k = prod_{i<k} (1 - alpha_i), where the first click ends the search
        dependent   E_{k+1} = E_k (lambda_k alpha_k + 1 - alpha_k), where lambda = 1 - s: the dependent click model

    The users are those of Hofmann, Whiteson and de Rijke 2013: perfect, navigational, informational. Every other
    result is relevant or not by chance; `E_k` is averaged over that chance, which is exact, as they are independent.

    Args:
        metric: the metric whose place between its bounds is the relevance q of the text.
        model: `"position"`, `"cascade"` or `"dependent"`.
        user: `"perfect"`, `"navigational"` or `"informational"`.
        positions: how many results the list has, at least 1.
        position: the place of the text, 1 to `positions`; None for a random one each time.
        eta: how fast attention falls with the place in the position-based model, at least 0.
        relevant: the probability that another result is relevant, in [0, 1].
    """

    cost = 0.01
    outcomes = np.array([0.0, 1.0])

    def __init__(
        self,
        metric: Metric,
        model: Literal["position", "cascade", "dependent"] = "position",
        user: Literal["perfect", "navigational", "informational"] = "informational",
        positions: int = 10,
        position: int | None = None,
        eta: float = 1.0,
        relevant: float = 0.5,
    ) -> None:
        super().__init__(metric)
        if model not in _MODELS:
            raise ValueError(f"model must be one of {', '.join(_MODELS)}, got {model!r}")
        if user not in _USERS:
            raise ValueError(f"user must be one of {', '.join(_USERS)}, got {user!r}")
        place = 1 if position is None else position
        if not isinstance(positions, int) or not isinstance(place, int) or not 1 <= place <= positions:
            raise ValueError(
                f"positions must be at least 1 and position 1 to positions, got positions={positions}, "
                f"position={position}; both are whole numbers"
            )
        if not 0 <= eta < np.inf or not 0 <= relevant <= 1:
            raise ValueError(f"eta must be at least 0 and relevant 0 to 1, got eta={eta}, relevant={relevant}")
        self.positions, self.position = positions, position
        (self._click_low, self._click_high), stop = _USERS[user]
        if model == "position":
            self._examination = np.arange(1, positions + 1.0) ** -eta
        else:
            clicks = np.array([self._click_low, self._click_high])
            leaves = clicks * (stop if model == "dependent" else 1.0)  # P(click and stop) by relevance
            goes_on = 1.0 - (1.0 - relevant) * leaves[0] - relevant * leaves[1]
            self._examination = goes_on ** np.arange(positions)

    def attraction(self, relevance: FloatArray) -> FloatArray:
        """Returns alpha, the probability of a click on an examined result, for relevances in [0, 1], any shape."""
        return self._click_low + (self._click_high - self._click_low) * relevance

    def examination(self, position: IntArray) -> FloatArray:
        """Returns E_k, the probability that a place from 1 is examined, any shape."""
        return self._examination[position - 1]

    def click_probability(self, relevance: FloatArray, position: IntArray) -> FloatArray:
        """Returns P(click) for relevances in [0, 1] and places from 1, of shapes that broadcast."""
        return self.examination(position) * self.attraction(relevance)

    def answer(self, question: Question) -> Answer:
        relevance = (question.quality - self.metric.low) / (self.metric.high - self.metric.low)
        place, examines, clicks = np.split(question.address.uniform(3 * question.readings), 3, axis=1)
        if self.position is None:
            position = (place * self.positions).astype(np.int64) + 1
        else:
            position = np.full(place.shape, self.position)
        examined = examines < self.examination(position)
        clicked = examined & (clicks < self.attraction(np.clip(relevance, 0.0, 1.0)))
        annotation = {"position": position, "examined": examined, "clicked": clicked}
        return Answer(clicked.astype(np.float64), annotation)
