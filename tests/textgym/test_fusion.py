"""Every fusion against its formula, and laws that hold for all of them."""

from dataclasses import replace

import numpy as np
import pytest

from textgym.random import Address
from textgym.registration import build, components, load_component

pytestmark = pytest.mark.filterwarnings("error")
N = 100_000
NAMES = ["rouge_l", "rating:rouge_l", "safety"]
SPECS = [{"name": name, **load_component("fusion", name).example} for name in components("fusion")]


def make(spec, weights=(1.0, 0.5, 0.25), rows=1, channels=None, readings=(1, 1, 1)):
    fusion = build("fusion", spec, np.array(weights), NAMES[: len(weights)])
    if fusion.oracle:
        fusion.know([[build("noise", channel) for channel in channels_of] for channels_of in channels], readings)
    fusion.bind(rows)
    return fusion


def at(rows, episode=0):
    return replace(Address.first(rows), episodes=np.full(rows, episode))


def told(fusion, signals, given=None, variance=None, episode=0):
    """Shows a fusion one text of each row, (n, k)."""
    signals = np.array(signals, np.float64)
    given = np.ones(signals.shape, np.bool_) if given is None else np.array(given)
    fusion.learn(
        at(len(signals), episode),
        signals,
        given,
        np.full_like(signals, np.nan) if variance is None else np.array(variance),
    )


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_row_does_not_depend_on_the_others(spec):
    generator, fourth = np.random.default_rng(0), np.array([3])
    together, alone = make(spec, rows=7), make(spec, rows=1)
    for text in range(50):
        here = at(7, text)
        own = replace(here[fourth], rows=np.zeros(1, np.int64))
        weights = np.broadcast_to(together.weights(here), (7, 3))
        assert np.isfinite(weights).all()
        np.testing.assert_array_equal(weights[fourth], np.broadcast_to(alone.weights(own), (1, 3)))
        signals, given = generator.random((7, 3)), generator.random((7, 3)) < 0.9
        signals[~given] = 0.0
        variance = 0.01 * generator.random((7, 3)) * [np.nan, 1, np.nan]
        together.learn(here, signals, given, variance)
        alone.learn(own, signals[fourth], given[fourth], variance[fourth])


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_state_is_restored_and_forgotten(spec):
    generator = np.random.default_rng(0)
    one, other, fresh = (make(spec, rows=2) for _ in range(3))
    for text in range(40):
        told(one, generator.random((2, 3)), episode=text)
    other.set_state(one.get_state())
    np.testing.assert_array_equal(other.weights(at(2, 40)), one.weights(at(2, 40)))
    one.reseed(np.array([1]))
    later = [np.broadcast_to(fusion.weights(at(2, 3)), (2, 3)) for fusion in (one, fresh)]
    np.testing.assert_array_equal(later[0][1], later[1][1])


def test_scheduled_moves_from_the_spec_to_the_end():
    fusion = make({"name": "scheduled", "to": {"safety": 2.25}, "episodes": 10})
    address = replace(at(4), episodes=np.array([0, 5, 10, 999]))
    np.testing.assert_allclose(fusion.weights(address), [[1, 0.5, w] for w in (0.25, 1.25, 2.25, 2.25)])
    smooth = make({"name": "scheduled", "to": [0, 0, 0], "episodes": 9, "shape": "cosine"})
    address = replace(at(3), episodes=np.array([0, 3, 9]))
    np.testing.assert_allclose(smooth.weights(address), np.outer([1, 0.75, 0], [1, 0.5, 0.25]), atol=1e-12)
    np.testing.assert_allclose(make({"name": "scheduled", "episodes": 1}).weights(at(1, 1)), np.full((1, 3), 1.75 / 3))


SIGMAS = np.array([0.1, 0.3, 1.0])


def test_declared_variances_give_the_sum_of_least_variance():
    channels = [[{"name": "gaussian", "sigma": sigma}] for sigma in SIGMAS]
    fusion = make({"name": "inverse_variance", "oracle": True}, np.full(3, 1 / 3), channels=channels)
    weights = fusion.weights(at(1)).ravel()
    np.testing.assert_allclose(weights, SIGMAS**-2 / (SIGMAS**-2).sum())
    noise = SIGMAS * np.random.default_rng(0).standard_normal((N, 3))
    for shares, variance in ((weights, 1 / (SIGMAS**-2).sum()), (np.full(3, 1 / 3), (SIGMAS**2).sum() / 9)):
        fused = (noise * shares).sum(axis=1)
        assert fused.var() == pytest.approx(variance, abs=5 * variance * np.sqrt(2 / N))
    assert 1 / (SIGMAS**-2).sum() == pytest.approx(0.0089, abs=5e-5)
    several = make(
        {"name": "inverse_variance", "oracle": True}, np.full(3, 1 / 3), channels=channels, readings=(1, 9, 100)
    )
    np.testing.assert_allclose(several.weights(at(1)), 1 / 3)


