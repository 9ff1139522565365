"""The base of all correction: an estimate of the clean value from noisy readings."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence

from textgym.component import Component
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class Correction(Component, ABC):
    """Maps readings to corrected readings. A new one is one file and one line in `registration.py`.

    A corrector works over the readings of one text or on an annotator's bias, never over successive rewards, which
    would smear credit. With `oracle=True` it is told the channels that made the noise; otherwise it estimates.

    Attributes:
        oracle: whether it is told the channels.
        affine: whether it shifts every reading alike and scales it by one factor above 0, which advantages that are
            normalised within a group undo.
        probe_rate: the share of texts whose true value it is shown after it has corrected them, in [0, 1]: gold
            probes, such as test questions to a crowd.
        least_readings: how many readings of a text it takes for it to do anything.
    """

    affine: bool = False
    probe_rate: float = 0.0
    least_readings: int = 1

    def __init__(self, oracle: bool = False) -> None:
        self.oracle = oracle

    def expect(self, low: float, high: float, outcomes: FloatArray | None) -> None:
        """Is told, once, the range of clean values, and all of them in ascending order where they are few."""

    def know(self, channels: Sequence[Noise]) -> None:
        """Is told, once and after `expect`, the channels that made the noise; only with `oracle=True`."""

    def bind(self, num_rows: int, readings: int = 1, annotators: int = 1) -> None:
        if readings < self.least_readings:
            warnings.warn(
                f"{type(self).__name__} needs {self.least_readings} readings of a text to do anything, and has "
                f"{readings}: ask an annotator for readings={self.least_readings}; a metric, and the sum, have one",
                stacklevel=2,
            )
        super().bind(num_rows, readings, annotators)

    @abstractmethod
    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        """Returns corrected values, (n, m'), from m readings of n texts, (n, m); m' may be smaller than m.

        Args:
            values: (n, m) the readings; NaN where there is none, but at least one of a row is there.
            who: (n, m) the number of the annotator who gave each.
            address: where the rows stand; `address.rows` is where state is kept.
        """

    def learn(self, values: FloatArray, truth: FloatArray, who: IntArray, address: Address) -> None:
        """Is shown the true values, (n,), of the gold probes among the texts that it has just corrected."""
