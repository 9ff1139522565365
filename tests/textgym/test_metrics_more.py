"""TER and BLEU against sacrebleu; perplexity, length, format, gold, potentials and blends against their formulas."""

import dataclasses

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, lib_ter
from sacrebleu.metrics import TER as SACREBLEU_TER

from tests.textgym.test_metrics import WORDS, Echo, finished, random_pairs, score, spell
from textgym.metrics.blend import Blend
from textgym.metrics.bleu import Bleu
from textgym.metrics.brevity import Brevity
from textgym.metrics.format import Format
from textgym.metrics.gold import Gold
from textgym.metrics.length import Length
from textgym.metrics.perplexity import Perplexity
from textgym.metrics.potential import Potential
from textgym.metrics.rouge_l import RougeL
from textgym.metrics.ter import Ter, ter_edits
from textgym.registration import build
from textgym.tasks.copy import Copy
from textgym.vocabulary import WordVocabulary

A, OF, THE, LIST, NAME = range(3, 8)


def moved(generator, text):
    """The text with a phrase elsewhere."""
    start, end = sorted(generator.integers(len(text) + 1, size=2).tolist())
    rest = text[:start] + text[end:]
    place = int(generator.integers(len(rest) + 1))
    return rest[:place] + text[start:end] + rest[place:]