def test_weights_of_the_spec_are_a_prior_and_keep_their_total():
    channels = [[{"name": "gaussian", "sigma": sigma}] for sigma in (0.1, 0.2, 0.2)]
    fusion = make({"name": "inverse_variance", "oracle": True}, (2.0, -1.0, 0.0), channels=channels)
    np.testing.assert_allclose(fusion.weights(at(1)), [3 * 8 / 9, -3 / 9, 0])
    floored = make({"name": "inverse_variance", "oracle": True, "floor": 0.04}, channels=channels)
    np.testing.assert_allclose(floored.weights(at(1)), [1, 0.5, 0.25])


def test_differences_of_three_signals_tell_their_variances():
    rows, texts, generator = 2000, 60, np.random.default_rng(0)
    fusion = make("inverse_variance", np.full(3, 1 / 3), rows)
    for text in range(texts):
        if text < 20:
            np.testing.assert_allclose(np.broadcast_to(fusion.weights(at(rows)), (rows, 3)), 1 / 3)
        quality = generator.random((rows, 1))
        told(fusion, quality + SIGMAS * generator.standard_normal((rows, 3)))
        told(fusion, np.full((rows, 3), 99.0), given=np.tile([True, True, False], (rows, 1)))
    estimate = fusion.estimate(at(rows))
    error = estimate.std(axis=0) / np.sqrt(rows)
    assert (np.abs(estimate.mean(axis=0) - SIGMAS**2) < 5 * error).all()
    np.testing.assert_allclose(fusion.weights(at(rows)).sum(axis=1), 1)


def test_readings_that_differ_tell_the_variance_of_their_signal():
    fusion = make("inverse_variance", (1.0, 1.0))
    for text in range(20):
        np.testing.assert_allclose(fusion.weights(at(1)), [[1, 1]])
        told(fusion, [[0.5, 0.5]], variance=[[0.02 + 0.02 * (text % 2), 0.01]])
    np.testing.assert_allclose(fusion.weights(at(1)), [[0.5, 1.5]])
    alone = make("inverse_variance", (1.0, 1.0))
    for _ in range(30):
        told(alone, [[0.5, 0.7]])
    np.testing.assert_allclose(alone.weights(at(1)), [[1, 1]])


def test_hedge_follows_its_recursion():
    fusion = make({"name": "hedge", "eta": 2.0}, (1.0, 1.0, 2.0))
    told(fusion, [[0.0, 0.3, 0.6]])
    loss = np.array([(0 - (0.3 + 1.2) / 3) ** 2, (0.3 - 1.2 / 3) ** 2, (0.6 - 0.3 / 2) ** 2])
    raw = np.array([1, 1, 2]) * np.exp(-2 * loss)
    weights = 4 * raw / raw.sum()
    np.testing.assert_allclose(fusion.weights(at(1)), [weights])
    told(fusion, [[0.5, 9.0, 0.0]], given=[[True, True, False]])
    loss += [1, 1, 0]
    raw = np.array([1, 1, 2]) * np.exp(-2 * loss)
    np.testing.assert_allclose(fusion.weights(at(1)), [4 * raw / raw.sum()])


def test_hedge_leaves_a_signal_that_strays():
    fusion, generator = make("hedge", (1.0, 1.0, 1.0), rows=50), np.random.default_rng(0)
    for _ in range(300):
        told(fusion, generator.random((50, 1)) + [0.1, 0.1, 1.0] * generator.standard_normal((50, 3)))
    weights = fusion.weights(at(50))
    assert (weights[:, 2] < 0.01).all()
    np.testing.assert_allclose(weights.sum(axis=1), 3)


def test_a_signal_without_weight_does_not_take_the_others_with_it():
    """After a million texts in which two signals contradict each other, one without weight has the least loss."""
    fusion = make("hedge", (1.0, 1.0, 0.0))
    fusion.state["loss"][:] = [1e6, 1e6 + 1, 0.2e6]
    np.testing.assert_allclose(fusion.weights(at(1)), [2 * np.array([1, np.exp(-0.1), 0]) / (1 + np.exp(-0.1))])
    np.testing.assert_array_equal(make("hedge", (0.0, 0.0)).weights(at(1)), [[0, 0]])


def test_users_weigh_around_the_spec():
    weights, concentration = np.array([1.0, -0.5, 0.0, 0.25]), 20.0
    spec = {"name": "personalised", "users": N, "concentration": concentration, "seed": 3}
    fusion = build("fusion", spec, weights, ["a", "b", "c", "d"])
    users, shares = fusion.user_weights, np.abs(weights) / 1.75
    np.testing.assert_allclose(np.abs(users).sum(axis=1), 1.75)
    variance = 1.75**2 * shares * (1 - shares) / (concentration + 1)
    error = np.sqrt(variance / N)
    assert (np.abs(users.mean(axis=0) - weights) <= 5 * error).all()
    fourth = ((users - weights) ** 4).mean(axis=0)
    assert (np.abs(users.var(axis=0) - variance) <= 5 * np.sqrt(np.maximum(fourth - variance**2, 0) / N)).all()


