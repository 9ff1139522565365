"""What the environment does with signals: pools, budgets, guards, missing readings, privacy, adaptive weights."""

import warnings

import gymnasium
import numpy as np
import pytest

import textgym
from textgym.annotators.base import Annotator, Answer
from textgym.annotators.pool import Pool
from textgym.asking import Asking
from textgym.correction.base import Correction
from textgym.fusion.base import Fusion
from textgym.metrics.base import Metric
from textgym.noise.base import Noise
from textgym.random import Address

COPY, DOCSTRING = "textgym/Copy-v0", "textgym/Docstring-v0"
RATING = {"name": "rating", "metric": "exact_match"}


def pool(**arguments):
    return Pool(np.array([0.5, 0.5]), **arguments)


def vector(num_envs=4, env_id=COPY, **arguments):
    env = gymnasium.make_vec(env_id, num_envs=num_envs, vectorization_mode="vector_entry_point", **arguments)
    env.reset(seed=0)
    return env


def texts(env, count, token=2):
    """Yields the info of `count` steps of a vector environment, each of which writes a text of one end token."""
    for _ in range(count):
        yield env.step(np.full(env.num_envs, token))[4]
        env.reset()


def test_the_people_of_a_pool_follow_their_laws():
    many = pool(size=100_000, scale=0.3, bias=0.2, spread=0.1, taste=0.25, reliability=0.8, seed=1)
    np.testing.assert_allclose(np.log(many.scales).std(), 0.3, rtol=0.02)
    np.testing.assert_allclose([many.biases.mean(), many.biases.std()], [0, 0.2], atol=0.004)
    np.testing.assert_allclose((many.spreads**2).mean(), 0.01, rtol=0.05)
    np.testing.assert_allclose(many.reliabilities.mean(), 0.8, atol=0.003)
    np.testing.assert_allclose(many.tastes.sum(axis=1), 1)
    np.testing.assert_allclose(many.tastes.mean(axis=0), 0.5, atol=0.005)
    np.testing.assert_allclose(many.tastes.var(axis=0), 0.25 * 0.25, rtol=0.03)  # taste s (1 - s)


def test_more_people_and_other_rows_leave_the_first_people_as_they_are():
    few, many = pool(size=3, scale=0.3, bias=0.2, seed=5), pool(size=9, scale=0.3, bias=0.2, seed=5)
    np.testing.assert_array_equal(few.scales, many.scales[:3])
    np.testing.assert_array_equal(few.biases, many.biases[:3])
    assert (pool(size=3, bias=0.2, seed=6).biases != few.biases).all()


def test_a_pool_sees_what_its_formula_says():
    people, who = pool(size=2, scale=0.4, bias=0.3, spread=0.2, seed=3), np.tile([1, 0], (50_000, 1))
    seen = people.see(np.full((50_000, 2), 0.6), who, Address.first(50_000))
    expected = (people.scales * 0.6 + people.biases)[[1, 0]]
    np.testing.assert_allclose(seen.mean(axis=0), expected, atol=5 * people.spreads.max() / np.sqrt(50_000))
    np.testing.assert_allclose(seen.std(axis=0), people.spreads[[1, 0]], rtol=0.03)
    assert abs(np.corrcoef(seen.T)[0, 1]) < 0.03


def test_an_unreliable_annotator_has_a_habit():
    people = pool(size=3, reliability=0.5, seed=2)
    seen = people.see(np.full((100_000, 1), 0.25), np.full((100_000, 1), 1), Address.first(100_000))
    assert set(np.unique(seen)) == {0.25, people.habits[1]}
    np.testing.assert_allclose((seen == 0.25).mean(), people.reliabilities[1], atol=5 * 0.5 / np.sqrt(100_000))


def test_readings_come_from_different_people_who_are_asked_equally_often():
    who = pool(size=5).choose(Address.first(20_000), 3)
    assert (np.sort(who, axis=1)[:, 1:] > np.sort(who, axis=1)[:, :-1]).all()
    np.testing.assert_allclose(np.bincount(who[:, 0], minlength=5) / 20_000, 0.2, atol=5 * 0.4 / np.sqrt(20_000))


