"""Translate: both languages, gold by hand, the mask, and what word by word comes to."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textgym
from tests.laws import transition_of
from textgym.tasks.base import SPLITS
from textgym.tasks.parts import translate_words as lexicon
from textgym.tasks.parts.translate_deeds import Deeds
from textgym.tasks.translate import Translate

ENV_ID = "textgym/Translate-v0"
PRESETS = list(Translate.presets)
TASKS = {name: Translate(**arguments) for name, arguments in Translate.presets.items()}
STEMS = {
    **{form: noun.velan[:-1] for noun in lexicon.NOUNS for form in (noun.singular, noun.plural)},
    **{form: verb.stem for verb in lexicon.VERBS for form in (verb.base, verb.third, verb.past)},
    **lexicon.ADJECTIVES,
    **lexicon.DETERMINERS,
    **lexicon.PREPOSITIONS,
    **lexicon.CONJUNCTIONS,
    "an": lexicon.DETERMINERS["a"],
    "not": lexicon.NOT,
}
DICTIONARY = {
    **{
        form: noun.velan + "i" * (form == noun.plural)
        for noun in lexicon.NOUNS
        for form in (noun.singular, noun.plural)
    },
    **{form: verb.stem + "ru" for verb in lexicon.VERBS for form in (verb.base, verb.third, verb.past)},
    **{english: stem + "u" for english, stem in (lexicon.DETERMINERS | lexicon.ADJECTIVES).items()},
    **lexicon.PREPOSITIONS,
    **lexicon.CONJUNCTIONS,
    "an": "umu",
    "not": lexicon.NOT,
    "who": "ku",
    "that": "ku",
    ".": ".",
    ",": ",",
}


def words_of(task, split):
    """Returns the words of each prompt without the instruction and of each reference."""
    prompts, tokens = task.prompt_set(split), task.vocabulary.tokens
    english = [
        [tokens[i] for i in ids[len(lexicon.INSTRUCTION) : n - 1]]
        for ids, n in zip(prompts.prompt_ids, prompts.prompt_lengths, strict=True)
    ]
    velan = [
        [tokens[i] for i in ids[:n]] for ids, n in zip(prompts.reference_ids, prompts.reference_lengths, strict=True)
    ]
    return english, velan


def gold_of(task, velan, split="test"):
    ids = {word: number for number, word in enumerate(task.vocabulary.tokens)}
    texts = [[ids[word] for word in words] for words in velan]
    return task.gold(transition_of(task, range(len(texts)), texts, split))


@pytest.mark.parametrize(
    ("text", "right", "words"),
    [
        ("elu pelu mian vosa juveru.", 6, 6),
        ("elu pelu mian vosa juveru", 4, 6),  # the full stop belongs to the verb
        ("elu pelu mian vosa juvera.", 4, 6),  # a verb that agrees with the object
        ("elu pelu mia vosa juveru.", 4, 6),  # no accusative
        ("ela pelu mian vosa juveru.", 4, 6),  # an article that does not agree
        ("elu pelu juveru mian vosa.", 4, 6),  # the order of English
        ("mian vosa elu pelu juveru.", 4, 6),  # the object first
        ("elu pelu mian vosa juveru. elu pelu", 6, 8),
        ("juveru. juveru. juveru. juveru.", 2, 8),
        ("mian mian vosa vosa juveru.", 4, 6),
        ("elu elu elu. vosa", 0, 6),
        ("the boy helps my doctor.", 0, 6),
        ("", 0, 6),
    ],
)
def test_gold_by_hand(text, right, words):
    scores = textgym.score(ENV_ID, ["say in Velan: the boy helps my doctor."], [text])
    assert scores.gold[0] == pytest.approx(right / words)


@pytest.mark.parametrize(
    ("preset", "english", "velan"),
    [
        ("easy", "say in Velan: a happy farmer likes an old lamp.", "umu bratu felu uman luza veta ameru."),
        (
            "medium",
            "say in Velan: the women near the house wait.",
            "elas doma pes elai sonai sperarai.",
        ),
        (
            "medium",
            "say in Velan: my hungry girl does not hear the cat under a bridge.",
            "mia nira fama umas ponta suvo elan misa neo odira.",
        ),
        (
            "hard",
            "say in Velan: although my old women do not sing, my dogs that birds found find the books.",
            "miai sonai vetai neo kanterai tami, miui hadui, kuin umai pirai trovenai, eluin tavui troverui.",
        ),
        (
            "hard",
            "say in Velan: the doctor saw the big bird although the young girl helped women.",
            "ela nira juna umain sonai juvena tami, ela vosa elan pira tora vedena.",
        ),
        (
            "hard",
            "say in Velan: when the teacher near the house sees the bridge, "
            "my man will hear my cat that a farmer buys.",
            "elas doma pes elu lemu elan ponta vedesu kando, miu garu mian misa, kan umu bratu komeru, odisu.",
        ),
    ],
)
def test_sentences_by_hand(preset, english, velan):
    assert textgym.score(ENV_ID, [english], [velan], split="test", difficulty=preset).gold[0] == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_word_by_word_is_wrong(preset):
    task = TASKS[preset]
    english, velan = words_of(task, "test")
    looked_up = [[DICTIONARY[word] for word in words if word in DICTIONARY] for words in english]
    gold = gold_of(task, looked_up)
    assert (gold < 0.7).mean() > 0.9
    assert gold.mean() < 0.4
    right_forms = [in_english_order(words, wanted) for words, wanted in zip(english, velan, strict=True)]
    gold = gold_of(task, right_forms)
    assert (gold <= 0.8).mean() > 0.7
    assert gold.mean() < 0.75


def in_english_order(english, velan):
    """Returns the words of a translation, each rightly inflected, in the order of the English words."""
    rest, ordered = list(velan), []
    for word in english:
        stem = {"who": "k", "that": "k"}.get(word) or STEMS.get(word, word)
        found = next((form for form in rest if form.startswith(stem)), None)
        if found is not None:
            rest.remove(found)
            ordered.append(found)
    return ordered


shapes = st.fixed_dictionaries(
    {
        "clauses": st.integers(1, 3),
        "adjectives": st.sampled_from([0.0, 0.5, 1.0]),
        "plurals": st.sampled_from([0.0, 0.5, 1.0]),
        "places": st.sampled_from([0.0, 0.5, 1.0]),
        "tenses": st.integers(1, 3),
        "negations": st.sampled_from([0.0, 0.5, 1.0]),
        "size": st.integers(8, 300),
    }
)


@settings(max_examples=25, deadline=None)
@given(shapes)
def test_references_are_worth_1_fit_and_are_never_forbidden(arguments):
    task = Translate(**arguments)
    seen = set()
    for split in SPLITS:
        prompts = task.prompt_set(split)
        texts = [ids[:n].tolist() for ids, n in zip(prompts.reference_ids, prompts.reference_lengths, strict=True)]
        assert (task.gold(transition_of(task, range(len(texts)), texts, split)) == 1).all()
        assert max(map(len, texts)) < task.max_new_tokens
        samples = [number for number, text in enumerate(texts) for _ in range(len(text) + 1)]
        prefixes = [text[:length] for text in texts for length in range(len(text) + 1)]
        following = [token for text in texts for token in [*text, task.vocabulary.end_id]]
        allowed = task.allowed_tokens(transition_of(task, samples, prefixes, split))
        assert allowed[np.arange(len(following)), following].all()
        english = {tuple(ids[:n]) for ids, n in zip(prompts.prompt_ids.tolist(), prompts.prompt_lengths, strict=True)}
        assert len(english) == len(prompts)
        assert not english & seen
        seen |= english
    assert len(seen) == arguments["size"]


def test_no_deed_is_in_two_splits():
    deeds = [{(d.subject, d.verb, d.object) for d in (*Deeds(split).active, *Deeds(split).idle)} for split in SPLITS]
    assert not deeds[0] & deeds[1] | deeds[0] & deeds[2] | deeds[1] & deeds[2]
    assert sum(map(len, deeds)) == sum(map(len, map(set, deeds)))
    assert all(Deeds(split).by_subject.keys() | Deeds(split).by_object.keys() >= {n.singular for n in lexicon.NOUNS}
               for split in SPLITS)  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", range(3))
def test_any_tokens_at_all_are_survived_and_worth_little(preset, seed):
    task, generator = TASKS[preset], np.random.default_rng(seed)
    texts = [generator.integers(len(task.vocabulary), size=generator.integers(60)).tolist() for _ in range(200)]
    transition = transition_of(task, generator.integers(500, size=200), texts)
    gold = task.gold(transition)
    assert ((gold >= 0) & (gold < 1)).all()
    assert gold.mean() < 0.02
    assert task.allowed_tokens(transition).any(axis=1).all()


def test_all_that_the_mask_allows_is_velan():
    """Random texts under the mask end in a full stop, and each noun agrees with its determiner and adjective."""
    task, generator = TASKS["hard"], np.random.default_rng(0)
    texts, over, end = [[] for _ in range(200)], set(), task.vocabulary.end_id
    for _ in range(60):
        allowed = task.allowed_tokens(transition_of(task, [0] * 200, texts))
        for number, row in enumerate(allowed):
            if number not in over:
                texts[number].append(int(generator.choice(np.flatnonzero(row))))
                over |= {number} if texts[number][-1] == end else set()
    is_a = {word: name.split(":") for name, words in lexicon.groups().items() for word in words if ":" in name}
    assert len(over) > 50
    for text in texts:
        words = [task.vocabulary.tokens[token] for token in text]
        assert not set(words) & (set(STEMS) - {"."})
        assert len(words) == 60 or words[-2:] == [".", "<end>"]
        for before, word in pairwise(words):
            if is_a.get(before, " ")[0] in lexicon.CASES:
                assert is_a[word] == ["noun", is_a[before][1]]
            if is_a.get(word, " ")[0] == "adjective":
                assert is_a[before] == ["noun", is_a[word][1]]


@pytest.mark.parametrize(
    ("before", "allowed", "forbidden"),
    [
        ("elu", ["pelu", "hadu"], ["nira", "pelui", "boy", "."]),
        ("elu pelu", ["bonu", "elan", "umuis", ",", "neo", "dormeru"], ["bona", "ela", "juveru", "dormera", "."]),
        ("elu pelu elan doma", ["veta", "vederu", "neo"], ["vedera", "dormeru", "elan", "vetu"]),
        ("elu pelu, kun", ["ela", "elus"], ["elan", "vederu"]),
        ("elu pelu, kun ela nira vedera", [","], [".", "soro"]),
        ("elu pelu, kun ela nira vedera,", ["dormeru", "neo"], ["dormera", ","]),
        ("elu pelu dormeru", [".", "soro"], [","]),
        ("elu pelu dormeru soro,", ["ela"], ["elan", "."]),
        ("elu pelu dormeru.", ["<end>"], ["elu", "."]),
        ("pelu", ["pelu", "boy", "<end>"], ["<pad>", "<sep>"]),  # no longer Velan: anything goes
    ],
)
def test_mask_by_hand(before, allowed, forbidden):
    task = TASKS["hard"]
    mask = task.allowed_tokens(transition_of(task, [0], [task.vocabulary.encode(before)]))[0]
    ids = {word: number for number, word in enumerate(task.vocabulary.tokens)}
    assert [word for word in allowed if not mask[ids[word]]] == []
    assert [word for word in forbidden if mask[ids[word]]] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_tricks_do_not_beat_the_reference(preset):
    task, samples = TASKS[preset], list(range(64))
    prompts, budget = task.prompt_set("test"), TASKS[preset].max_new_tokens
    references = [prompts.reference_ids[i, : prompts.reference_lengths[i]].tolist() for i in samples]
    english = [prompts.prompt_ids[i, : prompts.prompt_lengths[i] - 1].tolist() for i in samples]
    tricks = {
        "empty": [[] for _ in samples],
        "prompt": [text[:budget] for text in english],
        "twice": [(text * 2)[:budget] for text in references],
        "one word": [text[:1] * budget for text in references],
    }
    honest = textgym.score(ENV_ID, samples, references, split="test", difficulty=preset)
    assert (honest.gold == 1).all()
    for texts in tricks.values():
        scores = textgym.score(ENV_ID, samples, texts, split="test", difficulty=preset)
        assert scores.clean_return.mean() < honest.clean_return.mean() - 0.2
        assert (scores.gold < 1).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"clauses": 4}, "clauses must be 1 to 3 and tenses 1 to 3, got 4 and 1"),
        ({"tenses": 0}, "tenses"),
        ({"plurals": 1.5}, "plurals must be in \\[0, 1\\], got 1.5"),
        ({"negations": -0.1}, "negations"),
        ({"size": 7}, "size must be at least 8, got 7"),
        ({"adjectives": 0.0, "plurals": 0.0, "size": 20_000}, "size must be smaller, got 20000"),
    ],
)
def test_arguments_that_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        Translate(**arguments)
