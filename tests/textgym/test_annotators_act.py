"""Annotators that act, edit, show, click, stay, write: each against its formula, over about 100,000 draws."""

import itertools
from dataclasses import replace
from math import gamma

import numpy as np
import pytest
from rapidfuzz.distance import OSA, Levenshtein
from scipy.special import ndtr

from textgym.annotators.base import Question
from textgym.annotators.click import Click
from textgym.annotators.comment import Comment, confusion
from textgym.annotators.demonstration import Demonstration
from textgym.annotators.dwell import Dwell
from textgym.annotators.edit import Edit
from textgym.annotators.parts.reading import clean, read_back
from textgym.metrics.base import Metric
from textgym.metrics.parts.references import as_strings
from textgym.metrics.rouge_l import RougeL
from textgym.metrics.ter import Ter, ter_edits
from textgym.metrics.token_match import TokenMatch
from textgym.random import Address
from textgym.tasks.base import PromptSet, Task
from textgym.tasks.chain import Chain
from textgym.tasks.copy import Copy
from textgym.transition import Transition
from textgym.vocabulary import WordVocabulary

N = 100_000
COPY = Copy(length=5, letters=4)


class Echo(Task):
    """A task of one reference, whose action values nobody knows."""

    vocabulary = WordVocabulary(list("abcdefgh"))

    def __init__(self, reference):
        self.reference = reference
        self.max_new_tokens = len(reference) + 3

    def make_prompt_set(self, split):
        return PromptSet.from_tokens([[3]], [self.reference], self.vocabulary)

    def gold(self, transition):
        raise NotImplementedError


class Given(Metric):
    """A metric from -1 to 3 whose scores the test hands to the question."""

    low, high = -1.0, 3.0

    def score(self, transition):
        raise NotImplementedError


def record(task, texts, budget=None, samples=0):
    """The record of finished texts, ended by the end token, in a budget of tokens."""
    n, budget = len(texts), budget or task.max_new_tokens
    ids, lengths = np.zeros((n, budget), np.int64), np.array([len(text) for text in texts])
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = text
    return Transition.before(task.prompt_set("train"), np.broadcast_to(samples, n)).with_texts(ids, lengths)


def repeat(transition, n=N):
    return replace(transition[np.zeros(n, np.int64)], rows=np.arange(n))


def ask(annotator, transition, quality=0.0, readings=1, seed=0):
    """What the annotator answers where every text has the given quality, in the metric's units."""
    seen = np.broadcast_to(np.reshape(quality, (-1, 1)), (len(transition), readings)).astype(float)
    address = Address.first(len(transition), seed)
    return annotator.answer(Question(transition, seen, np.zeros(seen.shape, np.int64), address, lambda other: seen))


def assert_share(hits, probability):
    """Asserts that a share of independent hits is a probability, within five standard errors."""
    hits = np.asarray(hits)
    error = np.sqrt(probability * (1 - probability) / hits.size)
    assert abs(hits.mean() - probability) <= 5 * error + 1e-12


def assert_mean(draws, mean):
    assert abs(np.mean(draws) - mean) <= 5 * np.std(draws) / np.sqrt(np.size(draws))


TEXT, REFERENCE = [3, 4, 5, 6, 3, 7], [4, 5, 8, 3, 3, 7, 9]


def edits(share, error, text=TEXT, reference=REFERENCE, n=N, readings=1):
    task = Echo(reference)
    transition = repeat(record(task, [text]), n)
    answer = ask(Edit(Ter(task), share=share, error=error), transition, readings=readings)
    said = answer.annotation
    made = as_strings(said["corrected"][:, 0], said["corrected_lengths"][:, 0])
    return task, transition, answer, made


def test_a_full_correction_is_the_reference_and_answers_the_metric():
    task, transition, answer, made = edits(share=1.0, error=0.0, n=3, readings=2)
    reference = as_strings(np.array([REFERENCE]), np.array([len(REFERENCE)]))
    assert made == 3 * reference
    np.testing.assert_array_equal(answer.readings, np.tile(Ter(task).score(transition)[:, None], 2))
    assert answer.annotation["corrected"].shape == (3, 2, task.max_new_tokens + len(REFERENCE))


def test_a_correction_may_be_longer_than_the_budget():
    task = Echo(REFERENCE)
    said = ask(Edit(Ter(task)), record(task, [[7]], budget=2)).annotation
    assert said["corrected"][0, 0, : len(REFERENCE)].tolist() == REFERENCE
    assert said["corrected"].shape == (1, 1, 2 + len(REFERENCE))


