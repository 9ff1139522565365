"""Texts of several turns wherever texts go: spelled, scored, collected, shown, and told to a judge."""

import json

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textgym
from textgym.annotators.base import Question
from textgym.annotators.parts.opponents import make_opponent
from textgym.registration import build
from textgym.scoring import score
from textgym.tasks.making import make_task
from textgym.trl import reward_function
from textgym.turns import Turn, read_turns, split_turns

DIALOGUE = "textgym/Dialogue-v0"


def test_what_an_agent_wrote_is_split_at_its_end_tokens():
    assert split_turns([5, 6, 2, 7]) == [[5, 6], [7]]
    assert split_turns([5, 2]) == [[5]]
    assert split_turns([5, 2, 2, 7]) == [[5], [], [7]]
    assert split_turns([2]) == [[]]
    assert split_turns(np.array([], np.int64)) == []


def test_a_turn_of_the_agent_ends_with_the_end_token_and_a_reply_with_the_separator():
    assert read_turns([5, 2, 6, 7, 1, 8]) == [Turn(True, [5]), Turn(False, [6, 7]), Turn(True, [8])]
    assert read_turns([1, 5, 2, 6, 1]) == [Turn(True, [1, 5]), Turn(False, [6])]  # a separator that the agent wrote
    assert read_turns([5]) == [Turn(True, [5])]
    assert read_turns([]) == []


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(3, 133), min_size=1, max_size=5), min_size=1, max_size=5))
def test_turns_are_lines(turns):
    task = make_task("dialogue")
    tokens = [token for turn in turns for token in (*turn, 2)][:-1]
    text = task.decode_text(tokens)
    assert len(text.split("\n")) == len(turns)
    assert task.decode_text(task.encode_text(text)) == text
    assert task.decode_text([*tokens, 2]) == text


def test_a_text_of_one_turn_stays_as_it_was():
    task = make_task("copy")
    assert task.decode_text([3, 4, 2]) == task.decode_transcript([3, 4, 2]) == "a b"
    assert task.encode_text("a b") == [3, 4]


def written(sample, seed=0, **arguments):
    """Returns an environment in which the reference of a sample was just written, and the last info."""
    env = gymnasium.make(DIALOGUE, **arguments)
    env.reset(seed=seed, options={"sample": sample})
    prompts = env.unwrapped.simulator.prompt_set
    for token in [*prompts.reference_ids[sample, : prompts.reference_lengths[sample]].tolist(), 2]:
        *_, info = env.step(token)
    return env, info


def test_scoring_lines_is_what_an_environment_would_have_paid():
    env, info = written(3, seed=5)
    simulator = env.unwrapped.simulator
    text = simulator.task.decode_text(simulator.text_ids[0, : simulator.steps[0]])
    scores = score(DIALOGUE, [3], [text], seed=5)
    assert scores.gold[0] == info["gold_return"] == 1
    assert scores.observed_return[0] == info["observed_return"]
    assert scores.finish_reason[0] == "stop"
    assert score(DIALOGUE, [3], [text.replace("\n", " ")]).gold[0] == 0  # all in one turn


def test_collected_texts_are_lines_that_score_the_same(tmp_path):
    env = gymnasium.make_vec(DIALOGUE, num_envs=4, vectorization_mode="vector_entry_point", noise=[])
    generator = np.random.default_rng(0)

    def masked(observation):
        allowed = env.unwrapped.simulator.allowed_tokens()
        return (generator.random(allowed.shape) * allowed).argmax(axis=1)

    dataset = textgym.collect(env, masked, episodes=40)
    assert max(record.completion.count("\n") for record in dataset) >= 2
    scores = score(DIALOGUE, [record.sample for record in dataset], [record.completion for record in dataset], noise=[])
    np.testing.assert_allclose(scores.clean_return, [record.clean_return for record in dataset])
    np.testing.assert_array_equal(scores.gold, [record.gold_return for record in dataset])
    dataset.save(tmp_path / "talks.jsonl")
    assert textgym.load(tmp_path / "talks.jsonl").records == dataset.records


def test_stored_texts_are_read_by_lines(tmp_path):
    task = make_task("dialogue")
    prompts = task.prompt_set("train")
    reference = prompts.reference_ids[0, : prompts.reference_lengths[0]].tolist()
    row = {"prompt": task.vocabulary.decode(prompts.prompt_ids[0]), "completion": task.decode_text(reference)}
    (tmp_path / "texts.jsonl").write_text(json.dumps(row))
    env, _ = written(0)
    simulator = env.unwrapped.simulator
    seen = simulator._transition(np.array([0]), np.array([True]), np.array([True]))
    opponent = make_opponent({"path": str(tmp_path / "texts.jsonl")}, task)
    opponent.bind(1)
    met, known = opponent.meet(seen)
    assert known.all()
    assert met.text_ids[0, : met.text_lengths[0]].tolist() == reference


def test_messages_of_a_conversation_are_turns():
    reward = reward_function(DIALOGUE, noise=[], reward="gold")
    task = reward.scorer.simulator.task
    prompts = task.prompt_set("train")
    lines = task.decode_text(prompts.reference_ids[0, : prompts.reference_lengths[0]]).split("\n")
    talk = [{"role": "assistant", "content": line} for line in lines]
    assert reward(prompts=[reward.prompts()[0]["prompt"]] * 2, completions=[talk, "\n".join(lines)]) == [1.0, 1.0]


def test_a_picture_of_the_text_says_whose_turn_it_was():
    env, _ = written(3, render_mode="ansi")
    lines = env.render().replace("\x1b[1m", "").replace("\x1b[0m", "").split("\n")
    reference = env.unwrapped.simulator.task.decode_text(env.unwrapped.simulator.prompt_set.reference_ids[3]).strip()
    assert [line for line in lines if line.startswith("agent: ")] == [
        f"agent: {turn}" for turn in reference.split("\n")
    ]
    assert [line.split(":")[0] for line in lines[1:-2]] == ["agent", "user"] * (len(lines) // 2 - 2) + ["agent"]


def test_a_judge_reads_both_sides():
    env, _ = written(3)
    simulator = env.unwrapped.simulator
    judge = build(
        "annotators",
        {"name": "chat_judge", "base_url": "http://localhost", "model": "m"},
        build("metrics", "gold", simulator.task),
    )
    seen = simulator._transition(np.array([0]), np.array([True]), np.array([True]))
    question = Question(seen, np.zeros((1, 1)), np.zeros((1, 1)), None, None)
    ((_, asked),) = judge._messages(question)
    text = json.loads(asked["content"])["text"]
    assert text.startswith("agent: ")
    assert "\nuser: " in text


def test_a_reply_must_end_with_the_separator(monkeypatch):
    env = gymnasium.make(DIALOGUE).unwrapped
    task = env.simulator.task
    monkeypatch.setattr(task, "reply", lambda transition, address: (np.array([[5, 6]]), np.array([2])))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="a reply of Dialogue must end with the separator"):
        env.step(2)
