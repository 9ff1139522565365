"""Making tasks: from a spec, a difficulty and arguments, once for all environments that ask for the same."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from textgym.registration import build, load_component, split_spec, suggestion
from textgym.tasks.base import Task
from textgym.types import Spec


@lru_cache(maxsize=16)
def _shared_task(made: Callable[..., Task], spec: str) -> Task:
    """Returns the task of a spec as JSON, and another one where the class, `made`, was defined anew."""
    task: Task = build("tasks", json.loads(spec))
    return task


def make_task(spec: Spec, difficulty: str | None = None, **arguments: Any) -> Task:
    """Returns the task of a spec; environments of one process that ask for the same one share it.

    Args:
        spec: its name or spec.
        difficulty: one of the task's presets, whose arguments it takes where no others are given.
        **arguments: its arguments; NumPy's numbers and paths count as Python's numbers and strings.

    Raises:
        ValueError: if there is no such task, preset or argument.
    """
    name, given = split_spec("tasks", spec)
    made = load_component("tasks", name)
    presets = getattr(made, "presets", {})
    if difficulty not in (None, *presets):
        if not presets:
            raise ValueError(f"the task {name!r} has no difficulties: leave difficulty={difficulty!r} out")
        known = ", ".join(presets)
        raise ValueError(f"difficulty of the task {name!r} must be one of {known}, got {difficulty!r}")
    preset = presets[difficulty] if difficulty is not None else {}
    try:
        settled = {**preset, **given, **arguments, "name": name}
        return _shared_task(made, json.dumps(settled, sort_keys=True, default=_plain))
    except TypeError as error:
        raise ValueError(f"the arguments of a task must be plain data that fits in JSON: {error}") from error


def _plain(value: Any) -> Any:
    """Returns a number of NumPy's or a path as what JSON has for it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")


class UnexpectedArgumentError(ValueError, TypeError):
    """An argument that is unknown: a ValueError, as in all specs, and a TypeError, as of Python's own calls.

    TorchRL tries whether an environment takes its `frameskip`, and reads the answer off that TypeError.
    """


def check_names(task: Spec, arguments: Mapping[str, Any], environment: Sequence[str]) -> None:
    """Raises an `UnexpectedArgumentError` that lists what is known if neither the environment nor the task takes one.

    Args:
        task: the name or spec of the task.
        arguments: what was given beside the environment's own arguments.
        environment: the names of the environment's own arguments.
    """
    name, _ = split_spec("tasks", task)
    own = [p.name for p in inspect.signature(load_component("tasks", name)).parameters.values()]
    for argument in arguments:
        if argument not in own:
            hint = suggestion(argument, [*environment, *own])
            if argument == "max_episode_steps":  # known to Gymnasium, but not where it makes a vector env of our own
                hint = ": what limits a text is max_new_tokens"
            raise UnexpectedArgumentError(
                f"unexpected keyword argument {argument!r}{hint}; "
                f"known to every environment: {', '.join(environment)}, render_mode; "
                f"known to the task {name!r}: {', '.join(own) or 'none'}"
            )