def test_each_operation_is_made_with_its_share_and_brings_the_text_nearer_by_one():
    _, _, answer, made = edits(share=0.3, error=0.0, n=20_000)
    (text, reference) = as_strings(np.array([[*TEXT, 0], REFERENCE]), np.array([len(TEXT), len(REFERENCE)]))
    distance = Levenshtein.distance(text, reference)
    operations = answer.annotation["operations"][:, 0]
    left = np.array([Levenshtein.distance(one, reference) for one in made])
    np.testing.assert_array_equal(left, distance - operations)
    assert_mean(operations, 0.3 * distance)
    assert_mean((operations - 0.3 * distance) ** 2, 0.3 * 0.7 * distance)
    wanted = 1 - np.minimum(1, ter_edits(len(made) * [text], made) / np.array([len(one) for one in made]))
    np.testing.assert_allclose(answer.readings[:, 0], wanted)


def test_a_wrong_operation_writes_any_word_but_the_right_one():
    _, _, answer, _ = edits(share=0.8, error=0.25, text=[3, 3], reference=[4, 4], n=N // 2)
    tokens = answer.annotation["corrected"][:, 0, :2]
    assert_share(tokens == 3, 0.2 + 0.8 * 0.25 / 7)
    assert_share(tokens == 4, 0.8 * 0.75)
    for other in range(5, 11):
        assert_share(tokens == other, 0.8 * 0.25 / 7)


def test_several_insertions_in_one_place_keep_their_order():
    _, _, answer, _ = edits(1.0, 0.0, text=[3, 4], reference=[3, 5, 6, 7, 4], n=1)
    assert answer.annotation["corrected"][0, 0, :5].tolist() == [3, 5, 6, 7, 4]
    assert answer.annotation["operations"] == [[3]]
    assert answer.readings == [[1 - 3 / 5]]


def test_a_wrong_deletion_leaves_a_word_and_a_wrong_insertion_adds_one():
    deletion, insertion = ([3, 4, 5], [3, 5]), ([3, 5], [3, 4, 5])
    for (text, reference), wrong_length, never in ((deletion, 3, 4), (insertion, 3, 4)):
        _, _, answer, _ = edits(1.0, 1.0, text, reference, n=1000)
        tokens = answer.annotation["corrected"][:, 0]
        assert (answer.annotation["corrected_lengths"] == wrong_length).all()
        assert (answer.annotation["operations"] == 1).all()
        assert set(tokens[:, 1]) == set(range(3, 11)) - {never}
        assert (tokens[:, [0, 2]] == [3, 5]).all()


def best(task, text, budget):
    """Brute force: the best gold of all texts that go on from one that is not finished."""
    writable = np.flatnonzero(task.vocabulary.writable)
    return max(value_of(task, text, token, budget) for token in writable.tolist())


def value_of(task, text, token, budget):
    ended = token == task.vocabulary.end_id
    longer = text if ended else [*text, token]
    if ended or len(longer) == budget:
        finished = record(task, [longer], budget)
        return task.gold(replace(finished, actions=np.array([token])))[0]
    return best(task, longer, budget)


@pytest.mark.parametrize("budget", [1, 2, 3, 4])
def test_action_values_of_copy_equal_brute_force(budget):
    task = Copy(length=2, letters=2)
    letters = range(3, 5)
    states = [list(text) for length in range(budget) for text in itertools.product(letters, repeat=length)]
    values = task.action_values(replace(record(task, states, budget), finished=np.zeros(len(states), np.bool_)))
    expected = [[value_of(task, state, token, budget) for token in range(len(task.vocabulary))] for state in states]
    np.testing.assert_allclose(values, expected)


def after(task, text, n=N):
    """The record of rows that have just written the last token of a text."""
    one = record(task, [text])
    steps = one.text_lengths - 1
    return repeat(replace(one, steps=steps, actions=one.text_ids[0, steps], finished=np.zeros(1, np.bool_)), n)


def test_a_demonstrator_is_boltzmann_rational_with_lapses():
    reference = COPY.prompt_set("train").reference_ids[0].tolist()
    transition = after(COPY, [*reference[:2], reference[2]])
    answer = ask(Demonstration(TokenMatch(COPY), beta=4.0, lapse=0.2), transition)
    # At the third place of five, and the end: the right letter keeps all 6 of 6, another loses 1, the end loses 4.
    lost = np.array([np.inf, np.inf, 4, *(0 if letter == reference[2] else 1 for letter in range(3, 7))])
    weights = np.exp(-4.0 * lost / 6)
    chances = 0.8 * weights / weights.sum() + 0.2 / 5 * np.isfinite(lost)
    for token, chance in enumerate(chances):
        assert_share(answer.annotation["token"] == token, chance)
    assert_share(answer.readings * 6, chances[reference[2]])


def test_a_rational_demonstrator_writes_the_whole_text_that_is_best():
    reference = COPY.prompt_set("train").reference_ids[0].tolist()
    transition = repeat(record(COPY, [reference]), N // 5)
    answer = ask(Demonstration(RougeL(COPY), beta=12.0, lapse=0.1), transition)
    same, lengths = answer.annotation["demonstration"][:, 0], answer.annotation["demonstration_lengths"][:, 0]
    chance = 1.0
    for place in range(6):
        # The right token keeps 6 of 6, a wrong one loses 1, and an early end loses all that is to come.
        lost = [0, 1, 1, 1, 6 - place] if place < 5 else [0, 1, 1, 1, 1]
        chance *= 0.9 / np.exp(-2.0 * np.array(lost)).sum() + 0.1 / 5
    assert_share(answer.readings == 1.0, chance)
    np.testing.assert_array_equal((same[:, :5] == reference).all(axis=1) & (lengths == 5), answer.readings[:, 0] == 1)


def test_without_action_values_the_reference_is_shown_with_lapses():
    task = Echo([3, 4, 5])
    tokens = ask(Demonstration(TokenMatch(task), lapse=0.3), after(task, [3, 4])).annotation["token"]
    for token in (2, *range(3, 11)):
        assert_share(tokens == token, 0.3 / 9 + 0.7 * (token == 4))
    whole = ask(Demonstration(RougeL(task), lapse=0.3), repeat(record(task, [[3, 4, 5]])))
    assert_share(whole.readings == 1.0, (0.7 + 0.3 / 9) ** 4)
    assert_share(whole.annotation["demonstration_lengths"] == 1, (1 - 0.3 / 9) * 0.3 / 9)


def test_a_demonstration_is_as_long_as_every_text_where_the_end_token_ends_none():
    chain = Chain(length=6)
    transition = repeat(record(chain, [[3] * 6]), 100)
    answer = ask(Demonstration(RougeL(chain), beta=0.0), transition)
    assert (answer.annotation["demonstration_lengths"] == 6).all()


@pytest.mark.parametrize("text", [[], [3], [3, 4, 5], [5, 4, 5], [3, 4, 5, 3, 4]])
def test_what_is_shown_token_by_token_adds_up_to_the_match(text):
    task = Echo([3, 4, 5])
    whole = record(task, [[*text, 2]])
    match, always, lapsing = TokenMatch(task), Demonstration(TokenMatch(task)), Demonstration(TokenMatch(task), lapse=1)
    totals = np.zeros(3)
    for step, token in enumerate([*text, 2]):
        now = replace(whole, steps=np.array([step]), actions=np.array([token]), text_lengths=np.array([step + 1]))
        totals += [match.score(now)[0], ask(always, now).readings[0, 0], ask(lapsing, now, seed=step).readings[0, 0]]
    assert totals[0] == totals[1]
    assert 0 <= totals[2] <= 1
    in_all = ask(Demonstration(RougeL(task)), record(task, [text]))
    np.testing.assert_allclose(in_all.readings, totals[0])


class Partly(Echo):
    """A task of two prompts, of which the second has the reference."""

    def make_prompt_set(self, split):
        return PromptSet.from_tokens([[3], [4]], [[], self.reference], self.vocabulary)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_without_a_reference_nothing_is_shown_and_no_text_is_corrected(chance):
    task = Partly([3, 4, 5])
    transition = record(task, [[3], [3]], samples=[0, 1])
    token = ask(Demonstration(TokenMatch(task), lapse=chance), transition, readings=2)
    text = ask(Demonstration(RougeL(task), lapse=chance), transition, readings=2)
    edit = ask(Edit(Ter(task), error=chance), transition, readings=2)
    for answer in (token, text, edit):
        assert np.isnan(answer.readings).tolist() == [[True, True], [False, False]]
    assert (token.annotation["token"][0] == -1).all()
    assert (token.annotation["token"][1] >= 0).all()
    assert text.annotation["demonstration_lengths"][0].tolist() == [0, 0]
    assert not text.annotation["demonstration"][0].any()
    assert edit.annotation["operations"][0].tolist() == [0, 0]
    assert edit.annotation["corrected"][0, 0, :2].tolist() == [3, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda task: Edit(Ter(task)), "corrects toward references, and this task has none"),
        (lambda task: Demonstration(TokenMatch(task)), "shows references or follows .* and this task has none"),
    ],
)
def test_a_task_without_references_is_refused_by_who_shows_them(make, message):
    with pytest.raises(ValueError, match=message):
        make(Echo([]))


