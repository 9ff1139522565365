"""Consensus: the true answer behind several annotators' answers, and how far each of them is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.questions import asked
from textgym.types import FloatArray

Method = Literal["dawid_skene", "majority", "one_coin"]

_CLASSES = {
    "dawid_skene": "DawidSkene",
    "majority": "MajorityVote",
    "one_coin": "OneCoinDawidSkene",
}


@dataclass(frozen=True, eq=False)
class Consensus:
    """What annotators agree on, by a model of how they err.

    Attributes:
        labels: (N,) the most probable true answer about each record; NaN where there is no answer.
        record_weights: (N,) the mean probability that the answers about each record are right; NaN likewise.
        annotator_weights: the mean probability that an annotator's answers are right, by its number.
    """

    labels: FloatArray
    record_weights: FloatArray
    annotator_weights: dict[int, float]


def consensus(dataset: FeedbackDataset, signal: str, method: Method = "dawid_skene") -> Consensus:
    """Estimates the true answers and the annotators' skills from answers on a few levels, without any truth.

    Args:
        dataset: the texts.
        signal: the label of an annotator's signal, or the annotator's name. If it scores tokens, a record's label is
            that of its last one.
        method: `"dawid_skene"`, a confusion matrix for each annotator (Dawid and Skene 1979, "Maximum likelihood
            estimation of observer error-rates using the EM algorithm"); `"one_coin"`, one error rate for each;
            `"majority"`, votes. They are crowd-kit's.

    Raises:
        ValueError: if the method is unknown, or the signal has no answers.
        ImportError: if crowd-kit is not installed.
    """
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}")
    answers = list(asked(dataset, signal))
    if not answers:
        raise ValueError(f"no answers of the signal {signal!r}; signals: {', '.join(dataset.signals) or 'none'}")
    tasks = {answer.question: number for number, answer in enumerate(answers)}
    task = np.array([tasks[answer.question] for answer in answers])
    levels, level = np.unique([answer.value for answer in answers], return_inverse=True)
    people = np.array([answer.annotator for answer in answers])
    probabilities = _fit(method, task, people, level)

    right = probabilities.to_numpy()[probabilities.index.get_indexer(task), probabilities.columns.get_indexer(level)]
    best = levels[probabilities.columns.to_numpy()[probabilities.to_numpy().argmax(axis=1)]]
    labels, weights = np.full((2, len(dataset)), np.nan)
    for answer, row in zip(answers, probabilities.index.get_indexer(task), strict=True):
        part = dataset[answer.record].feedback[answer.signal]
        labels[answer.record] = part.low + part.high - best[row] if answer.turned else best[row]
    record = np.array([answer.record for answer in answers])
    counted = np.bincount(record, minlength=len(dataset))
    weights[counted > 0] = (np.bincount(record, right, len(dataset)) / np.maximum(counted, 1))[counted > 0]
    return Consensus(labels, weights, {int(who): float(right[people == who].mean()) for who in np.unique(people)})


def _fit(method: Method, task: Any, people: Any, level: Any) -> Any:
    """Returns the probability of each level for each task, a data frame of tasks and levels."""
    try:
        import pandas  # type: ignore[import-untyped]
        from crowdkit import aggregation
    except ImportError as error:
        raise ImportError('consensus needs crowd-kit: pip install "textgym[crowd]"') from error
    model = getattr(aggregation, _CLASSES[method])()
    return model.fit_predict_proba(pandas.DataFrame({"task": task, "worker": people, "label": level}))
