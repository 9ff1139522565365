"""Simulated raters whose parameters nobody is told: readings of texts of known quality, by kind of noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from textgym.annotators.pool import Pool
from textgym.noise.base import Noise
from textgym.noise.parts.labels import nearest_level
from textgym.random import Address
from textgym.registration import build
from textgym.types import FloatArray, IntArray, Spec

_GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Sizes:
    """How much is simulated.

    Attributes:
        worlds: W, each with parameters of its own.
        texts: T of each world.
        readings: m of each text.
        annotators: how many people give them, m different ones for each text.
    """

    worlds: int = 32
    texts: int = 2000
    readings: int = 3
    annotators: int = 8


@dataclass(frozen=True)
class World:
    """T texts and what is said of them, by parameters that hold in this world alone.

    Attributes:
        truth: (T,) the quality, in [0, 1].
        readings: (T, m) what annotators say of it.
        who: (T, m) the number of the annotator.
        posterior_mean: (T,) the mean of the quality, given the readings and all parameters: the best that can be done.
        levels: (K,) all values of the quality, ascending; None where it is continuous.
        channel: the channel that the readings passed, where there is one.
    """

    truth: FloatArray
    readings: FloatArray
    who: IntArray
    posterior_mean: FloatArray
    levels: FloatArray | None = None
    channel: Noise | None = None


def posterior_mean(log_likelihood: FloatArray, prior: FloatArray, grid: FloatArray) -> FloatArray:
    """Returns the mean quality of each text, (T,), given its readings.

    Args:
        log_likelihood: (T, G) the log probability of a text's readings for each quality, up to a constant.
        prior: (G,) the probability of each quality, up to a factor.
        grid: (G,) the qualities.
    """
    weight = prior * np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    mean: FloatArray = weight @ grid / weight.sum(axis=1)
    return mean


def _labels(
    draw: Callable[[np.random.Generator, FloatArray], Spec], count: int, sizes: Sizes, generator: np.random.Generator
) -> World:
    """Texts of `count` levels, whose readings pass a channel that `draw` draws."""
    levels, shares, truth = _levels(count, sizes, generator)
    channel: Noise = build("noise", draw(generator, levels))
    who = np.tile(np.arange(sizes.readings), (sizes.texts, 1))
    readings = channel.apply(truth[:, None] + 0.0 * who, _place(sizes, generator))
    confusion = channel.confusion(levels)
    assert confusion is not None
    likelihood = confusion.T[nearest_level(readings, levels)]  # (T, m, K)
    best = posterior_mean(np.log(likelihood + 1e-12).sum(axis=1), shares, levels)
    return World(truth, readings, who, best, levels, channel)


def _flip(generator: np.random.Generator, levels: FloatArray) -> Spec:
    return {"name": "flip", "rate": generator.uniform(0.1, 0.5), "levels": levels.tolist()}


def _asymmetric(generator: np.random.Generator, levels: FloatArray) -> Spec:
    false_positive, false_negative = generator.uniform(0.0, 0.4, 2)
    return {"name": "asymmetric", "false_positive_rate": false_positive, "false_negative_rate": false_negative}


def _confusion(generator: np.random.Generator, levels: FloatArray) -> Spec:
    right = generator.uniform(0.4, 0.9, len(levels))[:, None]
    matrix = right * np.eye(len(levels)) + (1 - right) * generator.dirichlet(np.ones(len(levels)), len(levels))
    return {"name": "flip", "matrix": matrix.tolist(), "levels": levels.tolist()}


def _randomised_response(generator: np.random.Generator, levels: FloatArray) -> Spec:
    return {"name": "randomised_response", "epsilon": generator.uniform(1.0, 3.0), "levels": levels.tolist()}


def _spammers(sizes: Sizes, generator: np.random.Generator) -> World:
    """Texts of 5 levels; annotator j tells the level with a probability of their own, else the same habit each time."""
    levels, shares, truth = _levels(5, sizes, generator)
    pool = _pool(sizes, generator, reliability=generator.uniform(0.4, 0.8))
    place = _place(sizes, generator)
    who = pool.choose(place, sizes.readings)
    answers = nearest_level(pool.see(truth[:, None], who, place.of("eyes")), levels)
    looked = pool.reliabilities[who][..., None]
    habit = answers == nearest_level(pool.habits, levels)[who]
    likelihood = looked * (answers[..., None] == np.arange(5)) + (1 - looked) * habit[..., None]  # (T, m, K)
    best = posterior_mean(np.log(likelihood + 1e-12).sum(axis=1), shares, levels)
    return World(truth, levels[answers], who, best, levels)


def _raters(sizes: Sizes, generator: np.random.Generator, *, scale: float, skew: float, drift: float) -> World:
    """Texts of any quality q; annotator j reads `a_j q^rho_j + b_j + s_j xi`, where b_j may walk from text to text.

    Args:
        sizes: how much is simulated.
        generator: where all chance comes from.
        scale: the standard deviation of log a_j.
        skew: the standard deviation of log rho_j.
        drift: the standard deviation of a bias's step from text to text.
    """
    bias, spread = generator.uniform(0.05, 0.3, 2)
    pool = _pool(sizes, generator, scale=scale, bias=bias, spread=spread)
    truth, prior = _quality(sizes, generator)
    place = _place(sizes, generator)
    who = pool.choose(place, sizes.readings)
    power = np.exp(skew * generator.standard_normal(pool.size))[who]
    walk = drift * np.cumsum(generator.standard_normal((sizes.texts, pool.size)), axis=0)
    wandered = np.take_along_axis(walk, who, axis=1)
    readings = pool.see(truth[:, None] ** power, who, place.of("eyes")) + wandered
    expected = pool.scales[who][..., None] * _GRID ** power[..., None] + (pool.biases[who] + wandered)[..., None]
    error = (readings[..., None] - expected) / pool.spreads[who][..., None]  # (T, m, G)
    return World(truth, readings, who, posterior_mean(-0.5 * (error**2).sum(axis=1), prior, _GRID))


def _contamination(sizes: Sizes, generator: np.random.Generator) -> World:
    """Texts of any quality, two more readings of each, with normal noise; now and then one is an outlier of +-M."""
    spread, rate, outlier = generator.uniform((0.05, 0.05, 1.0), (0.3, 0.25, 3.0))
    truth, prior = _quality(sizes, generator)
    place = _place(sizes, generator)
    who = np.tile(np.arange(sizes.readings + 2), (sizes.texts, 1))
    sound = build("noise", {"name": "gaussian", "sigma": spread}).apply(truth[:, None] + 0.0 * who, place)
    readings = build("noise", {"name": "contamination", "rate": rate, "outlier": outlier}).apply(sound, place.of("bad"))
    density = np.exp(-0.5 * ((readings[..., None] - _GRID) / spread) ** 2)  # (T, m, G)
    likelihood = np.where((np.abs(readings) == outlier)[..., None], 1.0, density)
    return World(truth, readings, who, posterior_mean(np.log(likelihood + 1e-300).sum(axis=1), prior, _GRID))


def _levels(count: int, sizes: Sizes, generator: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Returns levels, (K,), their shares drawn at random, (K,), and texts of these levels, (T,)."""
    levels, shares = np.linspace(0.0, 1.0, count), generator.dirichlet(np.full(count, 5.0))
    return levels, shares, generator.choice(levels, sizes.texts, p=shares)


