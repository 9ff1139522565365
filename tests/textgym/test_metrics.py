"""Metrics against rouge-score, sacrebleu, brute force, and values worked out by hand."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import _score_lcs
from sacrebleu.metrics import BLEU, CHRF

from textgym.metrics.bleu import Bleu
from textgym.metrics.brevity import Brevity
from textgym.metrics.chrf import ChrF
from textgym.metrics.exact_match import ExactMatch
from textgym.metrics.repetition import Repetition
from textgym.metrics.rouge_l import RougeL
from textgym.metrics.token_match import TokenMatch
from textgym.metrics.word_f1 import WordF1, _words
from textgym.tasks.base import PromptSet, Task
from textgym.tasks.copy import Copy
from textgym.transition import Transition
from textgym.vocabulary import WordVocabulary

WORDS = ["a", "of", "the", "list", "name", "return", "returns", "characteristically", "internationalisation"]
TOKENS = range(3, 3 + len(WORDS))
A, OF, THE, LIST, NAME = range(3, 8)
METRICS = (RougeL, Bleu, ChrF, ExactMatch, Brevity, Repetition)


class Echo(Task):
    """A task whose references the test hands in."""

    vocabulary = WordVocabulary(WORDS)
    max_new_tokens = 40

    def __init__(self, references):
        self.references = references

    def make_prompt_set(self, split):
        return PromptSet.from_tokens([[3]] * len(self.references), self.references, self.vocabulary)

    def gold(self, transition):
        raise NotImplementedError


def finished(task, texts, samples=None, split="train", ended=True):
    """The record of texts that have just been finished, with arbitrary tokens in the padding."""
    n, width = len(texts), max(1, *map(len, texts))
    ids = np.random.default_rng(0).integers(3, len(task.vocabulary), size=(n, width))
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = text
    lengths = np.array([len(text) for text in texts])
    samples = np.arange(n) if samples is None else samples
    actions = np.full(n, task.vocabulary.end_id) if ended else ids[np.arange(n), lengths - 1]
    steps = lengths if ended else lengths - 1
    rows, none, done = np.arange(n), np.zeros(n, np.int64), np.ones(n, np.bool_)
    prompt_set = task.prompt_set(split)
    return Transition(prompt_set, rows, samples, none, steps, actions, ids, lengths, ids, lengths, done)


def score(metric, pairs, **arguments):
    """The scores of pairs of a text and its reference."""
    task = Echo([reference for _, reference in pairs])
    return metric(task, **arguments).score(finished(task, [text for text, _ in pairs]))


def random_pairs(count, longest):
    generator = np.random.default_rng(1)

    def text(least):
        return generator.integers(3, 3 + len(WORDS), size=generator.integers(least, longest + 1)).tolist()

    pairs = [(text(0), text(1)) for _ in range(count)]
    return [*pairs, *((reference[1:] + reference[:1], reference) for _, reference in pairs[: count // 2])]


def spell(ids):
    return " ".join(WORDS[i - 3] for i in ids)


# 300 pairs make two batches; 40 of the long words make references of several 64-bit words.
@pytest.mark.parametrize("longest", [5, 40])
@pytest.mark.parametrize("beta", [1, 2, 3])
def test_chrf_is_sacrebleus(longest, beta):
    pairs = random_pairs(200, longest)
    chrf = CHRF(beta=beta)
    theirs = [chrf.sentence_score(spell(text), [spell(reference)]).score / 100 for text, reference in pairs]
    np.testing.assert_allclose(score(ChrF, pairs, beta=float(beta)), theirs, rtol=0, atol=1e-12)


def test_chrf_refuses_a_beta_that_is_not_positive():
    with pytest.raises(ValueError, match="beta must be positive and finite, got 0"):
        score(ChrF, [([A], [A])], beta=0)


# SQuAD's words: "the list, list name" are list, list, name; "a list of name" are list, of, name; shared are two.
@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ([THE, LIST, LIST, NAME], [A, LIST, OF, NAME], 2 * 2 / (3 + 3)),
        ([NAME, LIST], [LIST, NAME], 1.0),
        ([A, THE], [THE], 1.0),
        ([A], [LIST], 0.0),
        ([], [LIST], 0.0),
    ],
)
def test_word_f1_by_hand(text, reference, expected):
    assert score(WordF1, [(text, reference)]).tolist() == [pytest.approx(expected)]


def test_word_f1_leaves_out_case_punctuation_and_articles():
    assert _words("The Cat's an anthem, (a CAT's)!") == Counter({"cats": 2, "anthem": 1})


@pytest.mark.parametrize("longest", [5, 100])
@pytest.mark.parametrize(("ours", "theirs"), [("add-k", "add-k"), ("exp", "exp"), ("none", "none")])
def test_bleu_is_sacrebleus(ours, theirs, longest):
    pairs = random_pairs(100, longest)
    bleu = BLEU(tokenize="none", smooth_method=theirs, effective_order=True)
    expected = [bleu.sentence_score(spell(text), [spell(reference)]).score / 100 for text, reference in pairs]
    np.testing.assert_allclose(score(Bleu, pairs, smoothing=ours), expected, rtol=0, atol=1e-12)


def test_rouge_l_is_rouge_scores():
    pairs = random_pairs(200, 40)
    expected = [_score_lcs(reference, text).fmeasure for text, reference in pairs]
    np.testing.assert_allclose(score(RougeL, pairs), expected, rtol=0, atol=1e-12)


BY_HAND = [
    # "a list of" / "a list": LCS 2 of 3 and 2
    (RougeL, {}, [A, LIST, OF], [A, LIST], 4 / 5),
    # 1-grams 2/3, 2-grams (1 + 1)/(2 + 1), 3-grams (0 + 1)/(1 + 1), 4-grams (0 + 1)/(0 + 1), no penalty
    (Bleu, {}, [A, LIST, OF], [A, LIST], (2 / 3 * 2 / 3 * 1 / 2) ** (1 / 4)),
    # the same without smoothing: no trigram matches
    (Bleu, {"smoothing": "none"}, [A, LIST, OF], [A, LIST], 0.0),
    # one token of two, the order above is left out, exp(1 - 2 / 1)
    (Bleu, {"smoothing": "exp"}, [A], [A, LIST], np.exp(-1)),
    # "aof" / "a": only n = 1 counts, precision 1/3, recall 1
    (ChrF, {}, [A, OF], [A], 5 * (1 / 3) / (4 / 3 + 1)),
    (Brevity, {}, [A, A, A, A], [A, OF, THE], 1.0),
    (Brevity, {}, [A, OF], [A, OF, THE], math.exp(-0.5)),
    (Brevity, {}, [], [A], 0.0),
    # bigrams: "a of", "of a", "a of", "of a"
    (Repetition, {}, [A, OF, A, OF, A], [A], 1 / 2),
    (Repetition, {"n": 1}, [A, OF, A, OF, A], [A], 2 / 5),
    (Repetition, {"n": 3}, [A, OF], [A], 1.0),
    (ExactMatch, {}, [A, OF], [A, OF], 1.0),
    (ExactMatch, {}, [A, OF, THE], [A, OF], 0.0),
    (ExactMatch, {}, [A], [A, OF], 0.0),
]


@pytest.mark.parametrize(("metric", "arguments", "text", "reference", "expected"), BY_HAND)
def test_values_worked_out_by_hand(metric, arguments, text, reference, expected):
    assert score(metric, [(text, reference)], **arguments)[0] == pytest.approx(expected)


texts = st.lists(st.sampled_from(TOKENS), max_size=12)
references = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(texts, references), min_size=1, max_size=6))
def test_scores_are_bounded_and_do_not_depend_on_the_batch(pairs):
    for metric in METRICS:
        together = score(metric, pairs)
        assert together.shape == (len(pairs),)
        assert together.dtype == np.float64
        assert ((together >= 0) & (together <= 1)).all()
        np.testing.assert_array_equal(together, [score(metric, [pair])[0] for pair in pairs])


@settings(deadline=None, max_examples=50)
@given(references)
def test_the_reference_itself_scores_one(reference):
    for metric in (RougeL, Bleu, ChrF, ExactMatch, Brevity):
        assert score(metric, [(reference, reference)])[0] == pytest.approx(1.0), metric


@settings(deadline=None, max_examples=50)
@given(references)
def test_an_empty_text_earns_nothing_from_what_compares_content(reference):
    for metric in (RougeL, Bleu, ChrF, ExactMatch):
        assert score(metric, [([], reference)])[0] == 0.0


@settings(deadline=None, max_examples=50)
@given(texts, st.integers(1, 4))
def test_repetition_counts_distinct_ngrams(text, n):
    grams = Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))
    assert score(Repetition, [(text, [A])], n=n)[0] == (len(grams) / grams.total() if grams else 1.0)


def test_references_may_be_empty():
    for metric in METRICS:
        task = Echo([[], []])
        assert np.isfinite(metric(task).score(finished(task, [[A, OF], []]))).all()


@pytest.mark.parametrize("mistake", [None, 0, 4])
@pytest.mark.parametrize("ended", [True, False])
def test_token_match_adds_up_to_the_gold_of_copy(mistake, ended):
    task = Copy(length=5)
    reference = task.prompt_set("test").reference_ids[:4, :5].astype(np.int64)
    written = reference.copy()
    if mistake is not None:
        written[:, mistake] = 3 + (written[:, mistake] - 2) % task.letters
    actions = np.column_stack([written, np.full(4, task.vocabulary.end_id)]) if ended else written
    metric, total = TokenMatch(task), np.zeros(4)
    for step in range(actions.shape[1]):
        seen = finished(task, written[:, : step + 1].tolist(), split="test", ended=ended and step == 5)
        assert seen.actions.tolist() == actions[:, step].tolist()
        total += metric.score(seen)
    right = 5 - (mistake is not None) + ended
    np.testing.assert_allclose(total, right / 6)
    np.testing.assert_allclose(total, task.gold(seen))


def test_token_match_pays_nothing_after_the_reference():
    task = Echo([[A, OF]])
    assert TokenMatch(task).score(finished(task, [[A, OF, THE, LIST]], ended=False)).tolist() == [0.0]
    assert TokenMatch(task).score(finished(task, [[A]])).tolist() == [0.0]
    assert TokenMatch(task).score(finished(task, [[A, OF]])).tolist() == [1 / 3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda task: Bleu(task, smoothing="add-two"),
            "smoothing must be one of add-k, exp, floor, none, got 'add-two'",
        ),
        (lambda task: Repetition(task, n=0), "got n=0"),
        (lambda task: Repetition(task, n=60), "got n=60"),
        (lambda task: Repetition(task, n=1.5), r"n must be a whole number from 1, .*, got n=1\.5"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(Echo([[A]]))
