"""The base of all noise: a channel that the feedback passes through, and that declares what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod

from textgym.component import Component
from textgym.random import Address
from textgym.types import FloatArray


class Noise(Component, ABC):
    """A channel from values to noisy values. A new one is one file and one line in `registration.py`."""

    @abstractmethod
    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        """Returns the noisy values, (n, m), of m readings of n texts; all chance comes from `address`."""

    @abstractmethod
    def mean(self, values: FloatArray) -> FloatArray:
        """Returns the expected output for each input, in the input's shape."""

    @abstractmethod
    def variance(self, values: FloatArray) -> FloatArray:
        """Returns the variance of the output for each input, in the input's shape."""

    def confusion(self, levels: FloatArray) -> FloatArray | None:
        """Returns P(output = levels[j] | input = levels[i]), (K, K), or None where the output is not discrete."""
        return None
