"""Annotators that compare, and the rating: each against its formula, over 100,000 draws."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, ndtr

from textgym.annotators.base import Question
from textgym.annotators.judge import Judge
from textgym.annotators.parts.opponents import make_opponent
from textgym.annotators.preference import TEACHERS, Preference
from textgym.annotators.ranking import Ranking
from textgym.annotators.rating import Rating
from textgym.annotators.self_feedback import SelfFeedback
from textgym.metrics.base import Metric
from textgym.random import Address
from textgym.tasks.base import PromptSet
from textgym.tasks.copy import Copy
from textgym.transition import Transition

N = 100_000
TASK = Copy(length=5, letters=8)


class Loss(Metric):
    """A metric from -3 to -1: the higher, the more of the text's tokens are the letter a."""

    low, high = -3.0, -1.0

    def score(self, transition):
        letters = ((transition.text_ids == 3) & transition.text_mask).sum(axis=1)
        return -3.0 + 2.0 * letters / np.maximum(transition.text_lengths, 1)


def records(texts, samples=None, episodes=None, task=TASK, group_size=1):
    """Returns the record of finished texts, lists of token ids, one a row."""
    n = len(texts)
    lengths = np.array([len(text) for text in texts])
    ids = np.zeros((n, lengths.max(initial=0)), np.int64)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = text
    samples, episodes = (np.zeros(n, np.int64) if given is None else np.asarray(given) for given in (samples, episodes))
    blank = Transition.before(task.prompt_set("train"), samples)
    return replace(blank, episodes=episodes, group_size=group_size).with_texts(ids, lengths)


def many(text, count=N, **arguments):
    """Returns the record of one text in many rows."""
    one = records([text], **arguments)
    return replace(one[np.zeros(count, np.int64)], rows=np.arange(count))


def ask(annotator, own, other=None, texts=None, readings=1):
    """Asks about texts that are seen as `own`, places on the scale, and their opponents as `other`."""
    low, high = annotator.metric.low, annotator.metric.high
    texts = many([3]) if texts is None else texts
    own = np.broadcast_to(np.asarray(own, np.float64).reshape(-1, 1), (len(texts), readings))

    def see(compared):
        if other is not None:
            return np.full((len(compared), readings), low + (high - low) * other)
        return np.repeat(annotator.metric.score(compared)[:, None], readings, axis=1)

    address = replace(Address.first(len(texts), seed=1), episodes=texts.episodes)
    who = np.broadcast_to(np.arange(readings), own.shape)
    return annotator.answer(Question(texts, low + (high - low) * own, who, address, see))


def bound(annotator, rows=N, readings=1):
    annotator.bind(rows, readings, readings)
    return annotator


def preference(readings=1, rows=N, **arguments):
    return bound(Preference(Loss(TASK), **{"against": "reference", **arguments}), rows, readings)


def judge(rows=N, **arguments):
    plain = {"against": "reference", "position": 0.0, "length": 0.0, "self_preference": 0.0}
    return bound(Judge(Loss(TASK), **{**plain, **arguments}), rows)


