"""Every corrector against its formula, and laws that hold for all of them."""

import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
from scipy.special import ndtr

from textgym.correction.parts.annotator_bias import disagreement
from textgym.correction.parts.answer_model import AnswerModel, mostly_right
from textgym.correction.parts.consensus import Consensus
from textgym.correction.parts.gold_probes import affine_fit
from textgym.correction.parts.isotonic import interpolate, isotonic_fit
from textgym.correction.parts.readings import mean_reading, median_reading
from textgym.correction.parts.z_scores import ZScores
from textgym.correction.surrogate import youden_index
from textgym.noise.composition import DRAWS
from textgym.noise.presets import expand
from textgym.random import Address
from textgym.registration import build, components, load_component

pytestmark = pytest.mark.filterwarnings("error")
NAN = np.nan
LEVELS = np.linspace(0, 1, 5)
N = 100_000
SPECS = [{"name": name, **load_component("correction", name).example} for name in components("correction")] + [
    {"name": "calibrate", "method": "affine", "probes": 0.5},
    {"name": "calibrate", "method": "isotonic", "probes": 0.5},
    {"name": "exponential", "probes": 0.5},
    {"name": "kalman", "probes": 0.5},
]


def make(spec, rows=1, readings=3, annotators=3, low=0.0, high=1.0, outcomes=None, channels=()):
    corrector = build("correction", spec)
    corrector.expect(low, high, outcomes)
    if corrector.oracle:
        corrector.know([build("noise", channel) for channel in channels])
    corrector.bind(rows, readings, annotators)
    return corrector


def at(rows, episode=0):
    return replace(Address.first(rows), episodes=np.full(rows, episode))


def numbered(n, m):
    return np.tile(np.arange(m), (n, 1))


def some_texts(rows, texts, seed=0):
    """Readings of five levels, of which some are missing, by four of six annotators."""
    generator = np.random.default_rng(seed)
    readings = generator.choice(LEVELS, (texts, rows, 4))
    readings[..., 1:][generator.random((texts, rows, 3)) < 0.2] = NAN
    who = np.argsort(generator.random((texts, rows, 6)), axis=2)[..., :4]
    return readings, who, generator.random((texts, rows))


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_row_does_not_depend_on_the_others(spec):
    readings, who, truth = some_texts(rows=7, texts=60)
    together, alone = (make(spec, rows, 4, 6, outcomes=LEVELS) for rows in (7, 1))
    fourth = np.array([3])
    for text in range(60):
        here = at(7, text)
        own = replace(here[fourth], rows=np.zeros(1, np.int64))
        before = readings[text].copy()
        corrected = together.apply(readings[text], who[text], here)
        np.testing.assert_array_equal(readings[text], before)
        assert not np.isnan(corrected).all(axis=1).any()
        assert (np.isnan(corrected) <= np.isnan(before)).all()
        np.testing.assert_array_equal(corrected[fourth], alone.apply(readings[text][fourth], who[text][fourth], own))
        if together.probe_rate and text % 2:
            together.learn(readings[text], truth[text], who[text], here)
            alone.learn(readings[text][fourth], truth[text][fourth], who[text][fourth], own)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_state_is_restored_and_forgotten(spec):
    readings, who, truth = some_texts(rows=2, texts=41)
    one, other, fresh = (make(spec, 2, 4, 6, outcomes=LEVELS) for _ in range(3))
    for text in range(40):
        one.apply(readings[text], who[text], at(2, text))
        one.learn(readings[text], truth[text], who[text], at(2, text))
    other.set_state(one.get_state())
    expected = one.apply(readings[40], who[40], at(2, 40))
    np.testing.assert_array_equal(other.apply(readings[40], who[40], at(2, 40)), expected)
    one.reseed(np.array([1]))
    np.testing.assert_array_equal(
        one.apply(readings[40], who[40], at(2))[1], fresh.apply(readings[40], who[40], at(2))[1]
    )