def test_who_is_who_is_told_and_taste_is_by_person():
    blend = {"name": "blend", "metrics": ["exact_match", {"name": "brevity", "weight": 3.0}]}
    people = {"size": 6, "taste": 0.3, "seed": 4}
    feedback = [{"name": "rating", "metric": blend, "levels": 10_001, "readings": 2, "pool": people}]
    env = vector(32, feedback=feedback, noise=[])
    prompt = env.unwrapped.simulator.input_ids[:, :1]
    env.step(prompt[:, 0])
    info = env.step(np.full(32, 2))[4]  # one letter of five: brevity is exp(1 - 5), the match is not exact
    said = info["annotation"]["rating:blend"]
    shares = env.unwrapped.simulator.feedback.signals[0].pool.tastes
    np.testing.assert_allclose(said["readings"], shares[said["annotator"], 1] * np.exp(-4.0), atol=1e-4)
    np.testing.assert_allclose(info["signals"][:, 0], 0.75 * np.exp(-4.0))


@pytest.mark.parametrize(
    "parts",
    [
        [{"name": "potential", "metric": "brevity"}, {"name": "potential", "metric": "rouge_l"}],
        ["diversity", "rouge_l"],
    ],
)
def test_people_read_a_text_before_it_is_remembered(parts):
    """Those who all but share the metric's taste rate what the metric scores."""
    people = {"size": 2, "taste": 1e-9}
    rating = {"name": "rating", "metric": {"name": "blend", "metrics": parts}, "levels": 100_001, "pool": people}
    env = vector(1, feedback=[rating], noise=[], group_size=2, max_new_tokens=4)
    told = 0
    for token in (3, 4, 5, 2, 2, 3, 5, 4, 2):  # after a text, one step resets
        info = env.step(np.array([token]))[4]
        if info.get("observed_mask", np.zeros(1)).any():
            np.testing.assert_allclose(info["observed_signals"], info["signals"], atol=1e-4)
            told += info["signals"].any()
    assert told


class Shy(Annotator):
    """Says 1 about every other text, and nothing about the rest."""

    def answer(self, question):
        odd = (question.transition.episodes % 2 == 1)[:, None]
        return Answer(np.where(np.repeat(odd, question.readings, axis=1), 1.0, np.nan))


class Silent(Noise):
    """Loses every reading of the first column."""

    def apply(self, values, address):
        return np.where(np.arange(values.shape[1]) == 0, np.nan, values)

    def mean(self, values):
        return values

    def variance(self, values):
        return np.zeros_like(values)


class Shown(Correction):
    """Keeps what it is shown."""

    def __init__(self, probes: float = 0.5):
        super().__init__()
        self.probe_rate, self.log = probes, []

    def apply(self, values, who, address):
        self.log.append(("apply", values.copy(), who.copy()))
        return values

    def learn(self, values, truth, who, address):
        self.log.append(("learn", values.copy(), truth.copy()))


class Watching(Fusion):
    """Keeps what it is shown."""

    log: list = []  # noqa: RUF012

    def weights(self, address):
        return np.where(address.episodes[:, None] % 2 == 0, self.base_weights, 2 * self.base_weights)

    def learn(self, address, observed, given, variance):
        Watching.log.append((observed.copy(), given.copy(), variance.copy()))


@pytest.fixture(autouse=True)
def registered():
    textgym.register_component("annotators", "shy", Shy)
    textgym.register_component("noise", "silent", Silent)
    textgym.register_component("correction", "shown", Shown)
    textgym.register_component("fusion", "watching", Watching)
    Watching.log.clear()


def test_what_is_not_answered_is_not_observed():
    env = vector(3, feedback=[{"name": "shy", "metric": "exact_match"}, "exact_match"], noise=[])
    for number, info in enumerate(texts(env, 4)):
        assert info["observed_mask"][:, 0].tolist() == [number % 2 == 1] * 3
        assert info["observed_mask"][:, 1].all()
        np.testing.assert_array_equal(info["observed_reward"], float(number % 2 == 1))
        said = info["annotation"]["shy:exact_match"]
        assert said["answered"].all() == (number % 2 == 1)
        assert np.isfinite(said["readings"]).all()


