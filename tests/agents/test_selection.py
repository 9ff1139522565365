"""What of its own texts a learner keeps, worked by hand."""

import numpy as np
import pytest

from agents.losses.selection import best_weights, effective_share, softmax_weights

RETURNS = np.array([[3.0, 1.0, 2.0, 0.0], [5.0, 5.0, 5.0, 5.0], [9.0, 1.0, 4.0, 8.0]])
OBSERVED = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]], bool)


def test_the_best_are_kept_and_equals_share_the_last_places():
    np.testing.assert_allclose(best_weights(RETURNS, OBSERVED, 0.5), [[1, 0, 1, 0], [0.5] * 4, [0, 0, 1, 0]])
    np.testing.assert_allclose(best_weights(RETURNS, OBSERVED, 0.25), [[1, 0, 0, 0], [0.25] * 4, [0, 0, 1, 0]])
    np.testing.assert_allclose(best_weights(RETURNS, OBSERVED, 1.0), OBSERVED)
    right = np.array([[1.0, 0.0, 0.0, 0.0, 1.0]])  # two of three places are taken, and three are alike
    np.testing.assert_allclose(best_weights(right, right >= 0, 0.6), [[1, 1 / 3, 1 / 3, 1 / 3, 1]])
    assert not best_weights(RETURNS, np.zeros_like(OBSERVED), 0.5).any()


def test_a_softmax_in_each_group_with_a_mean_of_one():
    returns = np.log([[1.0, 3.0, 8.0], [2.0, 2.0, 7.0]])
    observed = np.array([[True, True, True], [True, True, False]])
    np.testing.assert_allclose(softmax_weights(returns, observed, 1.0), [[0.25, 0.75, 2.0], [1, 1, 0]])
    np.testing.assert_allclose(
        softmax_weights(returns + 1e4, observed, 0.5), [[3 / 74, 27 / 74, 192 / 74], [1, 1, 0]], rtol=1e-6
    )
    assert not softmax_weights(returns, np.zeros_like(observed), 1.0).any()


def test_the_effective_share():
    assert effective_share(np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(0.5)
    assert effective_share(np.array([3.0, 1.0])) == pytest.approx(16 / 20)
    assert effective_share(np.zeros(3)) == 0