def test_each_text_has_a_user_and_all_users_come():
    fusion = make({"name": "personalised", "users": 4}, rows=N)
    users = fusion.user(at(N))
    np.testing.assert_allclose(np.bincount(users) / N, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / N))
    np.testing.assert_array_equal(fusion.user(replace(at(N), steps=np.full(N, 7))), users)
    assert (fusion.user(at(N, 1)) != users).mean() == pytest.approx(0.75, abs=5 * np.sqrt(0.25 * 0.75 / N))
    np.testing.assert_array_equal(fusion.weights(at(N)), fusion.user_weights[users])
    assert (make({"name": "personalised", "seed": 1}).user_weights != make("personalised").user_weights).all()


def test_the_multiplier_follows_dual_ascent():
    fusion = make({"name": "lagrangian", "signal": "rating:rouge_l", "limit": 0.2, "eta": 0.5}, rows=2)
    told(fusion, [[0, 0.4, 0], [0, 1.0, 0]])
    np.testing.assert_allclose(fusion.weights(at(2)), [[1, 0.5 + 0.5 * (0.6 - 0.2), 0.25], [1, 0.5 - 0.1, 0.25]])
    told(fusion, [[0, 0, 0], [0, 0, 0]], given=[[True, False, True]] * 2)
    np.testing.assert_allclose(fusion.weights(at(2))[:, 1], [0.7, 0.4])
    for _ in range(9):
        told(fusion, [[0, 1.0, 0]] * 2)
    np.testing.assert_allclose(fusion.weights(at(2))[:, 1], 0, atol=1e-12)
    last = make({"name": "lagrangian", "eta": 1.0, "limit": 0.0})
    told(last, [[0, 0, 0.25]])
    np.testing.assert_allclose(last.weights(at(1)), [[1, 0.5, 1.0]])


def test_the_multiplier_holds_a_policy_to_its_limit():
    """A policy that is unsafe with probability `sigma((0.4 - lambda) / 0.2)`, as harm pays 0.4 more and lambda less."""
    rows, limit, generator = 400, 0.2, np.random.default_rng(0)
    fusion = make({"name": "lagrangian", "limit": limit, "eta": 0.02}, (1.0, 0.0), rows)
    harms, multipliers = [], []
    for text in range(2000):
        multiplier = fusion.weights(at(rows, text))[:, 1]
        harm = generator.random(rows) < 1 / (1 + np.exp((multiplier - 0.4) / 0.2))
        told(fusion, np.stack([0.4 * harm, 1.0 - harm], axis=1), episode=text)
        harms.append(harm), multipliers.append(multiplier)
    late, least = np.array(harms)[1000:].mean(axis=0), np.min(multipliers[1000:])
    assert least > 0  # so what is learnt adds up: mean cost - limit = change of lambda / (eta texts)
    change = fusion.weights(at(rows))[:, 1] - multipliers[1000]
    np.testing.assert_allclose(late - limit, change / (0.02 * 1000), atol=1e-12)
    slope = limit * (1 - limit) / 0.2  # of the policy, where it stands still
    deviation = np.sqrt(0.02 * limit * (1 - limit) / (2 * slope))  # of a multiplier that steps at random around there
    assert np.abs(late - limit).max() < 5 * np.sqrt(2) * deviation / (0.02 * 1000)
    still = 0.4 + 0.2 * np.log((1 - limit) / limit)
    assert np.mean(multipliers[1000:]) == pytest.approx(still, abs=deviation / 5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "scheduled", "episodes": 0}, "episodes must be at least 1, got 0"),
        ({"name": "scheduled", "shape": "step"}, "shape must be one of linear, cosine, got 'step'"),
        ({"name": "scheduled", "to": {"bleu": 1}}, "to names no signal 'bleu'; known: rouge_l"),
        ({"name": "scheduled", "to": [1, 2]}, "to must be 3 finite weights"),
        ({"name": "inverse_variance", "floor": 0}, "floor must be positive and finite, got 0"),
        ({"name": "hedge", "eta": 0}, "eta must be positive and finite, got 0"),
        ({"name": "personalised", "users": 0}, "users must be at least 1, got 0"),
        ({"name": "personalised", "concentration": 0}, "concentration must be positive and finite, got 0"),
        ({"name": "personalised", "seed": -1}, "seed must be at least 0, got -1"),
        ({"name": "lagrangian", "signal": "x"}, "signal must be one of rouge_l, rating:rouge_l, safety, got 'x'"),
        ({"name": "lagrangian", "limit": 2}, r"limit must be in \[0, 1\], got 2"),
        ({"name": "lagrangian", "eta": -1}, "eta must be positive and finite, got -1"),
    ],
)
def test_wrong_values_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        make(spec)


def test_a_constraint_needs_a_weight_that_rewards():
    with pytest.raises(ValueError, match=r"the weight of 'safety' must be at least 0, got -1\.0"):
        make("lagrangian", (1.0, 1.0, -1.0))
