"""What noise does to learning: facts about policy gradients, fusion and privacy that the components must reproduce.

The learner is a bandit with a softmax policy, whose policy gradient can be written down: with log-probabilities log pi
and mean rewards r, `g = sum_a pi_a r_a (e_a - pi)`, and REINFORCE estimates it by `reward * (e_action - pi)`.
"""

import numpy as np
import pytest

from textgym.noise.affine import Affine
from textgym.noise.asymmetric import Asymmetric
from textgym.noise.clip import Clip
from textgym.noise.composition import Composition
from textgym.noise.gaussian import Gaussian
from textgym.noise.randomised_response import RandomisedResponse
from textgym.random import Address

N = 400_000
ADDRESS = Address.first(N, seed=11)
LOGITS = np.array([0.5, 0.0, -0.7])
POLICY = np.exp(LOGITS) / np.exp(LOGITS).sum()
REWARDS = np.array([0.1, 0.5, 0.95])


def exact_gradient(rewards):
    """g of mean rewards, (A,), by summing over the actions."""
    return (POLICY * rewards) @ (np.eye(3) - POLICY)


def drawn_actions():
    return np.searchsorted(np.cumsum(POLICY), ADDRESS.of("action").uniform()[:, 0])


def deviation(rewards, actions, expected):
    """How far the mean of the REINFORCE estimates is from what is expected, in standard errors, (A,)."""
    estimates = rewards[:, None] * (np.eye(3) - POLICY)[actions]
    return (estimates.mean(axis=0) - expected) / (estimates.std(axis=0) / np.sqrt(N))


def test_noise_of_mean_zero_leaves_the_gradient_unbiased_and_clipping_after_it_does_not():
    actions = drawn_actions()
    noise, clip = Gaussian(sigma=0.5), Clip(0.0, 1.0)
    noisy = noise.apply(REWARDS[actions][:, None], ADDRESS.of("noise"))
    gradient = exact_gradient(REWARDS)
    assert np.abs(deviation(noisy[:, 0], actions, gradient)).max() < 5
    clipped = clip.apply(noisy, ADDRESS.of("clip"))[:, 0]
    assert np.abs(deviation(clipped, actions, gradient)).max() > 10


def test_noise_that_depends_on_the_reward_but_has_mean_zero_leaves_the_gradient_unbiased():
    actions = drawn_actions()
    noisy = Gaussian(sigma=0.1, slope=2.0).apply(REWARDS[actions][:, None], ADDRESS.of("noise"))
    assert np.abs(deviation(noisy[:, 0], actions, exact_gradient(REWARDS))).max() < 5


@pytest.mark.parametrize(("false_positive_rate", "false_negative_rate"), [(0.1, 0.3), (0.6, 0.7)])
def test_class_conditional_noise_scales_the_gradient_by_youdens_j(false_positive_rate, false_negative_rate):
    channel = Asymmetric(false_positive_rate, false_negative_rate)
    right_or_wrong = channel.mean(np.array([0.0, 1.0]))
    noisy_means = (1 - REWARDS) * right_or_wrong[0] + REWARDS * right_or_wrong[1]
    scaled = channel.youden * exact_gradient(REWARDS)
    np.testing.assert_allclose(exact_gradient(noisy_means), scaled, atol=1e-15)
    actions = drawn_actions()
    success = (ADDRESS.of("success").uniform()[:, 0] < REWARDS[actions]).astype(float)
    noisy = channel.apply(success[:, None], ADDRESS.of("noise"))[:, 0]
    assert np.abs(deviation(noisy, actions, scaled)).max() < 5
    assert np.abs(deviation(noisy, actions, exact_gradient(REWARDS))).max() > 10


def test_group_normalised_advantages_make_an_affine_correction_do_nothing():
    channel = Asymmetric(false_positive_rate=0.1, false_negative_rate=0.3)
    surrogate = Affine(scale=1 / channel.youden, offset=-0.1 / channel.youden)
    success = (ADDRESS.of("success").uniform(8)[:1000] < 0.4).astype(float)
    address = ADDRESS.of("noise")[:1000]
    noisy = channel.apply(success, address)

    def advantages(rewards):
        mixed = noisy.std(axis=1) > 0
        centred = rewards[mixed] - rewards[mixed].mean(axis=1, keepdims=True)
        return centred / rewards[mixed].std(axis=1, keepdims=True)

    corrected = surrogate.apply(noisy, address)
    np.testing.assert_allclose(advantages(corrected), advantages(noisy), atol=1e-12)
    assert np.abs(corrected - noisy).max() > 0.1
    reversing = Affine(scale=-1.0, offset=1.0).apply(noisy, address)
    np.testing.assert_allclose(advantages(reversing), -advantages(noisy), atol=1e-12)


def test_inverse_variance_weights_against_equal_ones():
    sources = [Gaussian(sigma) for sigma in (0.1, 0.3, 1.0)]
    truth = np.full((N, 1), 0.5)
    precision = np.array([1 / source.variance(truth[:1])[0, 0] for source in sources])
    readings = np.hstack([source.apply(truth, ADDRESS.of(f"source/{i}")) for i, source in enumerate(sources)])
    for weights, variance in ((precision / precision.sum(), 1 / precision.sum()), (np.ones(3) / 3, 1.1 / 9)):
        squares = (readings @ weights - 0.5) ** 2
        assert squares.mean() == pytest.approx(variance, abs=5 * squares.std() / np.sqrt(N))
    assert round(1 / precision.sum(), 4) == 0.0089
    assert round((1 / precision / 9).sum(), 3) == 0.122


@pytest.mark.parametrize("levels", [[0.0, 1.0], [0.0, 0.25, 0.5, 0.75, 1.0]])
def test_randomised_response_is_corrected_exactly_by_the_inverse_of_its_matrix(levels):
    levels = np.array(levels)
    channel = RandomisedResponse(epsilon=1.0, levels=levels.tolist())
    matrix = channel.confusion(levels)
    surrogate = np.linalg.solve(matrix, levels)
    np.testing.assert_allclose(matrix @ surrogate, levels, atol=1e-12)
    for truth in levels:
        said = channel.apply(np.full((N, 1), truth), ADDRESS.of("privacy"))[:, 0]
        corrected = surrogate[np.searchsorted(levels, said)]
        assert corrected.mean() == pytest.approx(truth, abs=5 * corrected.std() / np.sqrt(N))
        assert abs(said.mean() - truth) > 10 * said.std() / np.sqrt(N) or truth == 0.5


def test_two_private_answers_are_corrected_by_the_product_of_their_matrices():
    levels = np.array([0.0, 1.0])
    chain = Composition([RandomisedResponse(epsilon=1.0), Asymmetric(0.05, 0.2)])
    surrogate = np.linalg.solve(chain.confusion(levels), levels)
    first, second = RandomisedResponse(epsilon=1.0), Asymmetric(0.05, 0.2)
    said = second.apply(first.apply(np.ones((N, 1)), ADDRESS.of("first")), ADDRESS.of("second"))[:, 0]
    corrected = surrogate[said.astype(int)]
    assert corrected.mean() == pytest.approx(1.0, abs=5 * corrected.std() / np.sqrt(N))
