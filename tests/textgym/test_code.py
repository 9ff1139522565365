"""Code: its language against Python's own, the mask against the parser, gold by hand, and what the splits share."""

import ast
import random
import tracemalloc
import warnings
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textgym
from tests.laws import transition_of
from textgym.registration import build
from textgym.tasks.base import SPLITS
from textgym.tasks.code import Code
from textgym.tasks.parts import code_mask
from textgym.tasks.parts.code_expressions import MOST_STEPS, OutOfBoundsError, Scope, run
from textgym.tasks.parts.code_language import DEEPEST, LEXEMES, LONGEST, TOKENS
from textgym.tasks.parts.code_parser import parse
from textgym.tasks.parts.code_tests import POOL, behaviour, credit, hidden_tests, program_of
from textgym.tasks.parts.code_words import IDS, VOCABULARY, program_ids

ENV_ID = "textgym/Code-v0"
PRESETS = list(Code.presets)
TASKS = {name: Code(**arguments, size=1024) for name, arguments in Code.presets.items()}
FEW = [token for token in TOKENS if not token.lstrip("-").isdigit()] + ["0", "1", "2", "5", "-1", "-2"]
OFTEN = ("xs", "x", "for", "x", "in", "if", "else", ")", "]")
INPUTS = ((), (3,), (1, 2, 3), (5, -2, 5, 0))
BUILTINS = {"abs": abs, "len": len, "max": max, "min": min, "set": set, "sorted": sorted, "sum": sum}


def text_of(tokens):
    return VOCABULARY.decode([IDS[token] for token in tokens])


def tokens_of(code):
    return [VOCABULARY.tokens[token] for token in VOCABULARY.encode(code)]


@cache
def choices(state, left):
    """Returns the tokens that may come next, without most numbers, and how often to choose each."""
    allowed = [token for token in code_mask.next_tokens(state, left) if token in FEW]
    return allowed, [3 if token in OFTEN else 1 for token in allowed]


def written(chance, budget):
    """Returns the tokens of a random program that fits a budget, written with the mask."""
    state, tokens = code_mask.START, []
    while True:
        allowed, weights = choices(state, budget - len(tokens))
        if code_mask.is_whole(state) and (not allowed or chance.random() < 0.3):
            return tokens
        tokens += chance.choices(allowed, weights)
        state = code_mask.write(state, tokens[-1])


def state_after(tokens):
    state = code_mask.START if len(tokens) <= LONGEST else None
    for token in tokens:
        state = state and code_mask.write(state, token)
    return state


def mutated(chance, tokens):
    tokens = list(tokens)
    for _ in range(chance.randint(1, 3)):
        place = chance.randint(0, len(tokens))
        tokens[place : place + chance.randint(0, 1)] = [chance.choice(FEW)][: chance.randint(0, 1)]
    return tokens


def any_tokens(chance):
    """Returns tokens: a program, one with mistakes, or anything."""
    kind = chance.random()
    if kind < 0.2:
        return [chance.choice([*FEW, *OFTEN * 3]) for _ in range(chance.randint(0, 30))]
    tokens = written(chance, chance.randint(1, 25))
    return tokens if kind < 0.5 else mutated(chance, tokens)


def outcome(compute):
    """Returns the type and the value that Python would print, or the kind of error."""
    try:
        value = compute()
    except OutOfBoundsError:
        return None
    except Exception as error:
        return type(error)
    return type(value), value


