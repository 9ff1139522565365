"""The base of all annotators: they read a metric and answer as a person or a judge would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from textgym.component import Component
from textgym.metrics.base import Metric
from textgym.random import Address
from textgym.transition import Transition
from textgym.types import FloatArray, IntArray, Spec


@dataclass(frozen=True)
class Question:
    """What is asked about n texts: m answers for each.

    Attributes:
        transition: the texts.
        quality: (n, m) the metric of each text as the annotator who answers sees it, in the metric's units; a pool's
            annotators differ in it, others see the metric itself.
        who: (n, m) the number of the annotator who gives each answer.
        address: where chance is drawn from.
        see: returns the quality of other texts for the same prompts, (n, m), as the same annotators see it; also of
            several for each prompt, (c n, m) for c times n texts, one batch of n after another.
    """

    transition: Transition
    quality: FloatArray
    who: IntArray
    address: Address
    see: Callable[[Transition], FloatArray]

    @property
    def readings(self) -> int:
        """How many answers are asked for each text, m."""
        return int(self.quality.shape[1])

    def __len__(self) -> int:
        return len(self.quality)


@dataclass(frozen=True)
class Answer:
    """What annotators said about n texts.

    Attributes:
        readings: (n, m) the answers as numbers; NaN where an annotator would not say.
        annotation: what was said beyond a number; arrays whose first axis is the text, with the same shape behind it
            for any n.
    """

    readings: FloatArray
    annotation: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)


class Annotator(Component, ABC):
    """Answers about texts. A new annotator is one file with a subclass and one line in `registration.py`.

    Every annotator also takes `readings=m`, how many answers are asked for each text, and `pool`, the people who give
    them (`textgym.annotators.pool`); the environment sees to both.

    Args:
        metric: the metric that the annotator reads; a name or spec in the environment's feedback.

    Attributes:
        cost: the price of one answer, in units of one rating.
        default_metric: what the annotator reads if its spec names no metric; None if it must name one.
        whole_texts: whether the annotator can read finished texts only.
        external: whether the answers come from outside of this process, so that they cost time and may fail to come.
        needs_group: whether the annotator compares the texts of one prompt, and `group_size` must be 2 or more.
        max_group: the largest `group_size` with which the annotator can be asked; None for any.
        low: the lowest answer.
        high: the highest answer.
        outcomes: all numbers that an answer can be, ascending, where they are few; else None.
        shows_tokens: whether the annotator can say before a token what to write, see `hint`.
    """

    cost: float = 1.0
    default_metric: ClassVar[Spec | None] = None
    whole_texts: ClassVar[bool] = False
    external: ClassVar[bool] = False
    needs_group: bool = False
    max_group: int | None = None
    low: float = 0.0
    high: float = 1.0
    outcomes: FloatArray | None = None

    shows_tokens: ClassVar[bool] = False

    def __init__(self, metric: Metric) -> None:
        if self.whole_texts and metric.timing != "episode":
            raise ValueError("it reads finished texts: the metric must not be one that scores every token")
        self.metric = metric

    @abstractmethod
    def answer(self, question: Question) -> Answer:
        """Returns the answers; all chance comes from `question.address`."""

    def hint(self, state: Transition, address: Address, readings: int) -> IntArray:
        """Returns the token that each of m people would write next in n texts under way, (n, m), -1 for none.

        The address is that of the token to come, so an annotator who answers about every token shows the same before
        and after.
        """
        raise NotImplementedError
