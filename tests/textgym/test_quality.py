"""The quality of feedback: worked examples of the literature, and closed forms with simulated annotators."""

import gymnasium
import numpy as np
import pytest

from textgym.dataset.agreement import (
    cohen_kappa,
    consensus_correlation,
    fleiss_kappa,
    krippendorff_alpha,
    reliability,
    spearman_brown,
)
from textgym.dataset.collecting import collect
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.dataset.quality import feedback_quality
from textgym.dataset.records import Reading, Record, SignalFeedback, Source

_ = np.nan
KRIPPENDORFF_2011 = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]).T  # fmt: skip
SHROUT_FLEISS_1979 = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7.0]])
FLEISS_COUNTS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorff_alpha_of_his_example(scale, alpha):
    assert round(krippendorff_alpha(KRIPPENDORFF_2011, scale), 3) == alpha


def test_reliability_of_the_example_of_shrout_and_fleiss():
    single, mean, answers = reliability(SHROUT_FLEISS_1979)
    assert (round(single, 2), round(mean, 2), answers) == (0.17, 0.44, 4.0)
    assert spearman_brown(single, 4) == pytest.approx(mean, abs=1e-12)


def test_kappas_of_worked_examples():
    assert round(fleiss_kappa(np.array([np.repeat(np.arange(5.0), row) for row in FLEISS_COUNTS])), 3) == 0.210
    votes = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [20, 5, 10, 15], axis=0).astype(float)
    assert cohen_kappa(votes) == pytest.approx((0.7 - 0.5) / (1 - 0.5), abs=1e-12)


def alpha_by_definition(answers, scale):
    """Krippendorff's coincidence matrix and metric, written out."""
    values = np.unique(answers[~np.isnan(answers)])
    coincidences = np.zeros((len(values), len(values)))
    for row in answers:
        given = row[~np.isnan(row)]
        for i in range(len(given)):
            for j in range(len(given)):
                if i != j:
                    c, k = np.searchsorted(values, [given[i], given[j]])
                    coincidences[c, k] += 1 / (len(given) - 1)
    n_c = coincidences.sum(axis=1)
    n = n_c.sum()
    c, k = np.indices(coincidences.shape)
    metric = {
        "nominal": (c != k).astype(float),
        "interval": (values[c] - values[k]) ** 2,
        "ordinal": np.array([
            [(n_c[min(a, b) : max(a, b) + 1].sum() - (n_c[a] + n_c[b]) / 2) ** 2 for b in range(len(values))]
            for a in range(len(values))
        ]),
    }[scale]  # fmt: skip
    return 1 - (n - 1) * (coincidences * metric).sum() / (np.outer(n_c, n_c) * metric).sum()


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_krippendorff_alpha_is_its_definition(scale):
    generator = np.random.default_rng(0)
    for _ in range(50):
        answers = generator.integers(1, 6, (12, 4)).astype(float)
        answers[generator.random(answers.shape) < 0.3] = np.nan
        assert krippendorff_alpha(answers, scale) == pytest.approx(alpha_by_definition(answers, scale), abs=1e-12)


def test_reliability_is_the_share_of_variance_between_texts():
    """ICC(1) and interval alpha of q + s xi are var(q) / (var(q) + s^2); error after Fisher 1925, section 38."""
    generator = np.random.default_rng(1)
    texts, k, spread = 25_000, 4, 0.7
    answers = generator.standard_normal((texts, 1)) + spread * generator.standard_normal((texts, k))
    rho = 1 / (1 + spread**2)
    error = (1 - rho) * (1 + (k - 1) * rho) * np.sqrt(2 / (k * (k - 1) * texts))
    single, mean, _ = reliability(answers)
    assert abs(single - rho) < 5 * error
    assert mean == pytest.approx(spearman_brown(single, k), abs=1e-12)
    assert abs(krippendorff_alpha(answers) - rho) < 5 * error

    lost = generator.random(answers.shape) < 0.25
    single, _, k_left = reliability(np.where(lost, np.nan, answers))
    assert abs(single - rho) < 5 * error * np.sqrt(2)  # three quarters of the answers, half of the pairs
    assert 2.9 < k_left < 3.1


