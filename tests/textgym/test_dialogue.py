"""Dialogue by hand-worked talks, and laws over its presets, users, orders of questions and any tokens."""

import inspect
import re
from itertools import chain

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgym.annotators.parts.opponents import make_opponent
from textgym.scoring import score
from textgym.tasks.base import SPLITS
from textgym.tasks.dialogue import Dialogue
from textgym.tasks.making import make_task
from textgym.tasks.parts import dialogue_words as words
from textgym.tasks.parts.dialogue_grammar import Act
from textgym.tasks.parts.dialogue_user import Talk
from textgym.transition import Transition
from textgym.turns import read_turns, split_turns

DIALOGUE = "textgym/Dialogue-v0"
LEVELS = ("easy", "medium", "hard")
TAXI = "take the booking. user: hello, I am looking for a taxi at seven."  # he will change seven to noon
DAY, PEOPLE, CHECK = "which day?", "how many people?", "shall I book it?"
RIGHT = "booked: a taxi for four on Monday at noon."


def task_of(level="easy"):
    return make_task("dialogue", level)


def played(texts, sample, seed=0, **arguments):
    """Writes token ids, one text a row, with masks off; returns the simulator and the last info of each row."""
    arguments = {"noise": [], **arguments}
    env = gymnasium.make_vec(
        DIALOGUE, num_envs=len(texts), vectorization_mode="vector_entry_point", autoreset_mode="Disabled", **arguments
    )
    env.reset(seed=seed, options={"sample": np.full(len(texts), sample)})
    simulator = env.unwrapped.simulator
    final = {}
    for step in range(simulator.max_new_tokens):
        actions = np.array([text[step] if step < len(text) else 2 for text in texts])
        result = simulator.step(actions)
        for row in np.flatnonzero(result.terminated):
            final[row] = result.final["gold_return"][row], result.final["clean_return"][row]
    return simulator, [final[row] for row in range(len(texts))]


def heard(simulator, row=0):
    """Returns what the user of a row said, reply by reply."""
    start = simulator.prompt_set.prompt_lengths[simulator._samples[row]]
    turns = read_turns(simulator.input_ids[row, start : simulator.lengths[row]])
    return [simulator.vocabulary.decode(turn.ids) for turn in turns if not turn.by_agent]


@pytest.mark.parametrize(
    ("turns", "gold", "goal", "mood"),
    [
        ([DAY, PEOPLE, CHECK, RIGHT], 1, 1, 1),
        (["on which day?", "for how many?", "is that right?", RIGHT], 1, 1, 1),
        ([PEOPLE, DAY, CHECK, RIGHT], 1, 1, 1),
        ([DAY, PEOPLE, RIGHT], 1, 1, 2 / 4),  # without the check he may be lucky, but who knows
        ([DAY, PEOPLE, CHECK, RIGHT.replace("noon", "seven")], 0, 3 / 4, 3 / 4),
        ([DAY, PEOPLE, CHECK, RIGHT.replace("taxi", "table")], 0, 3 / 4, 3 / 4),
        ([DAY, PEOPLE, CHECK, "booked: a taxi for four at noon."], 0, 3 / 4, 3 / 4),
        (
            [DAY, PEOPLE, CHECK, "booked: a taxi for four at noon on Monday."],
            0,
            0,
            3 / 4 * 2 / 3 / 2,
        ),  # the wrong order, so no booking
        ([RIGHT], 1, 1, 0),  # nobody can know it all at once
        (["booked: a taxi."], 0, 1 / 4, 0),
        ([DAY, DAY, PEOPLE, CHECK, RIGHT], 4 / 5, 1, 2 / 3),
        ([CHECK, DAY, PEOPLE, CHECK, CHECK, RIGHT], 4 / 6, 1, 1 / 3),  # too soon, and once too often
        (["Monday", DAY, "what time?", PEOPLE, CHECK, RIGHT], 4 / 6, 1, 1 / 3),  # not understood, and told already
        ([DAY, DAY, DAY, DAY, PEOPLE, CHECK, RIGHT], 0, 0, 0),  # the third wasted turn is more than he bears
        ([DAY, "", PEOPLE, CHECK, RIGHT], 0, 0, 1 / 4 / 2),  # an empty turn, and he hangs up
        ([DAY, f"{PEOPLE} {CHECK}", CHECK], 0, 0, 1 / 4 * 1 / 3 / 2),  # two questions in one turn
        ([""], 0, 0, 0),
    ],
)
def test_talks_worked_by_hand(turns, gold, goal, mood):
    feedback = [{"name": "task_signal", "signal": signal} for signal in ("goal", "mood")]
    scores = score(DIALOGUE, [TAXI], ["\n".join(turns)], feedback=feedback, noise=[], max_new_tokens=60)
    assert scores.gold[0] == pytest.approx(gold)
    assert scores.signals[0] == pytest.approx([goal, mood])


