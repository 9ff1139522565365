"""Annotators, noise, correction and fusion, each against its formula."""

import numpy as np
import pytest
from scipy.special import ndtr

from textgym.annotators.rating import Rating
from textgym.correction.none import NoCorrection
from textgym.fusion.fixed import Fixed
from textgym.metrics.base import Metric
from textgym.noise.gaussian import Gaussian
from textgym.noise.quantise import Quantise
from textgym.random import Address

N = 20_000
ADDRESS = Address(np.arange(N, dtype=np.uint64), 7, np.zeros(N, np.int64), np.zeros(N, np.int64))


class Given(Metric):
    """A metric from 0 to 2 whose scores the test hands in."""

    high = 2.0

    def score(self, transition):
        raise NotImplementedError


def rating(**arguments):
    return Rating(Given(None), **arguments)


def test_rating_without_spread_cuts_the_scale_into_equal_parts():
    quality = np.array([0.0, 0.39, 0.41, 1.0, 1.59, 1.61, 2.0])
    few = ADDRESS[np.arange(7)]
    answer = rating(levels=5).answer(quality, None, few)
    assert answer.annotation["level"].ravel().tolist() == [1, 1, 2, 3, 4, 5, 5]
    np.testing.assert_allclose(answer.readings.ravel(), [0, 0, 0.5, 1, 1.5, 2, 2])
    harsh = rating(levels=5, bias=-0.2).answer(quality, None, few)
    assert harsh.annotation["level"].ravel().tolist() == [1, 1, 1, 2, 3, 4, 5]


def test_rating_spread_follows_the_ordinal_model():
    answer = rating(levels=5, spread=0.3, readings=4).answer(np.full(N, 0.9), None, ADDRESS)
    assert answer.readings.shape == (N, 4)
    cuts = np.array([0.2, 0.4, 0.6, 0.8])
    expected = np.diff(np.concatenate([[0], ndtr((cuts - 0.45) / 0.3), [1]]))
    observed = np.bincount(answer.annotation["level"].ravel() - 1, minlength=5) / (4 * N)
    np.testing.assert_allclose(observed, expected, atol=5 * np.sqrt(0.25 / (4 * N)))


@pytest.mark.parametrize(
    "channel",
    [Gaussian(sigma=0.5), Gaussian(sigma=0), Quantise(levels=4), Quantise(levels=4, stochastic=True)],
    ids=["gaussian", "no gaussian", "nearest", "stochastic"],
)
@pytest.mark.parametrize("value", [0.0, 0.3, 0.61, 1.0])
def test_noise_has_the_mean_and_variance_that_it_declares(channel, value):
    values = np.full((N, 2), value)
    noisy = channel.apply(values, ADDRESS)
    mean, variance = channel.mean(values[:1])[0, 0], channel.variance(values[:1])[0, 0]
    assert noisy.shape == values.shape
    assert noisy.mean() == pytest.approx(mean, abs=1e-12 + 5 * np.sqrt(variance / (2 * N)))
    assert noisy.var() == pytest.approx(variance, rel=0.06, abs=1e-12)
    assert (values == value).all()


def test_stochastic_rounding_is_unbiased_and_nearest_is_nearest():
    values = np.linspace(0, 1, 41)[:, None]
    np.testing.assert_allclose(Quantise(levels=4, stochastic=True).mean(values), values, atol=1e-12)
    nearest = Quantise(levels=3).apply(values, ADDRESS[np.arange(41)])
    np.testing.assert_allclose(nearest, np.array([0, 0.5, 1])[np.abs(values - [0, 0.5, 1]).argmin(axis=1)][:, None])


def test_confusion_is_declared_where_the_output_is_discrete():
    levels = np.linspace(0, 1, 5)
    assert Gaussian(sigma=1.0).confusion(levels) is None
    assert Quantise(levels=4).confusion(levels) is None
    np.testing.assert_allclose(Quantise(levels=5).confusion(levels), np.eye(5))
    channel = Quantise(levels=3, stochastic=True)
    matrix = channel.confusion(levels)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    noisy = channel.apply(np.full((N, 1), levels[1]), ADDRESS)
    np.testing.assert_allclose([(noisy == level).mean() for level in levels], matrix[1], atol=0.02)


def test_plain_parts():
    values = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(NoCorrection().apply(values, ADDRESS[np.array([0])]), values)
    np.testing.assert_array_equal(Fixed(np.array([1.0, 0.5])).weights(np.arange(3), np.zeros(3)), [1.0, 0.5])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rating(levels=1), "levels must be at least 2, got 1"),
        (lambda: rating(spread=-1.0), "spread must be non-negative"),
        (lambda: rating(readings=0), "readings must be at least 1, got 0"),
        (lambda: Gaussian(sigma=-0.1), "sigma must be finite and non-negative, got -0.1"),
        (lambda: Gaussian(sigma=np.nan), "sigma must be finite"),
        (lambda: Quantise(levels=1), "levels must be at least 2, got 1"),
        (lambda: Quantise(levels=3, low=1, high=0), "low must be below high"),
    ],
)
def test_wrong_values_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
