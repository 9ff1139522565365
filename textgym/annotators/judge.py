"""Judge: a language model that compares two texts, with the biases that such judges have."""

from __future__ import annotations

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.annotators.parts.opponents import Against, make_opponent
from textgym.metrics.base import Metric
from textgym.metrics.scorers import Scorer
from textgym.registration import build
from textgym.transition import Transition
from textgym.types import FloatArray, Spec


class Judge(Annotator):
    """Says whether a text is better than its opponent, swayed by order, by length, and by how it writes itself.

    With q in [0, 1] the metric's place between its bounds, the differences taken between the text and its opponent,

        P(text beats opponent) = sigma(a + position s),
        a = beta dq + length tanh(dl / length_scale) + self_preference dlog pi,

    where s is 1 if the text is shown first and -1 if second, l the number of tokens, and log pi the mean log
    probability of a text's tokens and its end under the judge's own model. The order is drawn by lot.

    | bias | default | found in |
    |---|---|---|
    | position | 0.73 | Zheng et al. 2023, "Judging LLM-as-a-judge": 65 % of the verdicts on near ties outlast a swap |
    | length | 0.5 | Dubois et al. 2024, "Length-controlled AlpacaEval", where the tanh is from |
    | self_preference | 0.25 | Panickssery et al. 2024, "LLM evaluators recognize and favor their own generations" |

    The sizes of the last two are chosen, not measured. Such judges hardly contradict themselves when nothing is swapped
    (Shi et al. 2024, "Judging the judges"), so one draw stands for all else that sways this judge about this pair, and
    is compared with P in either order: the verdict outlasts a swap with probability
    `1 - |sigma(a + position) - sigma(a - position)|`, 65 % at a = 0.

    The reading is 1 if the text is preferred and 0 if not; with `both_orders` the mean of two verdicts, which costs
    twice as much. It is missing without an opponent. The annotation has `choice` (n, m), 1, 0, 2 for verdicts that
    differ and -1 for none; `first` (n, m), 1 if the text was shown first, 0 if second, 2 if both were asked; and
    `opponent_ids` (n, W) and `opponent_lengths` (n,), the opponent's tokens, W the task's `max_new_tokens`.

    Args:
        metric: the metric that is compared.
        against: the opponent, as in `Preference`.
        beta: how strongly quality decides, at least 0.
        position: the bias to what is shown first; negative for what is shown second.
        length: the bias to the longer text.
        self_preference: the bias to what the judge would have written, for each nat of log probability a token.
        length_scale: the difference in tokens that counts as large, above 0; by default the standard deviation of the
            lengths of the train split's references, and at least 1.
        model: the judge's own model, the name or spec of a scorer.
        both_orders: whether both orders are asked.
    """

    whole_texts = True

    def __init__(
        self,
        metric: Metric,
        against: Against = "baseline",
        beta: float = 10.0,
        position: float = 0.73,
        length: float = 0.5,
        self_preference: float = 0.25,
        length_scale: float | None = None,
        model: Spec = "ngram",
        both_orders: bool = False,
    ) -> None:
        super().__init__(metric)
        if not 0 <= beta < np.inf:
            raise ValueError(f"beta must be finite and at least 0, got {beta}")
        for name, bias in (("position", position), ("length", length), ("self_preference", self_preference)):
            if not np.isfinite(bias):
                raise ValueError(f"{name} must be finite, got {bias}")
        if length_scale is None:
            length_scale = max(1.0, float(metric.task.prompt_set("train").reference_lengths.std()))
        if not 0 < length_scale < np.inf:
            raise ValueError(f"length_scale must be finite and above 0, got {length_scale}")
        self.beta, self.position, self.length, self.length_scale = beta, position, length, length_scale
        self.self_preference, self.both_orders = self_preference, both_orders
        self.opponent = make_opponent(against, metric.task)
        self.inner = [self.opponent]
        self.needs_group = against == "previous"
        self.cost = 2.0 if both_orders else 1.0
        self.outcomes = np.array([0.0, 0.5, 1.0] if both_orders else [0.0, 1.0])
        self._model: Scorer | None = build("scorers", model, metric.task) if self_preference else None

    def answer(self, question: Question) -> Answer:
        opponent, met = self.opponent.meet(question.transition)
        dq = (question.quality - question.see(opponent)) / (self.metric.high - self.metric.low)
        advantage = self.beta * dq + self._taste(question.transition, opponent)[:, None]
        m = question.readings
        mind, order = question.address.uniform(m), question.address.uniform(m, first=m) < 0.5
        if_first, if_second = (mind < _sigma(advantage + bias) for bias in (self.position, -self.position))
        if self.both_orders:
            first = np.full(dq.shape, 2)
            choice = np.where(if_first == if_second, if_first.astype(np.int64), 2)
        else:
            first = order.astype(np.int64)
            choice = np.where(order, if_first, if_second).astype(np.int64)
        choice[~met] = -1
        readings = np.array([0.0, 1.0, 0.5, np.nan])[choice]
        pair = {"opponent_ids": opponent.text_ids.copy(), "opponent_lengths": opponent.text_lengths.copy()}
        return Answer(readings, {"choice": choice, "first": first, **pair})

    def swap_consistency(self, advantage: FloatArray) -> FloatArray:
        """Returns how often the verdict on pairs with the advantage a is the same in both orders, in [0, 1]."""
        return 1 - np.abs(_sigma(advantage + self.position) - _sigma(advantage - self.position))

    def _taste(self, text: Transition, opponent: Transition) -> FloatArray:
        """Returns what the judge sees in n texts beside their quality, (n,)."""
        taste = self.length * np.tanh((text.text_lengths - opponent.text_lengths) / self.length_scale)
        if self._model is not None:
            own, other = (self._model.mean_log_probability(texts) for texts in (text, opponent))
            taste = taste + self.self_preference * (own - other)
        return taste


def _sigma(x: FloatArray) -> FloatArray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)  # without overflow