def sample_of(prompt):
    prompts = task_of().prompt_set("train")
    return [task_of().vocabulary.decode(ids) for ids in prompts.prompt_ids].index(prompt)


def test_the_documented_example_is_real():
    simulator, _ = played(
        [[*task_of().encode_text("\n".join([DAY, PEOPLE, CHECK, RIGHT])), 2]], sample_of(TAXI), seed=1
    )
    for said in (TAXI, *heard(simulator), DAY, PEOPLE, CHECK, RIGHT):
        assert said in Dialogue.__doc__


def test_what_a_user_says_depends_on_the_question_and_its_wording_on_chance():
    tokens = [*task_of().encode_text(DAY), 2]
    simulator, _ = played([tokens] * 600, sample_of(TAXI))
    answers = [wording.format(phrase="on Monday", value="Monday") for wording in words.REPLIES["answer"]]
    corrections = [wording.format(value="noon", other="seven") for wording in words.REPLIES["correct"]]
    found = [heard(simulator, row)[0] for row in range(600)]
    assert set(found) == {f"{answer} {correction}" for answer in answers for correction in corrections}
    again, _ = played([tokens] * 600, sample_of(TAXI))
    assert found == [heard(again, row)[0] for row in range(600)]


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ([PEOPLE, DAY], ["four.* noon, not seven|four.* change seven to noon", "Monday"]),  # he corrects it at once
        ([DAY, PEOPLE, CHECK], ["", "four", "^yes"]),
        ([DAY, PEOPLE, CHECK, CHECK], ["", "", "", "^yes"]),
        ([DAY, DAY], ["", "I said Monday|as I said, on Monday|Monday, I told you"]),
        (["what time?", DAY], ["seven", "noon"]),  # a repeated question does not bring the correction about
        ([CHECK], ["not yet|not know"]),
        (["Monday"], ["sorry, what|pardon|not understand"]),
    ],
)
def test_what_the_user_replies(turns, said):
    simulator, _ = played([[*task_of().encode_text("\n".join(turns)), 2]], sample_of(TAXI))
    replies = heard(simulator)
    assert len(replies) == len(said)
    for reply, pattern in zip(replies, said, strict=True):
        assert re.search(pattern, reply), (reply, pattern)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LEVELS), st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_who_has_asked_for_everything_and_checked_knows_all(level, sample, random):
    """Whatever the order of the questions, and with wasted ones among them, as many as he bears."""
    task = task_of(level)
    goals = task.prompt_set("train").data["goal"]
    goal = goals[sample % len(goals)]
    acts = [Act("ask", slot) for slot in random.sample(goal.asked, len(goal.asked))]
    for _ in range(random.randint(0, task.patience)):
        acts.insert(random.randint(0, len(acts)), random.choice([Act("lost"), Act("ask", goal.told[0])]))
    acts.append(Act("check"))
    said = [goal.at_first(slot) for slot in goal.told]
    for count in range(1, len(acts) + 1):
        talk = Talk.after(acts[:count], goal, task.patience)
        assert not talk.over
        said += talk.words([random.random(), random.random()])
    assert talk.checked
    assert not talk.mistaken
    for value in goal.wanted.values():
        assert value in " ".join(said)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LEVELS), st.sampled_from(SPLITS), st.integers(0, 10**6))
def test_the_reference_gets_full_gold_whatever_the_user_says(level, split, number):
    env = gymnasium.make(DIALOGUE, difficulty=level, split=split, noise=[]).unwrapped
    simulator = env.simulator
    sample = number % len(simulator.prompt_set)
    reference = simulator.prompt_set.reference_ids[sample, : simulator.prompt_set.reference_lengths[sample]]
    env.reset(seed=number, options={"sample": sample})
    for token in [*reference.tolist(), 2]:
        assert env.action_masks()[token]
        *_, over, _, info = env.step(token)
    assert over
    assert info["gold_return"] == 1
    assert info["finish_reason"] == "stop"
    assert info["clean_return"] == pytest.approx(1)


