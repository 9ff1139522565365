"""The problems of reasoning-gym: data sets by name and level, what is drawn from them, splits and references."""

from __future__ import annotations

import ast
import cmath
import contextlib
import dataclasses
import hashlib
import io
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from textgym.registration import suggestion
from textgym.tasks.base import SPLITS
from textgym.tasks.parts.reasoning_scorers import LEFT_OUT

UNLEVELLED: Mapping[str, str] = {
    "knight_swap": "its curriculum asks for boards smaller than its configuration allows; a puzzle takes a second",
    "propositional_logic": "its lowest level has four problems, and one text solves them all",
    "sokoban": "its lowest level takes ten seconds a puzzle",
}
"""The data sets whose curriculum is of no use, and why: they have their own default configuration only."""

_EXAMPLES = {
    "graph_color": "possible_answer",
    "propositional_logic": "example_answer",
    "rubiks_cube": "example_correct_answer",
}  # where the metadata has a right answer, if `answer` is None because there are many


def load() -> Any:
    """Returns the module of reasoning-gym that makes data sets.

    Raises:
        ModuleNotFoundError: if it isn't installed.
    """
    try:
        from reasoning_gym import factory
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'ReasoningGym needs reasoning-gym: pip install "textgym[reasoning-gym]" (not found: {error.name})',
            name=error.name,
        ) from error
    return factory


def versions() -> dict[str, str]:
    """Returns the versions of the packages that the problems depend on, by name."""
    return {name: version(name) for name in ("numpy", "reasoning-gym", "sympy")}


def names() -> list[str]:
    """Returns the names of all data sets that can be tasks, sorted."""
    return sorted(set(load().DATASETS) - set(LEFT_OUT))


def make_dataset(name: str, level: int, config: Mapping[str, Any], size: int) -> Any:
    """Returns a data set of `size` problems, always the same ones.

    Args:
        name: its name.
        level: of the curriculum; an attribute with fewer levels has its highest.
        config: fields of its configuration that have another value.
        size: how many problems.

    Raises:
        ValueError: if there is no such data set, level or field, or a value is refused.
    """
    factory = load()
    if name in LEFT_OUT:
        raise ValueError(f"dataset {name!r} can't be a task: {LEFT_OUT[name]}")
    if name not in factory.DATASETS:
        raise ValueError(f"unknown dataset {name!r}{suggestion(name, names())}; known: {', '.join(names())}")
    levelled = factory.has_curriculum(name) and name not in UNLEVELLED
    if level < 0 or (level and not levelled):
        allowed = "at least 0" if levelled else f"0 for {name!r}, which has no curriculum that can be used"
        raise ValueError(f"level must be {allowed}, got {level}")
    kind, configuration = factory.DATASETS[name]
    known = [field.name for field in dataclasses.fields(configuration) if field.name not in ("seed", "size")]
    for field in config:
        if field not in known:
            raise ValueError(f"unknown field {field!r} of config{suggestion(field, known)}; known: {', '.join(known)}")
    try:
        if levelled:
            curriculum = factory.create_curriculum(name)
            curriculum.set_global_level(level)
            settings = curriculum.generate_configuration({"seed": 0, "size": size})
        else:
            settings = configuration(seed=0, size=size)
        return kind(dataclasses.replace(settings, **config))
    except (AssertionError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} of reasoning-gym refuses level={level}, config={dict(config)}: {error}") from error


def draw(dataset: Any) -> list[dict[str, Any]]:
    """Returns the problems of a data set, without those whose question came before.

    The global generators that some draw from are seeded for each problem, and in the end left as they were.
    """
    problems: dict[str, dict[str, Any]] = {}
    with _own_chance(), contextlib.redirect_stdout(io.StringIO()):
        for number in range(dataset.size):
            random.seed(number)
            np.random.seed(number)  # noqa: NPY002  # what others draw from, not we
            problem = dataset[number]
            problems.setdefault(problem["question"], problem)
    return list(problems.values())


def split_problems(problems: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Returns the problems of each split, in the order of the hashes of their questions.

    An eighth is test, an eighth validation, and at least one each; the rest is train.
    """
    ordered = sorted(problems, key=lambda problem: hashlib.blake2b(problem["question"].encode()).digest())
    eighth = max(1, len(ordered) // 8)
    parts = (ordered[2 * eighth :], ordered[eighth : 2 * eighth], ordered[:eighth])
    return dict(zip(SPLITS, parts, strict=True))


def reference(name: str, problem: Mapping[str, Any]) -> str:
    """Returns a right answer: the data set's, or the example in its metadata where there are many."""
    answer = problem["answer"]
    if answer is None:
        answer = problem["metadata"][_EXAMPLES[name]]
    return answer if isinstance(answer, str) else json.dumps(answer)


def as_literal(problem: Mapping[str, Any]) -> str:
    """Returns a problem as a Python literal that `ast.literal_eval` reads; what can't be one is a string there."""
    return repr(_plain(dict(problem)))


def from_literal(text: str) -> dict[str, Any]:
    """Returns the problem that `as_literal` was given."""
    problem: dict[str, Any] = ast.literal_eval(text)
    return problem


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    for kind in (list, tuple, set):
        if isinstance(value, kind):
            return kind(map(_plain, value))
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, str):
        return str.__str__(value)
    number = type(value) in (bool, int, float, complex) and cmath.isfinite(value)
    return value if value is None or number else repr(value)


@contextlib.contextmanager
def _own_chance() -> Iterator[None]:
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