def test_noise_does_not_fall_where_nothing_was_said():
    env = vector(3, feedback=[{"name": "shy", "metric": "exact_match"}], noise=[{"name": "gaussian", "sigma": 1.0}])
    for number, info in enumerate(texts(env, 4)):
        assert (info["observed_reward"] != 0).all() == (number % 2 == 1)


def test_lost_readings_leave_the_others_and_a_lost_sum_leaves_nothing():
    noise = [{"name": "gaussian", "sigma": 0.1}, "silent", {"name": "gaussian", "sigma": 0.1}]
    env = vector(500, feedback=[{**RATING, "readings": 3, "noise": noise}], noise=[])
    info = env.step(np.full(500, 2))[4]
    assert info["observed_mask"].all()
    np.testing.assert_allclose(info["observed_signals"].std(), 0.1 * np.sqrt(2 / 2), rtol=0.15)
    env = vector(3, feedback=[RATING, "brevity"], noise=["silent"])
    info = env.step(np.full(3, 2))[4]
    assert not info["observed_mask"].any()
    assert not info["observed_reward"].any()


def test_gold_probes_come_after_the_correction_and_at_their_rate():
    env = vector(4000, feedback=[{**RATING, "readings": 2, "correction": ["shown"]}], noise=[])
    env.step(np.full(4000, 2))
    (first, values, who), (second, _, truth) = env.unwrapped.simulator.feedback.signals[0].channels.correction[0].log
    assert (first, second) == ("apply", "learn")
    assert values.shape == who.shape == (4000, 2)
    assert len(truth) / 4000 == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(4000))


def test_fusion_is_shown_whole_texts_and_changes_between_them():
    feedback = [
        {"name": "token_match", "weight": 1.0},
        {**RATING, "readings": 2, "noise": [{"name": "gaussian", "sigma": 1}]},
    ]
    env = gymnasium.make(COPY, feedback=feedback, fusion="watching", noise=[], length=3)
    for text in range(2):
        env.reset(seed=0 if text == 0 else None)
        for token in env.unwrapped.simulator.input_ids[0, :3].tolist():
            assert env.step(token)[4]["weights"].tolist() == [1.0 + text] * 2
        *_, info = env.step(2)
        observed, given, variance = Watching.log[-1]
        assert len(Watching.log) == text + 1
        np.testing.assert_allclose(observed[0], [1.0, info["observed_signals"][1]])
        assert given.all()
        assert np.isnan(variance[0, 0])
        assert variance[0, 1] > 0
        assert info["clean_reward"] == pytest.approx((1 + text) * (0.25 + 1))


def test_a_text_that_is_broken_off_counts_for_nothing():
    env = gymnasium.make(COPY, feedback=["token_match", RATING], fusion="watching", noise=[])
    env.reset(seed=0)
    env.step(int(env.unwrapped.simulator.input_ids[0, 0]))
    env.reset()
    env.step(2)
    assert Watching.log[0][0].tolist() == [[0.0, 0.0]]


def test_a_budget_is_spent_by_each_row_and_no_further():
    env = vector(5, feedback=[{**RATING, "readings": 2}, "brevity"], noise=[], feedback_budget=7)
    asked = np.array([info["observed_mask"][:, 0] for info in texts(env, 6)])
    assert asked[:3].all()
    assert not asked[3:].any()
    env.reset(seed=1)
    info = env.step(np.full(5, 2))[4]
    assert info["feedback_cost"].tolist() == info["feedback_spent"].tolist() == [2.0] * 5


def test_uniform_asking_asks_at_its_share():
    env = vector(2000, feedback=[RATING], noise=[], feedback_budget={"amount": 1e9, "share": 0.3})
    asked = np.mean([info["observed_mask"].mean() for info in texts(env, 5)])
    assert asked == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / 10_000))