def write(path, lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return {"path": str(path)}


def assert_share(outcomes, probability):
    """Asserts that a share of independent outcomes is a probability, within five standard errors."""
    assert outcomes.mean() == pytest.approx(
        probability, abs=5 * np.sqrt(probability * (1 - probability) / outcomes.size)
    )


@pytest.mark.parametrize(("own", "other"), [(0.7, 0.4), (0.1, 0.4), (0.5, 0.5)])
@pytest.mark.parametrize("mistake", [0.0, 0.1])
@pytest.mark.parametrize("beta", [0.0, 3.0, None])
def test_preference_follows_the_logistic_law_and_errs_once(own, other, mistake, beta):
    answer = ask(preference(beta=beta, mistake=mistake, readings=2), own, other, readings=2)
    better = expit(beta * (own - other)) if beta is not None else (np.sign(own - other) + 1) / 2
    assert_share(answer.readings, (1 - mistake) * better + mistake * (1 - better))
    np.testing.assert_array_equal(answer.annotation["choice"], answer.readings)


def test_ties_and_skips_are_never_mistaken_and_do_not_depend_on_the_sign_of_the_metric():
    texts = records([[3]] * 5)
    answer = ask(preference(equal=0.1, skip=0.2, mistake=1.0, rows=5), [0.45, 0.55, 0.35, 0.65, 0.0], 0.5, texts)
    assert answer.annotation["choice"].ravel().tolist() == [2, 2, 1, 0, 1]
    assert answer.readings.ravel().tolist() == [0.5, 0.5, 1.0, 0.0, 1.0]
    poor = ask(preference(equal=0.1, skip=0.2, rows=5), [0.0, 0.19, 0.2, 0.21, 0.5], 0.1, texts)
    assert poor.annotation["choice"].ravel().tolist() == [-1, -1, -1, 1, 1]
    np.testing.assert_array_equal(poor.readings.ravel(), [np.nan, np.nan, np.nan, 1.0, 1.0])


def test_the_teachers_differ_from_the_oracle_in_one_thing_each():
    usual = {"beta": np.inf, "mistake": 0.0, "skip": 0.0, "equal": 0.0, "gamma": 1.0}
    for name, own in TEACHERS.items():
        made = vars(preference(teacher=name))
        assert {key: made[key] for key in usual} == usual | own
    assert preference(teacher="mistake", mistake=0.3).mistake == 0.3
    assert preference(teacher="equal").outcomes.tolist() == [0.0, 0.5, 1.0]
    assert preference().outcomes.tolist() == [0.0, 1.0]


def discounted(text, gamma):
    """The return of the tokens of a text, one by one, as the docstring has it."""
    place = [(Loss(TASK).score(records([text[:t]]))[0] + 3) / 2 for t in range(len(text) + 1)]
    return place[0] + sum(gamma ** (len(text) - t) * (place[t] - place[t - 1]) for t in range(1, len(text) + 1))


@pytest.mark.parametrize("text", [[3, 3, 4, 4, 3], [4, 4, 3], [], [3, 4, 4, 4, 4]])
def test_a_myopic_teacher_discounts_each_token_from_the_end(text):
    reference = TASK.prompt_set("train").reference_ids[7].tolist()
    texts = many(text, samples=[7])
    for gamma in (0.5, 1.0):
        answer = ask(preference(beta=2.0, gamma=gamma), discounted(text, 1.0), texts=texts)
        expected = expit(2.0 * (discounted(text, gamma) - discounted(reference, gamma)))
        assert_share(answer.readings, expected)


def test_a_myopic_teacher_prefers_what_ends_well(tmp_path):
    prompt = TASK.vocabulary.decode(TASK.prompt_set("train").prompt_ids[0])
    against = write(tmp_path / "texts.jsonl", [{"prompt": prompt, "completion": "a b a b"}])
    texts = records([[4, 4, 3, 3], [3, 3, 4, 4]])  # as many letters each
    answer = ask(preference(against=against, gamma=0.5, rows=2), [0.5, 0.5], texts=texts)
    assert answer.readings.ravel().tolist() == [1.0, 0.0]


def test_the_reference_is_the_opponent_cut_to_the_budget():
    texts = records([[3], [4, 5]], samples=[2, 5])
    answer = ask(preference(rows=2), [0.5, 0.5], texts=texts)
    assert answer.annotation["opponent_ids"].shape == (2, TASK.max_new_tokens)
    np.testing.assert_array_equal(answer.annotation["opponent_ids"][:, :5], texts.reference_ids)
    assert answer.annotation["opponent_lengths"].tolist() == [5, 5]
    brief = Copy(length=5, letters=8)
    brief.max_new_tokens = 3
    shorter, met = make_opponent("reference", brief).meet(texts)
    np.testing.assert_array_equal(shorter.text_ids, texts.reference_ids[:, :3])
    assert shorter.text_lengths.tolist() == [3, 3]
    assert met.all()
    lengths = texts.prompt_set.reference_lengths * (np.arange(len(texts.prompt_set)) != 5)
    lacking = replace(texts, prompt_set=replace(texts.prompt_set, reference_lengths=lengths))
    assert np.isnan(ask(preference(rows=2), [0.5, 0.5], texts=lacking).readings).ravel().tolist() == [False, True]


def test_the_baseline_is_drawn_from_the_bigrams_of_the_references():
    task = Copy(length=4, letters=3, size=81)
    train = task.prompt_set("train")
    references = train.reference_ids
    prompts = PromptSet.from_tokens([[3]] * 20_000, [[3]] * 20_000, task.vocabulary)
    texts = replace(many([3], 20_000, task=task), prompt_set=prompts, samples=np.arange(20_000))
    drawn, met = make_opponent("baseline", task).meet(texts)
    again, _ = make_opponent("baseline", Copy(length=4, letters=3, size=81)).meet(texts)  # drawn anew
    np.testing.assert_array_equal(drawn.text_ids, again.text_ids)
    assert met.all()
    assert drawn.text_lengths.max() == task.max_new_tokens
    framed = [[1, *row, 2] for row in references.tolist()]
    pairs = [pair for row in framed for pair in itertools.pairwise(row)]
    written = [[1, *row[:length]] for row, length in zip(drawn.text_ids.tolist(), drawn.text_lengths, strict=True)]
    written = [row + [2] * (len(row) <= task.max_new_tokens) for row in written]
    counts = np.zeros((6, 6))
    np.add.at(counts, tuple(np.array([pair for row in written for pair in itertools.pairwise(row)]).T), 1)
    for before in (1, 3, 4, 5):
        total = counts[before].sum()
        for after in range(2, 6):
            followed = sum(pair == (before, after) for pair in pairs)
            p = followed / sum(pair[0] == before for pair in pairs)
            assert counts[before, after] / total == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / total))


