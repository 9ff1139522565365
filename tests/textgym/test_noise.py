"""Every noise channel against its formula, alone, one after the other, and as a preset."""

import json
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

import textgym
from textgym.noise.asymmetric import Asymmetric
from textgym.noise.base import Noise
from textgym.noise.composition import DRAWS, Composition
from textgym.noise.drift import Drift
from textgym.noise.flip import Flip
from textgym.noise.gaussian import Gaussian
from textgym.noise.laplace import Laplace
from textgym.noise.pool import AnnotatorPool
from textgym.noise.presets import PRESETS, SEVERITIES, expand
from textgym.noise.quantise import Quantise
from textgym.noise.randomised_response import RandomisedResponse
from textgym.random import Address
from textgym.registration import build, load_component
from textgym.vocabulary import Vocabulary

N = 100_000
ADDRESS = Address.first(N, seed=3).of("test")
LEVELS = np.linspace(0, 1, 5)

VARIANTS = [
    {"name": "affine", "scale": -2.0, "offset": 0.5},
    {"name": "contamination", "rate": 0.3, "outlier": 2.0},
    {"name": "delay", "rate": 0.3},
    {"name": "dropout", "seen": 0.3, "unbiased": True},
    {"name": "flip", "levels": [0.0, 0.5, 1.0], "matrix": [[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.3, 0.3, 0.4]]},
    {"name": "flip", "rate": 0.5, "levels": LEVELS.tolist()},
    {"name": "gaussian", "sigma": 0.5, "slope": -0.8},
    {"name": "pool", "size": 5, "scale": 0.3, "reliability": 0.6, "low": -1.0, "high": 3.0},
    {"name": "quantise", "levels": 4, "stochastic": True},
    {"name": "quantise", "levels": 5, "stochastic": True, "low": -1.0, "high": 1.0},
    {"name": "randomised_response", "epsilon": 1.0, "levels": LEVELS.tolist()},
    {"name": "skew", "rho": 0.5, "low": -1.0, "high": 2.0},
]
SPECS = [{"name": name, **load_component("noise", name).example} for name in textgym.components("noise")] + VARIANTS


def bound(spec, n=N, readings=1):
    channel = build("noise", spec)
    channel.bind(n, readings)
    return channel


def later(address, episode=0, step=0, *, finished=True):
    """The same rows at another place."""
    n = len(address)
    return replace(
        address, episodes=np.full(n, episode), steps=np.full(n, step), finished=np.full(n, finished, np.bool_)
    )


def assert_moments(draws, mean, variance):
    """Mean and variance of independent draws, within 5 standard errors; exact where nothing is left to chance."""
    assert draws.mean() == pytest.approx(mean, abs=1e-12 + 5 * np.sqrt(variance / len(draws)))
    squares = (draws - mean) ** 2
    assert squares.mean() == pytest.approx(variance, abs=1e-12 + 5 * squares.std() / np.sqrt(len(draws)))


