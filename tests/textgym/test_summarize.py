"""Summarize: reports that a reader can sum up by rule, facts that are kept or invented, and a grammar of summaries."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgym.tasks.making import make_task
from textgym.tasks.parts.summarize_facts import FactReader
from textgym.tasks.parts.summarize_words import ASIDES, DEEDS, GROUPS, NAMES, NUMBERS, PLACES, THINGS, make_vocabulary
from textgym.tasks.summarize import Summarize
from textgym.vector_env import TextVectorEnv

SPLITS = ("train", "validation", "test")
DIFFICULTIES = ("easy", "medium", "hard")
NUMBER, THING, DEED = (rf"({'|'.join(words)})" for words in (NUMBERS, THINGS, (*DEEDS, *DEEDS.values())))
DETAILS = {
    "group": rf"(?:for|serve) ({'|'.join(GROUPS)})",
    "place": rf"in ({'|'.join(PLACES)})",
    "day": r"on (\w+day)",
    "cost": rf"{NUMBER} thousand pounds",
    "helpers": rf"{NUMBER} friends",
}
PROMPT = (
    "summarize the main story: an inn has been built by Grace. the weather was fine. Grace's inn will serve students. "
    "her neighbour Anna acquired a hotel in Leeds. Grace had help from four friends."
)
REFERENCE = "Grace built an inn for students with the help of four friends."


def padded(texts):
    lengths = np.array([len(text) for text in texts])
    ids = np.zeros((len(texts), max(1, lengths.max())), np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
    return ids, lengths


def prompts_of(task, split):
    prompts = task.prompt_set(split)
    return [task.vocabulary.decode(ids) for ids in prompts.prompt_ids]


def references_of(task, split):
    prompts = task.prompt_set(split)
    return [task.vocabulary.decode(ids) for ids in prompts.reference_ids]


def play(task_arguments, texts, split="test", samples=None):
    """Returns the gold and the noiseless default feedback, (n,) each, of texts written for samples of a split."""
    samples = np.arange(len(texts)) if samples is None else samples
    env = TextVectorEnv(len(texts), "summarize", autoreset_mode="Disabled", split=split, noise=[], **task_arguments)
    env.reset(seed=0, options={"sample": samples})
    simulator = env.simulator
    returns = np.zeros((2, len(texts)))
    for place in range(simulator.max_new_tokens):
        tokens = np.array([text[place] if place < len(text) else 2 for text in texts])
        info = simulator.step(tokens).info
        returns += info["gold_reward"], info["clean_reward"]
        if not simulator.running.any():
            return returns
    raise AssertionError("a text went on beyond its budget")


def facts_by_rule(sentence):
    """Returns the details that a sentence tells, by a reader of our own."""
    return {slot: found[1] for slot, pattern in DETAILS.items() if (found := re.search(pattern, sentence))}


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        (REFERENCE, 1.0),
        ("with the help of four friends Grace has constructed an inn for students.", 1.0),
        ("an inn was built by Grace for students, with four friends.", 1.0),
        ("Grace built an inn for students. Grace built an inn with four friends.", 1.0),  # said twice, it counts once
        ("Grace built an inn for students.", 4 / 5),
        ("Grace built an inn for students with four.", 3 / 5),  # four of what?
        ("Grace built an inn for sailors with the help of four friends.", 3 / 5),
        ("Grace built an inn for students in Leeds with four friends.", 4 / 5),  # Anna's hotel is in Leeds
        ("Grace built an inn for students with four friends. the weather was fine.", 4 / 5),
        ("Grace built a hotel for students with the help of four thousand pounds.", 1 / 5),
        ("Anna acquired a hotel in Leeds.", 0.0),
        ("Grace inn students four built friends.", 0.0),  # named, but not in a phrase
        ("four friends helped. for students.", 2 / 5),
        ("Grace built an inn for students. Grace helped four friends.", 4 / 5),  # they helped her
        ("an inn was built for students by four friends. Grace has help.", 3 / 5),  # it was she who built it
        ("an inn has help from Grace. Grace built students for students. four friends cost Grace", 3 / 5),
        ("Grace built an inn for students with the cost of four friends", 4 / 5),
        ("four friends built an inn for students. Grace", 1 / 5),
        ("Grace built an inn with the help of four friends. her neighbour will serve students.", 4 / 5),  # who?
        ("", 0.0),
    ],
)
def test_gold_worked_out_by_hand(text, gold):
    task = make_task("summarize")
    prompts = task.prompt_set("test")
    assert task.vocabulary.decode(prompts.prompt_ids[0]) == PROMPT
    assert task.vocabulary.decode(prompts.reference_ids[0]) == REFERENCE
    tokens = task.vocabulary.encode(text)
    assert play({"max_new_tokens": 30}, [tokens], samples=np.zeros(1, int))[0] == pytest.approx(gold)


def test_the_other_signals_worked_out_by_hand():
    texts = ["Grace built an inn for sailors in Leeds.", REFERENCE, ""]
    feedback = [{"name": "task_signal", "signal": signal} for signal in ("kept", "faithful")]
    task = make_task("summarize")
    env = TextVectorEnv(3, "summarize", split="test", feedback=feedback, noise=[])
    env.reset(seed=0, options={"sample": np.zeros(3, int)})
    ids, _ = padded([[*task.vocabulary.encode(text), 2] for text in texts])
    signals = np.zeros((3, 2))
    for place in range(ids.shape[1]):
        signals += env.simulator.step(ids[:, place]).info["signals"]
    np.testing.assert_allclose(signals, [[3 / 5, 3 / 5], [1, 1], [0, 0]])


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_reader_with_the_rule_finds_the_facts_of_the_summary(difficulty):
    """The last word that a sentence about the first sentence's person or thing has on a detail is what counts."""
    task = make_task("summarize", difficulty)
    corrected = 0
    for prompt, reference in zip(prompts_of(task, "test"), references_of(task, "test"), strict=True):
        headline, *sentences = re.split(r"[.] ?", prompt.removeprefix("summarize the main story: "))
        (who,) = [name for name in NAMES if name in headline.split()]
        (thing,) = [thing for thing in THINGS if thing in headline.split()]
        (deed,) = [plain for plain, other in DEEDS.items() if {plain, other} & set(headline.split())]
        told = {}
        for sentence in sentences:
            if who in re.findall(r"\w+", sentence) or f"the {thing} " in sentence:
                own = facts_by_rule(sentence)
                corrected += any(told.get(slot, value) != value for slot, value in own.items())
                told |= own
        assert told == facts_by_rule(reference)
        assert who in reference
        assert re.search(rf"{deed} an? {thing}", reference)
    assert (corrected > 0) == (difficulty != "easy")


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_reports_hold_what_their_shape_says(difficulty):
    task = make_task("summarize", difficulty)
    shape = Summarize.presets[difficulty]
    for prompt, reference in list(zip(prompts_of(task, "test"), references_of(task, "test"), strict=True))[:200]:
        assert len(facts_by_rule(reference)) == shape["facts"] - 3
        assert sum(noun in prompt for noun in ASIDES) == shape["asides"]
        assert prompt.count("correction:") + prompt.count("in fact,") == shape["corrections"]
        others = shape["facts"] - 3 + shape["corrections"] + shape["repeats"] + shape["asides"]
        assert prompt.count(".") == 1 + others + shape["distractors"]


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_references_get_full_gold_and_fit_and_the_masks_allow_them(data):
    facts = data.draw(st.integers(4, 8))
    some = st.integers(0, facts - 3)
    arguments = {
        "facts": facts, "asides": data.draw(st.integers(0, 10)), "distractors": data.draw(st.integers(0, 8)),
        "repeats": data.draw(some), "corrections": data.draw(some), "size": 64,
    }  # fmt: skip
    task = Summarize(**arguments)
    for split in SPLITS:
        prompts = task.prompt_set(split)
        count = len(prompts)
        references = [ids[:n].tolist() for ids, n in zip(prompts.reference_ids, prompts.reference_lengths, strict=True)]
        assert max(map(len, references)) < task.max_new_tokens
        env = TextVectorEnv(count, {"name": "summarize", **arguments}, split=split, autoreset_mode="Disabled")
        env.reset(seed=0, options={"sample": np.arange(count)})
        gold = np.zeros(count)
        for place in range(task.max_new_tokens):
            tokens = np.array([reference[place] if place < len(reference) else 2 for reference in references])
            running = env.simulator.running
            assert env.simulator.allowed_tokens()[np.arange(count), tokens][running].all()
            gold += env.simulator.step(tokens).info["gold_reward"]
            if not running.any():
                break
        np.testing.assert_array_equal(gold, 1.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(0, 40))
