"""KnowledgeQA: answers that a solver of our own finds too, proper refusals, and a grammar of answers."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textgym
from tests.laws import assert_allowed_and_full_gold
from textgym.tasks.knowledge_qa import KnowledgeQA
from textgym.tasks.making import make_task
from textgym.tasks.parts.knowledge_world import ENTITIES, KIND, RELATIONS
from textgym.vector_env import TextVectorEnv

ENV = "textgym/KnowledgeQA-v0"
SPLITS = ("train", "validation", "test")
DIFFICULTIES = ("easy", "medium", "hard")
END = 2
PROMPT = "Ben works for Elmtek. George works for Fenwick. George learns from Carl. who does George work for?"
STATEMENT = "George works for Fenwick."
OPEN = "Kyoto elected Hugo. Adam lives in Berlin. Lima elected David. who did Berlin elect?"


def decoded(task, split):
    """Returns the prompts and the references of a split as text."""
    prompts = task.prompt_set(split)
    return [[task.vocabulary.decode(row) for row in ids] for ids in (prompts.prompt_ids, prompts.reference_ids)]


def read_fact(sentence):
    """Returns the holder, the relation's number and the value of a sentence."""
    for number, relation in enumerate(RELATIONS):
        for said in relation.sentences:
            pattern = said.replace("HOLDER", "(?P<holder>.+)").replace("VALUE", "(?P<value>.+)")
            found = re.fullmatch(pattern, sentence)
            if found and (KIND[found["holder"]], KIND[found["value"]]) == (relation.holder, relation.value):
                return (found["holder"], number), found["value"]
    raise AssertionError(f"{sentence!r} says nothing")


def read_question(question):
    """Returns who is asked about, and the numbers of the relations to what is asked for."""

    def follow(phrase):
        if phrase in KIND:
            return phrase, (), KIND[phrase]
        outer = re.fullmatch(r"the (?P<noun>[a-z ]+?) of (?P<rest>.+)", phrase)
        found = outer or re.fullmatch(r"(?P<rest>\w+)'s (?P<noun>[a-z ]+)", phrase)
        start, path, kind = follow(found["rest"])
        (number,) = [n for n, r in enumerate(RELATIONS) if (r.noun, r.holder) == (found["noun"], kind)]
        return start, (*path, number), RELATIONS[number].value

    for number, relation in enumerate(RELATIONS):
        if found := re.fullmatch(relation.question.replace("HOLDER", "(.+)").replace(" ?", "[?]"), question):
            start, path, kind = follow(found[1])
            if kind == relation.holder:
                return start, (*path, number)
    raise AssertionError(f"{question!r} asks nothing")


def read(prompt):
    """Returns the facts, who is asked about and the path."""
    *sentences, question = prompt.split(". ")
    facts = [read_fact(sentence) for sentence in sentences]
    assert len(dict(facts)) == len(facts)
    return (dict(facts), *read_question(question))