def near_references(count, longest, size):
    """Pairs of a reference with some phrases moved and some tokens changed, and the reference."""
    generator = np.random.default_rng(2)
    pairs = []
    for _ in range(count):
        reference = generator.integers(3, 3 + size, size=generator.integers(1, longest + 1)).tolist()
        text = list(reference)
        for _ in range(generator.integers(4)):
            text = moved(generator, text)
        for place in generator.integers(len(text), size=generator.integers(4)):
            text[place] = int(generator.integers(3, 3 + size))
        pairs.append((text[: generator.integers(len(text) // 2, len(text) + 1)], reference))
    return pairs


def test_ter_is_sacrebleus():
    theirs = SACREBLEU_TER()
    pairs = [*random_pairs(200, 20), *near_references(200, 20, len(WORDS))]
    expected = [theirs.sentence_score(spell(text), [spell(reference)]).score / 100 for text, reference in pairs]
    np.testing.assert_allclose(score(Ter, pairs), 1 - np.minimum(1, expected), rtol=0, atol=1e-12)


# Few words make many ties between shifts and, in long texts, more candidates than are tried; many words make long
# phrases, some of which would move too far. Sacrebleu's beam is opened wide, since we have none.
@pytest.mark.parametrize(("count", "longest", "size"), [(200, 12, 2), (50, 60, 3), (40, 80, 1000)])
def test_ter_counts_the_edits_of_sacrebleu(count, longest, size, monkeypatch):
    monkeypatch.setattr(lib_ter, "_BEAM_WIDTH", 1000)
    pairs = near_references(count, longest, size)
    expected = [lib_ter.translation_edit_rate(list(text), list(reference))[0] for text, reference in pairs]
    strings = [["".join(map(chr, ids)) for ids in part] for part in zip(*pairs, strict=True)]
    assert ter_edits(*strings).tolist() == expected


@pytest.mark.parametrize(
    ("text", "reference", "edits"),
    [
        ("deabc", "abcde", 1),  # one phrase moved, not two tokens deleted and two inserted
        ("deabx", "abcde", 2),  # "de" moves to the end, then x becomes c
        ("abc", "abc", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("", "", 0),
    ],
)
def test_edits_worked_out_by_hand(text, reference, edits):
    assert ter_edits([text], [reference]).tolist() == [edits]


def test_ter_of_empty_texts_and_references():
    assert score(Ter, [([], []), ([A], []), ([], [A])]).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("longest", [5, 40])
@pytest.mark.parametrize("value", [None, 0.01, 0.3])
@pytest.mark.parametrize("smoothing", ["add-k", "floor"])
def test_bleu_is_sacrebleus_with_each_smoothing(smoothing, value, longest):
    pairs = random_pairs(100, longest)
    theirs = BLEU(tokenize="none", smooth_method=smoothing, smooth_value=value, effective_order=True)
    expected = [theirs.sentence_score(spell(text), [spell(reference)]).score / 100 for text, reference in pairs]
    np.testing.assert_allclose(score(Bleu, pairs, smoothing=smoothing, value=value), expected, rtol=0, atol=1e-12)


def test_perplexity_is_the_inverse_geometric_mean_of_the_probabilities():
    task = Echo([[A, OF, THE], [A, LIST], [THE, LIST, OF, A], [A, OF]])
    metric = Perplexity(task, scorer={"name": "ngram", "order": 2})
    seen = finished(task, [[A, OF, THE, A], [LIST], [], [A, A]])
    log_probabilities, starts = metric.scorer.model.log_probabilities(seen.text_ids, seen.text_lengths)
    parts = np.split(np.exp(log_probabilities), starts[1:])  # each opens with a 1 for its separator
    expected = [np.prod(part[1:]) ** (1 / (len(part) - 1)) for part in parts]
    np.testing.assert_allclose(metric.score(seen), expected, rtol=1e-12)


def test_perplexity_of_two_equally_frequent_tokens_is_near_two():
    texts = [[A if bit == "1" else OF for bit in f"{number:012b}"] for number in range(4096)]
    task = Echo(texts)
    score = Perplexity(task, scorer={"name": "ngram", "order": 1}).score(finished(task, texts))
    # p(a) = p(of) = 6 / 13 and p(end) = 1 / 13; smoothing takes less than 1 / 10,000 of each
    np.testing.assert_allclose(score, (6 / 13) ** (12 / 13) * (1 / 13) ** (1 / 13), rtol=1e-4)


BY_HAND = [
    (Length, {}, [A, OF, THE], [A, OF, THE, LIST], 3 / 4),
    (Length, {}, [A, OF, THE], [A, OF], 1 / 2),
    (Length, {}, [A, OF, THE], [A], 0.0),
    (Length, {}, [], [], 1.0),
    (Length, {"target": 5}, [A, OF, THE], [A], 3 / 5),
    (Length, {"target": 2.5}, [A, OF, THE], [A], 4 / 5),
    (Length, {"target": 0}, [A], [A], 0.0),
    (Format, {"pattern": "a (of|the) list"}, [A, THE, LIST], [A], 1.0),
    (Format, {"pattern": "a (of|the) list"}, [A, THE, LIST, A], [A], 0.0),
    (Format, {"pattern": "a (of|the) list"}, [OF, A, THE, LIST], [A], 0.0),
    (Format, {"pattern": ""}, [], [A], 1.0),
    (Blend, {"metrics": ["rouge_l", "brevity"]}, [A, OF], [A], (2 / 3 + 1) / 2),
    (Blend, {"metrics": [{"name": "length", "target": 4, "weight": 3}, "rouge_l"]}, [A], [A], (3 / 4 + 1) / 4),
    (Blend, {"metrics": ["rouge_l", {"name": "brevity", "weight": 0}]}, [A, OF], [A], 2 / 3),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "arguments", "text", "reference", "expected"), BY_HAND)
def test_values_worked_out_by_hand(metric, arguments, text, reference, expected):
    assert score(metric, [(text, reference)], **arguments)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Return a name.", 1), ("Sure!", 1), ("A?", 1), ("Return a name", 0), ("return a name.", 0), ("A", 0), ("", 0)],
)
def test_the_default_format_is_a_sentence(text, expected):
    task = Echo([[3]])
    task.vocabulary = WordVocabulary(["Return", "return", "a", "name.", "name", "Sure!", "A?", "A"])
    metric = Format(task)
    assert metric.score(finished(task, [task.vocabulary.encode(text)])).tolist() == [expected]
    assert expected in metric.outcomes


def test_gold_is_the_tasks_own():
    task = Copy(length=3)
    reference = task.prompt_set("test").reference_ids[:2, :3].tolist()
    seen = finished(task, [reference[0], reference[1][:1]], split="test")
    assert Gold(task).score(seen).tolist() == task.gold(seen).tolist() == [1.0, 0.25]


def write(metric, task, texts):
    """Writes n texts of one length token by token, and returns what each token is paid, (n, T)."""
    paid = []
    for length in range(1, len(texts[0]) + 1):
        seen = finished(task, [text[:length] for text in texts], ended=False)
        seen = dataclasses.replace(seen, finished=np.full(len(texts), length == len(texts[0])))
        paid.append(metric.score(seen))
        np.testing.assert_array_equal(metric.score(seen), paid[-1])  # scoring changes nothing
        metric.remember(seen, paid[-1])
    return np.column_stack(paid)


TEXTS = [[A, OF, THE, LIST], [THE, THE, A, OF]]
POTENTIALS = [
    ({"name": "potential", "metric": "rouge_l"}, "rouge_l"),
    (
        {
            "name": "blend",
            "metrics": [
                {"name": "potential", "metric": "rouge_l", "weight": 3},
                {"name": "potential", "metric": "brevity"},
            ],
        },
        {"name": "blend", "metrics": [{"name": "rouge_l", "weight": 3}, "brevity"]},
    ),
]


@pytest.mark.parametrize(("potential", "metric"), POTENTIALS, ids=["potential", "blend"])
def test_potentials_telescope_to_the_metric_of_each_finished_text(potential, metric):
    task = Echo([[A, OF], [THE, LIST, A]])
    paying, whole = build("metrics", potential, task), build("metrics", metric, task)
    assert paying.timing == "step"
    paying.bind(2)
    for texts in (TEXTS, TEXTS[::-1]):  # the second text starts from 0 again
        paid = write(paying, task, texts)
        np.testing.assert_allclose(paid.sum(axis=1), whole.score(finished(task, texts)), rtol=0, atol=1e-12)
        assert ((paid >= paying.low) & (paid <= paying.high)).all()


def test_potential_pays_the_rise_and_the_fall():
    task = Echo([[A, OF], [A, OF]])
    potential = Potential(task, "rouge_l")
    potential.bind(2)
    paid = write(potential, task, [[A, OF, A], [LIST, A, A]])
    np.testing.assert_allclose(paid, [[2 / 3, 1 - 2 / 3, 4 / 5 - 1], [0, 1 / 2, 2 / 5 - 1 / 2]])


def test_potential_tells_its_metric_of_finished_texts_alone(monkeypatch):
    told = []
    monkeypatch.setattr(RougeL, "remember", lambda self, seen, scores: told.append((seen.text_lengths, scores)))
    task = Echo([[A, OF, THE, LIST]] * 2)
    potential = Potential(task, "rouge_l")
    potential.bind(2)
    write(potential, task, TEXTS)
    ((lengths, scores),) = told
    assert lengths.tolist() == [4, 4]
    np.testing.assert_allclose(scores, RougeL(task).score(finished(task, TEXTS)))


def test_blend_gives_its_parts_and_shares():
    task = Echo([[A, OF], [THE, LIST, A]])
    blend = Blend(task, [{"name": "rouge_l", "weight": 3}, {"name": "brevity", "weight": 1}])
    seen = finished(task, TEXTS)
    np.testing.assert_array_equal(
        blend.parts(seen), np.column_stack([RougeL(task).score(seen), Brevity(task).score(seen)])
    )
    np.testing.assert_array_equal(blend.shares, [0.75, 0.25])


def test_bounds_of_potentials_and_their_blends():
    task = Echo([[A]])
    potential = Potential(task, "rouge_l")
    assert (potential.low, potential.high) == (-1, 1)
    blend = Blend(task, [{"name": "potential", "metric": "rouge_l"}, {"name": "token_match", "weight": 3}])
    assert (blend.low, blend.high) == (-0.25, 1)


@pytest.mark.parametrize(
    ("metric", "arguments", "message"),
    [
        (Bleu, {"smoothing": "add-two"}, "smoothing must be one of add-k, exp, floor, none, got 'add-two'"),
        (Bleu, {"smoothing": "exp", "value": 0.5}, "only the smoothings add-k and floor take a value, got 0.5 for exp"),
        (Bleu, {"smoothing": "floor", "value": 0}, "value must be above 0 and at most 1, got 0"),
        (Length, {"target": -1}, "target must be finite and non-negative, or None for the reference's, got -1"),
        (Format, {"pattern": "(a"}, r"pattern must be a regular expression, got '\(a': missing \)"),
        (Format, {"pattern": 3}, "pattern must be a regular expression, got 3"),
        (Perplexity, {"scorer": "ngrams"}, r"unknown scorer 'ngrams' \(did you mean 'ngram'\?\)"),
        (Perplexity, {"scorer": {"name": "ngram", "order": 0}}, "scorer 'ngram': order must be at least 1, got 0"),
        (Potential, {"metric": "token_match"}, "got 'token_match', which scores every token"),
        (Blend, {"metrics": "rouge_l"}, "metrics must be a list"),
        (Blend, {"metrics": []}, "metrics must name at least one"),
        (Blend, {"metrics": ["rouge_l", "token_match"]}, "of one timing, .* got rouge_l episode, token_match step"),
        (Blend, {"metrics": [{"name": "rouge_l", "weight": -1}, "brevity"]}, r"non-negative .* got \[-1, 1.0\]"),
        (Blend, {"metrics": [{"name": "rouge_l", "weight": 0}]}, r"not all zero, got \[0\]"),
    ],
)  # fmt: skip
def test_mistakes_in_a_spec_are_named(metric, arguments, message):
    with pytest.raises(ValueError, match=message):
        metric(Echo([[A]]), **arguments)
