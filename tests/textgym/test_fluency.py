"""The n-gram model against probability's laws and a slow twin, its hash table, and the metric made of it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgym.metrics.fluency import Fluency
from textgym.metrics.parts.hash_table import HashTable
from textgym.metrics.parts.ngram_model import NgramModel
from textgym.tasks.base import PromptSet, Task
from textgym.transition import Transition
from textgym.vocabulary import WordVocabulary

WORDS = WordVocabulary(["return", "the", "a", "name", "list", "of", "file", "unseen"])
SENTENCES = [
    "return the name", "return the list", "return a list of the file", "return the name of the file",
    "return a name of a file", "the name of the list", "return the file", "name the list of a file", "a", "a",
]  # fmt: skip


class Sentences(Task):
    """A task whose references are a few sentences, the same in all splits unless others are given for validation."""

    vocabulary = WORDS
    max_new_tokens = 12

    def __init__(self, sentences=SENTENCES, validation=None):
        self.sentences = {"train": sentences, "validation": validation or sentences, "test": sentences}

    def make_prompt_set(self, split):
        references = [WORDS.encode(sentence) for sentence in self.sentences[split]]
        return PromptSet.from_tokens([[3]] * len(references), references, WORDS)

    def gold(self, transition):
        raise NotImplementedError


def padded(texts):
    ids = np.full((len(texts), max(1, *map(len, texts))), 3)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = text
    return ids, np.array([len(text) for text in texts])


def slow_probability(history, word, order, highest):
    """Kneser-Ney from Counters and recursion, as in the formula of `NgramModel`."""
    framed = [(1, *WORDS.encode(sentence), 2) for sentence in SENTENCES]
    grams = Counter(gram[i : i + order] for gram in framed for i in range(len(gram) - order + 1))
    if order < highest:
        longer = {gram[i : i + order + 1] for gram in framed for i in range(len(gram) - order)}
        in_front = Counter(gram[1:] for gram in longer)
        grams = Counter(
            {gram: count if gram[0] == 1 and order > 1 else in_front[gram] for gram, count in grams.items()}
        )
    if order == 1:
        del grams[(1,)]
    counts = Counter(count for count in grams.values() if count)
    discount = (counts[1] + 0.5) / (counts[1] + 2 * counts[2] + 1)
    context = tuple(history[len(history) - order + 1 :]) if order > 1 else ()
    after = {gram[-1]: count for gram, count in grams.items() if gram[:-1] == context and count}
    shorter = slow_probability(history, word, order - 1, highest) if order > 1 else 1 / WORDS.writable.sum()
    if not after:
        return shorter
    total = sum(after.values())
    return max(after.get(word, 0) - discount, 0) / total + discount * len(after) / total * shorter


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_follow_the_formula(order):
    texts = [WORDS.encode(text) for text in ("return the list of", "file unseen the name of the", "a", "the the the")]
    model = NgramModel(Sentences().prompt_set("train"), WORDS, order)
    fast, starts = model.log_probabilities(*padded(texts))
    for text, scored in zip(texts, np.split(fast, starts[1:]), strict=True):
        framed = [1, *text, 2]
        assert scored[0] == 0
        for place in range(1, len(framed)):
            slow = slow_probability(framed[:place], framed[place], min(order, place + 1), order)
            assert scored[place] == pytest.approx(np.log(slow), abs=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "history", ["", "return", "return the", "the name of", "unseen", "unseen the", "file return a"]
)
def test_probabilities_add_up_to_one(order, history):
    model = NgramModel(Sentences().prompt_set("train"), WORDS, order)
    before = WORDS.encode(history)
    words = [token for token in np.flatnonzero(WORDS.writable).tolist() if token != WORDS.end_id]
    log_p, starts = model.log_probabilities(*padded([[*before, word] for word in words]))
    ending, _ = model.log_probabilities(*padded([before]))
    total = np.exp(log_p[starts + len(before) + 1]).sum() + np.exp(ending[-1])
    assert total == pytest.approx(1.0, abs=1e-12)


def test_a_rare_pair_of_frequent_words_is_rarer_than_any_single_word():
    """One word follows "return" once in a thousand times; a word that was never seen is likelier by itself."""
    model = NgramModel(Sentences(["return a"] * 1000 + ["return the"]).prompt_set("train"), WORDS, 2)
    words = np.flatnonzero(WORDS.writable)
    log_p, starts = model.log_probabilities(*padded([[WORDS.encode("return")[0], word] for word in words]))
    assert np.exp(log_p[starts + 2]).sum() == pytest.approx(1.0, abs=1e-12)
    padding, _ = model.log_probabilities(np.array([[0, 1]]), np.array([2]))
    assert np.isfinite(padding).all()


def test_mean_log_probability_counts_the_end_and_ignores_padding():
    model = NgramModel(Sentences().prompt_set("train"), WORDS)
    texts = [WORDS.encode(sentence) for sentence in SENTENCES] * 60  # more than a batch
    ids, lengths = padded(texts)
    single = [model.log_probabilities(*padded([text]))[0].sum() / (len(text) + 1) for text in texts[: len(SENTENCES)]]
    np.testing.assert_allclose(model.mean_log_probability(ids, lengths), single * 60)
    ids[np.arange(ids.shape[1]) >= lengths[:, None]] = 7
    np.testing.assert_allclose(model.mean_log_probability(ids, lengths), single * 60)


@settings(deadline=None, max_examples=100)
@given(st.sets(st.integers(0, 2**62), max_size=200), st.lists(st.integers(-5, 2**62), max_size=50))
def test_hash_table_is_a_dict(keys, others):
    table = HashTable(np.array(list(keys), np.int64), first=7)
    numbers = {key: 7 + number for number, key in enumerate(keys)}
    wanted = [*keys, *others]
    assert table.find(np.array(wanted, np.int64)).tolist() == [numbers.get(key, -1) for key in wanted]


def test_hash_table_grows_until_every_key_has_a_place():
    keys = np.arange(3, dtype=np.int64) * np.int64(2**61)  # few slots tell them apart
    assert HashTable(keys).find(keys).tolist() == [0, 1, 2]


def fluency(*texts):
    task = Sentences()
    ids, lengths = padded([WORDS.encode(text) for text in texts])
    rows, none = np.arange(len(texts)), np.zeros(len(texts), np.int64)
    done = np.ones(len(texts), np.bool_)
    seen = Transition(task.prompt_set("train"), rows, none, none, lengths, none, ids, lengths, ids, lengths, done)
    return Fluency(task).score(seen).tolist()


def test_fluency_prefers_sentences():
    sentence, shuffled, cut = fluency(
        "return the name of the file", "of name the the file return", "return the name of the"
    )
    word, repeated, many, empty = fluency("the", "the the", "the the the the the", "")
    assert 1 >= sentence > cut > shuffled >= 0
    assert sentence > max(word, repeated, many)
    assert many < 0.1
    assert empty == 0


def test_environments_of_one_task_share_a_model():
    task = Sentences()
    assert Fluency(task)._judge is Fluency(task)._judge
    assert Fluency(task, order=2)._judge is not Fluency(task)._judge


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        (Sentences(), {"order": 0}, "order must be at least 1, got 0"),
        (Sentences([""] * 8), {}, "this task has none"),
        (Sentences(["a a a a"] * 9, validation=["file of list the name of unseen"]), {}, "likelier than random tokens"),
    ],
)
def test_wrong_arguments_are_refused(task, arguments, message):
    with pytest.raises(ValueError, match=message):
        Fluency(task, **arguments)