@pytest.mark.parametrize(
    ("sample", "text", "gold"),
    [
        (0, STATEMENT, 1),
        (0, "George works for Fenwick", 1),
        (0, "Fenwick.", 1),
        (0, "Fenwick", 1),
        (0, "George works for Elmtek.", 0),
        (0, "Elmtek.", 0),
        (0, "Ben works for Fenwick.", 0),  # he works for Elmtek, and nobody asked
        (0, "George learns from Fenwick.", 0),
        (0, "in Fenwick.", 0),  # it is no city
        (0, "Fenwick Elmtek.", 0),
        (0, "Fenwick. Elmtek.", 0),
        (0, "Fenwick. Fenwick.", 0),
        (0, "Fenwick nobody knows.", 0),
        (0, "George works for Fenwick. nobody knows.", 0),
        (0, "nobody knows.", 0),
        (0, "George works for.", 0),
        (0, ".", 0),
        (0, "", 0),
        (3, "nobody knows.", 1),
        (3, "nobody knows", 1),
        (3, "that is not said.", 1),
        (3, "that is said.", 0),
        (3, "Berlin elected David.", 0),
        (3, "David. nobody knows.", 0),
        (3, "", 0),
        (4, "Cairo.", 1),
        (4, "in Cairo.", 1),
        (4, "in Cairo", 1),
        (4, "in. Cairo", 0),
    ],
)
def test_gold_worked_out_by_hand(sample, text, gold):
    task = make_task("knowledge_qa")
    prompts, references = decoded(task, "test")
    assert [(prompts[0], references[0]), (prompts[3], references[3])] == [(PROMPT, STATEMENT), (OPEN, "nobody knows.")]
    scores = textgym.score(ENV, [sample], [text], split="test", feedback=["gold"], noise=[], max_new_tokens=20)
    assert scores.gold[0] == gold


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_solver_of_our_own_finds_the_answers(difficulty):
    task = make_task("knowledge_qa", difficulty)
    data = task.prompt_set("test").data
    for number, (prompt, reference) in enumerate(zip(*decoded(task, "test"), strict=True)):
        facts, entity, path = read(prompt)
        assert len(facts) == task.facts
        assert len(path) == data["hops"][number]
        assert any(entity in (holder, value) for (holder, _), value in facts.items())
        assert all(holder != value and facts.get((value, n)) != holder for (holder, n), value in facts.items())
        rivals = {value for (_, relation), value in facts.items() if relation == path[-1]}
        for relation in path:
            entity = facts.get((entity, relation))
        assert data["answerable"][number] == (entity is not None)
        if entity is None:
            assert reference == "nobody knows."
            assert rivals
        else:
            assert re.search(r"\w+(?=[.]$)", reference)[0] == entity
            assert len(rivals) > 1


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_hops_and_refusals_are_as_frequent_as_asked_for(difficulty):
    task = make_task("knowledge_qa", difficulty)
    data = task.prompt_set("train").data
    assert np.mean(data["answerable"]) == pytest.approx(0.8, abs=0.03)
    shares = np.array(list(Counter(data["hops"]).values())) / len(data["hops"])
    np.testing.assert_allclose(shares, 1 / task.hops, atol=0.03)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_no_prompt_is_there_twice_and_no_question_about_the_same_facts_is_in_two_splits(difficulty):
    task = make_task("knowledge_qa", difficulty)
    prompts = {split: decoded(task, split)[0] for split in SPLITS}
    everything = [prompt for split in SPLITS for prompt in prompts[split]]
    assert len(set(everything)) == len(everything) == task.size
    asked = []
    for split in SPLITS:
        of_split = [read(prompt) for prompt in prompts[split]]
        asked.append({(frozenset(facts.items()), *question) for facts, *question in of_split})
    assert not asked[0] & asked[1]
    assert not asked[0] & asked[2]
    assert not asked[1] & asked[2]


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_references_get_full_gold_and_fit_and_the_masks_allow_them(data):
    hops = data.draw(st.integers(1, 4))
    arguments = {
        "hops": hops, "facts": data.draw(st.integers(2 * hops + 1, 16)), "names": 16, "size": 80,
        "wordings": data.draw(st.integers(1, 3)), "unanswerable": data.draw(st.floats(0, 1)),
    }  # fmt: skip
    task = KnowledgeQA(**arguments)
    for split in SPLITS:
        prompts = task.prompt_set(split)
        assert prompts.reference_lengths.max() < task.max_new_tokens
        assert_allowed_and_full_gold({"name": "knowledge_qa", **arguments}, split)