def _quality(sizes: Sizes, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Returns the quality of texts, (T,), by a beta distribution drawn at random, and its density on the grid, (G,)."""
    a, b = generator.uniform(1.5, 4.0, 2)
    return generator.beta(a, b, sizes.texts), _GRID ** (a - 1) * (1 - _GRID) ** (b - 1)


def _pool(sizes: Sizes, generator: np.random.Generator, **arguments: float) -> Pool:
    return Pool(np.ones(1), sizes.annotators, seed=int(generator.integers(2**31)), **arguments)


def _place(sizes: Sizes, generator: np.random.Generator) -> Address:
    return Address.first(sizes.texts, int(generator.integers(2**31)))


KINDS: Mapping[str, Callable[[Sizes, np.random.Generator], World]] = {
    "flip": partial(_labels, _flip, 5),
    "asymmetric": partial(_labels, _asymmetric, 2),
    "confusion": partial(_labels, _confusion, 4),
    "randomised_response": partial(_labels, _randomised_response, 5),
    "spammers": _spammers,
    "biased": partial(_raters, scale=0.2, skew=0.0, drift=0.0),
    "drifting": partial(_raters, scale=0.0, skew=0.0, drift=0.01),
    "skewed": partial(_raters, scale=0.0, skew=0.7, drift=0.0),
    "contamination": _contamination,
}
