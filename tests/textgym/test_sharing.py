"""What metrics and annotators need of the same texts is computed once for all of them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from textgym.annotators.base import Question
from textgym.annotators.edit import Edit
from textgym.annotators.parts.opponents import make_opponent
from textgym.annotators.parts.reading import clean
from textgym.metrics.fluency import Fluency
from textgym.metrics.parts.obfuscation import Matcher
from textgym.metrics.parts.references import as_strings, reference_strings, text_strings
from textgym.metrics.perplexity import Perplexity
from textgym.metrics.rouge_l import RougeL
from textgym.metrics.ter import Ter
from textgym.random import Address
from textgym.registration import build
from textgym.tasks.copy import Copy
from textgym.transition import Transition, once_per_transition
from textgym.vector_env import TextVectorEnv

TASK = Copy(length=5, letters=4)


def finished(n=6, seed=0):
    """Returns n random texts of different prompts."""
    prompts, none = TASK.prompt_set("train"), np.zeros(n, np.int64)
    empty = np.zeros((n, 0), np.int64)
    blank = Transition(prompts, np.arange(n), np.arange(n), none, none, none, empty, none, empty, none, none == 0)
    generator = np.random.default_rng(seed)
    width = TASK.max_new_tokens
    return blank.with_texts(generator.integers(3, 7, (n, width)), generator.integers(0, width + 1, n))


def test_a_function_of_a_transition_is_computed_once_for_each_and_for_each_argument():
    calls = []

    @once_per_transition
    def lengths(transition, more, scale=1):
        calls.append((len(transition), more, scale))
        return scale * transition.text_lengths + more

    texts = finished()
    assert lengths(texts, 1) is lengths(texts, 1)
    np.testing.assert_array_equal(lengths(texts, 2), texts.text_lengths + 2)
    np.testing.assert_array_equal(lengths(texts, 1, scale=3), 3 * texts.text_lengths + 1)
    some = texts[np.array([4, 1])]
    np.testing.assert_array_equal(lengths(some, 1), lengths(texts, 1)[[4, 1]])
    longer = replace(texts, text_lengths=texts.text_lengths + 1)
    np.testing.assert_array_equal(lengths(longer, 1), lengths(texts, 1) + 1)
    assert calls == [(6, 1, 1), (6, 2, 1), (6, 1, 3), (2, 1, 1), (6, 1, 1)]


def test_what_is_shared_cannot_be_changed():
    shared = once_per_transition(lambda transition: transition.text_lengths * 2)(finished())
    with pytest.raises(ValueError, match="read-only"):
        shared[0] = 7


def test_the_finished_rows_are_one_record_for_all():
    texts = finished()
    assert texts.only_finished() is texts
    some = replace(texts, finished=np.array([False, True, False, False, True, True]))
    assert some.only_finished() is some.only_finished()
    assert some.only_finished().rows.tolist() == [1, 4, 5]


def test_strings_of_texts_and_references_are_those_of_their_tokens():
    texts = finished()
    assert text_strings(texts) == as_strings(texts.text_ids, texts.text_lengths)
    assert reference_strings(texts, TASK.vocabulary) == as_strings(texts.reference_ids, texts.reference_lengths)
    assert text_strings(texts) is text_strings(texts)


def test_all_who_ask_how_probable_a_text_is_ask_one_model():
    assert Fluency(TASK)._judge.model is Perplexity(TASK).scorer.model


@pytest.mark.parametrize("against", ["baseline", "reference"])
def test_all_who_compare_with_the_same_text_meet_the_same_record(against):
    texts = finished()
    one, other = (make_opponent(against, TASK).meet(texts)[0] for _ in range(2))
    assert one is other
    assert make_opponent(against, TASK).meet(finished(seed=1))[0] is not one


def test_the_previous_text_is_met_by_everyone_anew():
    texts, opponent = finished(), make_opponent("previous", TASK)
    opponent.bind(len(texts))
    assert not opponent.meet(texts)[1].any()
    again, met = opponent.meet(texts)
    assert met.all()
    assert text_strings(again) == text_strings(texts)


def test_a_full_correction_is_what_making_every_operation_gives():
    """An error rate that is not zero, and never strikes, takes the way of single operations."""
    texts, address = finished(40), Address.first(40)
    question = Question(texts, np.zeros((40, 2)), np.zeros((40, 2), np.int64), address, lambda other: other)
    whole, single = (Edit(Ter(TASK), error=error).answer(question) for error in (0.0, 1e-300))
    np.testing.assert_array_equal(whole.readings, single.readings)
    for name in ("corrected", "corrected_lengths", "operations"):
        np.testing.assert_array_equal(whole.annotation[name], single.annotation[name])
        assert whole.annotation[name].dtype == single.annotation[name].dtype


def test_only_words_that_may_begin_a_phrase_are_read():
    matcher = Matcher(["kill", "shut up", "ox"])
    assert matcher.find("reentry of cnfign basmep shup upon killing oxen") == []
    assert matcher._read.cache_info().misses == 2  # killing, oxen
    assert [word for word, _ in matcher.find("$hut up! KKK111LL !ki11 o0x")] == ["shut up", "kill", "kill"]
    assert [word for word, _ in matcher.find("(o x) s.h.u.t, then k-i l*l")] == ["ox", "kill"]


def test_what_a_word_of_a_comment_is_put_right_to_depends_on_it_alone():
    assert clean("This is  wnderful, truly outstandng!") == "this is wonderful, truly outstanding!"


def test_what_annotators_say_is_each_one_s_own():
    texts, shown = finished(), []
    for name in ("preference", "judge", "self_feedback"):
        annotator = build("annotators", name, RougeL(TASK))
        annotator.bind(len(texts))
        quality = annotator.metric.score(texts)[:, None]
        who, address = np.zeros((6, 1), np.int64), Address.first(6)
        question = Question(texts, quality, who, address, lambda other: RougeL(TASK).score(other)[:, None])
        shown += annotator.answer(question).annotation.values()
    assert all(array.flags.writeable for array in shown)
    assert not any(np.shares_memory(one, other) for one, other in itertools.combinations(shown, 2))


def test_a_metric_of_every_token_reads_its_own_record_at_every_step():
    """What is kept for one step is not taken for the next, though the texts are views of the same arrays."""
    env = TextVectorEnv(num_envs=3, task="copy", feedback=[{"name": "potential", "metric": "rouge_l"}])
    env.reset(seed=0)
    references = env.simulator.prompt_set.reference_ids[env.simulator._samples]
    paid = np.zeros(3)
    for token in range(references.shape[1]):
        paid += env.step(references[:, token].astype(np.int64))[1]
        text, wanted = token + 1, references.shape[1]
        np.testing.assert_allclose(paid, 2 * text / (text + wanted))
