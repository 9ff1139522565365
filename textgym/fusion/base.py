"""The base of all fusion: the weights w_i of the sum of signals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from textgym.component import Component
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import BoolArray, FloatArray


class Fusion(Component, ABC):
    """Gives the weights of the signals. They may change between episodes, never inside one.

    Args:
        weights: (k,) the weights that the feedback spec gives the signals.
        names: (k,) the names of the signals, as in `signal_names`.
        oracle: whether it is told the channels of the signals.
    """

    def __init__(self, weights: FloatArray, names: Sequence[str], oracle: bool = False) -> None:
        self.base_weights, self.names, self.oracle = weights, list(names), oracle

    def know(self, channels: Sequence[Sequence[Noise]], readings: Sequence[int]) -> None:
        """Is told, once, each signal's channels and number of readings; only with `oracle=True`."""

    @abstractmethod
    def weights(self, address: Address) -> FloatArray:
        """Returns the weights of each row, (n, k), or the weights of all rows, (k,)."""

    def learn(self, address: Address, observed: FloatArray, given: BoolArray, variance: FloatArray) -> None:
        """Is shown finished texts, for weights that adapt.

        Args:
            address: (n,) where the rows stand; `address.rows` is where state is kept.
            observed: (n, k) the observed signals, those of every token summed over the text.
            given: (n, k) which of them were observed.
            variance: (n, k) the variance of each mean of readings, estimated from how they differ, that of every token
                summed over the text; NaN where there were less than two readings.
        """
