"""Discrete noise: the base of channels that turn each value into one of a few outcomes."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from textgym.noise.base import Noise
from textgym.noise.parts.labels import nearest_level
from textgym.random import Address
from textgym.types import FloatArray

_ROUNDING = 1e-12  # a value that should be a level may be off by a rounding error, and then goes to its neighbour


class DiscreteNoise(Noise):
    """A channel that says what each value can become, and how likely; all the rest follows from that."""

    @abstractmethod
    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Returns what each value can become, (*shape, K), and with what probability, (*shape, K) or (K,)."""

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        return draw(*self.outcomes(values), address)

    def mean(self, values: FloatArray) -> FloatArray:
        return mean_and_variance(*self.outcomes(values))[0]

    def variance(self, values: FloatArray) -> FloatArray:
        return mean_and_variance(*self.outcomes(values))[1]

    def confusion(self, levels: FloatArray) -> FloatArray | None:
        return confusion_matrix(*self.outcomes(levels), levels)


def draw(outcomes: FloatArray, probabilities: FloatArray, address: Address) -> FloatArray:
    """Returns one of the outcomes, (n, m, K) with probabilities (n, m, K) or (K,), of each reading, (n, m)."""
    if outcomes.shape[-1] == 1:
        return outcomes[..., 0]
    thresholds = np.cumsum(probabilities, axis=-1)[..., :-1]
    chosen = np.count_nonzero(address.uniform(outcomes.shape[1])[..., None] > thresholds, axis=-1)
    return np.take_along_axis(outcomes, chosen[..., None], axis=-1)[..., 0]


def mean_and_variance(outcomes: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns mean and variance, (*shape,) each, of a choice among outcomes, (*shape, K)."""
    mean = (probabilities * outcomes).sum(axis=-1)
    return mean, (probabilities * (outcomes - mean[..., None]) ** 2).sum(axis=-1)


def confusion_matrix(outcomes: FloatArray, probabilities: FloatArray, levels: FloatArray) -> FloatArray | None:
    """Returns P(outcome = levels[j]) in row i for the outcomes (K, A) of level i, or None if one is not a level."""
    nearest = nearest_level(outcomes, levels)
    probabilities = np.broadcast_to(probabilities, outcomes.shape)
    if not np.isclose(outcomes, levels[nearest])[probabilities > _ROUNDING].all():
        return None
    matrix = np.zeros((len(levels), len(levels)))
    np.add.at(matrix, (np.arange(len(levels))[:, None], nearest), probabilities)
    return matrix
