"""What makes two runs the same: algorithm, arguments, policy and environment, as plain data that can be compared."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import nn
from transformers import PretrainedConfig

PROGRESS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Where schedules are compared: shares of the run that remain."""

_OUTSIDE = (
    "env", "policy", "policy_kwargs", "device", "verbose", "tensorboard_log", "stats_window_size", "data",
    "validation_data",
)  # fmt: skip
_OF_CONFIG = ("transformers_version", "_name_or_path", "dtype", "torch_dtype")


def describe_run(algorithm: BaseAlgorithm, changing: Collection[str] = ()) -> dict[str, Any]:
    """Returns what must be equal for one run to go on where another was broken off.

    Schedules become their values at five points of the progress. Where the weights came from does not count, since a
    checkpoint has them, and the data that are learnt are compared by the algorithm itself.

    Args:
        algorithm: the algorithm.
        changing: the arguments that a callback changes as it goes, and compares by itself.
    """
    own = [name for name in arguments_of(type(algorithm)) if name not in (*changing, *_OUTSIDE)]
    values = {name: getattr(algorithm, f"{name}_name", getattr(algorithm, name, _ABSENT)) for name in own}
    of_policy = algorithm.policy._get_constructor_parameters()
    environment = algorithm.get_env()
    assert environment is not None
    spec = environment.get_attr("spec", 0)[0]
    simulator = environment.get_attr("simulator", 0)[0]
    arguments = {} if spec is None else {name: value for name, value in spec.kwargs.items() if name != "num_envs"}
    return {
        "algorithm": _name(type(algorithm)),
        "arguments": {name: describe(value) for name, value in values.items() if value is not _ABSENT},
        "policy": _name(type(algorithm.policy)),
        "policy's arguments": {name: describe(value) for name, value in of_policy.items()},
        "rows": algorithm.n_envs,
        "environment": {
            "id": None if spec is None else spec.id,
            "arguments": describe(arguments),
            "fingerprint": simulator.task.fingerprint,
        },
    }


_ABSENT = object()


def arguments_of(kind: type) -> dict[str, inspect.Parameter]:
    """Returns a class's arguments by name, with those that it hands on to its bases as `**others`."""
    found: dict[str, inspect.Parameter] = {}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
            own = {p.name: p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
            found |= {name: parameter for name, parameter in own.items() if name not in found}
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):
                break
    return {name: parameter for name, parameter in found.items() if name[0] != "_"}


def describe(value: Any) -> Any:
    """Returns a value as plain data: a schedule as its values, a class by its name, another object by its class."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Enum):
        return describe(value.value)
    if isinstance(value, Path | spaces.Space):
        return str(value)
    if isinstance(value, PretrainedConfig):
        return {key: describe(part) for key, part in value.to_dict().items() if key not in _OF_CONFIG}
    if isinstance(value, Mapping):
        return {str(key): describe(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [describe(part) for part in value]
    if isinstance(value, type):
        return _name(value)
    if callable(value) and not isinstance(value, nn.Module):
        try:
            return {"schedule": [float(value(progress)) for progress in PROGRESS]}
        except (TypeError, ValueError):
            return _name(type(value))
    return _name(type(value))


def differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Yields what differs between two descriptions, such as `arguments.n_steps was 16 and is 32`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            inner = f"{name}.{key}" if name else key
            yield from differences(before.get(key, "absent"), now.get(key, "absent"), inner)
    elif before != now:
        yield f"{name} was {before!r} and is {now!r}"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