def test_kappas_of_annotators_who_are_right_with_known_probability():
    """Two who agree with a fair coin with probability p agree with each other as often as P = p^2 + (1 - p)^2."""
    generator = np.random.default_rng(2)
    texts, p = 50_000, 0.8
    truth = generator.integers(2, size=(texts, 1))
    answers = np.where(generator.random((texts, 2)) < p, truth, 1 - truth).astype(float)
    agree = p**2 + (1 - p) ** 2
    error = np.sqrt(agree * (1 - agree) / texts) / 0.5
    for kappa in (cohen_kappa(answers), fleiss_kappa(answers), krippendorff_alpha(answers, "nominal")):
        assert abs(kappa - (2 * p - 1) ** 2) < 5 * error


def test_consensus_correlation_of_equal_annotators():
    """With q and errors of variance 1, corr(q + e_1, q + (e_2 + e_3) / 2) = 1 / sqrt(2 * 1.5)."""
    generator = np.random.default_rng(3)
    answers = generator.standard_normal((100_000, 1)) + generator.standard_normal((100_000, 3))
    rho = 1 / np.sqrt(3)
    assert np.all(np.abs(consensus_correlation(answers) - rho) < 5 * (1 - rho**2) / np.sqrt(100_000))


def test_too_little_to_tell_is_nan():
    one_each = np.array([[1.0, _], [_, 2.0]])
    same = np.ones((3, 2))
    for measure in (krippendorff_alpha, fleiss_kappa, cohen_kappa):
        assert np.isnan(measure(one_each))
        assert np.isnan(measure(same))
        assert np.isnan(measure(np.empty((0, 0))))
    assert np.isnan(reliability(one_each)[:2]).all()
    assert np.isnan(consensus_correlation(same)).all()
    with pytest.raises(ValueError, match="scale must be one of nominal, ordinal, interval"):
        krippendorff_alpha(same, "ratio")


SOURCE = Source("", "{}", "train", 1, "", "")


def dataset_of(truth, answers, **fields):
    """A data set with one signal, whose observed value is the mean answer; (N,) and (N, A) in [0, 1]."""
    records = []
    for q, row in zip(truth.tolist(), answers.tolist(), strict=True):
        readings = [Reading(who, value, 0, {}) for who, value in enumerate(row)]
        about = {"signal": "rating:gold", "kind": "rating", "timing": "episode", "low": 0.0, "high": 1.0, "cost": 1.0}
        part = SignalFeedback(
            **{**about, **fields}, true_value=q, observed_value=sum(row) / len(row), readings=readings
        )
        records.append(Record("p", "c", [3], "r", 0, 0, 0, "stop", 0.0, 0.0, 0.0, [part], SOURCE))
    return FeedbackDataset(records)


def test_bias_spread_and_signal_to_noise_of_simulated_annotators():
    generator = np.random.default_rng(4)
    texts, biases, spreads = 25_000, np.array([-0.1, 0.0, 0.2, 0.05]), np.array([0.1, 0.2, 0.3, 0.4])
    truth = generator.random(texts)
    answers = truth[:, None] + biases + spreads * generator.standard_normal((texts, 4))
    quality = feedback_quality(dataset_of(truth, answers))["rating:gold"]
    assert np.all(np.abs(quality.bias - biases) < 5 * spreads / np.sqrt(texts))
    assert np.all(np.abs(quality.spread - spreads) < 5 * spreads / np.sqrt(2 * texts))
    ratio = (1 / 12) / ((spreads**2).sum() / 16)
    relative_error = np.sqrt((1.8 - 1) / texts + 2 / texts)  # of the variances of a uniform and a normal variable
    assert abs(quality.signal_to_noise / ratio - 1) < 5 * relative_error
    assert quality.signal_to_noise_of_readings == pytest.approx(1 / (1 / quality.reliability.single - 1), rel=1e-9)
    assert (quality.texts, quality.answers, quality.missing) == (texts, 4 * texts, 0.0)
    assert len(quality.levels) == 0
    assert np.isnan(quality.fleiss)


def test_the_confusion_of_levels_is_estimated():
    generator = np.random.default_rng(5)
    confusion = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]])
    truth = generator.random(30_000)
    true_level = np.floor(3 * truth).astype(int)
    drawn = generator.random((30_000, 2, 1)) > np.cumsum(confusion, axis=1)[true_level][:, None, :2]
    quality = feedback_quality(dataset_of(truth, drawn.sum(axis=2) / 2))["rating:gold"]
    error = np.sqrt(confusion * (1 - confusion) / (2 * np.bincount(true_level))[:, None])
    assert quality.levels.tolist() == [0.0, 0.5, 1.0]
    assert np.all(np.abs(quality.confusion - confusion) <= 5 * error)


