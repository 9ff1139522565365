"""Judgements hold what was said, of data sets as of plain rows, and split by prompt."""

import gymnasium
import numpy as np
import pytest

import textgym
from agents.reward.judgements import Judgements

ROWS = [
    {"prompt": "a", "chosen": "x", "rejected": "y", "annotator": "Ann"},
    {"prompt": "a", "completions": ["z", "x", "y"]},
    {"prompt": "b", "completion": [3, 4], "rating": 2, "annotator": "Bo"},
    {"prompt": "b", "completion": "x", "rating": 4.5, "annotator": "Ann"},
]


def test_rows_become_numbers_of_texts_ratings_and_annotators():
    made = Judgements.of(ROWS)
    assert list(zip(made.prompts, made.completions, strict=True)) == [
        ("a", "x"), ("a", "y"), ("a", "z"), ("b", (3, 4)), ("b", "x"),
    ]  # fmt: skip
    np.testing.assert_array_equal(made.texts, [[0, 1, -1], [2, 0, 1], [3, -1, -1], [4, -1, -1]])
    np.testing.assert_array_equal(made.ratings, [np.nan, np.nan, 2, 4.5])
    np.testing.assert_array_equal(made.annotators, [0, -1, 1, 0])
    assert made.annotator_names == ("Ann", "Bo")
    assert made.levels.tolist() == [2, 4.5]
    assert repr(made) == "Judgements(5 texts; 2 ratings, 2 comparisons; 2 annotators; 0 ties left out)"


def test_a_prompt_is_held_out_as_a_whole():
    rows = [{"prompt": f"{i % 10}", "completion": f"{i}", "rating": i} for i in range(50)]
    answers = Judgements.of(rows)
    train, held_out = answers.split(0.3, np.random.default_rng(0))
    seen, unseen = ({answers.prompts[text] for text in part.texts[:, 0]} for part in (train, held_out))
    assert len(unseen) == 3
    assert not seen & unseen
    assert len(train) + len(held_out) == 50


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "there is nothing to learn from"),
        ([{"prompt": "a", "chosen": "x"}], "row 0 must have prompt, and chosen and rejected"),
        ([{"prompt": "a", "completion": "x", "rating": 1, "anotator": "Ann"}], "got prompt, completion, rating, anot"),
        ([*ROWS, {"prompt": "a", "completion": "x", "rating": np.nan}], "row 4: rating must be a finite number"),
        ([{"prompt": "a", "chosen": "x", "rejected": "x"}], "row 0 must compare at least two texts that differ"),
        ([{"prompt": "a", "completions": ["x"]}], "row 0 must compare at least two texts that differ"),
    ],
)
def test_what_can_not_be_learnt_from_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        Judgements.of(rows)


def test_one_prompt_can_not_be_split():
    with pytest.raises(ValueError, match="about two prompts at least"):
        Judgements.of(ROWS[:2]).split(0.5, np.random.default_rng(0))


@pytest.fixture(scope="module")
def collected():
    """Every kind of answer, by several people, about texts of random letters."""
    pool = {"size": 3, "bias": 0.2}
    feedback = [
        {"name": "rating", "metric": "rouge_l", "levels": 5, "readings": 2, "pool": pool},
        {"name": "preference", "metric": "rouge_l", "against": "previous", "teacher": "equal", "pool": pool},
        {"name": "ranking", "metric": "rouge_l", "readings": 2},
        "rouge_l",
    ]
    arguments = {"feedback": feedback, "noise": [], "group_size": 3, "length": 4}
    env = gymnasium.make_vec("textgym/Copy-v0", num_envs=20, vectorization_mode="vector_entry_point", **arguments)
    generator = np.random.default_rng(0)
    return textgym.collect(env, lambda observation: generator.integers(3, 7, 20), 120, seed=0)


def test_a_data_set_gives_what_its_views_give_and_who_said_it(collected):
    ratings, pairs, rankings = (Judgements.of(collected, name) for name in ("rating", "preference", "ranking"))
    assert sorted(ratings.ratings) == sorted(row["rating"] for row in collected.ratings("rating"))
    assert len(pairs) == len(collected.preferences("preference"))
    assert len(rankings) == len(collected.rankings("ranking"))
    assert rankings.texts.shape[1] == 3
    assert ratings.annotator_names == tuple(f"rating:rouge_l/{number}" for number in range(3))
    assert len(rankings.annotator_names) == 2
    together = Judgements.of(collected)
    assert len(together) == len(ratings) + len(pairs) + len(rankings)
    assert len(together.annotator_names) == 8


def test_the_better_text_comes_first(collected):
    """Without error the chosen text has the higher metric; ties and equal texts are counted, not learnt from."""
    pairs = Judgements.of(collected, "preference")
    value = {(record.prompt, tuple(record.completion_ids)): record.feedback[3].true_value for record in collected}
    better, worse = (
        np.array([value[pairs.prompts[text], tuple(pairs.completions[text])] for text in column])
        for column in pairs.texts.T
    )
    assert (better - worse).mean() > 0.2
    answers = [reading for _, part in collected.parts("preference") for reading in part.readings]
    assert pairs.ties == sum(reading.value is not None for reading in answers) - len(pairs) > 0


def test_plain_rows_have_no_signals():
    with pytest.raises(ValueError, match="signal='rating' chooses from a FeedbackDataset"):
        Judgements.of(ROWS, "rating")


def test_a_ranking_names_a_text_once():
    """All texts of a group are the same: nothing was said."""
    feedback = [{"name": "ranking", "metric": "rouge_l"}]
    env = gymnasium.make("textgym/Copy-v0", feedback=feedback, noise=[], group_size=3)
    same = textgym.collect(env, lambda observation: 3, 6)
    with pytest.raises(ValueError, match="2 ties, and no other answer"):
        Judgements.of(same)