def test_a_whole_demonstration_is_the_same_at_each_token():
    task = Echo([3, 4, 5])
    annotator, transition = Demonstration(RougeL(task), lapse=0.5), record(task, 50 * [[3]])
    shown = []
    for step in (0, 3):
        question = Question(
            transition, np.zeros((50, 2)), np.zeros((50, 2), np.int64),
            replace(Address.first(50), steps=np.full(50, step)), lambda other: np.zeros((50, 2)),
        )  # fmt: skip
        shown.append(annotator.answer(question).annotation["demonstration"])
    np.testing.assert_array_equal(*shown)
    assert (shown[0][:, 0] != shown[0][:, 1]).any()


USERS = {"perfect": (0, 1, 0, 0), "navigational": (0.05, 0.95, 0.2, 0.9), "informational": (0.4, 0.9, 0.1, 0.5)}


def scan(model, user, relevance, place, positions, relevant, generator):
    """Users who go down a list, result by result: whether they examine and click the text in its place."""
    low, high, stop_low, stop_high = USERS[user]
    relevances = (generator.random((N, positions)) < relevant).astype(float)
    relevances[:, place - 1] = relevance
    looking = np.ones(N, np.bool_)
    for k in range(1, place + 1):
        q = relevances[:, k - 1]
        examined = generator.random(N) < k**-0.7 if model == "position" else looking
        clicked = examined & (generator.random(N) < low + (high - low) * q)
        stops = 1.0 if model == "cascade" else stop_low + (stop_high - stop_low) * q
        looking = looking & ~(clicked & (generator.random(N) < stops))
    return examined, clicked