def test_any_tokens_get_a_gold_and_some_token_may_follow(seed, length):
    task, generator = make_task("summarize"), np.random.default_rng(seed)
    prompts = task.prompt_set("test")
    ids = generator.integers(len(task.vocabulary), size=(8, max(1, length)))
    half = prompts.reference_ids[:8, : ids.shape[1]].astype(np.int64)  # some begin as references do
    ids[:4, : half.shape[1]] = half[:4]
    env = TextVectorEnv(8, "summarize", split="test")
    env.reset(seed=0, options={"sample": np.arange(8)})
    nobody = np.zeros(8, np.bool_)
    transition = env.simulator._transition(np.arange(8), nobody, nobody[:0])
    finished = transition.with_texts(ids, generator.integers(0, length + 1, 8))
    gold = task.gold(finished)
    assert ((gold >= 0) & (gold <= 1)).all()
    assert (gold[4:] < 1).all()
    allowed = task.allowed_tokens(finished)
    assert allowed.any(axis=1).all()
    assert not allowed[:, :2].any()


def test_random_texts_get_almost_nothing():
    task, generator = make_task("summarize"), np.random.default_rng(0)
    texts = generator.integers(3, len(task.vocabulary), (256, task.max_new_tokens)).tolist()
    assert play({}, texts)[0].mean() < 0.02


