"""Laplace: noise that keeps a number private."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.noise.base import Noise
from textgym.random import Address
from textgym.types import FloatArray


class Laplace(Noise):
    """Adds noise of density `exp(-|x| / b) / 2b` with `b = sensitivity / epsilon`: the Laplace mechanism.

    Whatever the truth, no report is more than e**epsilon times likelier than under another truth (epsilon local
    differential privacy), if true values differ by at most `sensitivity`. Dwork, McSherry, Nissim and Smith 2006,
    "Calibrating noise to sensitivity in private data analysis".

    Args:
        epsilon: the privacy loss of one reading, finite, above 0; smaller is more private and noisier.
        sensitivity: the width of the interval in which true values lie, finite, above 0.
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"epsilon": 2.0}

    def __init__(self, epsilon: float, sensitivity: float = 1.0) -> None:
        for name, value in (("epsilon", epsilon), ("sensitivity", sensitivity)):
            if not 0 < value < np.inf:
                raise ValueError(f"{name} must be finite and above 0, got {value}")
        self.privacy_loss, self.sensitivity = epsilon, sensitivity
        self.scale = sensitivity / epsilon

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        centred = address.uniform(values.shape[1]) - 0.5
        noise: FloatArray = self.scale * np.copysign(np.log1p(-2 * np.abs(centred)), centred)
        return values + noise

    def mean(self, values: FloatArray) -> FloatArray:
        return values

    def variance(self, values: FloatArray) -> FloatArray:
        return np.full_like(values, 2 * self.scale**2)
