"""The base of all noise: a channel that the feedback passes through, and that declares what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from textgym.component import Component
from textgym.random import Address
from textgym.types import FloatArray


class Noise(Component, ABC):
    """A channel from values to noisy values. A new one is one file and one line in `registration.py`.

    Attributes:
        sees_missing: whether `apply` is also given the places where nothing was said, as NaN, and may fill them;
            other channels never meet NaN. Any channel may return NaN: that reading is lost.
        postpones: whether a reading that does not come out at a token may come out later in the text.
        privacy_loss: the epsilon of local differential privacy that one reading spends; None where the channel
            promises no privacy.
        sensitivity: by how much the values may differ for which that promise holds; None where by any.
        affine: whether the mean is an affine function of the value, and the variance at most a quadratic one, for any
            value; then mean and variance of what comes in are enough to know those of what goes out.
    """

    sees_missing: ClassVar[bool] = False
    postpones: ClassVar[bool] = False
    privacy_loss: float | None = None
    sensitivity: float | None = None
    affine: bool = False

    @abstractmethod
    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        """Returns the noisy values, (n, m), of m readings of n texts; all chance comes from `address`."""

    @abstractmethod
    def mean(self, values: FloatArray) -> FloatArray:
        """Returns the expected output for each input, in the input's shape, over all chance the channel has.

        A lost reading is left out, it does not count as 0. A channel whose state moves declares a row's first text,
        and in its docstring how it goes on.
        """

    @abstractmethod
    def variance(self, values: FloatArray) -> FloatArray:
        """Returns the variance of the output for each input, in the input's shape, likewise."""

    def confusion(self, levels: FloatArray) -> FloatArray | None:
        """Returns P(output = levels[j] | input = levels[i]), (K, K), or None where an output is not one of them."""
        return None
