"""Every generator of reasoning-gym as a task: its references, its scorer, what agents may not do to it."""

import json
import random

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import textgym  # registers the environments
from tests.laws import references_of, transition_of
from textgym.tasks.base import SPLITS
from textgym.tasks.parts import corpus_cache
from textgym.tasks.parts.reasoning_problems import (
    UNLEVELLED,
    as_literal,
    from_literal,
    names,
    reference,
    split_problems,
)
from textgym.tasks.parts.reasoning_scorers import LEFT_OUT, READABLE, score
from textgym.tasks.reasoning_gym import ReasoningGym

factory = pytest.importorskip("reasoning_gym.factory", reason='needs pip install "textgym[reasoning-gym]"')

ID = "textgym/ReasoningGym-v0"
NAMES = names()
GARBAGE = (
    "",
    " ",
    "0",
    "-1",
    "nan",
    "[NaN, NaN]",
    "inf",
    "None",
    "[]",
    "{}",
    '{"a": [1]}',
    "True",
    "yes",
    "((((",
    "é☃🙂",
    "1/0",
)
FEW = dict.fromkeys(NAMES, 24) | {"knight_swap": 8, "syllogism": 128, "tower_of_hanoi": 64}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTGYM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def task():
    return ReasoningGym(size=512)


def arguments_of(name):
    return {"dataset": name, "size": FEW[name], "max_prompt": 16_384}


def solved(task):
    """Every reference as a text, with its problem."""
    for split in SPLITS:
        problems = task.prompt_set(split).data["problem"]
        for ids, problem in zip(references_of(task, split), problems, strict=True):
            yield task.vocabulary.decode(ids), problem


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_generator_is_a_task_whose_references_earn_what_its_own_scorer_says(name):
    env = gymnasium.make(ID, **arguments_of(name))
    check_env(env.unwrapped)
    task = env.unwrapped.simulator.task
    own, _ = factory.DATASETS[name]
    texts = list(solved(task))
    for text, literal in texts:
        problem = from_literal(literal)
        assert isinstance(task._problems, own)
        assert text == reference(name, problem)
        assert task.score(text, literal) == float(task._problems.score_answer(text, problem)) == 1.0
    for candidate in (*GARBAGE, *(text for text, _ in texts[:6])):
        scores = [task.score(candidate, problem) for _, problem in texts]
        assert all(0.0 <= value <= 1.0 for value in scores)
        assert np.mean(scores) < 1.0, f"one text solves all: {candidate!r}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_scorer_executes_what_was_written(name, tmp_path):
    task, file = ReasoningGym(**arguments_of(name)), tmp_path / "executed"
    touch = f"__import__('pathlib').Path({str(file)!r}).touch()"
    for text in (touch, f"[{touch}]", f"({touch}, 1)[1]", f"1 + ({touch} or 1)", f'["{touch}"]', f"x*{touch}"):
        for literal in task.prompt_set("train").data["problem"][:3]:
            assert 0.0 <= task.score(text, literal) <= 1.0
    assert not file.exists()


def test_a_scorer_without_its_guard_would_execute_it(tmp_path):
    """What the law above is worth: this is what would happen."""
    task, file = ReasoningGym(**arguments_of("spiral_matrix")), tmp_path / "executed"
    literal = task.prompt_set("train").data["problem"][0]
    text = f"__import__('pathlib').Path({str(file)!r}).touch()"
    assert task.score(text, literal) == 0.0
    assert not file.exists()
    task._problems.score_answer(text, from_literal(literal))
    assert file.exists()


def test_the_tables_name_data_sets_that_there_are_and_leave_out_no_other():
    assert set(NAMES) | set(LEFT_OUT) == set(factory.DATASETS)
    assert not set(NAMES) & set(LEFT_OUT)
    assert set(READABLE) | set(UNLEVELLED) <= set(NAMES)
    assert len(NAMES) >= 99


