"""Comparisons by what was said and by scores: which pairs there are, which are ties, and their tokens."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import textgym
from textgym.dataset.comparisons import best_texts, compare_scores
from textgym.dataset.feedback_dataset import FeedbackDataset, load

COPY = {"length": 3, "letters": 4, "size": 64}
FEEDBACK = [
    {"name": "preference", "metric": "rouge_l", "readings": 2},
    {"name": "ranking", "metric": "rouge_l"},
    {"name": "edit", "share": 0.5, "error": 0.2},
    {"name": "demonstration", "metric": "rouge_l", "lapse": 0.3},
    "rouge_l",
]


@pytest.fixture(scope="module")
def env():
    return gymnasium.make("textgym/Copy-v0", feedback=FEEDBACK, noise=[], group_size=4, **COPY)


@pytest.fixture(scope="module")
def dataset(env):
    generator = np.random.default_rng(0)
    return textgym.collect(env, lambda _: generator.integers(2, 7), 48)


def test_token_ids_are_those_of_the_text_with_an_end_where_the_budget_has_room(env, dataset):
    task = env.unwrapped.simulator.task
    seen = set()
    for _, part in dataset.parts():
        for reading in part.readings:
            for name in ("opponent", "corrected", "demonstration"):
                if name in reading.said:
                    ids = reading.said[f"{name}_ids"]
                    seen.add((name, ids[-1] == 2))
                    assert task.decode_text(ids) == reading.said[name]
                    assert (ids[-1] == 2) == (ids.count(2) == 1) == (len(reading.said[name].split()) < 4)
    assert len(seen) == 6  # each of the three, with an end token and without


def test_comparisons_are_the_preferences_with_tokens(dataset):
    found = dataset.comparisons()
    pairs = [(c.chosen, worse) for c in found for worse in c.rejected]
    assert [
        {"prompt": chosen.record.prompt, "chosen": chosen.completion, "rejected": worse.completion}
        for chosen, worse in pairs
    ] == dataset.preferences()
    by_ranking = dataset.comparisons("ranking")
    assert max(len(comparison.rejected) for comparison in by_ranking) == 3
    for chosen, rejected in by_ranking:
        assert all(chosen.record.sample == worse.record.sample for worse in rejected)
        assert chosen.ids == chosen.record.completion_ids


def test_a_tie_is_no_comparison_but_is_counted(dataset):
    record = dataset[0]
    (part,) = [part for part in record.feedback if part.kind == "preference"]
    tie = replace(part, readings=[replace(part.readings[0], value=0.5), part.readings[1]])
    found = FeedbackDataset([replace(record, feedback=[tie])]).comparisons()
    assert (len(found), found.ties) == (1, 1)


def scored(dataset, *scores):
    """Texts for one prompt that differ, each with a score."""
    texts = [
        replace(dataset[0], completion=f"text {number}", completion_ids=[number, 2], gold_return=score)
        for number, score in enumerate(scores)
    ]
    return FeedbackDataset(texts)


def test_scores_are_compared_within_a_prompt_beyond_a_margin(dataset):
    texts = scored(dataset, 0.2, 1.0, 0.5, 0.4)
    found = compare_scores(texts, "gold_return", margin=0.15)
    assert [(c.chosen.completion, [w.completion for w in c.rejected]) for c in found] == [
        ("text 1", ["text 2", "text 3", "text 0"]),
        ("text 2", ["text 0"]),
        ("text 3", ["text 0"]),
    ]
    assert found.ties == 1  # 0.5 and 0.4
    other = replace(texts[0], sample=dataset[0].sample + 1, gold_return=0.0)
    assert len(compare_scores([texts[1], other], "gold_return")) == 0
    assert len(compare_scores([texts[1], replace(texts[1], gold_return=0.0)], "gold_return")) == 0  # the same text


def test_scores_are_returns_signals_or_functions(dataset):
    by_signal = compare_scores(dataset, "rouge_l")
    assert len(by_signal) > 0
    for chosen, rejected in by_signal:
        values = [text.record.feedback[-1].observed_value for text in (chosen, *rejected)]
        assert max(values[1:]) < values[0]
    assert [c.chosen.ids for c in compare_scores(dataset, lambda record: record.gold_return)] == [
        c.chosen.ids for c in compare_scores(dataset, "gold_return")
    ]
    assert len(compare_scores(dataset, lambda record: None)) == 0
    with pytest.raises(ValueError, match=r"score must be a function or one of observed_return.*rouge_l, got 'rouge'"):
        compare_scores(dataset, "rouge")
    with pytest.raises(ValueError, match=r"margin must be at least 0, got -1"):
        compare_scores(dataset, margin=-1)


def test_the_best_text_of_each_prompt(dataset):
    assert [text.completion for text in best_texts(scored(dataset, 0.2, 1.0, 1.0), "gold_return")] == ["text 1"]
    assert len(best_texts(dataset)) == len({record.sample for record in dataset})


def test_what_is_imitated_and_corrected_has_its_tokens(env, dataset):
    task = env.unwrapped.simulator.task
    assert [{"prompt": text.record.prompt, "completion": text.completion} for text in dataset.imitated()] == (
        dataset.supervised()
    )
    assert all(task.decode_text(text.ids) == text.completion for text in dataset.imitated())
    assert [
        {"prompt": draft.record.prompt, "completion": draft.completion, "corrected": corrected.completion}
        for draft, corrected in dataset.corrections()
    ] == dataset.edits()


def test_a_file_keeps_the_tokens(dataset, tmp_path):
    dataset.save(tmp_path / "feedback.jsonl")
    loaded = load(tmp_path / "feedback.jsonl")
    assert [[w.ids for w in c.rejected] for c in loaded.comparisons()] == [
        [w.ids for w in c.rejected] for c in dataset.comparisons()
    ]