@pytest.mark.parametrize(
    ("code", "xs", "value"),
    [
        ("max(xs) + 3", [1, 2], 5),
        ("len(xs) * 2", [4, 4], 4),
        ("sum(xs[1:])", [9, 1, 2], 3),
        ("[x + 1 for x in xs if x > 2]", [1, 3, 5], [4, 6]),
        ("sorted(xs)[::-1]", [1, 3, 2], [3, 2, 1]),
        ("- xs[0] % 3", [1], 2),
        ("2 + 3 * 4 - 5 - 1", [], 8),
        ("(2 + 3) * 4 // 3 % 4", [], 2),
        ("1 < 2 < 2 or not 3 in xs", [3], False),
        ("xs and 0 or 7", [1], 7),
        ("1 if xs else 2 if 0 else 3", [], 3),
        ("xs[1:3]", [0, 1, 2, 3], [1, 2]),
        ("xs[: len(xs) -1]", [4, 5, 6], [4, 5]),
        ("[x for x in [x * x for x in xs] if x % 2 == 1 if x > 1]", [1, 2, 3], [9]),
        ("sum(x for x in xs if x not in [1, 2]) - min(3, 4, 2)", [1, 5], 3),
        ("xs.count(2) + len(set(xs)) + abs(-4)", [2, 2, 1], 8),
        ("x", [1], None),  # an x of no comprehension
        ("xs[5]", [1], None),
        ("1 // 0", [], None),
        ("xs + 1", [1], None),
        ("[xs, xs]", [1], None),  # Python allows a list of lists
    ],
)
def test_programs_by_hand(code, xs, value):
    assert run(parse(tokens_of(code)), xs) == value


@pytest.mark.parametrize(
    "code", ["", "xs xs", "max()", "(1", "1 +", "[1, ]", "1 + not 2", "xs[]", "f(xs)", "x for x in xs", "if", "1 if 2"]
)
def test_what_is_no_program(code):
    assert parse(tokens_of(code)) is None


def test_bounds_hold_before_anything_grows():
    for code in ("9 * 99 * 99 * 99", "xs * 33", "xs + [0] * 64", "[0] * 99 * 99 * 99", "sum(xs * 32) * 99 * 99"):
        assert run(parse(tokens_of(code)), [90, 90]) is None
    tracemalloc.start()
    assert run(parse(tokens_of("xs * (99 * 99 * 99)")), [90, 90]) is None
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
    nested = "[sum(x * x for x in xs * 32) + sum(x * x for x in xs * 32) for x in xs * 32]"
    assert run(parse(tokens_of(nested)), [1, 1]) is None
    with pytest.raises(OutOfBoundsError):
        parse(tokens_of(nested)).value(Scope([1, 1], [MOST_STEPS]))
    assert parse(["("] * DEEPEST + ["xs"] + [")"] * DEEPEST) is not None
    assert parse(["("] * (DEEPEST + 1) + ["xs"] + [")"] * (DEEPEST + 1)) is None


