"""The corpus of PyDoc: sentences of Python's language reference, each cut in two."""

import sys
from pydoc_data.topics import topics

import pytest
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist
from sacrebleu.metrics import CHRF

from tests.laws import references_of, transition_of
from textgym.tasks.base import SPLITS
from textgym.tasks.parts import pair_task
from textgym.tasks.parts.language_reference import halves, read_topics
from textgym.tasks.parts.text_pairs import TextPair
from textgym.tasks.pydoc import PyDoc

TOPIC = """The "loop" statement
********************

A loop runs its body again and again until told. Short ones are not taken. It ends when
"break" is reached, or when the iterator
has nothing more to give:

   loop_stmt ::= "loop" suite that has many words in it here.

   >>> the interpreter shows what it does, line by line.

* Bullets lose their mark and are read like any other text.

Some have Größe and Maß in them and are left out here.
No full stop at the end of this paragraph means no pair
"""


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTGYM_CACHE", str(tmp_path_factory.mktemp("cache")))
        first = PyDoc()
        patch.setattr(pair_task, "make_corpus", None)  # from here on, everything comes from the cache
        again = PyDoc()
    assert again.fingerprint == first.fingerprint
    return again


def texts_of(task, split):
    """The prompts and the references of a split, as text."""
    prompts = [task.vocabulary.decode(ids) for ids in task.prompt_set(split).prompt_ids]
    return prompts, [task.vocabulary.decode(ids) for ids in references_of(task, split)]


def test_sentences_are_cut_in_two():
    assert list(halves({"b": TOPIC, "a": "One two three four five six seven eight nine."})) == [
        TextPair("a", "One two three four", "five six seven eight nine."),
        TextPair("b", "A loop runs its body", "again and again until told."),
        TextPair("b", 'It ends when "break" is reached, or', "when the iterator has nothing more to give:"),
        TextPair("b", "Bullets lose their mark and", "are read like any other text."),
    ]


def test_the_topics_are_those_of_help():
    assert read_topics() == topics


def test_without_the_topics_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ModuleNotFoundError, match=r"lacks pydoc_data.*: install the whole standard library"):
        read_topics()


def test_the_corpus_is_of_some_size_and_its_splits_have_nothing_in_common(task):
    gists, names, prompts = {}, {}, []
    for split in SPLITS:
        asked, references = texts_of(task, split)
        prompts += asked
        assert all(text.isascii() and text.isprintable() for text in (*asked, *references))
        gists[split] = [TextPair("", "", text).gist for text in references]
        names[split] = task.prompt_set(split).data["topic"]
        assert len(names[split]) == len(references) >= 50
        assert set(names[split]) <= set(topics)
    assert sum(map(len, gists.values())) == task.counts["fitting"] > 1200
    every = [gist for split in SPLITS for gist in gists[split]]
    assert len(every) == len(set(every)) == len(set(prompts))
    for one, other in [("train", "validation"), ("train", "test"), ("validation", "test")]:
        assert not set(names[one]) & set(names[other])
        assert cdist(gists[other], gists[one], scorer=Indel.normalized_similarity).max() < 0.9


def test_a_sentence_of_the_reference_is_what_prompt_and_reference_make(task):
    for split in SPLITS:
        prompts, references = texts_of(task, split)
        for prompt, reference, topic in zip(prompts, references, task.prompt_set(split).data["topic"], strict=True):
            assert f"{prompt} {reference}" in " ".join(topics[topic].split())


def test_tokens_stay_within_the_limits(task):
    assert len(task.vocabulary) == 1024
    assert task.max_prompt_tokens <= 40
    for split in SPLITS:
        lengths = task.prompt_set(split).reference_lengths
        assert 0 < lengths.min() <= lengths.max() < task.max_new_tokens == 40


def test_gold_is_chrf(task):
    references = references_of(task, "test")
    texts = references[1:31]
    expected = [
        CHRF(beta=1).sentence_score(task.vocabulary.decode(text), [task.vocabulary.decode(reference)]).score / 100
        for text, reference in zip(texts, references, strict=False)
    ]
    gold = task.gold(transition_of(task, range(len(texts)), texts, budget=task.max_new_tokens))
    assert gold == pytest.approx(expected, abs=1e-12)
    assert 0 < gold.mean() < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": 100}, "vocabulary_size must be 128 to 65,536, got 100"),
        ({"max_prompt": 3}, "max_prompt must be at least 4"),
        ({"max_reference": 1}, "max_reference at least 2"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PyDoc(**arguments)
