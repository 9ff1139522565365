"""Preference: which of two texts is better, or neither, or no answer."""

from __future__ import annotations

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.annotators.parts.opponents import Against, make_opponent
from textgym.metrics.base import Metric
from textgym.transition import Transition
from textgym.types import FloatArray

TEACHERS: dict[str, dict[str, float]] = {
    "oracle": {},
    "mistake": {"mistake": 0.1},
    "stochastic": {"beta": 1.0},
    "skip": {"skip": 0.1},
    "myopic": {"gamma": 0.9},
    "equal": {"equal": 0.1},
}
"""The teachers of B-Pref: in what each differs from one who always names the better text."""

_READING = np.array([0.0, 1.0, 0.5, np.nan])  # of the choices 0, 1, 2 and, from the end, -1


class Preference(Annotator):
    """Says whether a text is better than its opponent, like the teachers of B-Pref.

    With q in [0, 1] the metric's place between its bounds, for the text (1) and its opponent (2),

        no answer  if max(q_1, q_2) <= skip
        a tie      else if |q_1 - q_2| < equal
        1 beats 2  else with probability (1 - mistake) P + mistake (1 - P),    P = sigma(beta (d_1 - d_2)),
                   d = q_0 + sum_(t=1..H) gamma^(H - t) (q_t - q_(t - 1)),

    q_t the place of a text's first t tokens and H its length, so that d = q at gamma = 1, and below it the teacher
    remembers best what came last. This is the teacher of Lee et al. 2021, "B-Pref: benchmarking preference-based
    reinforcement learning", with q_t - q_(t - 1) as the reward of a token, and margins in units of the scale instead of
    an agent's mean return. If d_1 = d_2 and beta is infinite, either is chosen half of the time.

    The reading is 1 if the text is preferred, 0 if the opponent is, 0.5 for a tie, and missing without an answer or an
    opponent. The annotation has `choice` (n, m), 1, 0, 2 for a tie and -1 for no answer; and `opponent_ids` (n, W) and
    `opponent_lengths` (n,), the opponent's tokens, W the task's `max_new_tokens`: longer ones are cut.

    Args:
        metric: the metric that is compared.
        against: the opponent: `"baseline"`, one text for each prompt from a bigram model; `"reference"`; `"previous"`,
            the row's last text for the same prompt; or `{"path": FILE}`, a JSONL file of `prompt` and `completion`.
        teacher: one of `TEACHERS`, whose values hold where an argument below is None.
        beta: how strongly quality decides, at least 0; infinite unless the teacher has one.
        mistake: how often the answer is turned round, in [0, 1].
        skip: both texts are too poor to judge up to here, in [0, 1]; 0 answers always.
        equal: texts nearer than this are alike, in [0, 1].
        gamma: how much less each earlier token counts, in (0, 1]; 1 not at all.
    """

    whole_texts = True

    def __init__(
        self,
        metric: Metric,
        against: Against = "baseline",
        teacher: str = "oracle",
        beta: float | None = None,
        mistake: float | None = None,
        skip: float | None = None,
        equal: float | None = None,
        gamma: float | None = None,
    ) -> None:
        super().__init__(metric)
        if teacher not in TEACHERS:
            raise ValueError(f"teacher must be one of {', '.join(TEACHERS)}, got {teacher!r}")
        usual = {"beta": np.inf, "mistake": 0.0, "skip": 0.0, "equal": 0.0, "gamma": 1.0, **TEACHERS[teacher]}
        given = {"beta": beta, "mistake": mistake, "skip": skip, "equal": equal, "gamma": gamma}
        chosen = {name: usual[name] if value is None else value for name, value in given.items()}
        self.beta, self.mistake, self.skip, self.equal, self.gamma = chosen.values()
        if not self.beta >= 0:
            raise ValueError(f"beta must be at least 0, got {beta}")
        for name in ("mistake", "skip", "equal"):
            if not 0 <= chosen[name] <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {chosen[name]}")
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must be above 0 and at most 1, got {gamma}")
        self.opponent = make_opponent(against, metric.task)
        self.inner = [self.opponent]
        self.needs_group = against == "previous"
        self.outcomes = np.array([0.0, 0.5, 1.0] if self.equal else [0.0, 1.0])

    def answer(self, question: Question) -> Answer:
        opponent, met = self.opponent.meet(question.transition)
        own, other = self._place(question.quality), self._place(question.see(opponent))
        advantage = own - other
        if self.gamma < 1:
            advantage = advantage + self._myopia(question.transition, question) - self._myopia(opponent, question)
        if self.beta == np.inf:
            better = np.heaviside(advantage, 0.5)
        else:
            better = 0.5 + 0.5 * np.tanh(0.5 * self.beta * advantage)  # sigma, without overflow
        said_better = better + self.mistake * (1 - 2 * better)
        choice = (question.address.uniform(question.readings) < said_better).astype(np.int64)
        choice[np.abs(own - other) < self.equal] = 2
        if self.skip > 0:
            choice[np.maximum(own, other) <= self.skip] = -1
        choice[~met] = -1
        pair = {"opponent_ids": opponent.text_ids.copy(), "opponent_lengths": opponent.text_lengths.copy()}
        return Answer(_READING[choice], {"choice": choice, **pair})

    def _place(self, quality: FloatArray) -> FloatArray:
        """Returns quality as a place on the scale from 0 to 1."""
        return (quality - self.metric.low) / (self.metric.high - self.metric.low)

    def _myopia(self, texts: Transition, question: Question) -> FloatArray:
        """Returns d - q of n texts as the annotators see it, (n, m)."""
        lengths, n = texts.text_lengths, len(texts)
        longest = int(lengths.max(initial=0))
        prefixes = np.minimum(np.arange(longest + 1)[:, None], lengths)  # (longest + 1, n)
        again = np.tile(np.arange(n), longest + 1)
        seen = self._place(question.see(texts[again].with_texts(texts.text_ids[again], prefixes.ravel())))
        rewards = np.diff(seen.reshape(longest + 1, n, -1), axis=0)  # (longest, n, m)
        weights = self.gamma ** np.maximum(lengths - np.arange(1, longest + 1)[:, None], 0)
        missed = np.cumsum((weights - 1)[:, :, None] * rewards, axis=0)  # a running sum rounds alike for any n
        return missed[-1] if longest else np.zeros(seen.shape)
