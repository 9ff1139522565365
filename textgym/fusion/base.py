"""The base of all fusion: the weights w_i of the sum of signals."""

from __future__ import annotations

from abc import ABC, abstractmethod

from textgym.component import Component
from textgym.types import FloatArray, IntArray


class Fusion(Component, ABC):
    """Gives the weights of the signals. They may change between episodes, never inside one.

    Args:
        weights: (k,) the weights that the feedback spec gives the signals.
    """

    def __init__(self, weights: FloatArray) -> None:
        self.base_weights = weights

    @abstractmethod
    def weights(self, rows: IntArray, episodes: IntArray) -> FloatArray:
        """Returns the weights of each row, (n, k), or the weights of all rows, (k,)."""

    def learn(self, rows: IntArray, clean: FloatArray, observed: FloatArray) -> None:
        """Is shown the signals of finished texts, (n, k) and (n, k), for weights that adapt."""