@pytest.mark.parametrize("spec", [spec for spec in SPECS if "probes" not in spec], ids=str)
def test_one_reading_passes_as_it_is_and_a_warning_says_so(spec):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        corrector = make(spec, rows=4, readings=1, annotators=1, outcomes=LEVELS)
    told = [
        f"needs {corrector.least_readings} readings of a text to do anything, and has 1" in str(w.message)
        for w in caught
    ]
    assert told == [True] * (spec["name"] not in ("none", "calibrate"))
    for text in range(30):
        values = np.random.default_rng(text).choice(LEVELS, (4, 1))
        np.testing.assert_allclose(corrector.apply(values, numbered(4, 1), at(4, text)), values, atol=1e-12)


def test_mean_and_median_leave_missing_readings_out():
    values = np.array([[1.0, NAN, 4.0, 10.0], [NAN, 2.0, NAN, NAN], [0.0, 1.0, 2.0, 9.0]])
    assert mean_reading(values).ravel().tolist() == [5, 2, 3]
    assert median_reading(values).ravel().tolist() == [4, 2, 1.5]
    np.testing.assert_array_equal(make("median").apply(values, numbered(3, 4), at(3)), median_reading(values))


def test_huber_clips_at_k_standard_deviations_from_the_median():
    values = np.array([[0.0, 1.0, 2.0, 3.0, 100.0], [1.0, 1.0, 1.0, -5.0, NAN], [0.0, 1.0, NAN, NAN, NAN]])
    corrected = make({"name": "huber", "k": 2.0}).apply(values, numbered(3, 5), at(3))
    assert corrected.ravel() == pytest.approx([(0 + 1 + 2 + 3 + 2 + 2 * 1.4826) / 5, 1.0, 0.5])


def test_huber_agrees_with_the_spread_of_normal_readings():
    values = np.random.default_rng(0).standard_normal((1, N + 1))
    far = make({"name": "huber", "k": 1.0}).apply(np.hstack([values, [[1e9]]]), numbered(1, N + 2), at(1))
    # the mean is 0 and one outlier counts as one standard deviation; Var of a clipped normal is 0.516
    assert far[0, 0] == pytest.approx(0, abs=5 * np.sqrt(0.516 / N))


def test_pessimism_takes_the_spread_off():
    values = np.array([[1.0, 3.0, NAN], [2.0, 2.0, 2.0]])
    corrected = make({"name": "pessimism", "alpha": -0.5}).apply(values, numbered(2, 3), at(2))
    assert corrected.ravel().tolist() == [1.5, 2.0]


def test_known_surrogates_are_right_on_average():
    matrix = [[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.0, 0.3, 0.7]]
    flip = {"name": "flip", "matrix": matrix, "levels": [0, 0.5, 1]}
    levels = np.array([0, 0.5, 1.0])
    corrector = make({"name": "surrogate", "oracle": True}, N, outcomes=levels, channels=[flip])
    surrogates = corrector.apply(np.tile(levels, (N, 1)), numbered(N, 3), at(N))[0]
    np.testing.assert_allclose(np.array(matrix) @ surrogates, levels, atol=1e-12)
    np.testing.assert_allclose(corrector.confusion(np.zeros(1, int))[0], matrix)
    for level in levels:
        readings = build("noise", flip).apply(np.full((N, 1), level), at(N))
        corrected = corrector.apply(readings, numbered(N, 1), at(N))
        assert corrected.mean() == pytest.approx(level, abs=5 * corrected.std() / np.sqrt(N))
        assert abs(readings.mean() - level) > 20 * readings.std() / np.sqrt(N)


def test_binary_surrogate_is_the_formula():
    channel = {"name": "asymmetric", "false_positive_rate": 0.1, "false_negative_rate": 0.3}
    corrector = make({"name": "surrogate", "oracle": True}, outcomes=np.array([0.0, 1.0]), channels=[channel])
    corrected = corrector.apply(np.array([[0.0, 1.0, NAN]]), numbered(1, 3), at(1))
    np.testing.assert_allclose(corrected, [[(0 - 0.1) / 0.6, (1 - 0.1) / 0.6, NAN]])
    assert youden_index(corrector.confusion(np.zeros(1, int))[0]) == pytest.approx(0.6)


