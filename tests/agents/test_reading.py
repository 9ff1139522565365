"""Reading data: token by token what the environment held, and errors that name what does not fit."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import textgym
from agents.data.reading import Reader
from textgym.dataset.comparisons import Written
from textgym.tasks.making import make_task

COPY = {"length": 3, "letters": 4, "size": 64}


@pytest.fixture(scope="module")
def reader():
    return Reader(make_task("copy", **COPY), max_new_tokens=4)


@pytest.fixture(scope="module")
def dataset():
    generator = np.random.default_rng(0)
    return textgym.collect(gymnasium.make("textgym/Copy-v0", **COPY), lambda _: generator.integers(2, 7), 12)


def test_texts_of_records_are_their_tokens_after_the_prompts(reader, dataset):
    texts = reader.texts([Written.of(record) for record in dataset])
    prompts = reader.task.prompt_set("train")
    for row, record in enumerate(dataset):
        prompt = prompts.prompt_ids[record.sample, : prompts.prompt_lengths[record.sample]].tolist()
        assert texts.tokens[row, : texts.lengths[row]].tolist() == prompt + record.completion_ids
        assert texts.prompt_lengths[row] == len(prompt)
    assert texts.learnt.tolist() == [len(record.completion_ids) for record in dataset]


def test_a_conversation_is_the_one_that_was_held():
    """The user's words are those of the environment, in every row and episode."""
    env = gymnasium.make_vec(
        "textgym/Dialogue-v0", num_envs=3, vectorization_mode="vector_entry_point", autoreset_mode="Disabled", size=400
    )
    simulator = env.unwrapped.simulator
    held = {}

    def write(observation):
        """Follows the reference mostly; remembers what each row holds."""
        prompts = simulator.prompt_set
        actions = []
        for row in range(3):
            held[row, int(simulator.episodes[row])] = observation["input_ids"][row][
                observation["attention_mask"][row] > 0
            ].tolist()
            sample, step = simulator._samples[row], simulator.steps[row]
            length = prompts.reference_lengths[sample]
            actions.append(prompts.reference_ids[sample, step] if step < length else 2)
        return np.array(actions)

    dataset = textgym.collect(env, write, 12, seed=5)
    reader = Reader(simulator.task, simulator.max_new_tokens)
    texts = reader.texts([Written.of(record) for record in dataset])
    rows = {seed: row for row, seed in enumerate(textgym.row_seeds(5, 3))}
    for number, record in enumerate(dataset):
        seen = held[rows[record.seed], record.episode]  # before the last token
        assert texts.tokens[number, : texts.lengths[number] - 1].tolist() == seen
        own = texts.tokens[number, texts.prompt_lengths[number] : texts.lengths[number]]
        replies = texts.replies[number, texts.prompt_lengths[number] : texts.lengths[number]]
        assert own[~replies].tolist() == record.completion_ids
    assert texts.replies.any()
    assert texts.learnt.tolist() == [len(record.completion_ids) for record in dataset]


def test_strings_get_an_end_where_the_budget_has_room(reader):
    rows = [{"prompt": "a b c", "completion": "a b"}, {"prompt": [3, 4, 5], "completion": "a b c d"}]
    prompts, texts = reader.rows(rows, "completion")
    assert prompts == [[3, 4, 5, 1]] * 2
    assert texts == [[[3, 4, 2]], [[3, 4, 5, 6]]]
    _, texts = reader.rows([{"prompt": "a", "chosen": [3, 2], "rejected": ["b", [4, 4]]}], "chosen", "rejected")
    assert texts == [[[3, 2], [4, 2], [4, 4]]]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "a"}, r"row 1 must have prompt, completion, got"),
        ("a b", r"row 1 must have prompt, completion, got 'a b'"),
        ({"prompt": "a", "completion": "z"}, r"completion of row 1: not in the vocabulary of 7 words: z"),
        ({"prompt": "z", "completion": "a"}, r"the prompt of row 1: not in the vocabulary"),
        ({"prompt": "a", "completion": [3, 7]}, r"completion of row 1 has the token 7, but there are 7"),
        ({"prompt": "a", "completion": 3}, r"completion of row 1 must be a string or token ids, and not empty, got 3"),
        ({"prompt": "", "completion": "a"}, r"the prompt of row 1 must be a string or token ids, and not empty"),
        ({"prompt": "a", "completion": [3, 0.5]}, r"completion of row 1 must be a string or token ids"),
    ],
)
def test_a_wrong_row_is_named(reader, row, told):
    with pytest.raises(ValueError, match=told):
        reader.rows([{"prompt": "a", "completion": "a"}, row], "completion")


def test_a_record_of_another_environment_is_named(reader, dataset):
    other = Reader(make_task("copy", **{**COPY, "letters": 5}), max_new_tokens=4)
    with pytest.raises(ValueError, match=r"text 0 \(sample \d+, '. . .'\) was written in textgym/Copy-v0 with"):
        other.texts([Written.of(dataset[0])])
    with pytest.raises(ValueError, match=r"text 1: sample must be 0 to 47, got 51"):
        reader.texts([Written.of(dataset[0]), Written.of(replace(dataset[0], sample=51))])
    with pytest.raises(ValueError, match=r"text 1 \(sample \d+\) has the token 99"):
        reader.texts([Written.of(dataset[0]), Written.of(replace(dataset[1], completion_ids=[99]))])


def test_rows_cannot_tell_a_conversation():
    with pytest.raises(ValueError, match="rows have no answers of the other side"):
        Reader(make_task("dialogue", size=400), 8).rows([{"prompt": "a", "completion": "b"}], "completion")