@pytest.mark.parametrize("choice", ["uncertainty", "disagreement"])
def test_choosy_asking_asks_about_what_is_new(choice):
    """Nine texts of ten are alike; the tenth is of another kind, and is asked about far more often."""
    budget = {"amount": 1e9, "share": 0.2, "choice": choice}
    env = vector(
        200, feedback=[{**RATING, "noise": [{"name": "gaussian", "sigma": 0.3}]}], noise=[], feedback_budget=budget
    )
    usual, rare = [], []
    for number in range(150):
        token = 3 + number % 7 if number % 10 == 9 else 10
        env.step(np.full(200, token))
        info = env.step(np.full(200, 2))[4]
        if number >= 50:
            (usual if token == 10 else rare).append(info["observed_mask"].mean())
        env.reset()
    assert np.mean(rare) > 2 * np.mean(usual)
    assert np.average([np.mean(usual), np.mean(rare)], weights=[9, 1]) == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize("choice", ["uncertainty", "disagreement"])
def test_choosy_asking_looks_at_each_text_once_and_learns_from_answers_alone(choice):
    """A metric beside the annotator is always there, and must not pass for an answer."""
    feedback, budget = ["brevity", RATING], {"amount": 10, "share": 1.0, "choice": choice}
    env = vector(3, feedback=feedback, noise=[], feedback_budget=budget)
    asking = env.unwrapped.simulator.feedback.asking
    fresh = asking.get_state()
    for _ in texts(env, 10):
        pass
    learnt = asking.get_state()
    assert asking.state["seen"].tolist() == [10] * 3
    assert (learnt["covariance"] != fresh["covariance"]).any()
    for _ in texts(env, 10):  # nothing is left to ask about these
        pass
    np.testing.assert_array_equal(asking.state["covariance"], learnt["covariance"])


def test_what_the_sum_delays_stays_observed_and_what_it_loses_teaches_nobody():
    env = gymnasium.make(COPY, feedback=["token_match"], noise=[{"name": "delay", "steps": 3}])
    env.reset(seed=0)
    prompt = env.unwrapped.simulator.input_ids[0, :5].tolist()
    seen, clean, masks = 0.0, 0.0, []
    for token in [*prompt, 2]:
        *_, info = env.step(token)
        seen, clean = seen + info["observed_signals"].sum(), clean + info["clean_reward"]
        masks.append(info["observed_mask"].all())
    assert seen == pytest.approx(clean)
    assert info["observed_return"] == pytest.approx(clean)
    assert all(masks)
    lossy = vector(2000, feedback=["exact_match"], fusion="watching", noise=[{"name": "dropout", "seen": 0.1}])
    lossy.step(np.full(2000, 2))
    given = Watching.log[-1][1]
    assert given.mean() == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 2000))


def test_delayed_feedback_is_not_lost_at_tokens_that_nobody_is_asked_about():
    delayed = [{"name": "delay", "steps": 2}]
    feedback = [{"name": "rating", "metric": "token_match", "levels": 7, "noise": delayed}]
    env = vector(500, feedback=feedback, noise=[], feedback_budget={"amount": 1e9, "share": 0.5})
    said, paid = np.zeros(500), np.zeros(500)
    prompts = env.unwrapped.simulator.input_ids.copy()
    for step in range(6):
        info = env.step(prompts[:, step] if step < 5 else np.full(500, 2))[4]
        told = info["annotation"]["rating:token_match"]
        said += told["readings"][:, 0] * told["answered"][:, 0]
        paid += info["observed_signals"][:, 0]
    np.testing.assert_allclose(paid, said)
    assert 0 < said.mean() < 0.75


def test_privacy_that_does_not_reach_over_all_values_is_warned_of():
    private = [{"name": "laplace", "epsilon": 1.0}]
    with pytest.warns(UserWarning, match="at most sensitivity=1, and these lie from 0 to 2"):
        vector(2, feedback=["exact_match", "brevity"], noise=private)
    with pytest.warns(UserWarning, match="at most sensitivity=1, and these lie from 0 to 10"):
        vector(2, feedback=["exact_match"], noise=[{"name": "affine", "scale": 10.0}, *private])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vector(2, feedback=["exact_match", "brevity"], noise=["clip", *private])