def test_surrogate_of_continuous_values_inverts_the_mean():
    channels = [{"name": "affine", "scale": 0.5, "offset": 0.3}, {"name": "gaussian", "sigma": 0.2}]
    corrector = make({"name": "surrogate", "oracle": True}, N, channels=channels)
    values = np.array([[-1.0, 0.55, 2.0, NAN]])
    np.testing.assert_allclose(corrector.apply(values, numbered(1, 4), at(1)), (values - 0.3) / 0.5)
    noisy = np.full((N, 1), 0.8)
    for number, channel in enumerate(channels):
        noisy = build("noise", channel).apply(noisy, at(N).of(str(number)))
    corrected = corrector.apply(noisy, numbered(N, 1), at(N))
    assert corrected.mean() == pytest.approx(0.8, abs=5 * 0.4 / np.sqrt(N))


def test_surrogate_inverts_a_falling_or_bent_mean():
    falling = make({"name": "surrogate", "oracle": True}, channels=[{"name": "affine", "scale": -2.0, "offset": 1.0}])
    np.testing.assert_allclose(falling.apply(np.array([[1.0, -1.0]]), numbered(1, 2), at(1)), [[0, 1]], atol=1e-12)
    bent = make({"name": "surrogate", "oracle": True}, channels=[{"name": "skew", "rho": 2.0}])
    points = np.linspace(0, 1, 33)[None]
    np.testing.assert_allclose(bent.apply(points**2, numbered(1, 33), at(1)), points, atol=1e-12)


def test_surrogate_speaks_of_channels_that_tell_little():
    spec, binary = {"name": "surrogate", "oracle": True}, np.array([0.0, 1.0])
    with pytest.warns(UserWarning, match=r"no better than chance: Youden's J is -0\.6"):
        make(spec, outcomes=binary, channels=[{"name": "flip", "rate": 0.8}])
    with pytest.warns(UserWarning, match=r"cond\(C\) = 500"):
        make(spec, outcomes=binary, channels=[{"name": "flip", "rate": 0.499}])
    with pytest.raises(ValueError, match="confusion matrix is singular"):
        make(spec, outcomes=binary, channels=[{"name": "flip", "rate": 0.5}])
    with pytest.raises(ValueError, match="it has no inverse"):
        make(spec, channels=[{"name": "affine", "scale": 0.0}])
    with pytest.raises(ValueError, match=r"has no inverse; .* tell the corrector how many, such as levels=5"):
        make(spec, channels=[{"name": "randomised_response", "epsilon": 1.0, "levels": LEVELS.tolist()}])


def bias_of(channels, levels):
    """The mean of what the surrogate that is told the channels makes of each level, less the level, and its error."""
    corrector = make({"name": "surrogate", "oracle": True}, N, 1, 1, outcomes=levels, channels=channels)
    biases = []
    for level in levels:
        readings = np.full((N, 1), level)
        for number, spec in enumerate(channels):
            channel = build("noise", spec)
            channel.bind(N)
            readings = channel.apply(readings, at(N).of(str(number)))
        corrected = corrector.apply(readings, numbered(N, 1), at(N))
        biases.append((corrected.mean() - level, corrected.std() / np.sqrt(N)))
    return np.array(biases).T


def test_surrogate_is_right_where_the_channels_leave_fewer_levels_as_far_as_can_be():
    rounding = {"name": "quantise", "levels": 2, "stochastic": True}  # singular, but nothing is lost on average
    bias, error = bias_of([rounding, {"name": "flip", "rate": 0.2}], LEVELS)
    assert (np.abs(bias) <= 5 * error).all()
    lossy = [{"name": "gaussian", "sigma": 0.3}, {"name": "quantise", "levels": 3}]
    with pytest.warns(UserWarning, match="of 5 levels the channels leave 3 that readings tell apart: .* within 0.02"):
        bias, error = bias_of(lossy, LEVELS)
    ordinal = np.diff(ndtr((np.array([-np.inf, 0.25, 0.75, np.inf]) - LEVELS[:, None]) / 0.3), axis=1)
    least = ordinal @ np.linalg.lstsq(ordinal, LEVELS)[0] - LEVELS  # 0.027 at most
    assert (np.abs(bias - least) <= 5 * error * np.sqrt(1 + N / DRAWS)).all()