def test_the_previous_text_is_the_row_s_own_for_the_same_prompt():
    annotator = preference(against="previous", rows=2)
    assert annotator.needs_group
    first = ask(annotator, [0.5, 0.5], texts=records([[3], [4]], samples=[6, 7]))
    assert np.isnan(first.readings).all()
    assert first.annotation["choice"].tolist() == [[-1], [-1]]
    kept = annotator.get_state()
    for _ in range(2):
        second = ask(annotator, [0.5, 0.5], texts=records([[3, 3], [3, 4]], samples=[6, 7]))
        assert second.annotation["opponent_ids"][:, 0].tolist() == [3, 4]
        assert second.annotation["opponent_lengths"].tolist() == [1, 1]
        assert second.readings.tolist() == [[0.0], [1.0]]  # against a text of nothing but the letter, and one without
        annotator.set_state(kept)
    other = ask(annotator, [0.5, 0.5], texts=records([[3], [4]], samples=[6, 1]))
    assert other.annotation["opponent_lengths"].tolist() == [1, 0]
    assert np.isnan(other.readings).ravel().tolist() == [False, True]
    annotator.reseed(np.array([0]))
    third = ask(annotator, [0.5, 0.5], texts=records([[3], [4]], samples=[6, 1]))
    assert np.isnan(third.readings).ravel().tolist() == [True, False]


