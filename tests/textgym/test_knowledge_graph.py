"""KnowledgeGraph: texts that a reader of our own reads too, triples in any order, and a grammar of them."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textgym
from tests.laws import assert_allowed_and_full_gold
from textgym.tasks.knowledge_graph import KnowledgeGraph
from textgym.tasks.making import make_task
from textgym.tasks.parts.knowledge_world import KIND, MEN, RELATIONS, WOMEN
from textgym.vector_env import TextVectorEnv

ENV = "textgym/KnowledgeGraph-v0"
SPLITS = ("train", "validation", "test")
DIFFICULTIES = ("easy", "medium", "hard")
END = 2
PROMPT = "facts as triples: Elmtek belongs to Jack. Jack lives in Cairo."
ONE, OTHER = "(Elmtek, belongs to, Jack)", "(Jack, lives in, Cairo)"
PRONOUNS = {"she": WOMEN, "her": WOMEN, "he": MEN, "him": MEN}


def decoded(task, split):
    """Returns the prompts and the references of a split as text."""
    prompts = task.prompt_set(split)
    return [[task.vocabulary.decode(row) for row in ids] for ids in (prompts.prompt_ids, prompts.reference_ids)]


def triples_of(text):
    return re.findall(r"[(].*?[)]", text)


def read_clause(clause):
    """Returns the triple that a clause of two entities tells."""
    first, *words, last = clause.split()
    for relation in RELATIONS:
        for said in relation.sentences:
            holder, value = (first, last) if said.startswith("HOLDER") else (last, first)
            same = words == said.split()[1:-1]
            if same and (KIND[holder], KIND[value]) == (relation.holder, relation.value):
                return f"({holder}, {' '.join(relation.sentences[0].split()[1:-1])}, {value})"
    raise AssertionError(f"{clause!r} says nothing")


def read(text):
    """Returns the triples that a text tells, in order; a pronoun means the only one of the sentence before it can."""
    triples, before = [], []
    for sentence in re.findall(r"[^.]+(?=[.])", text):
        named = []
        for word in sentence.replace(",", " , ").split():
            if word in ("she", "he", "it", "her", "him"):
                kinds = PRONOUNS.get(word, [name for name, kind in KIND.items() if kind in ("company", "city")])
                (word,) = {name for name in before if name in kinds}
            named.append(word)
        clauses = re.split(r" , and | and | , (?=who |which )", " ".join(named))
        for number, clause in enumerate(clauses):
            if number:
                first, last = clauses[0].split()[0], clauses[0].split()[-1]
                if re.match("who |which ", clause):
                    clause = f"{last} {clause.split(' ', 1)[1]}"
                elif clause.split()[0] not in KIND:
                    clause = f"{first} {clause}"
            triples.append(read_clause(clause))
        before = [word for word in named if word in KIND]
    return triples


@pytest.mark.parametrize(
    ("text", "gold", "well_formed"),
    [
        (f"{ONE} {OTHER}", 1, 1),
        (f"{OTHER} {ONE}", 1, 1),  # the order is free
        (ONE, 2 / 3, 1),
        (f"{ONE} {ONE}", 1 / 2, 1),  # twice is no more than once, and one too many
        (f"{ONE} {OTHER} {OTHER}", 4 / 5, 1),
        (f"{ONE} {OTHER} (Jack, lives in, Paris)", 4 / 5, 1),
        (f"{ONE} and {OTHER}", 4 / 5, 2 / 3),  # what stands between them is a piece of its own
        (f"{ONE} (Jack, lives in, Cairo", 1 / 2, 1 / 2),
        (f"{ONE} (Jack, in, Cairo)", 1 / 2, 1 / 2),
        ("(Jack, belongs to, Elmtek) (Cairo, lives in, Jack)", 0, 1),
        ("Elmtek belongs to Jack. Jack lives in Cairo.", 0, 0),
        (f") {ONE} ( ( {OTHER}", 4 / 7, 2 / 5),
        ("", 0, 0),
    ],
)
def test_gold_worked_out_by_hand(text, gold, well_formed):
    task = make_task("knowledge_graph")
    assert [said[0] for said in decoded(task, "test")] == [PROMPT, f"{ONE} {OTHER}"]
    feedback = [{"name": "task_signal", "signal": "well_formed"}]
    scores = textgym.score(ENV, [0], [text], split="test", feedback=feedback, noise=[], max_new_tokens=30)
    assert scores.gold[0] == pytest.approx(gold)
    assert scores.signals[0, 0] == pytest.approx(well_formed)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_reader_of_our_own_reads_the_same_triples(difficulty):
    task = make_task("knowledge_graph", difficulty)
    for prompt, reference in zip(*decoded(task, "test"), strict=True):
        text = prompt.removeprefix("facts as triples: ")
        assert read(text) == triples_of(reference)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_no_prompt_is_there_twice_and_no_fact_is_in_two_splits(difficulty):
    task = make_task("knowledge_graph", difficulty)
    prompts = {split: decoded(task, split) for split in SPLITS}
    everything = [prompt for split in SPLITS for prompt in prompts[split][0]]
    assert len(set(everything)) == len(everything) == task.size
    facts = [{triple for said in prompts[split][1] for triple in triples_of(said)} for split in SPLITS]
    assert not facts[0] & facts[1]
    assert not facts[0] & facts[2]
    assert not facts[1] & facts[2]


def test_presets_tie_clauses_as_their_arguments_say():
    ties = (" and ", "who ", "which ", "she ", "he ", "it ", " her", " him", " it.")
    for difficulty, used in (("easy", ties[:7]), ("medium", ties), ("hard", ties)):
        text = "".join(decoded(make_task("knowledge_graph", difficulty), "train")[0])
        assert all(tie in text for tie in used)
    plain = KnowledgeGraph(tied=0.0, size=800)
    assert not any(tie in prompt for prompt in decoded(plain, "train")[0] for tie in ties)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_references_get_full_gold_and_fit_and_the_masks_allow_them(data):
    arguments = {
        "facts": data.draw(st.integers(2, 8)), "wordings": data.draw(st.integers(1, 3)),
        "tied": data.draw(st.floats(0, 1)), "size": 80,
    }  # fmt: skip
    task = KnowledgeGraph(**arguments)
    for split in SPLITS:
        prompts = task.prompt_set(split)
        assert prompts.reference_lengths.max() < task.max_new_tokens
        assert_allowed_and_full_gold({"name": "knowledge_graph", **arguments}, split)


@pytest.fixture(scope="module")
def begun():
    """The task, and the record of eight texts that have just begun."""
    env = TextVectorEnv(8, "knowledge_graph", split="test", feedback=["gold"])
    env.reset(seed=0, options={"sample": np.arange(8)})
    nobody = np.zeros(8, np.bool_)
    return env.simulator.task, env.simulator._transition(np.arange(8), nobody, nobody[:0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(0, 40))
def test_any_tokens_get_a_gold_and_some_token_may_follow(begun, seed, length):
    task, transition = begun
    generator = np.random.default_rng(seed)
    ids = generator.integers(len(task.vocabulary), size=(8, max(1, length)))
    half = transition.reference_ids[:4, : ids.shape[1]]  # some begin as references do
    ids[:4, : half.shape[1]] = half
    written = transition.with_texts(ids, generator.integers(0, length + 1, 8))
    for score in (task.gold(written), task.well_formed(written)):
        assert ((score >= 0) & (score <= 1)).all()
    assert (task.gold(written)[4:] < 1).all()
    allowed = task.allowed_tokens(written)
    assert allowed.any(axis=1).all()
    assert not allowed[:, :END].any()


def test_the_mask_worked_out_by_hand(begun):
    task, transition = begun
    names = {"Elmtek", "Jack", "Cairo"}
    verbs = {relation.sentences[0].split()[1] for relation in RELATIONS}
    cases = {
        "": {"("}, "(": names, "(Jack": {","}, "(Jack,": verbs, "(Jack, lives": {"in"},
        "(Jack, is": {"in"}, "(Jack, lives in": {","}, "(Jack, lives in,": names,
        "(Jack, lives in, Cairo": {")"}, OTHER: {"(", "<end>"},
    }  # fmt: skip
    for text, following in cases.items():
        ids = task.vocabulary.encode(text)
        written = transition[np.arange(1)].with_texts(np.array([[*ids, 0]]), np.array([len(ids)]))
        allowed = np.flatnonzero(task.allowed_tokens(written)[0])
        assert {task.vocabulary.tokens[token] for token in allowed} == following, text


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_no_trick_beats_the_reference_on_the_default_feedback(difficulty):
    task = make_task("knowledge_graph", difficulty)
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
        "twice": [reference * 2 for reference in references],
        "one triple": [reference[:8] * budget for reference in references],
        "one word": [reference[1:2] * budget for reference in references],
        "random": generator.integers(3, len(task.vocabulary), (64, budget)).tolist(),
    }

    def scores(texts):
        return textgym.score(ENV, list(range(64)), texts, split="test", noise=[], truncate=True, difficulty=difficulty)

    best = scores(references)
    np.testing.assert_array_equal(best.gold, 1.0)
    for name, texts in tricks.items():
        tricked = scores(texts)
        assert tricked.clean_return.mean() < best.clean_return.mean(), name
        assert tricked.gold.mean() < 0.9, name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"facts": 1}, "facts must be 2 to 8, got 1"),
        ({"facts": 9}, "facts must be 2 to 8, got 9"),
        ({"wordings": 4}, "wordings must be 1 to 3, got 4"),
        ({"tied": 1.5}, "tied must be 0 to 1, got 1.5"),
        ({"size": 7}, "size must be 8 to 16,384, got 7"),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(arguments, said):
    with pytest.raises(ValueError, match=said):
        KnowledgeGraph(**arguments)


def test_easy_is_the_default():
    assert make_task("knowledge_graph").fingerprint == make_task("knowledge_graph", "easy").fingerprint
