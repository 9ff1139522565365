"""Making tasks: from a spec, a difficulty and arguments, once for all environments that ask for the same."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from textgym.registration import build, load_component, split_spec, suggestion
from textgym.tasks.base import Task
from textgym.types import Spec


@lru_cache(maxsize=16)
def _shared_task(spec: str) -> Task:
    task: Task = build("tasks", json.loads(spec))
    return task


def make_task(spec: Spec, difficulty: str | None = None, **arguments: Any) -> Task:
    """Returns the task of a spec; environments of one process that ask for the same one share it.

    Args:
        spec: its name or spec.
        difficulty: one of the task's presets, whose arguments it takes where no others are given.
        **arguments: its arguments.

    Raises:
        ValueError: if there is no such task, preset or argument.
    """
    name, given = split_spec("tasks", spec)
    presets = getattr(load_component("tasks", name), "presets", {})
    if difficulty is not None and difficulty not in presets:
        known = ", ".join(presets) or "none"
        raise ValueError(f"difficulty of the task {name!r} must be one of {known}, got {difficulty!r}")
    preset = presets[difficulty] if difficulty is not None else {}
    try:
        return _shared_task(json.dumps({**preset, **given, **arguments, "name": name}, sort_keys=True))
    except TypeError as error:
        raise ValueError(f"the arguments of a task must be plain data that fits in JSON: {error}") from error


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
            raise UnexpectedArgumentError(
                f"unexpected keyword argument {argument!r}{suggestion(argument, [*environment, *own])}; "
                f"known to every environment: {', '.join(environment)}, render_mode; "
                f"known to the task {name!r}: {', '.join(own) or 'none'}"
            )