@pytest.fixture(scope="module")
def begun():
    """The task with two hops, and the record of eight texts that have just begun."""
    env = TextVectorEnv(8, "knowledge_qa", difficulty="medium", split="test", feedback=["gold"])
    env.reset(seed=0, options={"sample": np.arange(8)})
    nobody = np.zeros(8, np.bool_)
    return env.simulator.task, env.simulator._transition(np.arange(8), nobody, nobody[:0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(0, 30))
def test_any_tokens_get_a_gold_and_some_token_may_follow(begun, seed, length):
    task, transition = begun
    generator = np.random.default_rng(seed)
    ids = generator.integers(len(task.vocabulary), size=(8, max(1, length)))
    half = transition.reference_ids[:4, : ids.shape[1]]  # some begin as references do
    ids[:4, : half.shape[1]] = half
    written = transition.with_texts(ids, generator.integers(0, length + 1, 8))
    assert set(task.gold(written)) <= {0.0, 1.0}
    allowed = task.allowed_tokens(written)
    assert allowed.any(axis=1).all()
    assert not allowed[:, :END].any()


def test_the_mask_worked_out_by_hand(begun):
    task, transition = begun
    facts, *_ = read(decoded(task, "test")[0][2])
    names = {holder for holder, _ in facts} | set(facts.values())
    cities = names & set(ENTITIES["city"])
    verbs = {relation.sentences[0].split()[1] for relation in RELATIONS}
    nouns = {"employer", "home", "boss", "teacher", "owner", "mayor"}
    assert "Pelmo" in names
    assert cities
    cases = {
        "": {*names, "in", "the", "nobody", "that"},
        "Pelmo": {*verbs, "'s", ".", "<end>"},
        "in": cities,
        "in Rome": {".", "<end>"},
        "the": nouns,
        "the home": {"city"},
        "the home city": {"of"},
        "the owner of": {*names, "the"},
        "the owner of Pelmo": {*verbs, "'s"},
        "Pelmo's": nouns,
        "Pelmo's owner": verbs,
        "Pelmo's owner works": {"for"},
        "Pelmo's owner works for": names,
        "Pelmo's owner works for Inova": {".", "<end>"},
        "nobody": {"knows"},
        "that is not": {"said"},
        "that is not said.": {"<end>"},
    }
    for text, following in cases.items():
        ids = task.vocabulary.encode(text)
        written = transition[np.array([2])].with_texts(np.array([[*ids, 0]]), np.array([len(ids)]))
        allowed = np.flatnonzero(task.allowed_tokens(written)[0])
        assert {task.vocabulary.tokens[token] for token in allowed} == following, text


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_no_trick_beats_the_reference_on_the_default_feedback(difficulty):
    task = make_task("knowledge_qa", difficulty)
    prompts = task.prompt_set("test")
    references = [
        ids[:n].tolist() for ids, n in zip(prompts.reference_ids[:64], prompts.reference_lengths, strict=False)
    ]
    asked = [ids[: n - 1].tolist() for ids, n in zip(prompts.prompt_ids[:64], prompts.prompt_lengths, strict=False)]
    generator = np.random.default_rng(0)
    budget = task.max_new_tokens
    tricks = {
        "empty": [[] for _ in references],
        "prompt": asked,
        "question": [prompt[-budget:] for prompt in asked],
        "twice": [reference * 2 for reference in references],
        "answer": [reference[-2:-1] * budget for reference in references],
        "refusal": [task.vocabulary.encode("nobody knows.") for _ in references],
        "every name": [[token for token in prompt if task.vocabulary.tokens[token] in KIND] for prompt in asked],
        "random": generator.integers(3, len(task.vocabulary), (64, budget)).tolist(),
    }

    def scores(texts):
        return textgym.score(ENV, list(range(64)), texts, split="test", noise=[], truncate=True, difficulty=difficulty)

    best = scores(references)
    np.testing.assert_array_equal(best.gold, 1.0)
    for name, texts in tricks.items():
        tricked = scores(texts)
        assert tricked.clean_return.mean() < best.clean_return.mean(), name
        assert tricked.gold.mean() < 0.4, name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"hops": 0}, "hops must be 1 to 4, got 0"),
        ({"hops": 5}, "hops must be 1 to 4, got 5"),
        ({"hops": 2}, r"facts must be 2 hops [+] 1 = 5 to names = 8, got 3"),
        ({"facts": 17}, r"facts must be 2 hops [+] 1 = 3 to names = 8, got 17"),
        ({"names": 17}, "names must be at most 16, got 17"),
        ({"wordings": 0}, "wordings must be 1 to 3, got 0"),
        ({"unanswerable": -0.1}, "unanswerable must be 0 to 1, got -0.1"),
        ({"size": 7}, "size must be 8 to 16,384, got 7"),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(arguments, said):
    with pytest.raises(ValueError, match=said):
        KnowledgeQA(**arguments)


def test_easy_is_the_default():
    assert make_task("knowledge_qa").fingerprint == make_task("knowledge_qa", "easy").fingerprint