def test_privacy_losses_add_up_over_answers_and_texts():
    private = [{"name": "randomised_response", "epsilon": 0.5}]
    env = vector(3, feedback=[{**RATING, "levels": 2, "readings": 2, "noise": private}], noise=[])
    for number, info in enumerate(texts(env, 3)):
        assert info["privacy_loss"].tolist() == [1.0] * 3
        assert info["privacy_spent"].tolist() == [1.0 + number] * 3


def test_the_variance_that_fusion_sees_is_that_of_the_corrected_readings():
    """A surrogate doubles the spread of flips at 25 %, and so quadruples the variance."""
    flip = [{"name": "flip", "rate": 0.25}]
    seen = {}
    for name, correction in (("raw", []), ("corrected", [{"name": "surrogate", "oracle": True}])):
        signal = {**RATING, "levels": 2, "readings": 5, "noise": flip, "correction": correction}
        env = vector(50, feedback=[signal, "exact_match"], fusion="watching", noise=[])
        env.step(np.full(50, 2))
        seen[name] = Watching.log[-1][2][:, 0]
    np.testing.assert_allclose(seen["corrected"], 4 * seen["raw"])


def test_wrong_budgets_pools_and_guards_are_refused():
    cases = [
        ({"feedback_budget": {"amount": 5, "chioce": "uniform"}}, "unknown argument 'chioce' for feedback_budget"),
        ({"feedback_budget": -1}, "feedback_budget: amount must be finite and at least 0, got -1"),
        ({"feedback_budget": {"amount": 1, "choice": "best"}}, "choice must be one of uniform, uncertainty"),
        ({"feedback_budget": {"amount": 1, "share": 0}}, "share must be above 0 and at most 1, got 0"),
        ({"feedback": [{**RATING, "readings": 0}]}, "readings of annotator 'rating' must be a whole number"),
        ({"feedback": [{**RATING, "readings": 3, "pool": {"size": 2}}]}, "has 2 people, who cannot give 3 readings"),
        ({"feedback": [{**RATING, "pool": {"sice": 2}}]}, r"unknown argument 'sice' .*did you mean 'size'"),
        ({"feedback": [{**RATING, "pool": {"taste": 0.2}}]}, "taste needs a metric of several parts"),
        ({"feedback": [{**RATING, "pool": {"reliability": 0}}]}, "reliability must be above 0 and at most 1, got 0"),
        ({"feedback": [{**RATING, "pool": 3}]}, "must be a mapping such as"),
        ({"feedback": ["ranking"]}, "annotator 'ranking' needs the metric it reads"),
        ({"feedback": [{"name": "ranking", "metric": "rouge_l"}]}, "set group_size to 2 or more"),
        (
            {"feedback": [{"name": "ranking", "metric": "rouge_l"}], "group_size": 17},
            "annotator 'ranking' compares at most max_group=16 texts of one prompt, and group_size is 17",
        ),
        ({"guard": {"metric": "exact_match", "threshold": 2}}, "threshold must be above 0.0 and at most 1.0"),
        ({"guard": {"metric": "diversity"}}, "the guard's metric must not remember past texts, got 'diversity'"),
        ({"guard": {"metric": "token_match"}}, "the bounds of a metric of finished texts"),
        ({"guard": {"metric": "brevity", "tpr": 1.5}}, r"guard: tpr must be in \[0, 1\], got 1.5"),
        ({"guard": "safety"}, "guard must be a mapping"),
        ({"feedback": [{"name": "length", "target": np.int64(5)}]}, "arguments of metric 'length' must be plain data"),
        ({"max_new_tokens": 3.5}, "max_new_tokens must be a whole number, got 3.5"),
        ({"context_length": "40"}, "context_length must be a whole number, got '40'"),
        ({"group_size": 1.5}, "group_size must be a whole number, got 1.5"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            gymnasium.make(COPY, disable_env_checker=True, **arguments)


class Unbounded(Metric):
    """Scores every text with a number that it is told."""

    def __init__(self, task, number):
        super().__init__(task)
        self.number = number

    def score(self, transition):
        return np.where(np.arange(len(transition)) == 1, self.number, 0.5)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1.1, -0.1])
