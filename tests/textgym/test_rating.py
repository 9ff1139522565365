"""Rating, the plainest annotator, against its formula."""

import numpy as np
import pytest
from scipy.special import ndtr

from textgym.annotators.base import Question
from textgym.annotators.rating import Rating
from textgym.metrics.base import Metric
from textgym.random import Address

N = 100_000


class Given(Metric):
    """A metric from 0 to 2 whose scores the test hands in."""

    high = 2.0

    def score(self, transition):
        raise NotImplementedError


def rating(**arguments):
    return Rating(Given(None), **arguments)


def asked(quality, readings=1):
    """Returns the question about texts of some quality, (n,), that each annotator sees as it is."""
    seen = np.repeat(np.asarray(quality, np.float64)[:, None], readings, axis=1)
    return Question(None, seen, np.zeros(seen.shape, np.int64), Address.first(len(seen)), None)


def test_rating_without_spread_cuts_the_scale_into_equal_parts():
    quality = [0.0, 0.39, 0.41, 1.0, 1.59, 1.61, 2.0]
    answer = rating(levels=5).answer(asked(quality))
    assert answer.annotation["level"].ravel().tolist() == [1, 1, 2, 3, 4, 5, 5]
    np.testing.assert_allclose(answer.readings.ravel(), [0, 0, 0.5, 1, 1.5, 2, 2])
    harsh = rating(levels=5, bias=-0.2).answer(asked(quality))
    assert harsh.annotation["level"].ravel().tolist() == [1, 1, 1, 2, 3, 4, 5]


def test_rating_spread_follows_the_ordinal_model():
    answer = rating(levels=5, spread=0.3).answer(asked(np.full(N // 4, 0.9), readings=4))
    assert answer.readings.shape == (N // 4, 4)
    cuts = np.array([0.2, 0.4, 0.6, 0.8])
    expected = np.diff(np.concatenate([[0], ndtr((cuts - 0.45) / 0.3), [1]]))
    observed = np.bincount(answer.annotation["level"].ravel() - 1, minlength=5) / N
    np.testing.assert_allclose(observed, expected, atol=5 * np.sqrt(0.25 / N))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": 1}, "levels must be at least 2, got 1"),
        ({"spread": -1.0}, "spread must be non-negative"),
        ({"bias": np.nan}, "bias finite"),
    ],
)
def test_wrong_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        rating(**arguments)