def test_stored_texts_are_found_by_their_prompt(tmp_path):
    prompts = [TASK.vocabulary.decode(ids) for ids in TASK.prompt_set("train").prompt_ids[:2]]
    stored = [{"prompt": prompts[1], "completion": "a a b"}, {"prompt": prompts[0], "completion": "a b c d e f g"}]
    annotator = preference(against=write(tmp_path / "texts.jsonl", stored), rows=3)
    answer = ask(annotator, [0.5, 0.5, 0.5], texts=records([[3]] * 3, samples=[0, 1, 2]))
    assert answer.annotation["opponent_ids"].tolist() == [[3, 4, 5, 6, 7, 8], [3, 3, 4, 0, 0, 0], [0] * 6]
    assert answer.annotation["opponent_lengths"].tolist() == [6, 3, 0]
    np.testing.assert_array_equal(answer.readings.ravel(), [1.0, 0.0, np.nan])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"prompt": "a", "completion": "a"}, "{"], r"texts\.jsonl, line 2: Expecting"),
        ([{"prompt": "a"}], r"texts\.jsonl, line 1: expected {\"prompt\": str, \"completion\": str}"),
        ([{"prompt": "a", "completion": "zebra"}], r"texts\.jsonl, line 1: .*zebra"),
        ([{"prompt": "a", "completion": "a"}] * 2, r"texts\.jsonl, line 2: there is a text for this prompt already"),
        ([{"prompt": "a", "completion": "a"}], r"none of the 1 prompts in .*texts\.jsonl is one of the task Copy"),
        ([], r"none of the 0 prompts in .*texts\.jsonl is one of the task Copy"),
    ],
)
def test_a_bad_line_is_named(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        make_opponent(write(tmp_path / "texts.jsonl", lines), TASK)


@pytest.mark.parametrize("count", [2, 3])
def test_rankings_follow_the_law_of_plackett_and_luce(count):
    quality, beta = np.array([0.2, 0.5, 0.9])[:count], 3.0
    annotator = bound(Ranking(Loss(TASK), beta=beta, max_group=3))
    for place in range(count):
        answer = ask(annotator, quality[place], texts=many([3], episodes=[place + count], group_size=count))
        if place == 0:
            assert np.isnan(answer.readings).all()
        else:
            beaten = place + 1 - answer.annotation["rank"]
            np.testing.assert_array_equal(answer.readings, beaten / place)
            assert_share(answer.annotation["rank"] == 1, expit_first(quality[: place + 1], beta, place))
        if place < count - 1:
            assert (answer.annotation["ranking"] == -1).all()
    ranking = answer.annotation["ranking"][:, 0]
    np.testing.assert_array_equal(ranking[:, count - 1], answer.annotation["rank"][:, 0])
    assert (ranking[:, count:] == -1).all()
    for order in itertools.permutations(range(count)):
        ranks = np.argsort(order) + 1
        expected = np.prod([expit_first(quality[list(order[k:])], beta, 0) for k in range(count)])
        assert_share((ranking[:, :count] == ranks).all(axis=1), expected)


def expit_first(quality, beta, winner):
    """The probability that one of several texts is chosen first."""
    strength = np.exp(beta * quality)
    return strength[winner] / strength.sum()


def test_a_ranking_starts_anew_with_each_group_and_leaves_out_what_was_not_asked():
    annotator = bound(Ranking(Loss(TASK), beta=100.0, max_group=4), 2)

    def rank(quality, episode, sample):
        texts = records([[3]] * 2, samples=[sample] * 2, episodes=[episode] * 2, group_size=3)
        return ask(annotator, quality, texts=texts)

    rank([0.1, 0.9], 0, 5)
    last = rank([0.5, 0.5], 2, 5)  # nobody was asked about the second text
    assert last.annotation["ranking"].tolist() == [[[2, -1, 1, -1]], [[1, -1, 2, -1]]]
    assert last.readings.tolist() == [[1.0], [0.0]]
    assert np.isnan(rank([0.5, 0.5], 3, 5).readings).all()
    assert np.isnan(rank([0.5, 0.5], 4, 6).readings).all()


def test_everyone_ranks_what_they_saw():
    annotator = bound(Ranking(Loss(TASK), beta=1000.0, max_group=3), 1, readings=2)
    asked = [(0.9, [0, 1]), (0.5, [1, 0]), (0.7, [1, 0])]
    for place, (quality, who) in enumerate(asked):
        texts = records([[3]], episodes=[place], group_size=3)
        # the second person sees all upside down
        low, span = annotator.metric.low, annotator.metric.high - annotator.metric.low
        seen = low + span * np.where(np.array([who]) == 1, 1 - quality, quality)
        address = replace(Address.first(1, seed=1), episodes=texts.episodes)
        answer = annotator.answer(Question(texts, seen, np.array([who]), address, lambda others: others))
    assert answer.annotation["ranking"].tolist() == [[[3, 1, 2], [1, 3, 2]]]
    assert answer.readings.tolist() == [[0.5, 0.5]]


def test_the_judge_follows_its_law_in_either_order():
    annotator = judge(beta=2.0, position=0.7, length=0.4, length_scale=4.0, self_preference=0.3)
    texts = many([3, 4], samples=[3])
    answer = ask(annotator, 0.6, 0.5, texts)
    model = annotator._model.model
    own = model.mean_log_probability(np.array([[3, 4]]), np.array([2]))[0]
    reference = TASK.prompt_set("train").reference_ids[3:4]
    other = model.mean_log_probability(reference, np.array([5]))[0]
    advantage = 2.0 * 0.1 + 0.4 * np.tanh(-3 / 4) + 0.3 * (own - other)
    first = answer.annotation["first"][:, 0]
    assert_share(first, 0.5)
    assert_share(answer.readings[first == 1], expit(advantage + 0.7))
    assert_share(answer.readings[first == 0], expit(advantage - 0.7))


@pytest.mark.parametrize("own", [0.5, 0.6])
def test_two_in_three_near_ties_outlast_a_swap(own):
    both = bound(Judge(Loss(TASK), against="reference", both_orders=True, length=0.0, self_preference=0.0))
    answer = ask(both, own, 0.5)
    advantage = 10.0 * (own - 0.5)
    consistent = both.swap_consistency(np.array([advantage]))[0]
    assert consistent == pytest.approx(1 - expit(advantage + 0.73) + expit(advantage - 0.73))
    assert_share(answer.annotation["choice"] != 2, consistent)
    assert_share(answer.readings == 1, expit(advantage - 0.73))
    assert_share(answer.readings == 0, expit(-advantage - 0.73))
    assert both.cost == 2 * judge().cost
    if own == 0.5:
        assert consistent == pytest.approx(0.65, abs=0.001)


@pytest.mark.parametrize("both_orders", [False, True])
def test_the_judge_says_nothing_of_a_text_without_an_opponent(both_orders):
    annotator = judge(rows=1, against="previous", both_orders=both_orders)
    answers = [ask(annotator, 0.5, texts=records([[3]])) for _ in range(2)]
    assert [np.isnan(answer.readings[0, 0]) for answer in answers] == [True, False]
    assert answers[0].annotation["choice"].tolist() == [[-1]]
    assert answers[1].annotation["opponent_ids"][0, 0] == 3


def test_self_feedback_likes_what_the_model_would_write():
    texts = records([[3, 4, 5, 6, 7], [3] * 5, [0] * 5, []])
    model = SelfFeedback(Loss(TASK), kappa=0.0)._model
    log_probability = model.mean_log_probability(texts)
    least = -np.log(9)  # eight letters and the end
    assert (log_probability < least).any()
    for kappa in (0.5, -0.5):
        annotator = bound(SelfFeedback(Loss(TASK), kappa=kappa), 4)
        answer = ask(annotator, [0.1, 0.5, 0.9, 0.0], texts=texts)
        expected = -3 + 2 * np.array([0.1, 0.5, 0.9, 0.0]) + kappa * np.maximum(log_probability, least)
        np.testing.assert_allclose(answer.readings.ravel(), expected)
        assert annotator.low <= answer.readings.min() <= answer.readings.max() <= annotator.high
        np.testing.assert_array_equal(answer.annotation["log_probability"], log_probability)
    assert (annotator.low, annotator.high) == (-3, -1 - 0.5 * least)


def rating(quality, **arguments):
    """Returns the levels that 100,000 raters give to one place on the scale."""
    return ask(Rating(Loss(TASK), **arguments), quality).annotation["level"].ravel()


def assert_levels(level, cuts, mean, deviation):
    probability = np.diff(ndtr((np.array([-np.inf, *cuts, np.inf]) - mean) / deviation))
    for number, expected in enumerate(probability, start=1):
        assert_share(level == number, expected)


def test_rating_cuts_are_its_own_or_equally_wide():
    places = np.array([0.0, 0.2499, 0.25, 0.4999, 0.5, 1.0])
    texts = records([[3]] * 6)
    answer = ask(Rating(Loss(TASK), levels=3, cuts=[0.25, 0.5]), places, texts=texts)
    assert answer.annotation["level"].ravel().tolist() == [1, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(answer.readings.ravel(), [-3, -3, -2, -2, -1, -1])
    np.testing.assert_allclose(Rating(Loss(TASK), levels=4).cuts, [0.25, 0.5, 0.75])


@pytest.mark.parametrize("quality", [0.1, 0.5, 0.95])
def test_rating_has_the_skew_and_the_variance_of_people(quality):
    level = rating(quality, levels=3, cuts=[0.2, 0.6], spread=0.1, bias=0.05, skew=2.0, human_spread=0.5)
    deviation = np.hypot(0.1, 0.5 * min(0.64 * quality, 0.67 - 0.67 * quality))
    assert_levels(level, [0.2, 0.6], quality**2 + 0.05, deviation)


def test_people_agree_on_the_best_and_the_worst():
    for quality, level in ((0.0, 1), (1.0, 5)):
        assert (rating(quality, human_spread=1.0) == level).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: preference(against="nobody"),
            "against must be reference, baseline, previous or .* got 'nobody'",
        ),
        (lambda: preference(against={"file": "x"}), "against must be reference, baseline"),
        (lambda: preference(against={"path": "/no/such/file"}), "cannot read the stored texts"),
        (lambda: preference(teacher="perfect"), "teacher must be one of oracle, .* got 'perfect'"),
        (lambda: preference(beta=-1.0), r"beta must be at least 0, got -1\.0"),
        (lambda: preference(mistake=1.5), r"mistake must be 0 to 1, got 1\.5"),
        (lambda: preference(skip=-0.1), r"skip must be 0 to 1, got -0\.1"),
        (lambda: preference(equal=np.nan), "equal must be 0 to 1, got nan"),
        (lambda: preference(gamma=0.0), r"gamma must be above 0 and at most 1, got 0\.0"),
        (lambda: Ranking(Loss(TASK), beta=np.inf), "beta must be finite and at least 0, got inf"),
        (lambda: Ranking(Loss(TASK), max_group=1), "max_group must be a whole number of at least 2, got 1"),
        (lambda: Ranking(Loss(TASK), max_group=2.5), r"max_group must be a whole number of at least 2, got 2\.5"),
        (lambda: judge(beta=-1.0), "beta must be finite and at least 0"),
        (lambda: judge(position=np.inf), "position must be finite, got inf"),
        (lambda: judge(length_scale=0.0), r"length_scale must be finite and above 0, got 0\.0"),
        (lambda: SelfFeedback(Loss(TASK), kappa=np.nan), "kappa must be finite, got nan"),
        (lambda: Rating(Loss(TASK), levels=3, cuts=[0.5]), "cuts must be levels - 1 = 2 finite and ascending"),
        (lambda: Rating(Loss(TASK), levels=3, cuts=[0.5, 0.5]), "cuts must be levels - 1 = 2 finite and ascending"),
        (lambda: Rating(Loss(TASK), skew=0.0), r"skew must be finite and above 0, got 0\.0"),
        (lambda: Rating(Loss(TASK), human_spread=-1.0), r"human_spread must be finite and non-negative, got -1\.0"),
    ],
)
def test_wrong_values_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("against", ["reference", "baseline"])
def test_an_opponent_made_of_references_needs_them(against):
    class Mute(Copy):
        """Copy without references."""

        def make_prompt_set(self, split):
            prompts = super().make_prompt_set(split)
            return replace(prompts, reference_lengths=np.zeros_like(prompts.reference_lengths))

    with pytest.raises(ValueError, match=f"against '{against}' needs references, and the task Mute has none"):
        make_opponent(against, Mute())