@pytest.mark.parametrize("levels", [LEVELS, LEVELS[::2], LEVELS[::4]], ids=len)
@pytest.mark.parametrize(
    "preset", ["human/mild", "crowd/mild", "ai_judge/medium", "adversarial/severe", "private/medium"]
)
def test_surrogate_undoes_presets_whose_output_is_on_other_levels(preset, levels):
    bias, error = bias_of(expand([preset]), levels)
    # the channels' matrix or mean is declared from DRAWS draws where one of them is continuous
    assert (np.abs(bias) <= 5 * error * np.sqrt(1 + N / DRAWS)).all()


def test_a_correction_that_reverses_is_not_one_that_normalised_groups_undo():
    binary, spec = np.array([0.0, 1.0]), {"name": "surrogate", "oracle": True}
    assert make(spec, outcomes=binary, channels=[{"name": "flip", "rate": 0.2}]).affine
    assert make(spec, channels=[{"name": "affine", "scale": 2.0}]).affine
    assert not make(spec, channels=[{"name": "affine", "scale": -2.0}]).affine
    with pytest.warns(UserWarning, match="no better than chance"):
        assert not make(spec, outcomes=binary, channels=[{"name": "flip", "rate": 0.8}]).affine


CONFUSION = np.array([[[0.8, 0.2], [0.4, 0.6]], [[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.1, 0.9]]])
PRIOR = np.array([0.3, 0.7])


def knowing(rows):
    """Returns a model in whose rows three annotators are known as well as 10^9 answers can tell."""
    model = AnswerModel(np.array([0.0, 1.0]))
    model.bind(rows, 3, 3)
    model.state["prior"][:] = PRIOR
    model.state["joint"][:] = CONFUSION * PRIOR[:, None]
    model.state["answers"][:] = model.state["texts"][:] = 1e9
    return model


def test_posterior_is_bayes_rule():
    posterior = knowing(2).read(np.array([[1.0, 0.0, 1.0], [0.0, NAN, 1.0]]), numbered(2, 3), at(2))
    first = PRIOR * [0.2 * 0.9 * 0.4, 0.6 * 0.2 * 0.9]
    second = PRIOR * [0.8 * 0.4, 0.4 * 0.9]
    np.testing.assert_allclose(posterior, [first / first.sum(), second / second.sum()], rtol=1e-7)


def test_the_truth_is_where_learning_stands_still():
    generator = np.random.default_rng(0)
    truth = (generator.random(N) < PRIOR[1]).astype(int)
    answers = (generator.random((N, 3)) < CONFUSION[numbered(N, 3), truth[:, None], 1]).astype(float)
    model = knowing(N)
    model.read(answers, numbered(N, 3), at(N))
    for name, before, seen in (
        ("prior", PRIOR, "texts"),
        ("joint", CONFUSION * PRIOR[:, None], "answers"),
    ):
        step = 3 / (model.state[seen][0].max() + 30)
        moved = (model.state[name] - before) / step
        error = np.maximum(moved.std(axis=0), 1e-6) / np.sqrt(N)
        assert (np.abs(moved.mean(axis=0)) < 5 * error).all()