@pytest.mark.parametrize("user", list(USERS))
@pytest.mark.parametrize("model", ["position", "cascade", "dependent"])
def test_clicks_follow_the_closed_form_and_users_who_scan_the_list(model, user):
    arguments = {"model": model, "user": user, "positions": 4, "eta": 0.7, "relevant": 0.3}
    annotator = Click(Given(COPY), position=3, **arguments)
    attraction, chance = annotator.attraction(np.array(0.6)), annotator.click_probability(np.array(0.6), np.array(3))
    transition = repeat(record(COPY, [[3]]))
    answer = ask(annotator, transition, quality=-1 + 4 * 0.6)
    np.testing.assert_array_equal(answer.readings, answer.annotation["clicked"])
    simulated = scan(model, user, 0.6, 3, 4, 0.3, np.random.default_rng(0))
    for examined, clicked in (simulated, (answer.annotation["examined"], answer.annotation["clicked"])):
        assert_share(examined, chance / attraction)
        assert_share(clicked, chance)
    anywhere = ask(Click(Given(COPY), **arguments), transition, quality=-1 + 4 * 0.6)
    for place in range(1, 5):
        here = anywhere.annotation["position"] == place
        assert_share(here, 0.25)
        assert_share(anywhere.readings[here], annotator.click_probability(np.array(0.6), np.array(place)))


def test_click_probabilities_worked_out_by_hand():
    def chance(model, user, relevance, place, relevant):
        annotator = Click(Given(COPY), model=model, user=user, relevant=relevant)
        return annotator.click_probability(np.array(relevance), np.array(place))

    assert chance("position", "perfect", 1.0, 4, 0.5) == 0.25
    assert chance("cascade", "perfect", 0.5, 3, 0.5) == pytest.approx(0.5 * 0.5**2)
    assert chance("dependent", "perfect", 1.0, 10, 0.5) == 1.0  # a perfect user never stops
    assert chance("dependent", "navigational", 1.0, 2, 1.0) == pytest.approx(0.95 * (0.1 * 0.95 + 0.05))
    assert chance("dependent", "informational", 0.0, 2, 0.0) == pytest.approx(0.4 * (0.9 * 0.4 + 0.6))