def assert_frequencies(draws, outcomes, probabilities):
    """How often each outcome is drawn, within 5 standard errors."""
    frequencies = np.array([np.isclose(draws, outcome).mean() for outcome in outcomes])
    error = np.sqrt(probabilities * (1 - probabilities) / len(draws))
    assert (np.abs(frequencies - probabilities) <= 1e-12 + 5 * error).all(), (frequencies, probabilities)


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("value", [0.0, 0.3, 0.61, 1.0])
def test_a_channel_has_the_mean_and_variance_that_it_declares(spec, value):
    channel = bound(spec)
    values = np.full((N, 1), value)
    draws = channel.apply(values, ADDRESS)
    assert draws.shape == values.shape
    assert (values == value).all()
    one = np.array([value])
    assert_moments(draws[~np.isnan(draws)], channel.mean(one)[0], channel.variance(one)[0])


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("levels", [LEVELS, LEVELS[::2]], ids=len)
def test_a_channel_has_the_confusion_matrix_that_it_declares(spec, levels):
    channel = bound(spec, 20_000)
    draws = [channel.apply(np.full((20_000, 1), level), ADDRESS[:20_000]) for level in levels]
    draws = [drawn[~np.isnan(drawn)] for drawn in draws]
    matrix = channel.confusion(levels)
    if matrix is None:
        assert not all(np.isclose(drawn[:, None], levels).any(axis=1).all() for drawn in draws)
    else:
        np.testing.assert_allclose(matrix.sum(axis=1), 1)
        for drawn, probabilities in zip(draws, matrix, strict=True):
            assert_frequencies(drawn, levels, probabilities)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"name": "gaussian", "sigma": 1.0}, None),
        ({"name": "quantise", "levels": 4}, None),
        ({"name": "affine", "offset": 0.1}, None),
        ({"name": "quantise", "levels": 3}, np.eye(3)),
        ({"name": "affine", "scale": -1.0, "offset": 1.0}, np.eye(3)[::-1]),
        ({"name": "flip", "rate": 0.2, "levels": [0.0, 0.5, 1.0]}, np.full((3, 3), 0.1) + 0.7 * np.eye(3)),
        ({"name": "asymmetric"}, [[0.9, 0, 0.1], [0.9, 0, 0.1], [0.3, 0, 0.7]]),
        ({"name": "dropout", "seen": 0.5}, np.eye(3)),
    ],
    ids=str,
)
def test_confusion_matrices_worked_out_by_hand(spec, expected):
    matrix = build("noise", spec).confusion(np.array([0.0, 0.5, 1.0]))
    assert (matrix is None) == (expected is None)
    if expected is not None:
        np.testing.assert_allclose(matrix, expected, atol=1e-15)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_channel_that_calls_itself_affine_is(spec):
    channel = build("noise", spec)
    values = np.linspace(-3, 3, 41)
    mean_degree = np.abs(np.diff(channel.mean(values), 2)).max()
    variance_degree = np.abs(np.diff(channel.variance(values), 3)).max()
    assert channel.affine == (max(mean_degree, variance_degree) < 1e-12)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_rows_keep_to_themselves_and_state_is_restored(spec):
    readings = 1 if spec.get("unbiased") else 2
    values = np.linspace(0, 1, 6 * readings).reshape(6, readings)

    def run(channel, episodes, rows=slice(None)):
        here = ADDRESS[:6][rows]
        return np.stack([channel.apply(values[rows], later(here, e, step)) for e in episodes for step in range(2)])

    channel = bound(spec, 6, readings=readings)
    expected = run(channel, [0, 1, 2])
    for rows in (np.array([4, 1]), np.array([], np.int64)):
        np.testing.assert_array_equal(run(bound(spec, 6, readings=readings), [0, 1, 2], rows), expected[:, rows])
    saved, further = channel.get_state(), run(channel, [3, 4])
    other = bound(spec, 6, readings=readings)
    other.set_state(saved)
    np.testing.assert_array_equal(run(other, [3, 4]), further)
    other.reseed(np.arange(6))
    np.testing.assert_array_equal(run(other, [0, 1, 2]), expected)


def test_gaussian_and_laplace_have_the_shape_that_they_claim():
    zeros = np.zeros((N, 1))
    assert stats.kstest(Gaussian(sigma=0.5).apply(zeros, ADDRESS)[:, 0], stats.norm(0, 0.5).cdf).pvalue > 1e-3
    laplace = Laplace(epsilon=2.0, sensitivity=3.0)
    assert stats.kstest(laplace.apply(zeros, ADDRESS)[:, 0], stats.laplace(0, 1.5).cdf).pvalue > 1e-3
    assert laplace.variance(zeros[:1])[0, 0] == 2 * 1.5**2
    assert Gaussian(sigma=0.5, slope=-0.8).variance(np.array([0.5]))[0] == pytest.approx(0.1**2)