def answered(confusion, rows, texts, seed=0):
    """Returns true levels, (texts, rows), and an answer to each by annotators with confusion matrices (J, K, K)."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(confusion.shape[1], size=(texts, rows))
    cumulated = np.cumsum(confusion, axis=2)[numbered(rows, len(confusion)), truth[:, :, None]]
    return truth, (generator.random((*truth.shape, len(confusion), 1)) > cumulated).sum(axis=-1)


def test_consensus_stands_still_at_the_truth():
    confusion = np.array([[0.9, 0.1, 0.0], [0.4, 0.5, 0.1], [0.1, 0.4, 0.5]])
    shares = np.array([0.2, 0.3, 0.5])
    consensus = Consensus(3)
    consensus.bind(1)
    consensus.state["triples"][0] = 1e9 * np.einsum("k,ka,kb,kc->abc", shares, confusion, confusion, confusion)
    consensus.state["confusion"][0], consensus.state["shares"][0] = confusion, shares
    consensus.learn(np.array([[0, 2, 1]]), np.ones((1, 3), bool), np.array([0]))
    np.testing.assert_allclose(consensus.confusion(np.array([0]))[0], confusion, atol=1e-6)
    np.testing.assert_allclose(consensus.state["shares"][0], shares, atol=1e-6)


def test_consensus_counts_the_triples_of_a_text_once():
    consensus = Consensus(2)
    consensus.bind(2)
    present = np.array([[True, True, True, True], [False, True, True, False]])
    consensus.learn(np.array([[0, 0, 0, 1], [1, 1, 1, 1]]), present, np.arange(2))
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0], expected[0, 0, 1] = 1 / 4, 3 / 4
    np.testing.assert_allclose(consensus.state["triples"][0], expected)
    assert (consensus.state["triples"][1] == 0).all()


SAID = np.array(list(product(range(2), repeat=3)))  # all answers of three annotators to one text, (8, 3)


def joint(shares, confusion):
    """P(true level, answers), (rows, 8, K), by shares (rows, K) and confusion matrices (rows, 3, K, K)."""
    return shares[:, None] * np.prod(confusion[:, np.arange(3), :, SAID], axis=1).swapaxes(0, 1)


def most_likely(answers, *, alike, steps=1000):
    """Shares and confusion matrices of greatest likelihood: EM, starting from mostly right, on all texts at once.

    Args:
        answers: (T, rows, 3) answers 0 or 1.
        alike: whether the annotators have one confusion matrix.
        steps: by how many steps of EM.
    """
    rows = answers.shape[1]
    counts = (answers @ [4, 2, 1] == np.arange(8)[:, None, None]).sum(axis=1).T[..., None]  # (rows, 8, 1)
    shares, confusion = np.full((rows, 2), 0.5), np.tile(mostly_right(2), (rows, 3, 1, 1))
    for _ in range(steps):
        together = joint(shares, confusion)
        expected = counts * together / together.sum(axis=2, keepdims=True)
        shares = expected.sum(axis=1) / len(answers)
        confusion = np.einsum("rck,cjl->rjkl", expected, np.eye(2)[SAID])
        confusion = np.repeat(confusion.sum(axis=1, keepdims=True), 3, axis=1) if alike else confusion
        confusion /= confusion.sum(axis=3, keepdims=True)
    return shares, confusion


def assert_at_most(errors, others, factor):
    """Asserts that errors, (rows,), are on average at most `factor` times others of the same rows, by 5 deviations."""
    excess = errors - factor * others
    assert excess.mean() <= 5 * excess.std() / np.sqrt(len(excess)), (errors.mean(), others.mean())


def test_surrogate_learns_the_confusion_matrix_as_well_as_maximum_likelihood():
    """A text loses a thousandth of its weight with each that follows: that alone may be lost to an offline fit."""
    levels, rows, texts = np.array([0.0, 1.0]), 200, 800
    confusion = np.array([[0.9, 0.1], [0.35, 0.65]])
    _, answers = answered(np.tile(confusion, (3, 1, 1)), rows, texts)
    corrector = make("surrogate", rows, outcomes=levels)
    for text in range(texts):
        corrector.apply(levels[answers[text]], numbered(rows, 3), at(rows, text))
    learnt, fitted = corrector.confusion(np.arange(rows)), most_likely(answers, alike=True)[1][:, 0]
    weights = (1 - 1 / 1000) ** np.arange(texts)
    factor = texts * (weights**2).sum() / weights.sum() ** 2  # 1.05: texts there are over texts that count
    assert_at_most(*(((estimate - confusion) ** 2).mean(axis=(1, 2)) for estimate in (learnt, fitted)), factor)

    surrogates = corrector.apply(np.tile([0.0, 1.0, 1.0], (rows, 1)), numbered(rows, 3), at(rows, texts))[:, :2]
    exact = np.linalg.solve(fitted, np.tile(levels[:, None], (rows, 1, 1)))[..., 0]
    bias = [((estimate @ confusion.T - levels) ** 2).mean(axis=1) for estimate in (surrogates, exact)]
    assert_at_most(*bias, factor)
    assert bias[0].mean() < ((confusion @ levels - levels) ** 2).mean()


def test_two_readings_cannot_tell_the_confusion_matrix_and_pass():
    values = np.array([[0.0, 1.0], [1.0, NAN]])
    with pytest.warns(
        UserWarning, match="Surrogate needs 3 readings of a text to do anything, and has 2: ask an annotator"
    ):
        corrector = make("surrogate", 2, readings=2, outcomes=np.array([0.0, 1.0]))
    np.testing.assert_array_equal(corrector.apply(values, numbered(2, 2), at(2)), values)


def test_dawid_skene_learns_annotators_apart_nearly_as_well_as_maximum_likelihood():
    """Steps a / n cost a variance of `a^2 / (2 a h - 1)` where one that fits all texts has `1 / h^2`, h in (0, 1] being
    the share of the information that the answers alone hold: with a = 3 at most 9/5 times as much, from h = 1/5 on.
    """
    rows, texts, wrong = 200, 1000, np.array([0.05, 0.2, 0.4])
    confusion = np.array([[[1 - rate, rate], [rate, 1 - rate]] for rate in wrong])
    _, answers = answered(confusion, rows, texts)
    corrector = make("dawid_skene", rows, outcomes=np.array([0.0, 1.0]))
    for text in range(texts):
        corrector.apply(answers[text].astype(float), numbered(rows, 3), at(rows, text))
    model = corrector.inner[0]
    learnt = model.state["prior"], model.confusion(np.arange(rows)[:, None], numbered(rows, 3))
    fitted = most_likely(answers, alike=False)
    assert_at_most(*(((estimate[1] - confusion) ** 2).mean(axis=(1, 2, 3)) for estimate in (learnt, fitted)), 9 / 5)

    together = joint(np.full((1, 2), 0.5), confusion[None])
    chance, best = together.sum(axis=2), together[..., 1] / together.sum(axis=2)
    regret = []  # the squared error of the posterior mean beyond that of who knows all
    for estimate in (learnt, fitted):
        believed = joint(*estimate)
        regret.append((chance * (believed[..., 1] / believed.sum(axis=2) - best) ** 2).sum(axis=1))
    assert_at_most(*regret, 9 / 5)
    of_means = (chance * (SAID.mean(axis=1) - best) ** 2).sum()
    assert regret[0].mean() < of_means


def test_zscore_aligns_means_and_spreads():
    generator = np.random.default_rng(0)
    count = 2000
    readings, who = generator.standard_normal((1, count)), generator.integers(3, size=(1, count))
    readings = np.array([1.0, 2.0, 0.5])[who] * readings + np.array([0.0, 5.0, -1.0])[who]
    scores = ZScores()
    scores.bind(1, count, 3)
    scores.learn(readings, who, np.array([0]))
    counts = np.bincount(who[0])
    means = np.array([readings[who == j].mean() for j in range(3)])
    variances = np.array([readings[who == j].var() for j in range(3)])
    mean, variance = (counts * means).sum() / count, (counts * variances).sum() / count
    own_mean = (counts * means + 10 * mean) / (counts + 10)
    own_variance = (counts * variances + 10 * variance) / (counts + 10)
    expected = mean + np.sqrt(variance / own_variance[who]) * (readings - own_mean[who])
    np.testing.assert_allclose(scores.aligned(readings, who, np.array([0])), expected, rtol=1e-9, atol=1e-9)


def test_isotonic_fit_is_the_least_squares_rising_curve():
    generator = np.random.default_rng(0)
    for _ in range(50):
        x = np.sort(generator.integers(12, size=20) / 4.0)
        y, weights = generator.standard_normal(20), generator.uniform(0.1, 2.0, 20)
        distinct, place = np.unique(x, return_inverse=True)
        total = np.bincount(place, weights)
        pooled = isotonic_regression(np.bincount(place, weights * y) / total, weights=total).x
        np.testing.assert_allclose(isotonic_fit(x, y, weights), pooled[place], atol=1e-12)
        inside = generator.uniform(-1, 4, 20)
        np.testing.assert_allclose(
            interpolate(inside, np.tile(x, (20, 1)), np.tile(pooled[place], (20, 1))),
            np.interp(inside, distinct, pooled),
            atol=1e-12,
        )


def test_affine_fit_is_least_squares():
    generator = np.random.default_rng(0)
    x, y, weights = np.sort(generator.random(30)), generator.random(30), generator.uniform(0.1, 2.0, 30)
    expected = np.polyval(np.polyfit(x, y, 1, w=np.sqrt(weights)), x)
    np.testing.assert_allclose(affine_fit(x, y, weights), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("method", "curve"), [("affine", lambda truth: (truth - 0.2) / 0.4), ("isotonic", lambda truth: truth**3)]
)
def test_gold_probes_replace_the_identity(method, curve):
    corrector = make({"name": "calibrate", "method": method}, annotators=2)
    places = np.linspace(0, 1, 33)[None]
    one, other = np.zeros_like(places, np.int64), np.ones_like(places, np.int64)
    np.testing.assert_allclose(corrector.apply(places, one, at(1)), places, atol=1e-12)
    truth = np.random.default_rng(0).permutation(np.linspace(0, 1, 64))
    for true in truth:
        corrector.learn(np.array([[curve(true)]]), np.array([true]), np.zeros((1, 1), np.int64), at(1))
    np.testing.assert_allclose(corrector.apply(curve(truth)[None], np.zeros((1, 64), int), at(1)), [truth], atol=1e-9)
    np.testing.assert_allclose(corrector.apply(places, other, at(1)), places, atol=1e-12)


def test_disagreement_is_with_other_annotators():
    values, who = np.array([[1.0, 2.0, NAN, 6.0]]), np.array([[0, 1, 2, 1]])
    seen = disagreement(values, who, np.array([[0.5, 1.0, 9.0, 1.0]]), np.array([[0.1, 0.2, 0.3, 0.2]]))
    np.testing.assert_allclose(seen.bias, [[1 - (1 + 5) / 2, 2 - 0.5, NAN, 6 - 0.5]])
    assert seen.others[0, [0, 1, 3]].tolist() == [2, 1, 1]
    np.testing.assert_allclose(seen.doubt[0, [0, 1, 3]], [0.4 / 4, 0.1, 0.1])
    alone = disagreement(values, np.zeros_like(who), np.zeros((1, 4)), np.zeros((1, 4)))
    assert np.isnan(alone.bias).all()


def test_kalman_follows_its_recursion():
    corrector = make({"name": "kalman", "spread": 0.5, "drift": 0.1, "bias": 0.3, "probes": 1.0}, high=2.0)
    bias, variance, generator = 0.0, 0.6**2, np.random.default_rng(0)
    for episode in range(5):
        for _ in range(2):  # two tokens of one text: the bias does not move between them
            reading, truth = generator.random(2)
            corrected = corrector.apply(np.array([[reading]]), np.array([[1]]), at(1, episode))
            variance += 0.2**2 if episode and _ == 0 else 0.0
            assert corrected[0, 0] == pytest.approx(reading - bias)
            corrector.learn(np.array([[reading]]), np.array([truth]), np.array([[1]]), at(1, episode))
            gain = variance / (variance + 1.0**2)
            bias, variance = bias + gain * (reading - truth - bias), (1 - gain) * variance
    assert corrector.state["bias"][0] == pytest.approx([0, bias, 0])
    assert corrector.state["variance"][0, 1] == pytest.approx(variance)


def test_kalman_is_as_certain_as_it_says():
    rows, spread, drift = 20_000, 0.2, 0.05
    corrector = make({"name": "kalman", "spread": spread, "drift": drift, "bias": 0.3, "probes": 1.0}, rows)
    generator, who = np.random.default_rng(0), np.zeros((rows, 1), np.int64)
    bias = 0.3 * generator.standard_normal(rows)
    for episode in range(12):
        bias += drift * generator.standard_normal(rows) if episode else 0.0
        truth = generator.random(rows)
        readings = (truth + bias + spread * generator.standard_normal(rows))[:, None]
        corrector.apply(readings, who, at(rows, episode))
        corrector.learn(readings, truth, who, at(rows, episode))
    error = (corrector.state["bias"][:, 0] - bias) ** 2
    assert error.mean() == pytest.approx(corrector.state["variance"][0, 0], abs=5 * error.std() / np.sqrt(rows))
    steady = (-(drift**2) + np.sqrt(drift**4 + 4 * drift**2 * spread**2)) / 2  # where P = (1 - K) (P + Q) stands still
    for episode in range(12, 200):
        corrector.apply(readings, who, at(rows, episode))
        corrector.learn(readings, truth, who, at(rows, episode))
    assert corrector.state["variance"][0, 0] == pytest.approx(steady, rel=1e-9)


@pytest.mark.parametrize("name", ["kalman", "exponential"])
def test_annotators_are_compared_without_the_truth(name):
    rows, biases = 500, np.array([0.3, -0.1, -0.2])
    corrector, generator = make(name, rows), np.random.default_rng(0)
    errors = []
    for episode in range(120):
        truth = generator.random((rows, 1))
        readings = truth + biases + 0.1 * generator.standard_normal((rows, 3))
        errors.append(corrector.apply(readings, numbered(rows, 3), at(rows, episode)) - truth)
    bias = np.array(errors)[-20:].mean(axis=(0, 1))
    assert np.abs(bias).max() < 0.01 < np.abs(biases).min()


def test_exponential_follows_its_recursion():
    corrector = make({"name": "exponential", "alpha": 0.25, "probes": 1.0}, annotators=2)
    for reading, truth in ((1.0, 0.2), (0.4, 0.6)):
        corrector.learn(np.array([[reading, NAN]]), np.array([truth]), np.array([[1, 0]]), at(1))
    bias = 0.75 * (0.25 * 0.8) + 0.25 * -0.2
    assert corrector.state["bias"][0] == pytest.approx([0, bias])
    assert corrector.apply(np.array([[1.0, 1.0]]), np.array([[0, 1]]), at(1))[0] == pytest.approx([1, 1 - bias])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "huber", "k": 0}, "k must be positive and finite, got 0"),
        ({"name": "pessimism", "alpha": np.inf}, "alpha must be finite, got inf"),
        ({"name": "surrogate", "levels": 1}, "levels must be at least 2, got 1"),
        ({"name": "dawid_skene", "levels": 0}, "levels must be at least 2, got 0"),
        ("dawid_skene", "not in levels: tell the corrector"),
        ("surrogate", "not in levels: tell the corrector"),
        ({"name": "calibrate", "method": "x"}, "method must be one of zscore, affine, isotonic, got 'x'"),
        ({"name": "calibrate", "probes": 0}, "probes must be above 0 and at most 1, got 0"),
        ({"name": "kalman", "spread": 0}, "spread must be positive and finite, got 0"),
        ({"name": "kalman", "drift": -1}, "drift and bias must be finite and non-negative, got drift=-1"),
        ({"name": "kalman", "probes": 2}, r"probes must be in \[0, 1\], got 2"),
        ({"name": "exponential", "alpha": 0}, "alpha must be above 0 and at most 1, got 0"),
        ({"name": "exponential", "probes": -1}, r"probes must be in \[0, 1\], got -1"),
    ],
)
def test_wrong_values_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        make(spec)


def test_dawid_skene_rounds_what_the_channels_put_out():
    corrector = make(
        {"name": "dawid_skene", "levels": 3, "oracle": True}, channels=[{"name": "gaussian", "sigma": 0.3}]
    )
    cuts = np.array([-np.inf, 0.25, 0.75, np.inf])
    expected = np.diff(ndtr((cuts - np.array([[0.0], [0.5], [1.0]])) / 0.3), axis=1)
    error = np.sqrt(expected * (1 - expected) / DRAWS)
    assert (np.abs(corrector.inner[0].known - expected) <= 5 * error).all()
