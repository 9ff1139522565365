"""The base of all correction: an estimate of the clean value from noisy readings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from textgym.component import Component
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class Correction(Component, ABC):
    """Maps readings to corrected readings. A new one is one file and one line in `registration.py`.

    A corrector works over the readings of one text or on an annotator's bias, never over successive rewards, which
    would smear credit. With `oracle=True` it is told the channels that made the noise; otherwise it estimates.
    """

    def __init__(self, oracle: bool = False) -> None:
        self.oracle = oracle

    def know(self, channels: Sequence[Noise]) -> None:
        """Is told the channels that made the noise; called once, and only with `oracle=True`."""

    @abstractmethod
    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        """Returns corrected values, (n, m'), from m readings of n texts, (n, m); m' may be smaller than m."""