def test_a_level_that_nobody_gave_is_still_one_and_its_missing_row_is_nan():
    quality = feedback_quality(dataset_of(np.array([0.1, 0.1, 0.9]), np.array([[0.0], [0.25], [1.0]])))["rating:gold"]
    assert quality.levels.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    np.testing.assert_array_equal(quality.confusion[0], [0.5, 0.5, 0, 0, 0])
    assert np.isnan(quality.confusion[1:4]).all()


def test_the_quality_of_an_environments_feedback_prints():
    feedback = [
        "token_match",
        {"name": "rating", "metric": "rouge_l", "spread": 0.1, "readings": 2, "pool": {"size": 3}},
        {"name": "preference", "metric": "rouge_l", "readings": 2},
    ]
    dataset = collect(gymnasium.make("textgym/Copy-v0", feedback=feedback), lambda o: 3 + o["input_ids"].sum() % 8, 30)
    quality = feedback_quality(dataset)
    assert list(quality.signals) == ["rating:rouge_l", "preference:rouge_l"]
    assert len(quality["rating:rouge_l"].bias) == 3
    printed = str(quality)
    assert "rating:rouge_l: 60 answers about 30 texts, 0.0% missing" in printed
    assert "truth to answer     0  0.25   0.5  0.75     1" in printed
    assert np.isnan(quality["preference:rouge_l"].bias).all()
    assert "nan" not in printed
    assert repr(quality) == printed
    with pytest.raises(ValueError, match="the data set is empty"):
        feedback_quality(FeedbackDataset([]))
    with pytest.raises(ValueError, match="the data set has metrics alone"):
        feedback_quality(collect("textgym/Copy-v0", lambda o: 2, 1))


def test_no_answer_is_said_in_a_line():
    silent = {"name": "preference", "metric": "rouge_l", "skip": 1.0}
    feedback = [silent, {"name": "rating", "metric": "rouge_l"}]
    unasked = collect(gymnasium.make("textgym/Copy-v0", feedback=feedback, feedback_budget=0), lambda o: 2, 3)
    assert str(feedback_quality(unasked)) == "preference:rouge_l: nobody was asked\n\nrating:rouge_l: nobody was asked"
    asked = collect(gymnasium.make("textgym/Copy-v0", feedback=feedback), lambda o: 2, 3)
    assert str(feedback_quality(asked)["preference:rouge_l"]) == "preference:rouge_l: none of 3 answers was given"


def test_truth_and_answers_that_never_differ_have_no_ratio():
    quality = feedback_quality(dataset_of(np.zeros(3), np.zeros((3, 2))))["rating:gold"]
    assert np.isnan(quality.signal_to_noise)
    assert feedback_quality(dataset_of(np.eye(3)[0], np.eye(3)[:, :1]))["rating:gold"].signal_to_noise == np.inf


def test_answers_about_tokens_are_compared_with_the_truth_of_whole_texts_alone():
    """Careful annotators have no bias: a text of which only some tokens were asked about is not held against them."""
    rating = {"name": "rating", "metric": "token_match", "levels": 100, "pool": {"size": 8}}
    env = gymnasium.make("textgym/Copy-v0", feedback=[rating])

    def copying(observation):
        ids = observation["input_ids"].tolist()
        words, written = ids.index(1), int(observation["attention_mask"].sum()) - ids.index(1) - 1
        return ids[written] if written < words else 2

    dataset = collect(env, copying, 20)
    assert [record.clean_return for record in dataset] == pytest.approx([1.0] * 20)
    quality = feedback_quality(dataset)["rating:token_match"]
    assert np.nanmax(np.abs(quality.bias)) < 0.05
    budget = gymnasium.make("textgym/Copy-v0", feedback=[{**rating, "pool": None}], feedback_budget=9)
    part_way = feedback_quality(collect(budget, copying, 3))["rating:token_match"]
    assert (part_way.answers, part_way.texts) == (9, 2)
    assert abs(part_way.bias[0]) < 0.05