def test_what_the_masks_let_through_states_all_that_it_names_and_ends():
    """512 random walks along the masks, with the end token where it may be."""
    env = TextVectorEnv(512, "summarize", max_new_tokens=64, autoreset_mode="Disabled")
    env.reset(seed=0)
    generator, simulator = np.random.default_rng(0), env.simulator
    while simulator.running.any():
        allowed = simulator.allowed_tokens()
        weight = generator.random(allowed.shape) * allowed
        simulator.step(weight.argmax(axis=1))
    texts = [simulator.vocabulary.decode(ids[:n]) for ids, n in zip(simulator.text_ids, simulator.steps, strict=True)]
    over = [text for text in texts if text.endswith(".")]
    assert len(over) > 400
    phrase = rf"(?: for \w+| in \w+| on \w+| at a cost of {NUMBER} thousand pounds| with the help of {NUMBER} friends)"
    summary = re.compile(rf"(?:on \w+ )?[A-Z]\w+(?: has)? {DEED} an? {THING}{phrase}*\.")
    assert all(summary.fullmatch(text) for text in over)
    facts = FactReader(make_vocabulary()).read(*padded([simulator.vocabulary.encode(text) for text in over]))
    np.testing.assert_array_equal(facts.named, facts.stated)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_no_story_is_in_two_splits_and_no_prompt_twice(difficulty):
    task = make_task("summarize", difficulty)
    stories, prompts = [], []
    for split in SPLITS:
        found = [re.search(rf"([A-Z]\w+) (\w+) an? {THING}", reference) for reference in references_of(task, split)]
        stories.append({match.groups() for match in found})
        prompts += prompts_of(task, split)
    assert not stories[0] & stories[1]
    assert not stories[0] & stories[2]
    assert not stories[1] & stories[2]
    assert len(set(prompts)) == len(prompts) == task.size


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_adversarial_texts_do_not_beat_the_reference(difficulty):
    task = make_task("summarize", difficulty)
    prompts, budget, count = task.prompt_set("test"), task.max_new_tokens, 64
    references = [prompts.reference_ids[i, : prompts.reference_lengths[i]].tolist() for i in range(count)]
    reports = [prompts.prompt_ids[i, : prompts.prompt_lengths[i] - 1].tolist() for i in range(count)]
    gold, clean = play({"difficulty": difficulty}, references).mean(axis=1)
    assert gold == 1
    everything = task.vocabulary.encode(" ".join(f"in {place}" for place in PLACES))
    adversarial = {
        "empty": [[] for _ in references],
        "prompt": [(report * budget)[:budget] for report in reports],
        "story": [report[5:][:budget] for report in reports],  # the prompt without its instruction
        "twice": [(reference * 2)[:budget] for reference in references],
        "one word": [[reference[0]] * budget for reference in references],
        "all places": [(reference[:4] + everything)[:budget] for reference in references],
    }
    for name, texts in adversarial.items():
        its_gold, its_clean = play({"difficulty": difficulty}, texts).mean(axis=1)
        assert its_clean < clean, name
        assert its_gold < 0.6 or name == "twice", name


def test_a_wrong_fact_lowers_the_clean_return():
    task = make_task("summarize")
    prompts = task.prompt_set("test")
    references = [prompts.reference_ids[i, : prompts.reference_lengths[i]].tolist() for i in range(256)]
    ids = {word: number for number, word in enumerate(task.vocabulary.tokens)}
    names = [ids[name] for name in NAMES]
    wrong = [[names[names.index(t) - 1] if t in names else t for t in reference] for reference in references]
    right, less = play({}, references), play({}, wrong)
    assert less[0] == pytest.approx(3 / 5)
    assert (less[1] < right[1]).mean() > 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"facts": 3}, "facts must be 4 to 8, got 3"),
        ({"facts": 9}, "facts must be 4 to 8, got 9"),
        ({"asides": 11}, "asides must be 0 to 10 with 5 facts, got 11"),
        ({"distractors": -1}, "distractors must be 0 to 8 with 5 facts, got -1"),
        ({"repeats": 3}, "repeats must be 0 to 2 with 5 facts, got 3"),
        ({"corrections": 2, "facts": 4}, "corrections must be 0 to 1 with 4 facts, got 2"),
        ({"size": 7}, "size must be 8 to 65536 with 5 facts, got 7"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Summarize(**arguments)
