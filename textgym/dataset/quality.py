"""The quality of feedback: agreement, reliability, bias, confusion and signal-to-noise ratio of what was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from textgym.dataset.agreement import (
    Reliability,
    Scale,
    cohen_kappa,
    consensus_correlation,
    fleiss_kappa,
    krippendorff_alpha,
    reliability,
)
from textgym.dataset.feedback_dataset import FeedbackDataset, compares
from textgym.dataset.records import Record, SignalFeedback
from textgym.types import FloatArray

_MOST_LEVELS = 20  # with more, a signal counts as continuous


@dataclass(frozen=True, eq=False, repr=False)
class SignalQuality:
    """How good the answers of one signal are; prints as a table. What can't be told is NaN.

    Where annotators compare texts, there is no true answer to measure bias, confusion and noise against; nor for texts
    of which only some tokens were asked about.

    Attributes:
        signal: the signal's label.
        texts: how many texts were answered about.
        asked: how many answers were asked for.
        answers: how many answers were given.
        missing: the share of those asked who would not say.
        alpha_nominal, alpha_ordinal, alpha_interval: Krippendorff's alpha on three scales.
        fleiss, cohen: Fleiss' kappa, and Cohen's, the mean over pairs; NaN where answers are continuous.
        reliability: the intraclass correlations of one answer and of the mean of a text's answers.
        bias: (A,) the mean of each annotator's answers minus the truth, in units of the answers.
        spread: (A,) the standard deviation of the same.
        agreement: (A,) each annotator's correlation with the mean of the others.
        levels: (K,) the answers there can be, ascending: equal steps from `low` to `high`, as few as all answers fit;
            empty where answers are continuous, or not about a text by itself.
        confusion: (K, K) P(answer = levels[j] | truth in the i-th of K equal parts of the scale).
        signal_to_noise: var(true) / var(observed - true), of the observed values.
        signal_to_noise_of_readings: var between texts / var within, of the answers, at least 0; it needs no truth.
    """

    signal: str
    texts: int
    asked: int
    answers: int
    missing: float
    alpha_nominal: float
    alpha_ordinal: float
    alpha_interval: float
    fleiss: float
    cohen: float
    reliability: Reliability
    bias: FloatArray
    spread: FloatArray
    agreement: FloatArray
    levels: FloatArray
    confusion: FloatArray
    signal_to_noise: float
    signal_to_noise_of_readings: float

    def __str__(self) -> str:
        if not self.answers:
            silent = f"none of {self.asked:,} answers was given" if self.asked else "nobody was asked"
            return f"{self.signal}: {silent}"
        single, mean, k = self.reliability
        lines = [
            f"{self.signal}: {self.answers:,} answers about {self.texts:,} texts, {_text(self.missing, '.1%')} missing",
            f"  agreement    alpha {_text(self.alpha_nominal)} nominal, {_text(self.alpha_ordinal)} ordinal, "
            f"{_text(self.alpha_interval)} interval; kappa {_text(self.fleiss)} Fleiss, {_text(self.cohen)} Cohen",
            f"  reliability  {_text(single)} of one answer, {_text(mean)} of the mean of {_text(k, '.3g')}",
            f"  signal/noise {_text(self.signal_to_noise, '.3g')} by the truth, "
            f"{_text(self.signal_to_noise_of_readings, '.3g')} by the answers alone",
            "  annotator    bias  spread  agreement",
        ]
        for who, (bias, spread, own) in enumerate(zip(self.bias, self.spread, self.agreement, strict=True)):
            lines.append(f"  {who:9d} {_text(bias, '+.3f'):>7} {_text(spread):>7} {_text(own):>10}")
        if len(self.levels):
            lines.append("  truth to answer " + " ".join(f"{level:5.3g}" for level in self.levels))
        for level, row in zip(self.levels, self.confusion, strict=True):
            lines.append(f"  {level:15.3g} " + " ".join(f"{_text(share, '.2f'):>5}" for share in row))
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class FeedbackQuality:
    """The quality of every annotator's signal in a data set; prints as a table.

    Attributes:
        signals: by the signals' labels.
    """

    signals: Mapping[str, SignalQuality]

    def __getitem__(self, signal: str) -> SignalQuality:
        return self.signals[signal]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.signals.values()))

    __repr__ = __str__


def feedback_quality(dataset: FeedbackDataset) -> FeedbackQuality:
    """Measures the answers of every annotator's signal: what annotators agree on, and how far that is from the truth.

    An annotator is known by its number; its answers about single tokens are added up over the text.

    Raises:
        ValueError: if no annotator was asked in the data set.
    """
    annotated = [label for label, kind in dataset.signals.items() if kind != "metric"]
    if not len(dataset):
        raise ValueError("feedback quality needs answers of annotators: the data set is empty")
    if not annotated:
        raise ValueError("feedback quality needs answers of annotators: the data set has metrics alone")
    return FeedbackQuality({label: _measure(dataset, label) for label in annotated})


def answer_matrix(parts: Sequence[SignalFeedback]) -> FloatArray:
    """Returns what each annotator answered about each of N texts, (N, A), summed over tokens; NaN for nothing."""
    people = 1 + max((reading.annotator for part in parts for reading in part.readings), default=-1)
    answers = np.full((len(parts), people), np.nan)
    for row, part in enumerate(parts):
        for reading in part.readings:
            if reading.value is not None:
                before = answers[row, reading.annotator]
                answers[row, reading.annotator] = reading.value + (0.0 if np.isnan(before) else before)
    return answers


def _has_truth(record: Record, part: SignalFeedback) -> bool:
    """Returns whether the answers are estimates of the true value: about the text by itself, and about all of it."""
    steps = {reading.step for reading in part.readings if reading.value is not None}
    partly = part.timing == "step" and len(steps) < len(record.completion_ids)
    return not partly and not compares(part)


def _measure(dataset: FeedbackDataset, signal: str) -> SignalQuality:
    about = list(dataset.parts(signal))
    parts = [part for _, part in about]
    answers = answer_matrix(parts)
    asked = [reading for part in parts for reading in part.readings]
    told = [reading for reading in asked if reading.value is not None]
    discrete = len(np.unique(answers[~np.isnan(answers)])) <= _MOST_LEVELS
    levels = _levels(parts, answers)
    truth = np.array([part.true_value if _has_truth(record, part) else np.nan for record, part in about])
    error = answers - truth[:, None]
    observed = np.array([np.nan if part.observed_value is None else part.observed_value for part in parts])
    seen = ~np.isnan(observed + truth)
    consistent = reliability(answers)
    alphas = {f"alpha_{scale}": krippendorff_alpha(answers, scale) for scale in get_args(Scale)}
    return SignalQuality(
        signal=signal,
        texts=int((~np.isnan(answers)).any(axis=1).sum()),
        asked=len(asked),
        answers=len(told),
        missing=1 - len(told) / len(asked) if asked else np.nan,
        fleiss=fleiss_kappa(answers) if discrete else np.nan,
        cohen=cohen_kappa(answers) if discrete else np.nan,
        reliability=consistent,
        bias=_column_wise(np.mean, error),
        spread=_column_wise(np.std, error),
        agreement=consensus_correlation(answers),
        levels=levels,
        confusion=_confusion(answers, truth, levels),
        signal_to_noise=_ratio(truth[seen].var(), (observed - truth)[seen].var()) if seen.any() else np.nan,
        signal_to_noise_of_readings=_ratio(max(consistent.single, 0.0), 1 - consistent.single),
        **alphas,
    )


def _column_wise(statistic: Callable[[FloatArray], float], values: FloatArray) -> FloatArray:
    """Returns a statistic of each column's numbers, (A,), NaN where there is none."""
    columns = [column[~np.isnan(column)] for column in values.T]
    return np.array([statistic(column) if len(column) else np.nan for column in columns])


