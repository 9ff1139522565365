"""What several commands are given: an environment, its arguments, a split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer


class Split(StrEnum):
    """The splits of a task."""

    train = "train"
    validation = "validation"
    test = "test"


EnvId = Annotated[str, typer.Argument(metavar="ENV", help="An environment's id, such as textgym/Copy-v0.")]
Arguments = Annotated[
    list[str] | None,
    typer.Option(
        "--argument",
        metavar="KEY=VALUE",
        help="An argument of the environment, such as data=rows.jsonl or difficulty=hard; repeatable.",
    ),
]


def pairs(texts: Sequence[str] | None) -> dict[str, Any]:
    """Returns what KEY=VALUE, several times, says."""
    return dict(map(_pair, texts or ()))


def _pair(text: str) -> tuple[str, Any]:
    """Returns the name and the value of KEY=VALUE: JSON, a number such as .3, or else a word."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"an argument must be KEY=VALUE, such as sigma=0.3, got {text!r}")
    for read in (json.loads, float):
        try:
            return key, read(value)
        except ValueError:
            continue
    return key, value


def from_json(text: str, option: str = "--feedback") -> Any:
    """Returns what an option in JSON says."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{option} must be JSON, got {text!r}: {error}") from error


def known(env_id: str) -> str:
    """Returns an environment's id, if there is one of this name."""
    import textgym

    if env_id not in textgym.env_ids():
        raise ValueError(f"unknown environment {env_id!r}; known: {', '.join(textgym.env_ids())}")
    return env_id
