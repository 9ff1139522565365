"""What `Dataset` is told: its arguments after a preset and the defaults have filled them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from textgym.registration import suggestion
from textgym.tasks.parts.dataset_presets import PRESETS
from textgym.tasks.parts.dataset_tokenizer import SMALLEST
from textgym.types import Spec

BUILT_IN = MappingProxyType(
    {
        "data": str(Path(__file__).with_name("dataset_sample.jsonl")),
        "prompt": "{question}",
        "reference": "{answer}",
        "max_reference": 15,
    }
)
"""Questions about the chemical elements and their answers, for an environment without arguments."""

_MAPPINGS = {
    "splits": '{"train": "train", "test": "validation"}',
    "columns": '{"prompt": "question"}',
    "labels": '{"label": ["negative", "positive"]}',
    "filter": '{"language": "en"}',
}
"""The arguments that are mappings, with an example of each."""

Data = str | Sequence[str] | Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Settings:
    """The arguments of `Dataset`, which documents them, with their defaults."""

    data: Data
    config: str | None = None
    splits: Mapping[str, str] | None = None
    prompt: str = "{prompt}"
    reference: str = "{reference}"
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mood: str = ""
    filter: Mapping[str, Any] = field(default_factory=dict)
    split_by: str = ""
    size: int | None = None
    tokenizer: str = "bpe"
    vocabulary_size: int = 1024
    max_prompt: int = 128
    max_reference: int = 64
    truncation: Literal["end", "start", "drop"] = "end"
    on_error: Literal["raise", "skip"] = "raise"
    gold: Spec | None = None
    feedback: Sequence[Spec] = ()

    def __post_init__(self) -> None:
        for name, example in _MAPPINGS.items():
            if not isinstance(given := getattr(self, name), Mapping | None):
                raise ValueError(f"{name} must be a mapping such as {example}, got {given!r}")
        for name, allowed in (("truncation", ("end", "start", "drop")), ("on_error", ("raise", "skip"))):
            if (given := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {given!r}")
        if self.max_prompt < 2 or self.max_reference < 1:
            raise ValueError(
                f"max_prompt must be at least 2 and max_reference at least 1, "
                f"got {self.max_prompt} and {self.max_reference}"
            )
        if self.tokenizer == "bpe" and not SMALLEST <= self.vocabulary_size <= 65_536:
            raise ValueError(f"vocabulary_size must be {SMALLEST} to 65,536, got {self.vocabulary_size}")
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        if "{" not in self.prompt:
            raise ValueError(f"prompt must name a column in braces, such as {{question}}, got {self.prompt!r}")
        if self.reference and "{" not in self.reference:
            raise ValueError(f'reference must name a column in braces, or be "" for none, got {self.reference!r}')
        if not self.reference and self.gold is None:
            raise ValueError("without references the task does not know what it wants: give gold, such as 'sentiment'")


def settle(preset: str | None, given: Mapping[str, Any]) -> Settings:
    """Returns the settings: what is given, else what the preset says, else the defaults.

    Args:
        preset: its name; None for none.
        given: the arguments of `Dataset`; those that are None are not given.

    Raises:
        ValueError: if there is no such preset, or a value is not allowed.
    """
    own = {name: value for name, value in given.items() if value is not None}
    if preset is None:
        built_in: Mapping[str, Any] = {} if "data" in own else BUILT_IN
        return Settings(**{**built_in, **own})
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}{suggestion(preset, PRESETS)}; known: {', '.join(PRESETS)}")
    chosen = dict(PRESETS[preset])
    if "gold" in own:
        chosen.pop("feedback")
    if "data" in own:  # in a folder or a file of one's own there are no configurations, and a file has no splits
        chosen.pop("config", None)
        if not isinstance(own["data"], str) or Path(own["data"]).is_file():
            chosen.pop("splits", None)
    known = {one.name for one in fields(Settings)}
    assert chosen.keys() <= known
    return Settings(**{**chosen, **own})