@pytest.mark.parametrize(
    "unit", [["not"], ["-"], ["-1", "-"], ["1", "if", "1", "else"], ["1", "+"], ["1", "<"], ["1", "or"]]
)
def test_the_longest_programs_are_no_trouble(unit):
    tokens = (unit * LONGEST)[: (LONGEST - 1) // len(unit) * len(unit)]
    assert run(parse([*tokens, "1"]), []) is not None
    assert parse([*tokens, "1", *["+", "1"] * LONGEST]) is None


def test_values_and_errors_are_pythons():
    chance = random.Random(0)
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        for _ in range(3000):
            tokens = written(chance, chance.randint(1, 25))
            text, program = text_of(tokens), parse(tokens)
            python = compile(text, text, "eval")
            for xs in INPUTS:
                own = outcome(lambda program=program, xs=xs: program.value(Scope(list(xs), [MOST_STEPS])))
                names = {"__builtins__": BUILTINS, "xs": list(xs)}
                if own is not None:
                    assert own == outcome(lambda python=python, names=names: eval(python, names)), (text, xs)
                    compared += 1
    assert compared > 10_000


def test_mask_and_parser_know_the_same_programs_and_python_knows_them_too():
    chance = random.Random(1)
    kinds = {True: 0, False: 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        for _ in range(3000):
            tokens = any_tokens(chance)
            is_program = parse(tokens) is not None
            state = state_after(tuple(tokens))
            assert is_program == (state is not None and code_mask.is_whole(state)), text_of(tokens)
            if is_program:
                ast.parse(text_of(tokens), mode="eval")
            kinds[is_program] += 1
    assert min(kinds.values()) > 800


def survive(count, seed):
    chance = random.Random(seed)
    found = 0
    for _ in range(count):
        tokens = any_tokens(chance)
        program = parse(tokens)
        found += program is not None
        values = [run(program, xs) for xs in INPUTS[1:]] if program is not None else []
        assert all(isinstance(value, int | list | set) or value is None for value in values)
    assert 0.3 < found / count < 0.9


def test_the_interpreter_survives_5_000_random_programs():
    survive(5_000, seed=2)


@pytest.mark.slow
def test_the_interpreter_survives_100_000_random_programs():
    survive(100_000, seed=3)


def test_nothing_runs_python():
    folder = Path(textgym.__file__).parent / "tasks"
    files = [folder / "code.py", *(folder / "parts").glob("code_*.py")]
    assert len(files) == 11
    for file in files:
        names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        assert not names & {"eval", "exec", "compile", "ast", "__import__", "globals"}


def test_any_token_may_follow_the_beginning_of_a_program():
    chance = random.Random(6)
    programs = [*(written(chance, 12) for _ in range(40)), tokens_of("xs[1: 2: -1] if not [] not in [] else [1, 2]")]
    for tokens in programs:
        for length in range(len(tokens)):
            state = state_after(tokens[:length])
            allowed = set(code_mask.next_tokens(state, LONGEST))
            assert tokens[length] in allowed
            for token in VOCABULARY.tokens:
                assert (code_mask.write(state, token) is not None) == (token in allowed)


def test_the_fewest_tokens_are_the_fewest():
    """By breadth-first search for the shortest completion, up to three tokens."""
    chance = random.Random(4)
    kinds = {tokens[0] for tokens in code_mask._ALIKE.values()}
    checked = set()
    for _ in range(300):
        tokens = written(chance, 14)
        state = state_after(tuple(tokens[: chance.randint(0, len(tokens))]))
        states, tokens_more = {state}, 0
        while not any(map(code_mask.is_whole, states)) and tokens_more < 3:
            following = product(states, kinds)
            states = {after for before, token in following if (after := code_mask.write(before, token)) is not None}
            tokens_more += 1
        if any(map(code_mask.is_whole, states)):
            assert code_mask.fewest_tokens(state) == tokens_more
            checked.add(tokens_more)
        else:
            assert code_mask.fewest_tokens(state) > 3
    assert checked == {0, 1, 2, 3}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("slack", [0, 1, 5])
def test_the_mask_never_forbids_the_reference(preset, slack):
    task = TASKS[preset]
    programs = task.prompt_set("test").data["program"]
    for sample, program in enumerate(programs):
        budget = len(program) + slack
        texts = [program[:length] for length in range(len(program))]
        allowed = task.allowed_tokens(transition_of(task, [sample] * len(texts), texts, budget=budget))
        assert allowed[np.arange(len(texts)), program].all()
        if slack:
            whole = task.allowed_tokens(transition_of(task, [sample], [program], budget=budget))
            assert whole[0, VOCABULARY.end_id]


@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.integers(0, len(VOCABULARY) - 1), max_size=15), preset=st.sampled_from(PRESETS))
def test_masks_and_scores_take_any_text(text, preset):
    task = TASKS[preset]
    transition = transition_of(task, [0], [text], budget=16)
    allowed = task.allowed_tokens(transition)[0]
    assert allowed.any()
    assert not allowed[~VOCABULARY.writable].any()
    if state_after(tuple(VOCABULARY.tokens[i] for i in text)) is None:
        assert np.flatnonzero(allowed).tolist() == [VOCABULARY.end_id]
    for score in (task.gold, *task.signals.values()):
        assert 0 <= score(transition)[0] <= 1