@pytest.mark.parametrize(
    ("name", "seen", "unseen"),
    [
        ("binary_matrix", ["0 1\n1 0", "[[0, 1], [1, 0]]"], ["exit()", "9**9", "[i for i in ()]"]),
        ("countdown", ["(1 + 2)*3 - 4/5"], ["9**9", "9* *9", "1e9", "9" * 13, "exit()", "x"]),
        ("n_queens", ["Q _\n_ Q", "[['Q', '_']]"], ["print()", "Q.q"]),
        ("number_sorting", ["['1', '2.5']", "[1, 2]"], ["[NaN]", "nan"]),
        (
            "polynomial_multiplication",
            ["3*x**2 - 2*x*y + 7", "-(x + 1)/3", "x**99"],
            [
                "x**100",
                "2**9",
                "(x)**9",
                "x**2**9",
                "x** 9",
                "x ** 9",
                "x* *9",
                "x**2* *9",
                "exit()",
                "xy",
                "1/x",
                "x/(y)",
                "x.y",
                "9" * 13,
                "1e9",
            ],
        ),
        ("rubiks_cube", ["R U2 R' F"], ["R99", "R999999999"]),
        ("simple_integration", ["2*x**3/3 + C", "X**2/2 - 4*X/5 + C"], ["sin(x)", "integrate(x)", "x**x"]),
        ("string_insertion", ["ABCDE", "['A', 'B']"], ["f()", "F'{1}'", "lambda: 0"]),
    ],
)
def test_what_a_guarded_scorer_sees(name, seen, unseen):
    pattern, _ = READABLE[name]
    assert [text for text in seen if not pattern.fullmatch(text)] == []
    assert [text for text in unseen if pattern.fullmatch(text)] == []


class Scorer:
    def __init__(self, value):
        self.value = value

    def score_answer(self, answer, entry):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, 0.25), (1, 1.0), (True, 1.0), (1 + 1e-12, 1.0), (-1e-12, 0.0), (1.5, 0.0), (-0.5, 0.0),
        (float("nan"), 0.0), (float("inf"), 0.0), (None, 0.0), (RecursionError(), 0.0), (KeyError("a"), 0.0),
    ],
)  # fmt: skip
def test_a_score_is_always_a_score(value, expected):
    assert score("gcd", Scorer(value), "text", {}) == expected


def test_partial_credit_is_the_scorers_own(task):
    literal = next(
        text for text in task.prompt_set("test").data["problem"] if len(set(from_literal(text)["answer"])) == 3
    )
    answer = from_literal(literal)["answer"]
    assert task.score(answer.upper(), literal) == 1.0
    assert task.score(answer[:2], literal) == pytest.approx(2 / 3)
    assert task.score(answer[::-1], literal) == pytest.approx(1 / 3)
    assert task.score("", literal) == 0.0


def test_gold_reads_each_row_by_its_own_problem(task):
    references = references_of(task, "test")[:3]
    texts = [[*references[0], 2], references[2], [], references[1]]
    assert task.gold(transition_of(task, [0, 1, 2, 1], texts))[[0, 2, 3]].tolist() == [1.0, 0.0, 1.0]


@settings(deadline=None, max_examples=40)
@given(text=st.text(max_size=30))
def test_any_text_has_a_score_and_a_spelling(task, text):
    for split in SPLITS:
        assert 0.0 <= task.score(text, task.prompt_set(split).data["problem"][0]) <= 1.0
    assert task.vocabulary.decode(task.vocabulary.encode(text)) == text


def test_splits_have_no_question_in_common_and_prompts_say_the_question(task):
    questions = {}
    for split in SPLITS:
        prompts = task.prompt_set(split)
        questions[split] = [from_literal(problem)["question"] for problem in prompts.data["problem"]]
        spelled = [task.vocabulary.decode(ids) for ids in prompts.prompt_ids]
        assert spelled == questions[split]
    every = [question for split in SPLITS for question in questions[split]]
    assert (
        len(every) == len(set(every)) == task.counts["unique"] == task.counts["fitting"] < task.counts["drawn"] == 512
    )
    assert len(questions["test"]) == len(questions["validation"]) == len(every) // 8


def test_few_problems_still_make_three_splits():
    problems = [{"question": str(number)} for number in range(3)]
    assert sorted(map(len, split_problems(problems).values())) == [1, 1, 1]
    backwards = split_problems(reversed(problems))
    assert backwards == split_problems(problems)


def test_plain_bytes_and_learnt_tokens_spell_the_same(task):
    plain = ReasoningGym(vocabulary_size=259, size=512)
    assert len(plain.vocabulary) == 259 < len(task.vocabulary) == 512
    assert plain.prompt_set("test").prompt_lengths.mean() > 2 * task.prompt_set("test").prompt_lengths.mean()
    assert list(solved(plain)) == list(solved(task))
    (ids,) = references_of(plain, "test")[:1]
    assert len(ids) == len(plain.vocabulary.decode(ids).encode())


def test_the_budget_is_the_longest_reference_and_the_end(task):
    longest = max(len(ids) for split in SPLITS for ids in references_of(task, split))
    assert task.max_new_tokens == longest + 1


