"""Specs with which to try a component by its name alone."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium

import textgym
from textgym.registration import build, load_component
from textgym.tasks.base import Task


def example_spec(kind: str, name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns a spec of a component with some arguments, or with those that its class gives as an example.

    An annotator reads ROUGE-L if it has no metric of its own. Arguments that are needed come from the example too.

    Raises:
        ValueError: if no component has the name, or the arguments hold another.
    """
    if arguments and "name" in arguments:
        raise ValueError(f"the name is {name!r} already, got name={arguments['name']!r}")
    made: Any = load_component(kind, name)
    parameters = inspect.signature(made).parameters
    example = getattr(made, "example", {})  # a function has none
    if arguments:
        example = {key: value for key, value in example.items() if parameters[key].default is inspect.Parameter.empty}
    metric = {"metric": "rouge_l"} if kind == "annotators" and made.default_metric is None else {}
    return {**metric, **example, **(arguments or {}), "name": name}


def is_external(name: str) -> bool:
    """Returns whether a component is an annotator whose answers come from outside, and may cost money."""
    made: Any = load_component("annotators", name) if name in textgym.components("annotators") else None
    return bool(getattr(made, "external", False))


def is_taught(name: str) -> bool:
    """Returns whether a metric reads what somebody has trained: it needs an argument that no example can give."""
    made: Any = load_component("metrics", name)
    needed = [key for key, p in inspect.signature(made).parameters.items() if p.default is inspect.Parameter.empty]
    return not {*needed} <= {"task", *made.example}


def everything(env_id: str, **env_kwargs: Any) -> dict[str, Any]:
    """Returns the further arguments of an environment with all metrics that fit its task, and all simulated annotators.

    Metrics that read what somebody has trained are not among them.
    """
    task = gymnasium.make(env_id, **env_kwargs).get_wrapper_attr("simulator").task
    metrics = [example_spec("metrics", name) for name in textgym.components("metrics") if not is_taught(name)]
    annotators = [
        example_spec("annotators", name) for name in textgym.components("annotators") if not is_external(name)
    ]
    specs = [*(spec for spec in metrics if _fits(spec, task)), *annotators]
    return {"feedback": [{"weight": 1 / len(specs), **spec} for spec in specs], "group_size": 2}


def _fits(metric: Mapping[str, Any], task: Task) -> bool:
    """Returns whether a task can be scored by a metric; one that cannot says that it is this task's fault."""
    try:
        build("metrics", metric, task)
    except ValueError as error:
        if "this task" in str(error):
            return False
        raise
    return True
