"""Composition: what channels in a row do together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import takewhile

import numpy as np

from textgym.noise.base import Noise
from textgym.noise.parts.discrete import DiscreteNoise, confusion_matrix, draw, mean_and_variance
from textgym.random import Address
from textgym.types import FloatArray

DRAWS = 2**14


class Composition:
    """Mean, variance and confusion matrix of channels that a reading passes one after the other.

    By the laws of total expectation and total variance, a channel with mean M and variance V turns a random input x
    into an output of mean `E M(x)` and variance `E V(x) + Var M(x)`. That is exact while x comes from discrete
    channels alone (`DiscreteNoise`), whose outcomes are listed, and again for each channel that is `affine`, to which
    mean and variance of x say it all.

    Where any other channel follows a continuous one, such as rounding after normal noise, x is simulated: M and V of
    the last such channel are averaged over 16,384 draws, always the same. The standard error of a mean is then 1/128
    of the standard deviation of M(x), that of a probability at most 1/256; it takes a millisecond or two a value.

    Args:
        channels: the channels, in the order in which they are passed. Their state is left alone.
    """

    def __init__(self, channels: Sequence[Noise]) -> None:
        self._channels = copy.deepcopy(list(channels))
        self._listed = len(list(takewhile(lambda channel: isinstance(channel, DiscreteNoise), self._channels)))
        bent = [i for i, channel in enumerate(self._channels) if i > self._listed and not channel.affine]
        self._first = bent[-1] if bent else self._listed  # its inputs are listed or simulated, all behind it are affine

    @property
    def privacy_loss(self) -> float | None:
        """The epsilon that one reading spends in all channels; see `least_privacy_loss`."""
        return least_privacy_loss(self._channels)

    def mean(self, values: FloatArray) -> FloatArray:
        """Returns the expected output for each input, in the input's shape."""
        return self._moments(values)[0]

    def variance(self, values: FloatArray) -> FloatArray:
        """Returns the variance of the output for each input, in the input's shape."""
        return self._moments(values)[1]

    def confusion(self, levels: FloatArray) -> FloatArray | None:
        """Returns P(output = levels[j] | input = levels[i]), (K, K), or None where an output is not one of them."""
        matrices = [channel.confusion(levels) for channel in self._channels]
        declared = [matrix for matrix in matrices if matrix is not None]
        if len(declared) == len(matrices):
            return reduce(np.matmul, declared, np.eye(len(levels)))
        if not isinstance(self._channels[-1], DiscreteNoise):
            return None
        return confusion_matrix(*self._outcomes(levels, len(self._channels)), levels)

    def _moments(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Returns mean and variance of the output for each input, in the input's shape."""
        distinct, place = np.unique(values, return_inverse=True)
        blocks = [distinct] if self._first == self._listed else np.split(distinct, len(distinct))
        mean, variance = np.hstack([self._moments_of(block) for block in blocks])
        return mean[place].reshape(values.shape), variance[place].reshape(values.shape)

    def _moments_of(self, values: FloatArray) -> FloatArray:
        """Returns mean and variance, (2, u), of the output for each of some inputs, (u,)."""
        inputs, probabilities = self._outcomes(values, self._first)
        rest = self._channels[self._first :]
        if not rest:
            return np.stack(mean_and_variance(inputs, probabilities))
        mean, variance = mean_and_variance(rest[0].mean(inputs), probabilities)
        variance += (probabilities * rest[0].variance(inputs)).sum(axis=-1)
        for channel in rest[1:]:
            slope, _ = _coefficients(channel.mean)
            _, curvature = _coefficients(channel.variance)
            variance = channel.variance(mean) + (curvature + slope**2) * variance
            mean = channel.mean(mean)
        return np.stack([mean, variance])

    def _outcomes(self, values: FloatArray, stop: int) -> tuple[FloatArray, FloatArray]:
        """Returns what the first `stop` channels make of some inputs, (u,): outcomes and probabilities, (u, A) each."""
        channels = self._channels[:stop]
        continuous = [i for i, channel in enumerate(channels) if not isinstance(channel, DiscreteNoise)]
        simulated = continuous[-1] + 1 if continuous else 0
        outcomes, probabilities = values[:, None], np.ones((len(values), 1))
        if simulated:
            outcomes, probabilities = _simulate(channels[:simulated], values)
        for channel in channels[simulated:]:
            assert isinstance(channel, DiscreteNoise)
            outcomes, chances = channel.outcomes(outcomes)
            probabilities = (probabilities[..., None] * chances).reshape(len(values), -1)
            outcomes, probabilities = _merged(outcomes.reshape(len(values), -1), probabilities)
        return outcomes, probabilities


def least_privacy_loss(channels: Sequence[Noise]) -> float | None:
    """Returns the least of the channels' epsilon: what follows a private channel cannot undo it. None without one."""
    return min((channel.privacy_loss for channel in channels if channel.privacy_loss is not None), default=None)


def _coefficients(function: Callable[[FloatArray], FloatArray]) -> tuple[float, float]:
    """Returns a and b of a function `a x + b x**2 + c`."""
    before, here, after = function(np.array([-1.0, 0.0, 1.0]))
    return (after - before) / 2, (after + before) / 2 - here


def _simulate(channels: Sequence[Noise], values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns draws of what channels make of some inputs, (u,), and their probabilities, (u, DRAWS) each."""
    address = Address.first(DRAWS)
    drawn = np.empty((len(values), DRAWS))
    kept = np.ones((len(values), DRAWS), np.bool_)
    for i, value in enumerate(values):
        draws = np.full((DRAWS, 1), value)
        for number, channel in enumerate(channels):
            here = address.of(f"composition/{number}")
            if isinstance(channel, DiscreteNoise):
                draws = draw(*channel.outcomes(draws), here)
            else:
                channel.bind(DRAWS)
                draws = channel.apply(draws, here)
            kept[i] &= ~np.isnan(draws[:, 0])
            draws = np.where(kept[i][:, None], draws, value)
        drawn[i] = draws[:, 0]
    return drawn, kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)


def _merged(outcomes: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns the same distributions, (u, A) each, with equal outcomes made one."""
    order = np.argsort(outcomes, axis=1)
    outcomes, probabilities = (np.take_along_axis(array, order, axis=1) for array in (outcomes, probabilities))
    place = np.cumsum(np.diff(outcomes, axis=1, prepend=outcomes[:, :1]) > 0, axis=1)
    rows = np.arange(len(outcomes))[:, None]
    total = np.zeros((len(outcomes), place.max() + 1))
    np.add.at(total, (rows, place), probabilities)
    distinct = np.zeros_like(total)
    distinct[rows, place] = outcomes
    return distinct, total