def test_levels_and_fields_change_the_problems():
    lengths = [
        {
            len(from_literal(problem)["answer"])
            for problem in ReasoningGym(size=64, **arguments).prompt_set("train").data["problem"]
        }
        for arguments in ({}, ReasoningGym.presets["hard"], {"config": {"min_word_len": 5, "max_word_len": 5}})
    ]
    assert lengths[0] == {3}
    assert max(lengths[1]) > 3
    assert lengths[2] == {5}


def test_the_same_arguments_draw_the_same_problems_and_leave_chance_alone(monkeypatch, tmp_path):
    random.seed(1), np.random.seed(1)  # noqa: NPY002
    before = random.random(), np.random.random()  # noqa: NPY002
    made = []
    for place in ("one", "other"):
        monkeypatch.setenv("TEXTGYM_CACHE", str(tmp_path / place))
        random.seed(1), np.random.seed(1)  # noqa: NPY002
        made.append([ReasoningGym(dataset=name, size=32).fingerprint for name in ("list_functions", "pool_matrix")])
        assert (random.random(), np.random.random()) == before  # noqa: NPY002
    assert made[0] == made[1]


def test_the_cache_answers_for_what_was_drawn(task, monkeypatch):
    monkeypatch.setattr(ReasoningGym, "_make", None)
    assert ReasoningGym(size=512).fingerprint == task.fingerprint
    monkeypatch.setattr(corpus_cache, "_write", lambda *_: None)
    with pytest.raises(TypeError):
        ReasoningGym(size=513)


def test_a_problem_goes_to_text_and_back():
    name, config = json.dumps("ß"), (1, [2.5, {3}], None, True, {"a": 1j, 4: ()})
    problem = {
        "question": name,
        "metadata": {"plain": config, "odd": np.str_("x"), "nan": float("nan"), "array": np.arange(2)},
    }
    read = from_literal(as_literal(problem))
    assert read == {"question": name, "metadata": {"plain": config, "odd": "x", "nan": "nan", "array": [0, 1]}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"dataset": "spell_backwards"},
            r"unknown dataset 'spell_backwards' \(did you mean 'spell_backward'\?\); known: ab",
        ),
        ({"dataset": "puzzle24"}, "dataset 'puzzle24' can't be a task: its scorer doesn't look at the prompt"),
        ({"level": -1}, "level must be at least 0, got -1"),
        (
            {"dataset": "acre", "level": 1},
            "level must be 0 for 'acre', which has no curriculum that can be used, got 1",
        ),
        ({"dataset": "sokoban", "level": 3}, "level must be 0 for 'sokoban'"),
        (
            {"config": {"max_word_length": 4}},
            r"unknown field 'max_word_length' of config .*did you mean 'max_word_len'",
        ),
        ({"config": {"seed": 4}}, "unknown field 'seed' of config"),
        ({"config": {"min_word_len": 9}}, r"refuses level=0, config=\{'min_word_len': 9\}"),
        ({"config": {"min_word_len": "long"}}, "refuses level=0"),
        ({"vocabulary_size": 258}, r"vocabulary_size must be 259 \(plain bytes\) to 65,536, got 258"),
        ({"max_prompt": 1}, "max_prompt must be at least 2"),
        ({"size": 7}, "size at least 8, got 512 and 7"),
        ({"max_prompt": 5}, "no train prompt of 'spell_backward' fits in max_prompt=5 tokens: the shortest has 1"),
        (
            {"dataset": "chain_sum", "size": 8, "config": {"min_digits": 1, "max_digits": 1}, "max_prompt": 8},
            "no train prompt of 'chain_sum' fits in max_prompt=8",
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReasoningGym(**arguments)


def test_long_prompts_are_left_out_and_counted():
    lengths = ReasoningGym(dataset="gsm_symbolic", size=64).prompt_set("train").prompt_lengths
    task = ReasoningGym(dataset="gsm_symbolic", size=64, max_prompt=int(np.median(lengths)))
    assert 0 < task.counts["fitting"] < task.counts["unique"]
    assert sum(len(task.prompt_set(split)) for split in SPLITS) == task.counts["fitting"]
    assert task.max_prompt_tokens <= np.median(lengths)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "reasoning_gym", None)
    assert ID in textgym.env_ids()
    with pytest.raises(ModuleNotFoundError, match=r'pip install "textgym\[reasoning-gym\]"'):
        gymnasium.make(ID, size=2000)
