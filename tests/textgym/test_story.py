"""Story: gold by hand, every template, the mask, and what does not pay."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textgym
from tests.laws import references_of, transition_of
from textgym.metrics.parts.vader import polarity
from textgym.tasks.base import SPLITS
from textgym.tasks.parts.story_grammar import StoryGrammar
from textgym.tasks.parts.story_words import ANY, NAMES, TEMPLATES, TONES, TOPICS, make_vocabulary
from textgym.tasks.story import Story

ENV_ID = "textgym/Story-v0"
PRESETS = list(Story.presets)
TASKS = {name: Story(**arguments) for name, arguments in Story.presets.items()}
VOCABULARY = make_vocabulary()
GRAMMAR = StoryGrammar(VOCABULARY)
PROMPT = "write a happy story with Alice and Adam about the sea. it has two sentences."


@pytest.mark.parametrize(
    ("text", "attributes", "counted"),
    [
        ("Alice went to the beach. Adam smiled all day.", (1, 1, 1, 1), 1),
        ("Adam and Alice walked along the shore. then they found a pretty shell.", (1, 1, 1, 1), 1),
        ("it was a perfect day. Alice met Adam on the beach.", (1, 1, 1, 1), 1),
        ("Alice went to the beach. Adam cried all day.", (0, 1, 1, 1), 1),
        ("Alice walked to school. Adam smiled all day.", (1, 0, 1, 1), 1),
        ("Alice went to the beach. Adam walked to school.", (0, 1 / 2, 1, 1), 1),
        ("Alice went to the beach. it was a perfect day. Adam cried all day.", (1 / 2, 1, 2 / 3, 1), 1),
        ("Alice and Tom went to the beach. Adam smiled all day.", (1, 1, 1, 2 / 3), 1),
        ("Alice went to the beach.", (0, 1, 1 / 2, 1 / 2), 1 / 2),
        ("Alice went to the beach. Adam smiled all day. they", (1, 1, 2 / 3, 1), 2 / 3),
        ("Alice went to the beach. he smiled all day.", (0, 1, 1, 1 / 2), 1 / 2),  # nobody for he to be
        ("Alice went to the beach. they smiled all day.", (0, 1, 1, 1 / 2), 1 / 2),
        ("Alice and Adam smiled all day. they smiled all day.", (1, 0, 1, 1), 1 / 2),  # a repetition
        ("Alice was very glad. Alice and Adam were very happy.", (1, 0, 1, 1 / 2), 1 / 2),
        ("Alice went to the beach. she met Alice on the beach.", (0, 1, 1, 1 / 2), 1 / 2),  # not herself
        ("Alice and Adam went to the beach. they met Adam on the beach.", (0, 1, 1, 1), 1 / 2),
        ("Alice and Adam went to the beach. he met Alice on the beach.", (0, 1, 1, 1), 1),
        ("Alice were very happy. Adam went to the beach.", (0, 1, 1, 1 / 2), 1 / 2),
        ("Alice and Alice were very happy. Adam went to the beach.", (0, 1, 1, 1 / 2), 1 / 2),
        ("the beach. Adam smiled all day.", (1, 0, 1, 1 / 2), 1 / 2),
        ("..", (0, 0, 1, 0), 0),
        (PROMPT, (0, 0, 1, 0), 0),
        ("Alice Adam happy", (0, 0, 1 / 2, 0), 0),
        ("", (0, 0, 0, 0), 0),
    ],
)
def test_gold_by_hand(text, attributes, counted):
    task = TASKS["easy"]
    scores = textgym.score(ENV_ID, [PROMPT], [text], split="test")
    assert scores.gold[0] == pytest.approx(sum(attributes) / 4 * counted)
    sample = [task.vocabulary.decode(ids) for ids in task.prompt_set("test").prompt_ids].index(PROMPT)
    transition = transition_of(task, [sample], [task.vocabulary.encode(text)])
    assert task.attributes(transition)[0] == pytest.approx(sum(attributes) / 4)


def test_mood_is_turned_round_for_a_sad_story():
    task = TASKS["easy"]
    tones = [wish.tone for wish in task.prompt_set("test").data["wish"]]
    cheerful = task.vocabulary.encode("Alice smiled all day.")
    mood = task.mood(transition_of(task, [tones.index("happy"), tones.index("sad")], [cheerful, cheerful]))
    assert mood[0] > 0.6
    assert mood.sum() == pytest.approx(1)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: " ".join(map("|".join, template.steps)))
def test_every_template_means_what_it_should(template):
    """In all its forms it is read as its own topic and tone, and the lexicon of VADER agrees with the tone."""
    subjects = {"Emma": "was", "later Emma": "was", "Emma and Tom": "were", "Ben, Emma and Tom": "were"}
    for words in product(*template.steps):
        for who, verb in subjects.items() if template.has_subject else (("", ""),):
            spelled = " ".join(words).replace("{who}", who).replace("{was}", verb).replace("{name}", "Adam")
            (sentence,) = GRAMMAR.read(VOCABULARY.encode(spelled))
            assert sentence.template is template
            feeling = polarity([spelled])[0]
            assert {"happy": feeling > 0.2, "sad": feeling < -0.2, ANY: feeling > -0.1}[template.tone]


def test_topics_have_as_much_to_tell():
    for topic in TOPICS:
        told = [template.tone for template in TEMPLATES if template.topic == topic]
        assert {tone: told.count(tone) for tone in told} == {ANY: 4, "happy": 4, "sad": 4}


@settings(max_examples=20, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "sentences": st.integers(2, 8),
            "names": st.integers(1, 3),
            "topics": st.integers(4, 8),
            "size": st.integers(8, 200),
        }
    )
)
def test_references_are_worth_1_fit_and_are_never_forbidden(arguments):
    task, seen, contents = Story(**arguments), set(), []
    for split in SPLITS:
        prompts, texts = task.prompt_set(split), references_of(task, split)
        assert (task.gold(transition_of(task, range(len(texts)), texts, split)) == 1).all()
        assert max(map(len, texts)) < task.max_new_tokens
        samples = [number for number, text in enumerate(texts) for _ in range(len(text) + 1)]
        prefixes = [text[:length] for text in texts for length in range(len(text) + 1)]
        following = [token for text in texts for token in [*text, task.vocabulary.end_id]]
        allowed = task.allowed_tokens(transition_of(task, samples, prefixes, split))
        assert allowed[np.arange(len(following)), following].all()
        contents.append({wish._replace(names=tuple(sorted(wish.names))) for wish in prompts.data["wish"]})
        seen |= {tuple(ids[:n]) for ids, n in zip(prompts.prompt_ids.tolist(), prompts.prompt_lengths, strict=True)}
    assert len(seen) == arguments["size"]
    assert not contents[0] & contents[1] | contents[0] & contents[2] | contents[1] & contents[2]


@pytest.mark.parametrize("preset", PRESETS)
def test_prompts_say_what_is_wanted(preset):
    task = TASKS[preset]
    numbers = ("two", "three", "four", "five", "six", "seven", "eight")
    prompts = task.prompt_set("validation")
    for ids, wish in zip(prompts.prompt_ids, prompts.data["wish"], strict=True):
        words = [task.vocabulary.tokens[token] for token in ids]
        assert [word for word in words if word in TONES] == [wish.tone]
        assert sorted(word for word in words if word in NAMES) == sorted(wish.names)
        assert [numbers.index(word) + 2 for word in words if word in numbers] == [wish.sentences]
        assert f"about {wish.topic}" in task.vocabulary.decode(ids)
    assert {wish.sentences for wish in prompts.data["wish"]} == set(range(2, task.sentences + 1))
    assert {wish.topic for wish in prompts.data["wish"]} == set(TOPICS[: task.topics])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", range(3))
def test_any_tokens_at_all_are_survived_and_worth_little(preset, seed):
    task, generator = TASKS[preset], np.random.default_rng(seed)
    texts = [generator.integers(len(task.vocabulary), size=generator.integers(80)).tolist() for _ in range(200)]
    stop = task.vocabulary.encode(".")[0]
    texts += [[token if generator.random() < 0.8 else stop for token in text] for text in texts]
    transition = transition_of(task, generator.integers(500, size=400), texts)
    assert task.gold(transition).max() == 0
    assert ((task.attributes(transition) >= 0) & (task.attributes(transition) <= 1 / 4)).all()
    assert task.allowed_tokens(transition).any(axis=1).all()


def test_all_that_the_mask_allows_is_a_story():
    """Random texts under the mask are sentences that all count, but for repetitions; few are what was asked for."""
    task, generator, n = TASKS["hard"], np.random.default_rng(0), 200
    texts, over, end = [[] for _ in range(n)], set(), task.vocabulary.end_id
    for _ in range(task.max_new_tokens):
        allowed = task.allowed_tokens(transition_of(task, range(n), texts))
        for number in set(range(n)) - over:
            token = int(generator.choice(np.flatnonzero(allowed[number])))
            if token == end:
                over.add(number)
            else:
                texts[number].append(token)
    read = [GRAMMAR.read(texts[number]) for number in sorted(over)]
    assert len(read) > 50
    assert all(sentence is not None for sentences in read for sentence in sentences)
    assert task.gold(transition_of(task, range(n), texts)).mean() < 0.4


@pytest.mark.parametrize(
    ("before", "allowed", "forbidden"),
    [
        ("", ["Emma", "the", "later", "it", "a"], ["she", "he", "they", "was", ".", "<end>"]),
        ("Emma", ["was", "went", "and", ","], ["were", "Tom", "."]),
        ("Emma and", ["Tom"], ["Emma", "she"]),
        ("Emma, Tom", ["and"], ["were", ","]),
        ("Emma and Tom", ["were", "went"], ["was", "and"]),
        ("Emma met", ["Tom"], ["Emma", "the"]),
        ("Emma smiled all day. she met", ["Tom", "Clara"], ["Emma", "she"]),
        ("Emma and Clara smiled all day. she met", ["Tom", "Clara", "Emma"], []),
        ("Emma and Clara smiled all day. they met", ["Tom"], ["Clara", "Emma"]),
        ("Emma smiled all day.", ["she", "Emma", "then", "<end>"], ["he", "they", "."]),
        ("Emma met Tom at school. then", ["she", "he", "they", "Tom"], ["the", "<end>"]),
        ("Emma Emma", ["Emma", "she", "they", "<end>"], ["<pad>", "<sep>"]),  # no longer a story: anything goes
    ],
)
def test_mask_by_hand(before, allowed, forbidden):
    task = TASKS["easy"]
    mask = task.allowed_tokens(transition_of(task, [0], [task.vocabulary.encode(before)]))[0]
    ids = {word: number for number, word in enumerate(task.vocabulary.tokens)}
    assert [word for word in allowed if not mask[ids[word]]] == []
    assert [word for word in forbidden if mask[ids[word]]] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_tricks_do_not_beat_the_reference(preset):
    task, samples = TASKS[preset], list(range(64))
    prompts, budget, references = (
        task.prompt_set("test"),
        TASKS[preset].max_new_tokens,
        references_of(task, "test")[:64],
    )
    asked = [prompts.prompt_ids[i, : prompts.prompt_lengths[i] - 1].tolist() for i in samples]
    words = {tone: task.vocabulary.encode(word) for tone, word in (("happy", "happy"), ("sad", "terrible"))}
    stop = task.vocabulary.encode(".")[0]
    tricks = {
        "empty": [[] for _ in samples],
        "prompt": [(text * 4)[:budget] for text in asked],
        "twice": [(text * 2)[:budget] for text in references],
        "one word": [words[prompts.data["wish"][i].tone] * budget for i in samples],
        "one sentence": [(references[i][: references[i].index(stop) + 1]) for i in samples],
        "mood": [
            text[: text.index(stop)] + words[prompts.data["wish"][i].tone] + text[text.index(stop) :]
            for i, text in enumerate(references)
        ],
    }
    honest = textgym.score(ENV_ID, samples, references, split="test", difficulty=preset)
    assert (honest.gold == 1).all()
    for texts in tricks.values():
        scores = textgym.score(ENV_ID, samples, texts, split="test", difficulty=preset)
        assert (scores.clean_return < honest.clean_return - 0.05).all()
        assert (scores.gold < 1).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"sentences": 1}, "sentences must be 2 to 8, got 1"),
        ({"sentences": 9}, "sentences must be 2 to 8, got 9"),
        ({"names": 4}, "names must be 1 to 3 and topics 1 to 8, got names=4, topics=4"),
        ({"topics": 0}, "topics"),
        ({"size": 7}, "size must be at least 8, got 7"),
        ({"names": 1, "sentences": 2, "size": 2000}, "size must be smaller, got 2000"),
    ],
)
def test_arguments_that_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        Story(**arguments)