def _levels(parts: Sequence[SignalFeedback], answers: FloatArray) -> FloatArray:
    """Returns the fewest equal steps from the lowest to the highest answer on which all answers lie, (K,), or none."""
    given = answers[~np.isnan(answers)]
    ends = {(part.low, part.high) for part in parts}
    if len(given) and len(ends) == 1 and not any(compares(part) or part.timing == "step" for part in parts):
        ((low, high),) = ends
        for steps in range(1, _MOST_LEVELS):
            place = (given - low) / (high - low) * steps
            if np.allclose(place, np.round(place), rtol=0, atol=1e-9):
                return np.linspace(low, high, steps + 1)
    return np.empty(0)


def _confusion(answers: FloatArray, truth: FloatArray, levels: FloatArray) -> FloatArray:
    """Returns how often each answer was given where the truth was in each of K equal parts of the scale, (K, K)."""
    counts = np.zeros((len(levels), len(levels)))
    if len(levels):
        low, span = levels[0], levels[-1] - levels[0]
        rows, people = np.nonzero(~np.isnan(answers))
        true_part = np.clip(np.floor(len(levels) * (truth[rows] - low) / span), 0, len(levels) - 1)
        level = np.round((answers[rows, people] - low) / span * (len(levels) - 1))
        np.add.at(counts, (true_part.astype(np.int64), level.astype(np.int64)), 1)
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)


def _ratio(signal: float, noise: float) -> float:
    return signal / noise if noise > 0 else np.inf if noise == 0 and signal > 0 else np.nan


def _text(number: float, form: str = ".3f") -> str:
    return "-" if np.isnan(number) else format(number, form)