@pytest.mark.parametrize("quality", [0.0, 0.25, 1.0])
def test_log_normal_stays_have_their_moments_quantiles_and_censoring(quality):
    annotator, mean = Dwell(Given(COPY), scale=20, kappa=1.5, spread=0.6, session=60), np.log(20) + 1.5 * quality
    logs = np.log(annotator.quantile(Address.first(N).uniform(), np.array(quality)))
    assert_mean(logs, mean)
    assert_mean((logs - mean) ** 2, 0.36)
    answer = ask(annotator, repeat(record(COPY, [[3]])), quality=-1 + 4 * quality)
    seconds, censored = answer.annotation["seconds"], answer.annotation["censored"]
    for limit in (10, 30, 60):
        assert_share(seconds < limit, ndtr((np.log(limit) - mean) / 0.6))
    np.testing.assert_array_equal(seconds == 60, censored)
    np.testing.assert_allclose(answer.readings, np.log1p(seconds) / np.log(61))


@pytest.mark.parametrize("shape", [0.7, 1.0, 2.0])
def test_weibull_stays_have_their_moments_and_quantiles(shape):
    annotator = Dwell(Given(COPY), law="weibull", scale=20, kappa=1.5, shape=shape, session=1e9)
    seconds = ask(annotator, repeat(record(COPY, [[3]])), quality=1.0).annotation["seconds"]
    scale = 20 * np.exp(1.5 / 2)
    assert_mean(seconds, scale * gamma(1 + 1 / shape))
    assert_mean(seconds**2, scale**2 * gamma(1 + 2 / shape))
    for limit in (5, 30, 100):
        assert_share(seconds > limit, np.exp(-((limit / scale) ** shape)))
    assert annotator.quantile(np.array(1 - np.exp(-1)), np.array(0.5)) == pytest.approx(scale)


def test_click_bait_turns_the_stay_around_for_all_readers_of_a_text():
    annotator = Dwell(Given(COPY), scale=10, kappa=2.0, spread=0.0, clickbait=0.3)
    seconds = ask(annotator, repeat(record(COPY, [[3]])), quality=2.0, readings=2).annotation["seconds"]  # q = 3/4
    np.testing.assert_array_equal(seconds[:, 0], seconds[:, 1])
    bait = np.isclose(seconds[:, 0], 10 * np.exp(2 * 0.25))
    np.testing.assert_allclose(seconds[~bait], 10 * np.exp(2 * 0.75))
    assert_share(bait, 0.3)


def test_a_text_that_is_read_token_by_token_is_click_bait_throughout():
    annotator, transition = Dwell(Given(COPY), kappa=2.0, spread=0.0, clickbait=0.5), repeat(record(COPY, [[3]]), 200)
    stays = []
    for step in range(3):
        address = replace(Address.first(200), steps=np.full(200, step))
        seen = np.full((200, 1), 2.0)
        question = Question(transition, seen, np.zeros((200, 1), np.int64), address, lambda other, seen=seen: seen)
        stays.append(annotator.answer(question).readings)
    np.testing.assert_array_equal(stays, [stays[0]] * 3)
    assert len(np.unique(stays[0])) == 2


def test_the_words_of_each_opinion_are_read_back_as_that_opinion():
    np.testing.assert_array_equal(confusion(off_topic=0, sarcasm=0, typos=0, draws=4000), np.eye(5))