@pytest.mark.parametrize("level", LEVELS)
def test_random_talk_follows_the_grammar_and_gets_little(level):
    env = gymnasium.make_vec(
        DIALOGUE, num_envs=300, vectorization_mode="vector_entry_point", autoreset_mode="Disabled", difficulty=level
    ).unwrapped
    env.reset(seed=0)
    simulator, generator = env.simulator, np.random.default_rng(0)
    golds = np.zeros(300)
    while simulator.running.any():
        allowed = simulator.allowed_tokens()
        assert allowed.any(axis=1).all()
        result = simulator.step((generator.random(allowed.shape) * allowed).argmax(axis=1))
        golds += result.info["gold_reward"]
    assert golds.mean() < 0.02
    grammar = simulator.task._grammar
    for ids, length in zip(simulator.text_ids, simulator.steps, strict=True):
        turns = split_turns(ids[:length])
        for turn in turns if ids[length - 1] == 2 else turns[:-1]:
            assert grammar.read(tuple(turn)).kind != "lost"
    kinds = {grammar.read(tuple(turn)).kind for ids in simulator.text_ids for turn in split_turns(ids)}
    assert kinds >= {"ask", "check", "book"}


def test_after_what_the_grammar_lacks_a_turn_can_only_end():
    env = gymnasium.make(DIALOGUE).unwrapped
    env.reset(seed=0)
    simulator = env.simulator
    (monday,) = simulator.vocabulary.encode("Monday")
    for text, allowed in (([monday], {2}), ([monday, 2], None), ([1], {2}), ([*simulator.vocabulary.encode(DAY)], {2})):
        env.reset(options={"sample": 0})
        for token in text:
            env.step(token)
        found = set(np.flatnonzero(env.action_masks()).tolist())
        assert found == allowed if allowed else monday not in found and 2 not in found


def test_a_turn_begins_as_questions_checks_and_bookings_do():
    env = gymnasium.make(DIALOGUE, difficulty="hard").unwrapped
    env.reset(seed=0)
    spelled = {env.simulator.vocabulary.tokens[token] for token in np.flatnonzero(env.action_masks())}
    assert spelled == {"which", "on", "what", "at", "how", "for", "where", "under", "your", "shall", "is", "booked"}


def test_every_turn_of_the_agent_is_read():
    task = task_of("hard")

    def read(text):
        return task._grammar.read(tuple(task.vocabulary.encode(text)))

    for slot, questions in words.QUESTIONS.items():
        for question in questions:
            assert read(question) == Act("ask", slot)
    assert [read(check) for check in words.CHECKS] == [Act("check")] * 2
    booked = {"what": "room", "where": "the Savoy", "time": "noon", "name": "Anna"}
    assert read("booked: a room at the Savoy at noon under the name Anna.") == Act("book", booked=booked)
    assert read("booked: a room.").booked == {"what": "room"}
    for wrong in (
        "",
        "booked: a room",
        "booked: a room. .",
        "booked: a room at noon at ten.",
        "which which",
        "booked: a room at Rome.",
    ):
        assert read(wrong) == Act("lost")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 133), max_size=40), min_size=1, max_size=20), st.integers(0, 5000))
def test_any_tokens_are_judged(texts, sample):
    _, ends = played(texts, sample % 5000)
    for gold, clean in ends:
        assert 0 <= gold < 1
        assert 0 <= clean <= 1