def test_a_random_text_of_the_mask_is_a_program_when_the_budget_is_used_up():
    task, generator = TASKS["hard"], np.random.default_rng(0)
    n, budget = 200, 9
    texts = [[] for _ in range(n)]
    for _ in range(budget):
        allowed = task.allowed_tokens(transition_of(task, [0] * n, texts, budget=budget))
        for text, mask in zip(texts, allowed, strict=True):
            if VOCABULARY.end_id not in text:
                text.append(int(generator.choice(np.flatnonzero(mask))))
    texts = [[token for token in text if token != VOCABULARY.end_id] for text in texts]
    assert task.syntax(transition_of(task, [0] * n, texts)).all()


@pytest.mark.parametrize(
    ("text", "gold", "examples", "syntax"),
    [
        ("xs[0] - 6", 1, 1, 1),
        ("xs[0] - 3 * 2", 1, 1, 1),
        ("-6 + [x for x in xs][0]", 1, 1, 1),
        ("2", 0, 0, 1),  # the answer that is shown
        ("2 if xs else 0", 0, 0, 1),  # the same, disguised
        ("xs[-1] - 7", None, 1, 1),  # right for what is shown
        ("xs[0] - 5", 0, 0, 1),
        ("xs[0", 0, 0, 0),
        ("xs[9]", 0, 0, 1),
        ("xs[0] - 6 xs[0] - 6", 0, 0, 0),
        ("f(xs) ==", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_scores_by_hand(text, gold, examples, syntax):
    prompt = "subtract six from the first number: f([8, 7, 1, 9]) == 2, f(xs) =="
    feedback = [{"name": "task_signal", "signal": name} for name in ("examples", "syntax")]
    scores = textgym.score(ENV_ID, [prompt], [text], feedback=feedback)
    assert scores.signals[0].tolist() == [examples, syntax]
    assert scores.gold[0] == gold if gold is not None else 0 <= scores.gold[0] < 0.2


def test_gold_counts_from_what_the_best_constant_gets():
    reference = program_ids("xs[0] % 3")
    tests = hidden_tests(reference)
    right = [output for _, output in tests.examples]
    assert tests.by_luck == max(right.count(constant) for constant in range(3))
    for constant in range(3):
        assert credit(program_ids(str(constant)), reference) == 0
    partly = sum(xs[0] % 4 == output for xs, output in tests.examples)
    expected = max(0, partly - tests.by_luck) / (len(right) - tests.by_luck)
    assert credit(program_ids("xs[0] % 4"), reference) == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_references_constants_and_random_texts(preset):
    task = TASKS[preset]
    programs = task.prompt_set("test").data["program"]
    samples = range(len(programs))
    assert (task.gold(transition_of(task, samples, programs)) == 1).all()
    assert all((task.signals[name](transition_of(task, samples, programs)) == 1).all() for name in task.signals)
    generator = np.random.default_rng(0)
    anything = generator.integers(2, len(VOCABULARY), (len(programs), 6)).tolist()
    assert task.gold(transition_of(task, samples, anything)).mean() < 0.01
    for program in programs:
        tests = hidden_tests(program)
        for constant in {repr(output) for _, output in tests.examples}:
            assert sum(repr(output) == constant for _, output in tests.examples) <= tests.by_luck < len(tests.examples)


@pytest.mark.parametrize("preset", PRESETS)
def test_hidden_tests_tell_plausible_programs_apart(preset):
    """Of programs that are one token away and do otherwise for a tenth of many inputs, few pass all hidden tests."""
    chance = random.Random(5)
    inputs = [tuple(chance.randint(-5, 15) for _ in range(chance.randint(1, 7))) for _ in range(200)]
    alike = [("+", "-", "*"), ("<", "<=", ">", ">="), ("max(", "min(", "sum("), (":2", ":3"), ("xs", "x"), ("//", "%")]
    programs = sorted(set(TASKS[preset].prompt_set("train").data["program"]))
    passed = []
    for program in chance.sample(programs, 60):
        tokens = [VOCABULARY.tokens[token] for token in program]
        right = [run(program_of(program), xs) for xs in inputs]
        for place, token in enumerate(tokens):
            near = [str(int(token) + 1), str(int(token) - 1)] if token.lstrip("-").isdigit() else []
            others = [other for group in alike if token in group for other in group if other != token]
            for other in (*near, *others):
                wrong = tuple(IDS[word] for word in (*tokens[:place], other, *tokens[place + 1 :]))
                if program_of(wrong) is None:
                    continue
                differs = [
                    run(program_of(wrong), xs) != value for xs, value in zip(inputs, right, strict=True) if value
                ]
                if np.mean(differs) > 0.1:
                    passed.append(credit(wrong, program) == 1)
    assert len(passed) > 200
    assert np.mean(passed) < 0.03


@pytest.mark.parametrize("preset", PRESETS)
def test_no_program_is_in_two_splits_under_any_name(preset):
    task = TASKS[preset]
    seen = {"shape": {}, "program": {}, "behaviour": {}, "prompt": {}}
    for split in SPLITS:
        prompts = task.prompt_set(split)
        whole = ["".join(map(chr, ids[:n])) for ids, n in zip(prompts.prompt_ids, prompts.prompt_lengths, strict=True)]
        assert len(whole) == len(set(whole)) == 1024 // 8 * (6 if split == "train" else 1)
        seen["prompt"][split] = set(whole)
        seen["shape"][split] = set(prompts.data["shape"])
        seen["program"][split] = set(prompts.data["program"])
        seen["behaviour"][split] = {behaviour(program_of(program)) for program in set(prompts.data["program"])}
    for by_split in seen.values():
        assert sum(map(len, by_split.values())) == len(set().union(*by_split.values()))
    assert min(len(shapes) for shapes in seen["shape"].values()) >= 8
    for split in SPLITS:
        times = Counter(task.prompt_set(split).data["program"])
        assert max(times.values()) <= 2 + 2 * sum(times.values()) / len(times)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_prompt_shows_is_right_and_not_what_is_hidden(preset):
    task = TASKS[preset]
    prompts = task.prompt_set("train")
    assert prompts.reference_lengths.max() < task.max_new_tokens
    for sample in range(0, len(prompts), 3):
        text = VOCABULARY.decode(prompts.prompt_ids[sample])
        program = VOCABULARY.decode(prompts.data["program"][sample])
        assert VOCABULARY.encode(text) == prompts.prompt_ids[sample, : prompts.prompt_lengths[sample] - 1].tolist()
        description, shown = text.split(": ")
        shown = shown.removesuffix(", f(xs) ==")
        assert shown.count("f(") == task.examples
        for example in shown.split(", f("):
            xs = ast.literal_eval(example[example.index("[") : example.index("]") + 1])
            assert eval(f"({program}) == {example.split(' == ')[1]}", {**BUILTINS, "xs": xs}), (program, example)
            assert tuple(xs) not in POOL
        assert description == " ".join(description.split())


def test_what_is_left_out_follows_from_the_examples():
    task = Code(**Code.presets["hard"] | {"vague": 1.0, "size": 512})
    prompts = task.prompt_set("train")
    checked = 0
    for sample, shape in enumerate(prompts.data["shape"]):
        if shape.count("k") != 1 or "a certain number" not in VOCABULARY.decode(prompts.prompt_ids[sample]):
            continue
        texts = [program_ids(shape.replace("k", str(number))) for number in range(30)]
        passed = task.examples_passed(transition_of(task, [sample] * len(texts), texts, "train"))
        assert sum(share == 1 for share in passed) == 1
        checked += 1
    assert checked > 60


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_cheap_beats_the_reference_on_the_default_feedback(preset):
    task = TASKS[preset]
    prompts = task.prompt_set("test")
    count, budget = 64, task.max_new_tokens
    programs = [list(program) for program in prompts.data["program"][:count]]
    asked = [ids[:n].tolist() for ids, n in zip(prompts.prompt_ids, prompts.prompt_lengths, strict=True)][:count]
    metrics = [
        (spec["weight"], build("metrics", {"name": spec.get("metric", spec["name"]), **signal}, task))
        for spec in task.default_feedback
        for signal in [{"signal": spec["signal"]} if "signal" in spec else {}]
    ]

    def clean(texts):
        seen = transition_of(task, range(count), [text[:budget] for text in texts])
        return sum(weight * metric.score(seen) for weight, metric in metrics)

    best = clean(programs)
    np.testing.assert_allclose(best, 1.0)
    shown = prompts.data["examples"][:count]
    cheap = {
        "empty": [[]] * count,
        "the prompt": asked,
        "twice": [program * 2 for program in programs],
        "a good word": [[IDS["xs"]] * budget] * count,
        "xs": [[IDS["xs"]]] * count,
        "what is shown": [VOCABULARY.encode(repr(examples[0][1])) for examples in shown],
        "it in disguise": [VOCABULARY.encode(f"{examples[0][1]} if xs else xs") for examples in shown],
    }
    for name, texts in cheap.items():
        assert (clean(texts) <= best).all(), name
        assert clean(texts).mean() < 0.6, name


def test_every_word_is_used():
    used = {
        token for task in TASKS.values() for split in SPLITS for token in np.unique(task.prompt_set(split).prompt_ids)
    }
    unused = {VOCABULARY.tokens[token] for token in set(range(len(VOCABULARY))) - used}
    assert unused <= {*LEXEMES, "<end>"}


@pytest.mark.parametrize(("depth", "operators", "vague"), [*product((1, 2, 3), (1, 2, 3), (0, 1))])
def test_every_kind_of_task_has_prompts_in_every_split(depth, operators, vague):
    task = Code(depth=depth, operators=operators, vague=vague, longest=3, size=8)
    assert [len(task.prompt_set(split)) for split in SPLITS] == [6, 1, 1]


@pytest.mark.parametrize("size", [8, 15, 100])
def test_size_is_what_all_splits_have_together(size):
    task = Code(size=size)
    assert [len(task.prompt_set(split)) for split in SPLITS] == [size - 2 * (size // 8), size // 8, size // 8]


@pytest.mark.parametrize("text", ["xs[-1]*xs[1]", "max(xs)-min(xs)", "[x*2 for x in xs if x%2==0]", "len(xs)//2"])
def test_spaces_are_free_where_python_leaves_them_free(text):
    ids = VOCABULARY.encode(text)
    assert "".join(VOCABULARY.decode(ids).split()) == "".join(text.split())
    assert run(program_of(tuple(ids)), (4, 7, 2)) == eval(text, {**BUILTINS, "xs": [4, 7, 2]})


def test_tasks_are_alike_whenever_they_are_made():
    assert Code(size=64).fingerprint == Code(size=64).fingerprint
    assert len({task.vocabulary for task in TASKS.values()}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 4}, "depth must be 1 to 3, got 4"),
        ({"operators": 0}, "operators must be 1 to 3, got 0"),
        ({"wordings": 3}, "wordings must be 1 to 2, got 3"),
        ({"vague": 1.5}, "vague must be 0 to 1, got 1.5"),
        ({"examples": 0}, "examples must be 1 to 3, got 0"),
        ({"longest": 9}, "longest must be 3 to 8, got 9"),
        ({"size": 7}, "size must be at least 8, got 7"),
        ({"depth": 1, "longest": 3, "size": 20_000}, "size must be smaller, got 20000"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Code(**arguments)
