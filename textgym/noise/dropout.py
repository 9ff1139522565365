"""Dropout: sparse feedback, of which most readings are lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.component import Arrays
from textgym.noise.parts.discrete import DiscreteNoise
from textgym.random import Address
from textgym.types import FloatArray


class Dropout(DiscreteNoise):
    """Passes each reading with probability p and loses it otherwise: it is then missing, which is not a zero.

    With `unbiased=True` what passes is f / p, so that the reward, to which a lost reading adds nothing, is f on
    average (Horvitz and Thompson 1952, "A generalization of sampling without replacement from a finite universe").
    Learners that do not look at `observed_mask`, such as PPO, need it, as they take a lost reading for a reward of 0.
    It is for one reading of each text, or for the sum: among several, a lost one is left out of their mean.

    Mean, variance and confusion matrix are those of the readings that pass; so a corrector that is told the channels
    takes the division by p off again.

    Args:
        seen: the probability p that a reading passes, above 0 and at most 1.
        unbiased: whether what passes is divided by p.
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"seen": 0.5}

    def __init__(self, seen: float, unbiased: bool = False) -> None:
        if not 0 < seen <= 1:
            raise ValueError(f"seen must be above 0 and at most 1, got {seen}")
        self.seen, self.unbiased = seen, unbiased

    def row_state(self, readings: int, annotators: int) -> Arrays:
        if self.unbiased and readings > 1:
            raise ValueError(
                f"dropout with unbiased=True takes one reading of each text, got {readings}: a lost one would be left "
                "out of their mean, so put it on the sum"
            )
        return {}

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        passed = values / self.seen if self.unbiased else values
        return np.where(address.uniform(values.shape[1]) < self.seen, passed, np.nan)

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return (values / self.seen if self.unbiased else values)[..., None], np.ones(1)