@pytest.mark.parametrize("level", LEVELS)
def test_no_trick_beats_the_reference_on_the_default_feedback(level):
    task = task_of(level)
    prompts = task.prompt_set("train")
    samples = list(range(64))
    references = [prompts.reference_ids[s, : prompts.reference_lengths[s]].tolist() for s in samples]
    asked = [prompts.prompt_ids[s, : prompts.prompt_lengths[s] - 1].tolist() for s in samples]
    (please,) = task.vocabulary.encode("booked")
    nothing = task.vocabulary.encode("booked: a room.")  # or one that is a fifth of it
    tricks = {
        "empty": [[]] * 64,
        "prompt": asked,
        "prompt in turns": [[*chain.from_iterable((token, 2) for token in prompt)] for prompt in asked],
        "reference twice": [[*reference, *reference] for reference in references],
        "reference twice in turns": [[*reference, 2, *reference] for reference in references],
        "all in one turn": [[token for token in reference if token != 2] for reference in references],
        "one word": [[please] * 99] * 64,
        "one question": [[*task.vocabulary.encode(DAY), 2] * 20] * 64,
        "booking at once": [split_turns(reference)[-1] for reference in references],
        "something else": [[*reference[: -1 - reference[::-1].index(2)], 2, *nothing] for reference in references],
    }
    returns = {
        name: score(DIALOGUE, samples, texts, difficulty=level, noise=[], truncate=True).clean_return.mean()
        for name, texts in {"reference": references, **tricks}.items()
    }
    assert returns.pop("reference") == pytest.approx(1)
    assert returns.pop("reference twice in turns") == pytest.approx(1)  # what follows a booking is not read
    assert max(returns.values()) < 0.8


@pytest.mark.parametrize("level", LEVELS)
def test_splits_differ_in_what_is_wanted_and_every_prompt_is_another(level):
    sets = {split: task_of(level).prompt_set(split) for split in SPLITS}
    contents = [{goal.content for goal in prompts.data["goal"]} for prompts in sets.values()]
    assert not contents[0] & contents[1]
    assert not contents[0] & contents[2]
    assert not contents[1] & contents[2]
    total = sum(map(len, sets.values()))
    assert total == 8192
    assert 0.7 < len(sets["train"]) / total < 0.8
    prompts = [tuple(ids[ids > 0].tolist()) for part in sets.values() for ids in part.prompt_ids]
    assert len(set(prompts)) == total


@pytest.mark.parametrize("level", LEVELS)
def test_users_are_as_the_preset_says(level):
    task, preset = task_of(level), Dialogue.presets[level]
    goals = task.prompt_set("train").data["goal"]
    assert {len(goal.wanted) for goal in goals} == {preset["slots"]}
    assert {len(goal.other) for goal in goals} == set(range(preset["corrections"] + 1))
    assert {len(goal.told) for goal in goals} == set(range(1, preset["slots"]))
    assert not any("name" in goal.other for goal in goals)
    assert all(goal.other[slot] != goal.wanted[slot] for goal in goals for slot in goal.other)
    assert max(map(len, task.prompt_set("train").reference_ids)) < task.max_new_tokens


def test_the_default_is_easy():
    defaults = {name: p.default for name, p in inspect.signature(Dialogue).parameters.items()}
    assert {**defaults, **Dialogue.presets["easy"]} == defaults


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"slots": 2}, "slots must be 3 to 5, got 2"),
        ({"slots": 6}, "slots must be 3 to 5, got 6"),
        ({"corrections": 3}, "corrections must be 0 to 2, got 3"),
        ({"patience": -1}, "patience must be 0 to 8, got -1"),
        ({"size": 63}, "size must be at least 64, got 63"),
        ({"patience": 10**6}, "patience must be 0 to 8, got 1000000"),
        ({"size": 10**6, "corrections": 0}, "size must be smaller, got 1000000"),
    ],
)
def test_wrong_arguments_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        Dialogue(**arguments)


def test_a_demonstration_and_the_baseline_are_whole_talks_and_not_their_first_turn():
    task = task_of()
    prompts = task.prompt_set("train")
    lengths = prompts.reference_lengths[:50]
    texts = [ids[:length].tolist() for ids, length in zip(prompts.reference_ids, lengths, strict=False)]
    shown = [{"name": "demonstration", "metric": "rouge_l"}]
    scores = score(DIALOGUE, range(50), texts, split="train", feedback=shown, noise=[], difficulty="easy")
    np.testing.assert_array_equal(scores.observed_signals, 1.0)
    first = [text[: text.index(2)] for text in texts]
    lazy = score(DIALOGUE, range(50), first, split="train", feedback=shown, noise=[], difficulty="easy")
    assert lazy.observed_signals.max() < 0.5
    drawn = make_opponent("baseline", task)
    texts, _ = drawn.meet(Transition.before(prompts, np.arange(len(prompts))))
    assert texts.text_lengths.mean() == pytest.approx(prompts.reference_lengths.mean(), rel=0.5)
    assert (texts.text_ids == 2).any()
