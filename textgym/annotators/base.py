"""The base of all annotators: they read a metric and answer as a person or a judge would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from textgym.component import Component
from textgym.metrics.base import Metric
from textgym.random import Address
from textgym.transition import Transition
from textgym.types import FloatArray


@dataclass(frozen=True)
class Answer:
    """What annotators said about n texts.

    Attributes:
        readings: (n, m) the answers as numbers.
        annotation: what was said beyond a number; arrays whose first axis is the text.
    """

    readings: FloatArray
    annotation: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)


class Annotator(Component, ABC):
    """Answers about texts. A new annotator is one file with a subclass and one line in `registration.py`.

    Args:
        metric: the metric that the annotator reads; a name or spec in the environment's feedback.
        readings: how many answers are asked for each text, m.

    Attributes:
        cost: the price of one answer, in units of one rating.
        low: the lowest answer.
        high: the highest answer.
    """

    cost: ClassVar[float] = 1.0
    low: float = 0.0
    high: float = 1.0

    def __init__(self, metric: Metric, readings: int = 1) -> None:
        if readings < 1:
            raise ValueError(f"readings must be at least 1, got {readings}")
        self.metric = metric
        self.readings = readings

    @abstractmethod
    def answer(self, quality: FloatArray, transition: Transition, address: Address) -> Answer:
        """Returns the answers about texts whose metric is `quality`, (n,); all chance comes from `address`."""