def test_the_confusion_of_remarks_off_topic_and_of_sarcasm_is_their_mixture():
    opposite, neutral = np.eye(5)[::-1], np.eye(5)[[2] * 5]
    mixture = 0.9 * (0.7 * np.eye(5) + 0.3 * opposite) + 0.1 * neutral
    found = confusion(off_topic=0.1, sarcasm=0.3, typos=0, draws=N // 10)
    errors = np.sqrt(mixture * (1 - mixture) / (N // 10))
    assert (np.abs(found - mixture) <= 5 * errors + 1e-12).all()
    np.testing.assert_array_equal(found, confusion(off_topic=0.1, sarcasm=0.3, typos=0, draws=N // 10))


def test_opinions_between_two_levels_go_to_either_without_bias():
    answer = ask(comment(), repeat(record(Echo([3, 4]), [[3, 4]]), 20_000), quality=-1 + 4 * 0.65)
    tiers = np.rint((answer.readings + 1) / 4 * 4)
    assert set(tiers.ravel()) == {2, 3}
    assert_share(tiers == 3, 0.65 * 4 - 2)


def comment(**rates):
    return Comment(Given(Echo([3, 4])), **{"off_topic": 0.0, "sarcasm": 0.0, "typos": 0.0} | rates)


def test_comments_differ_and_are_about_what_there_is_to_say():
    # The length is right, and of three pairs of tokens one is distinct.
    transition = repeat(record(Echo([3, 4, 5, 6]), [[7] * 4], budget=4), 10_000)
    said = ask(comment(), transition, quality=-1.0).annotation
    assert len(set(said["comment"].ravel())) > 1000
    variety = 1 - 1 / 3
    assert_share(said["aspect"] == "variety", variety / (1 + variety))
    assert_share(said["aspect"] == "overall", 1 / (1 + variety))
    praised = ask(comment(), transition, quality=3.0).annotation["aspect"]
    for aspect in ("completeness", "concision", "overall"):
        assert_share(praised == aspect, 1 / (3 + 1 / 3))
    long = repeat(record(Echo([3, 4, 5, 6]), [list(range(3, 11))], budget=8), 10_000)  # twice the reference
    blamed = ask(comment(), long, quality=-1.0).annotation["aspect"]
    assert_share(blamed == "concision", 0.5 / 1.5)
    assert_share(blamed == "overall", 1 / 1.5)
    off_topic = ask(comment(off_topic=0.25), transition, quality=3.0).annotation["aspect"]
    assert_share(off_topic == "none", 0.25)


def test_comments_are_cleaned_before_they_are_read():
    assert clean("  This peice is  SIPMLY awful!! It made me anngry") == "this piece is simply awful!! it made me angry"
    assert clean("zyzzyva is short, and teh rest is so-so") == "zyzzyva is short, and teh rest is so-so"
    np.testing.assert_array_equal(read_back(["It is supreb", ""]), read_back(["it is superb", "What?"]))


def test_a_typo_is_one_slip_and_is_put_right_unless_another_word_is_as_near():
    transition = repeat(record(Echo([3, 4]), [[3, 4]]), 2000)
    plain, slips = (ask(comment(typos=rate), transition, quality=3.0).annotation["comment"][:, 0] for rate in (0, 1))
    assert {OSA.distance(*pair) for pair in zip(plain, slips, strict=True)} == {0, 1}  # 0 exchanges equal letters
    read_otherwise = 0
    for meant, written in zip(plain, slips, strict=True):
        for word, slip, read in zip(*(text.split() for text in (clean(meant), written, clean(written))), strict=True):
            if read != word:
                read_otherwise += 1
                assert OSA.distance(slip.lower(), read) <= 1
                assert len(read) >= len(word)
    assert read_otherwise < 20  # one in a hundred


@pytest.mark.parametrize(
    ("annotator", "arguments", "message"),
    [
        (Edit, {"share": 1.5}, "share and error must be 0 to 1, got share=1.5"),
        (Edit, {"error": -0.1}, "error=-0.1"),
        (Demonstration, {"beta": -1}, "beta must be finite and non-negative, got -1"),
        (Demonstration, {"lapse": 2}, "lapse must be 0 to 1, got 2"),
        (Click, {"model": "cascades"}, "one of position, cascade, dependent, got 'cascades'"),
        (Click, {"user": "bored"}, "one of perfect, navigational, informational, got 'bored'"),
        (Click, {"positions": 3, "position": 4}, "position 1 to positions, got positions=3, position=4"),
        (Click, {"positions": 0}, "positions must be at least 1"),
        (Click, {"positions": 2.5}, r"positions=2\.5, position=None; both are whole numbers"),
        (Click, {"position": 1.5}, r"positions=10, position=1\.5; both are whole numbers"),
        (Click, {"relevant": 1.1}, "relevant 0 to 1, got eta=1.0, relevant=1.1"),
        (Dwell, {"law": "normal"}, "one of log_normal, weibull, got 'normal'"),
        (Dwell, {"session": 0}, "session must be finite and above 0, got 0"),
        (Dwell, {"spread": -1}, "spread must be at least 0 and kappa finite, got spread=-1"),
        (Dwell, {"clickbait": 2}, "clickbait must be 0 to 1, got 2"),
        (Comment, {"sarcasm": 1.2}, "sarcasm must be 0 to 1, got 1.2"),
    ],
)
def test_wrong_arguments_are_refused_with_what_is_allowed(annotator, arguments, message):
    with pytest.raises(ValueError, match=message):
        annotator(Given(COPY), **arguments)


def test_annotators_of_whole_texts_refuse_a_metric_that_scores_tokens():
    for annotator in (Edit, Comment):
        with pytest.raises(ValueError, match="finished texts"):
            annotator(TokenMatch(COPY))
    with pytest.raises(ValueError, match="levels must be at least 2 and draws at least 1, got levels=1"):
        confusion(levels=1)