@pytest.mark.parametrize("levels", [[0.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_private_labels_keep_their_promise(levels):
    channel = RandomisedResponse(epsilon=1.5, levels=levels)
    matrix, count = channel.confusion(np.array(levels)), len(levels)
    assert (matrix.max(axis=0) / matrix.min(axis=0)).max() == pytest.approx(np.exp(channel.privacy_loss))
    np.testing.assert_allclose(np.diag(matrix), np.exp(1.5) / (np.exp(1.5) + count - 1))
    assert channel.youden == pytest.approx((np.exp(1.5) - 1) / (np.exp(1.5) + count - 1))
    slope = np.diff(channel.mean(np.array(levels))) / np.diff(levels)
    np.testing.assert_allclose(slope, channel.youden)


def test_youden_is_the_slope_of_asymmetric_noise():
    channel = Asymmetric(false_positive_rate=0.2, false_negative_rate=0.35, low=-1.0, high=1.0)
    low, high = channel.mean(np.array([-1.0, 1.0]))
    assert (high - low) / 2 == pytest.approx(channel.youden) == pytest.approx(0.45)
    assert low == pytest.approx(-1 + 2 * 0.2)


@pytest.mark.parametrize(
    ("spec", "values", "expected"),
    [
        ({"name": "affine", "scale": 2.0, "offset": -1.0}, [0.0, 0.75], [-1.0, 0.5]),
        ({"name": "clip", "low": -0.5, "high": 0.5}, [-1.0, 0.2, 1.0], [-0.5, 0.2, 0.5]),
        ({"name": "skew", "rho": 2.0, "low": 1.0, "high": 3.0}, [0.0, 2.0, 3.0, 9.0], [1.0, 1.5, 3.0, 3.0]),
        ({"name": "quantise", "levels": 3}, [-1.0, 0.2, 0.3, 0.8, 2.0], [0.0, 0.0, 0.5, 1.0, 1.0]),
    ],
    ids=str,
)
def test_plain_functions(spec, values, expected):
    channel = build("noise", spec)
    np.testing.assert_allclose(channel.apply(np.array(values)[:, None], ADDRESS[: len(values)])[:, 0], expected)
    np.testing.assert_allclose(channel.mean(np.array(values)), expected)


@pytest.mark.parametrize("levels", range(2, 13))
def test_levels_among_those_that_are_rounded_to_stay(levels):
    for finer in range(1, 8):
        channel = Quantise((levels - 1) * finer + 1, stochastic=True)
        np.testing.assert_allclose(channel.confusion(np.linspace(0, 1, levels)), np.eye(levels), atol=1e-12)


def test_stochastic_rounding_is_unbiased():
    values = np.linspace(-2, 1, 41)
    channel = Quantise(4, low=-2, stochastic=True)
    np.testing.assert_allclose(channel.mean(values), values, atol=1e-12)
    fraction = values % 1
    np.testing.assert_allclose(channel.variance(values), fraction * (1 - fraction), atol=1e-12)


def test_contamination_replaces_a_share_by_outliers_of_either_sign_or_by_the_opposite():
    values, rate = np.array([-0.5, 0.0, 0.8]), 0.3
    outliers = build("noise", {"name": "contamination", "rate": rate, "outlier": 2.0})
    np.testing.assert_allclose(outliers.mean(values), (1 - rate) * values)
    np.testing.assert_allclose(outliers.variance(values), rate * (1 - rate) * values**2 + rate * 2.0**2)
    draws = outliers.apply(np.full((N, 1), 0.8), ADDRESS)[:, 0]
    assert_frequencies(draws, [0.8, 2.0, -2.0], np.array([0.7, 0.15, 0.15]))
    opposite = build("noise", {"name": "contamination", "rate": rate})
    np.testing.assert_allclose(opposite.mean(values), (1 - 2 * rate) * values)
    np.testing.assert_allclose(opposite.variance(values), 4 * rate * (1 - rate) * values**2)


def test_drift_is_a_random_walk_over_texts_that_tokens_share():
    channel = bound({"name": "drift", "tau": 0.1})
    zeros = np.zeros((N, 1))
    walk = []
    for episode in range(4):
        first = channel.apply(zeros, later(ADDRESS, episode, 0, finished=False))
        np.testing.assert_array_equal(channel.apply(zeros, later(ADDRESS, episode, 7)), first)
        if episode == 0:
            np.testing.assert_array_equal(
                bound({"name": "drift", "tau": 0.1}).apply(zeros, later(ADDRESS, 0, 7)), first
            )
        walk.append(first[:, 0])
    for step in np.diff(walk, axis=0, prepend=0):
        assert_moments(step, 0, 0.1**2)
    assert_moments(walk[3], 0, 4 * 0.1**2)
    assert_moments(channel.apply(zeros, later(ADDRESS, 9))[:, 0] - walk[3], 0, 6 * 0.1**2)


def test_drift_does_not_depend_on_which_token_is_judged_first():
    zeros = np.zeros((5, 1))
    early, late = (bound({"name": "drift", "tau": 0.1}, 5).apply(zeros, later(ADDRESS[:5], 0, step)) for step in (0, 7))
    np.testing.assert_array_equal(early, late)


def test_fatigue_grows_with_the_texts_judged_up_to_its_ceiling():
    channel = bound({"name": "fatigue", "sigma": 0.1, "kappa": 0.5, "ceiling": 0.4})
    zeros = np.zeros((N, 1))
    for judged, episode in enumerate([0, 1, 5, 6]):
        for step in range(2):
            draws = channel.apply(zeros, later(ADDRESS, episode, step))
            assert_moments(draws[:, 0], 0, min(0.1 * np.exp(0.5 * judged), 0.4) ** 2)


def test_ar1_is_stationary_and_remembers():
    channel = bound({"name": "ar1", "sigma": 0.5, "phi": -0.8})
    errors = [channel.apply(np.zeros((N, 1)), later(ADDRESS, 0, step))[:, 0] for step in range(4)]
    for lag, error in enumerate(errors):
        assert_moments(error, 0, 0.5**2)
        product = errors[0] * error
        assert product.mean() == pytest.approx(0.5**2 * (-0.8) ** lag, abs=5 * product.std() / np.sqrt(N))


def test_dropout_loses_readings_and_may_make_up_for_it():
    values = np.full((N, 1), 0.4)
    draws = build("noise", {"name": "dropout", "seen": 0.3}).apply(values, ADDRESS)
    assert_moments(np.isnan(draws[:, 0]).astype(float), 0.7, 0.7 * 0.3)
    scaled = build("noise", {"name": "dropout", "seen": 0.3, "unbiased": True}).apply(values, ADDRESS)
    assert_moments(np.nan_to_num(scaled[:, 0]), 0.4, 0.4**2 * 0.7 / 0.3)


def test_dropout_that_makes_up_for_losses_is_for_one_reading_of_a_text():
    unbiased = {"name": "dropout", "seen": 0.3, "unbiased": True}
    with pytest.raises(ValueError, match=r"takes one reading of each text, got 3: .* put it on the sum"):
        bound(unbiased, 5, readings=3)
    signal = {"name": "rating", "metric": "brevity", "readings": 3, "levels": 9}
    with pytest.raises(ValueError, match="takes one reading of each text, got 3"):
        gymnasium.make("textgym/Copy-v0", feedback=[{**signal, "noise": [unbiased]}])
    rows = 20_000
    env = gymnasium.make_vec(
        "textgym/Copy-v0", num_envs=rows, vectorization_mode="vector_entry_point", feedback=[signal], noise=[unbiased]
    )
    env.reset(seed=0)
    for token in env.unwrapped.simulator.input_ids[:, :5].T.copy():
        env.step(token)
    _, rewards, _, _, info = env.step(np.full(rows, Vocabulary.end_id))
    assert (info["signals"] == 1).all()
    assert_moments(rewards, 1.0, 0.7 / 0.3)


def test_a_pool_lets_one_annotator_judge_a_whole_text():
    channel = AnnotatorPool(size=6, bias=0.5, scale=0.0, spread=0.0)
    zeros = np.zeros((N, 2))
    draws = channel.apply(zeros, ADDRESS)
    np.testing.assert_array_equal(channel.apply(zeros, later(ADDRESS, 0, 5)), draws)
    assert len(np.unique(channel.pool.biases)) == 6
    for reading in draws.T:
        assert_frequencies(reading, channel.pool.biases, np.full(6, 1 / 6))
    assert_frequencies(draws[:, 0] == draws[:, 1], [True], np.array([1 / 6]))


def play(channel, rewards, episode=0, *, abandon=False):
    """What arrives at each token, (T, n, m), of rewards (T, n, m)."""
    address, last = ADDRESS[: rewards.shape[1]], len(rewards) - 1
    return np.stack([
        channel.apply(values, later(address, episode, step, finished=step == last and not abandon))
        for step, values in enumerate(rewards)
    ])  # fmt: skip


def test_a_fixed_delay_adds_up_what_arrives_and_pays_the_rest_at_the_end():
    channel = bound({"name": "delay", "steps": 2}, 1)
    nan = np.nan
    rewards = np.array([1.0, nan, 2.0, 4.0, nan, 8.0])[:, None, None]
    np.testing.assert_array_equal(play(channel, rewards).ravel(), [nan, nan, 1.0, nan, 2.0, 4.0 + 8.0])
    np.testing.assert_array_equal(play(channel, rewards[:2], 1).ravel(), [nan, 1.0])
    np.testing.assert_array_equal(play(channel, rewards[:1], 2, abandon=True).ravel(), [nan])
    np.testing.assert_array_equal(play(channel, np.full((3, 1, 1), nan), 3).ravel(), [nan, nan, nan])
    np.testing.assert_array_equal(play(bound({"name": "delay", "steps": 0}, 1), rewards), rewards)


def test_a_geometric_delay_has_its_law():
    rewards = np.full((30, N // 5, 1), np.nan)
    rewards[0] = 1.0
    arrived = play(bound({"name": "delay", "rate": 0.3}, N // 5), rewards)[..., 0]
    assert (np.nansum(arrived, axis=0) == 1).all()
    delays = np.nanargmax(arrived, axis=0)
    assert_frequencies(delays, range(20), 0.3 * 0.7 ** np.arange(20))
    assert_frequencies(delays, [29], np.array([0.7**29]))


def test_no_reading_is_lost_on_a_geometric_delay():
    rewards = np.random.default_rng(0).normal(size=(12, 50, 3))
    rewards[rewards < -0.5] = np.nan
    channel = bound({"name": "delay", "rate": 0.2}, 50, readings=3)
    for episode in range(3):
        arrived = play(channel, rewards, episode)
        np.testing.assert_allclose(np.nansum(arrived, axis=0), np.nansum(rewards, axis=0), atol=1e-12)
        assert np.isnan(arrived[:-1]).any()


def test_a_delayed_sum_pays_later_and_no_less():
    env = gymnasium.make("textgym/Copy-v0", feedback=["token_match"], noise=[{"name": "delay", "steps": 3}])
    observation, _ = env.reset(seed=0)
    prompt = observation["input_ids"][observation["attention_mask"] == 1][:-1]
    steps = [env.step(token) for token in (*prompt, Vocabulary.end_id)]
    clean = [info["clean_reward"] for *_, info in steps]
    paid = [reward for _, reward, *_ in steps]
    assert steps[-1][2]
    assert sum(clean) == pytest.approx(1)
    np.testing.assert_allclose(paid, [0, 0, 0, *clean[: len(clean) - 4], sum(clean[-4:])])


CHAINS = [
    [],
    [{"name": "gaussian", "sigma": 0.2}],
    [{"name": "flip", "rate": 0.2, "levels": LEVELS.tolist()}, {"name": "randomised_response", "epsilon": 1.0}],
    [{"name": "skew", "rho": 2.0}, {"name": "quantise", "levels": 4, "stochastic": True}, {"name": "clip", "low": 0.4}],
    [{"name": "gaussian", "sigma": 0.2}, {"name": "affine", "scale": -2.0}, {"name": "contamination", "rate": 0.2}],
    [{"name": "pool"}, {"name": "gaussian", "sigma": 0.1, "slope": 0.5}, {"name": "laplace", "epsilon": 2.0}],
    [
        {"name": "contamination", "rate": 0.2, "outlier": 1.5},
        {"name": "ar1", "sigma": 0.2},
        {"name": "drift", "tau": 1},
    ],
]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_moments_of_a_chain_that_needs_no_simulation(chain):
    channels = [bound(spec) for spec in chain]
    values = np.array([[0.1, 0.5], [0.9, 0.5]])
    mean, variance = Composition(channels).mean(values), Composition(channels).variance(values)
    assert mean.shape == variance.shape == values.shape
    for place in ((0, 0), (0, 1), (1, 0)):
        draws = np.full((N, 1), values[place])
        for number, channel in enumerate(channels):
            channel.bind(N)
            draws = channel.apply(draws, ADDRESS.of(str(number)))
        assert_moments(draws[:, 0], mean[place], variance[place])


def test_moments_of_a_chain_worked_out_by_hand():
    chain = Composition([Gaussian(sigma=0.2), build("noise", {"name": "affine", "scale": 3.0}), Gaussian(0.4, slope=1)])
    assert chain.mean(np.array([0.5]))[0] == pytest.approx(1.5)
    spread = 3**2 * 0.2**2
    assert chain.variance(np.array([0.5]))[0] == pytest.approx((0.4 + 1.5) ** 2 + spread + spread)


def test_matrices_of_a_chain_multiply():
    flip = Flip(matrix=[[0.9, 0.1], [0.4, 0.6]])
    private = RandomisedResponse(epsilon=np.log(3))
    levels = np.array([0.0, 1.0])
    matrix = Composition([flip, private]).confusion(levels)
    np.testing.assert_allclose(matrix, [[0.7, 0.3], [0.45, 0.55]])
    np.testing.assert_allclose(Composition([flip, private]).mean(levels), matrix @ levels)
    np.testing.assert_allclose(Composition([]).confusion(levels), np.eye(2))
    assert Composition([flip, Gaussian(sigma=0.1)]).confusion(levels) is None
    assert Composition([Gaussian(sigma=0.1), build("noise", "clip")]).confusion(levels) is None


@pytest.mark.parametrize("value", [0.05, 0.5, 0.9])
def test_normal_noise_that_is_clipped_has_the_moments_of_a_censored_normal(value):
    chain = Composition([Gaussian(sigma=0.3), build("noise", "clip")])
    law, cuts = stats.norm(value, 0.3), np.array([0.0, 1.0])
    below, above = law.cdf(0), law.sf(1)
    inside = np.diff(law.cdf(cuts))[0]
    first = value * inside - 0.3**2 * np.diff(law.pdf(cuts))[0]
    second = value * first + 0.3**2 * inside - 0.3**2 * np.diff(cuts * law.pdf(cuts))[0]
    mean, variance = first + above, second + above - (first + above) ** 2
    assert below + inside + above == pytest.approx(1)
    assert chain.mean(np.array([value]))[0] == pytest.approx(mean, abs=5 * np.sqrt(variance / DRAWS))
    largest_deviation = max(mean, 1 - mean) ** 2
    assert chain.variance(np.array([value]))[0] == pytest.approx(
        variance, abs=5 * np.sqrt(variance * largest_deviation / DRAWS)
    )


def test_normal_noise_that_is_rounded_has_the_matrix_of_the_ordinal_model():
    chain = Composition([Gaussian(sigma=0.2), Quantise(levels=5)])
    cuts = np.array([-np.inf, 0.125, 0.375, 0.625, 0.875, np.inf])
    expected = np.diff(ndtr((cuts - LEVELS[:, None]) / 0.2), axis=1)
    error = 5 * np.sqrt(expected * (1 - expected) / DRAWS)
    matrix = chain.confusion(LEVELS)
    assert (np.abs(matrix - expected) <= error).all()
    np.testing.assert_allclose(chain.mean(LEVELS), matrix @ LEVELS, atol=1e-12)


def test_a_chain_leaves_the_state_of_its_channels_alone():
    channel = Drift(tau=0.3)
    channel.bind(4)
    channel.apply(np.zeros((4, 1)), ADDRESS[:4])
    before = channel.get_state()
    chain = Composition([channel, Quantise(levels=3)])
    np.testing.assert_array_equal(chain.mean(LEVELS), chain.mean(LEVELS))
    for name, value in before.items():
        np.testing.assert_array_equal(channel.get_state()[name], value)


class Censored(Noise):
    """Adds a uniform number in (-1/2, 1/2), and loses what is then below 0."""

    def apply(self, values, address):
        noisy = values + address.uniform(values.shape[1]) - 0.5
        return np.where(noisy < 0, np.nan, noisy)

    def mean(self, values):
        return np.clip(values / 2 + 0.25, values, None)

    def variance(self, values):
        return np.minimum(values + 0.5, 1) ** 2 / 12


def test_what_a_chain_loses_does_not_count():
    chain = Composition([Censored(), Quantise(levels=2)])
    left = DRAWS * 0.7
    np.testing.assert_allclose(chain.mean(np.array([0.2])), 2 / 7, atol=5 * np.sqrt(2 / 7 * 5 / 7 / left))
    sparse = build("noise", {"name": "dropout", "seen": 0.01})
    chain = [Gaussian(sigma=0.1), sparse, Quantise(levels=3)]
    np.testing.assert_array_equal(Composition(chain).mean(LEVELS), Composition(chain[::2]).mean(LEVELS))


def test_the_most_private_channel_of_a_chain_bounds_the_loss():
    assert Composition([Gaussian(sigma=0.1)]).privacy_loss is None
    assert Composition([Laplace(epsilon=1.0), Flip(0.1), RandomisedResponse(epsilon=0.5)]).privacy_loss == 0.5


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_plain_data_that_runs(name):
    assert json.loads(json.dumps(PRESETS[name])) == PRESETS[name]
    assert tuple(PRESETS[name]) == SEVERITIES
    for severity in SEVERITIES:
        values = np.full((4, 2), 0.5)
        for spec in expand([f"{name}/{severity}"]):
            values = bound(spec, 4, readings=2).apply(np.nan_to_num(values), ADDRESS[:4])
        assert values.shape == (4, 2)


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"sparse", "delayed"}))
def test_severities_are_in_order(name):
    quality = np.linspace(0, 1, 11)
    errors = []
    for severity in SEVERITIES:
        chain = Composition([build("noise", spec) for spec in expand([f"{name}/{severity}"])])
        errors.append(((chain.mean(quality) - quality) ** 2 + chain.variance(quality)).mean())
    assert errors[0] < errors[1] < errors[2]


def test_presets_expand_where_they_stand():
    sigma = {"name": "gaussian", "sigma": 0.1}
    expanded = expand([sigma, "sparse/medium", "clip"])
    assert expanded == [sigma, {"name": "dropout", "seen": 0.2}, "clip"]
    expanded[1]["seen"] = 0.9
    assert PRESETS["sparse"]["medium"][0]["seen"] == 0.2


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("humane/mild", "unknown noise preset 'humane' .did you mean 'human'..; known: human, crowd"),
        ("human/mid", "needs a severity .did you mean 'mild'..; known: human/mild, human/medium, human/severe"),
        ("human", "noise preset 'human' needs a severity"),
    ],
)
def test_unknown_presets_are_refused(preset, message):
    with pytest.raises(ValueError, match=message):
        expand([preset])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "affine", "scale": np.inf}, "scale and offset must be finite, got scale=inf"),
        ({"name": "ar1", "sigma": 0.1, "phi": 1.0}, "phi must be above -1 and below 1, got 1.0"),
        ({"name": "ar1", "sigma": -1.0}, "sigma must be finite and non-negative, got -1.0"),
        ({"name": "asymmetric", "false_positive_rate": 1.1}, r"false_positive_rate must be in \[0, 1\], got 1.1"),
        ({"name": "asymmetric", "low": 1.0}, "levels must be at least two finite numbers in ascending order"),
        ({"name": "clip", "low": 1.0}, "low must be below high, got low=1.0, high=1.0"),
        ({"name": "contamination", "rate": -0.1}, r"rate must be in \[0, 1\], got -0.1"),
        ({"name": "contamination", "rate": 0.1, "outlier": -1.0}, "outlier must be finite and non-negative"),
        ({"name": "delay"}, "give either steps or rate, got steps=None, rate=None"),
        ({"name": "delay", "steps": -1}, "steps must be at least 0, got -1"),
        ({"name": "delay", "rate": 0.0}, "rate must be at least 0.01 and below 1, got 0.0"),
        ({"name": "drift", "tau": np.nan}, "tau must be finite and non-negative, got nan"),
        ({"name": "dropout", "seen": 0.0}, "seen must be above 0 and at most 1, got 0.0"),
        (
            {"name": "fatigue", "sigma": 2.0},
            "sigma must be above 0 and at most the ceiling, got sigma=2.0",
        ),
        ({"name": "fatigue", "sigma": 0.1, "kappa": -1.0}, "kappa must be finite and non-negative, got -1.0"),
        ({"name": "flip"}, "give either rate or matrix"),
        ({"name": "flip", "rate": 1.5}, r"rate must be in \[0, 1\], got 1.5"),
        ({"name": "flip", "rate": 0.1, "levels": [1.0, 0.0]}, "in ascending order, got .1.0, 0.0."),
        ({"name": "flip", "matrix": [[1.0, 0.0]]}, "matrix must be 2 rows of 2 for 2 levels"),
        ({"name": "flip", "matrix": [[1.0, 0.1], [0.0, 1.0]]}, "probabilities that sum to 1"),
        ({"name": "gaussian", "sigma": -0.1}, "sigma must be finite and non-negative, got -0.1"),
        ({"name": "gaussian", "sigma": 0.1, "slope": np.nan}, "slope must be finite, got nan"),
        ({"name": "laplace", "epsilon": 0.0}, "epsilon must be finite and above 0, got 0.0"),
        ({"name": "laplace", "epsilon": 1.0, "sensitivity": 0.0}, "sensitivity must be finite and above 0, got 0.0"),
        ({"name": "pool", "size": 0}, "size must be at least 1, got 0"),
        ({"name": "pool", "low": 2.0}, "low must be below high"),
        ({"name": "quantise", "levels": 1}, "levels must be at least 2, got 1"),
        ({"name": "quantise", "levels": 3, "low": 1, "high": 0}, "low must be below high"),
        ({"name": "randomised_response", "epsilon": -1.0}, "epsilon must be finite and above 0, got -1.0"),
        ({"name": "skew", "rho": 0.0}, "rho must be finite and above 0, got 0.0"),
        ({"name": "skew", "rho": 1.0, "high": np.inf}, "low must be below high and both finite"),
    ],
    ids=str,
)
def test_wrong_values_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        build("noise", spec)
