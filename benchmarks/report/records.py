"""What a report knows of a folder of runs: plain records that `gathering` reads and the sections show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.pictures.response import Response
from benchmarks.report.curve import Curve
from benchmarks.report.palette import hue
from benchmarks.statistics import Interval, stratified_bootstrap
from textgym.types import FloatArray

MEASURES = ("observed_return", "clean_return", "gold_return")

EXPLAINED = {
    "observed_return": ("Observed return", "the noisy feedback, as paid"),
    "clean_return": ("Clean return", "the same feedback without noise"),
    "gold_return": ("Gold return", "what the task truly wants"),
}
"""The title of each measure, and what it is."""


@dataclass(frozen=True)
class Row:
    """What one policy's texts on the test prompts are worth, over all its training seeds.

    Attributes:
        policy: its name.
        seeds: how many training seeds it has.
        returns: the mean of each measure.
        gains: by how much it exceeds the baseline's; empty for the baseline itself.
    """

    policy: str
    seeds: int
    returns: dict[str, Interval]
    gains: dict[str, Interval]


@dataclass(frozen=True)
class Voice:
    """What one signal put into a text's reward: its weight times its value, without and with annotator and noise.

    Attributes:
        signal: its name, such as `rating:rouge_l`.
        clean: its part of the clean return.
        observed: its part of the observed return, before the noise on the sum.
        said: what an annotator said beside a number, in words, by what it is.
    """

    signal: str
    clean: float
    observed: float
    said: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoredText:
    """A text and what each of its tokens earned.

    Attributes:
        policy: who wrote it.
        tokens: the T tokens as text.
        earned: (T,) what each added to the clean return.
        signals: the same for each signal, before weighting.
        empty: the clean return of the empty text.
        clean_return: the text's clean return.
        gold_return: the text's gold return.
        observed_return: its observed return; None in results that do not tell it.
        voices: who put what into the reward; empty in results that do not tell it.
        credited: (T,) what the policy's gradient credits each with; empty where nobody asked. See `benchmarks.credit`.
        credited_end: the same of the end token, if the text has one.
        estimator: how the advantages were estimated, in words.
    """

    policy: str
    tokens: list[str]
    earned: list[float]
    signals: dict[str, list[float]]
    empty: float
    clean_return: float
    gold_return: float
    observed_return: float | None = None
    voices: list[Voice] = field(default_factory=list)
    credited: list[float] = field(default_factory=list)
    credited_end: list[float] = field(default_factory=list)
    estimator: str = ""


@dataclass(frozen=True)
class Sample:
    """A prompt, its reference, and what several policies wrote."""

    prompt: str
    reference: str
    texts: list[ScoredText]


@dataclass(frozen=True)
class Problem:
    """What every policy made of one problem: an environment, or a variant of it that the suite names.

    Attributes:
        name: what it is called in tables and charts.
        question: what it asks, in a few words.
        swept: the task's swept argument and its value, such as `"length 8"`.
        random_return: the expected gold of random tokens, where runs are scored.
        optimal_return: the highest expected gold, likewise.
        scores: for each policy the score of each seed, (seeds,): 0 is random, 1 is optimal.
        curves: for each measure, what each learner's texts were worth while it learnt.
        prompts: how many test prompts the returns rest on.
        rows: what each policy's texts for them are worth.
        levels: the baseline's value of each measure on the prompts of the training.
        samples: texts before and after.
        paid_feedback: whether learners were paid the feedback, and not gold.
        predicted: what theory says of a problem that shows a failure; empty where gold can be learnt.
        predicted_gold: the gold at which learners end up in theory, where it is known.
        front: (k, 2) the signals of the texts that no other beats in both, where two are in conflict.
        reached: for each policy the mean signals of its texts, one pair for each weight of the sum.
        needed: for each learner the tokens that each seed needed to come most of the way to its best, or None.
        seconds: for each learner the time that each seed took.
    """

    name: str
    question: str = ""
    swept: str = ""
    random_return: float | None = None
    optimal_return: float | None = None
    scores: dict[str, FloatArray] = field(default_factory=dict)
    curves: dict[str, list[Curve]] = field(default_factory=dict)
    prompts: int = 0
    rows: list[Row] = field(default_factory=list)
    levels: dict[str, float] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    paid_feedback: bool = True
    predicted: str = ""
    predicted_gold: float | None = None
    front: list[list[float]] = field(default_factory=list)
    reached: dict[str, list[list[float]]] = field(default_factory=dict)
    needed: dict[str, list[float | None]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def interval(self, policy: str) -> Interval:
        """Returns the mean score with its 95 % bootstrap interval over seeds, from a fixed seed."""
        scores = self.scores[policy][:, None]
        return stratified_bootstrap(scores, generator=np.random.default_rng(0), statistic=np.mean)

    @property
    def score_levels(self) -> dict[str, float]:
        """The gold of the optimum and of random tokens, where they are known."""
        known = {"optimum": self.optimal_return, "random": self.random_return}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Report:
    """All that a page shows.

    Attributes:
        title: the headline.
        introduction: one paragraph: what this is.
        policies: the policies, in order.
        problems: the problems, in the order of the suite.
        baseline: the policy that the others are compared with; without one, they are compared with the optimum.
        untrained: the policies that learn nothing, beside the baseline.
        seeds: for each policy the fewest training seeds that it has on a problem.
        responses: how the environment's annotators, and the noise on the sum, follow what is true.
        foot: settings, versions and fingerprint, as titled groups of names and values.
        extras: sections that the suite gives as data; see `extra_sections`.
    """

    title: str
    introduction: str
    policies: list[str]
    problems: list[Problem]
    baseline: str = ""
    untrained: list[str] = field(default_factory=list)
    seeds: dict[str, int] = field(default_factory=dict)
    responses: dict[str, Response] = field(default_factory=dict)
    foot: dict[str, dict[str, Any]] = field(default_factory=dict)
    extras: list[dict[str, Any]] = field(default_factory=list)

    @property
    def learners(self) -> list[str]:
        """The policies that learnt something here, in order."""
        others = {self.baseline, "Random", *self.untrained}
        return [policy for policy in self.policies if policy not in others]

    @property
    def colours(self) -> dict[str, str]:
        """The colour of each policy: the learners' hues in order, and grey for what learns nothing."""
        hues = {policy: hue(number) for number, policy in enumerate(self.learners)}
        return {policy: hues.get(policy, "plain") for policy in self.policies}

    @property
    def learnable(self) -> list[Problem]:
        """The problems with scores whose gold can be learnt."""
        return [problem for problem in self.problems if problem.scores and not problem.predicted]

    def covering(self) -> dict[str, FloatArray]:
        """Returns the scores, (seeds, problems), of each policy that tried all learnable problems.

        Where runs are missing, it is of as many seeds as there are for each problem.
        """
        found = {}
        for policy in self.policies:
            scores = [problem.scores.get(policy, np.zeros(0)) for problem in self.learnable]
            seeds = min(map(len, scores), default=0)
            if seeds:
                found[policy] = np.stack([one[:seeds] for one in scores], axis=1)
        return found

    def incomplete(self) -> dict[str, int]:
        """Returns of how many seeds `covering` is, for each policy that has more on some problem."""
        return {
            policy: len(scores)
            for policy, scores in self.covering().items()
            if any(len(problem.scores[policy]) > len(scores) for problem in self.learnable)
        }