def test_a_score_out_of_its_bounds_is_refused_at_once(number):
    textgym.register_component("metrics", "unbounded", Unbounded)
    metric = {"name": "unbounded", "number": number}
    for feedback in ([metric], [{"name": "rating", "metric": metric}]):
        with pytest.raises(ValueError, match=f"metric Unbounded must score from its low, 0.0, .* got {number}"):
            vector(2, feedback=feedback).step(np.full(2, 2))


def test_a_score_may_be_off_by_rounding():
    textgym.register_component("metrics", "unbounded", Unbounded)
    info = vector(2, feedback=[{"name": "unbounded", "number": 1 + 1e-7}], noise=[]).step(np.full(2, 2))[4]
    assert info["signals"][:, 0].tolist() == [0.5, 1 + 1e-7]


def test_numbers_of_numpy_count_as_numbers():
    feedback = [{**RATING, "weight": np.float32(0.5), "readings": np.int64(3)}, {"name": "ter", "weight": np.int64(1)}]
    made = vector(2, feedback=feedback).unwrapped.simulator.feedback
    assert made.fusion.base_weights.tolist() == [0.5, 1]
    assert made.signals[0].readings == 3
    for weight in (True, np.float32("nan"), np.array([1.0])):
        with pytest.raises(ValueError, match="must be a finite number"):
            vector(2, feedback=[{**RATING, "weight": weight}])


class NoDs(Metric):
    """0 as soon as the letter d is written."""

    def score(self, transition):
        return 1.0 - ((transition.text_ids == 6) & transition.text_mask).any(axis=1)


def test_a_guard_ends_an_unsafe_text_at_once():
    textgym.register_component("metrics", "no_ds", NoDs)
    env = vector(3, feedback=["no_ds"], noise=[], guard={"metric": "no_ds"})
    terminated = env.step(np.array([3, 6, 2]))[2]
    assert terminated.tolist() == [False, True, True]
    *_, info = env.step(np.array([2, 3, 3]))
    assert info["finish_reason"].tolist() == ["stop", None, None]
    careless = vector(4000, feedback=["no_ds"], noise=[], guard={"metric": "no_ds", "tpr": 0.7, "fpr": 0.1})
    _, _, wrong, _, _ = careless.step(np.full(4000, 3))
    assert wrong.mean() == pytest.approx(0.1, abs=5 * 0.3 / np.sqrt(4000))
    _, rewards, over, _, info = careless.step(np.where(wrong, 3, 6))
    assert over[~wrong].mean() == pytest.approx(0.7, abs=5 * 0.46 / np.sqrt(3600))
    assert set(info["finish_reason"][over]) == {"unsafe"}
    assert not rewards[over].any()
    _, _, again, _, _ = careless.step(np.full(4000, 3))
    assert not again[~wrong & ~over].any()  # who overlooks a word goes on overlooking it
    blind = vector(4000, feedback=["no_ds"], noise=[], guard={"metric": "no_ds", "tpr": 0.0, "fpr": 0.5})
    assert not blind.step(np.full(4000, 6))[2].any()  # unsafe at once, and not to be flagged by mistake


def test_asking_learns_to_predict():
    """Recursive least squares equals ridge regression in closed form."""
    asking = Asking(amount=1e9, share=0.5, choice="uncertainty")
    asking.bind(1)
    env = gymnasium.make(COPY)
    env.reset(seed=0)
    simulator, features, answers = env.unwrapped.simulator, [], []
    rows = np.zeros(1, np.int64)
    for number in range(20):
        transition = simulator._transition(rows, np.ones(1, np.bool_), np.zeros(1, np.bool_))
        transition = transition.with_texts(np.array([[3 + number % 5, 4 + number % 3]]), np.array([2]))
        features.append(asking._features(transition)[0])
        answers.append(np.sin(number))
        asking.learn(transition, Address.first(1), np.array([np.sin(number)]))
    x, y = np.array(features), np.array(answers)
    ridge = np.linalg.solve(x.T @ x + 0.1 * np.eye(x.shape[1]), x.T @ y)
    np.testing.assert_allclose(asking.state["weights"][0, 0], ridge, atol=1e-10)
