"""What a row of data says: templates whose fields are columns, also nested ones. Nothing in a row is ever executed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple

Labels = Mapping[str, Sequence[str]]
"""The names of a column's numbers 0, 1, 2, ..., by the column's path."""


class RowError(ValueError):
    """What is wrong with a row; the message names the column."""


class MissingColumnError(RowError):
    """A row has no such column.

    Attributes:
        path: the path that was looked for.
        part: the part of it that is not there.
        known: the columns that are there.
    """

    def __init__(self, path: str, part: str, known: Sequence[str]) -> None:
        super().__init__(f"no column {path!r}; the columns here: {', '.join(map(repr, known[:20])) or 'none'}")
        self.path, self.part, self.known = path, part, known


class _Field(NamedTuple):
    """A field of a template and the constant text before it; `words` is the slice of its words, if one is asked for."""

    before: str
    path: str
    words: slice | None


class Template:
    """A text with columns in braces: `"Summarize: {article}"`.

    A dot goes into a nested column, `{translation.en}`; of a list, `{answers.text}`, the first entry counts.
    `{text:0:8}` are the words 0 to 7 of a column, `{text:8:}` the rest. A brace itself is written twice.

    Args:
        text: the template.
        columns: what else a column may be called in the template, as the path that it stands for.
        labels: the names of numbers.

    Raises:
        ValueError: if the template cannot be read.
    """

    def __init__(self, text: str, columns: Mapping[str, str], labels: Labels) -> None:
        self._fields: list[_Field] = []
        self._after = ""
        self._labels = labels
        try:
            for before, name, words, conversion in Formatter().parse(text):
                self._after += before
                if name is None:  # the end, or a doubled brace
                    continue
                if not name or conversion:
                    raise ValueError("a field is a column in braces, such as {question}")
                self._fields.append(_Field(self._after, columns.get(name, name), _slice(words) if words else None))
                self._after = ""
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"cannot read the template {text!r}: {error}; a brace that is meant as one is doubled"
            ) from error

    @property
    def paths(self) -> list[str]:
        """The columns that it needs."""
        return [field.path for field in self._fields]

    def fill(self, row: Mapping[str, Any]) -> str:
        """Returns the text of a row, without whitespace around it; empty where a column is empty.

        Raises:
            RowError: if a column is missing or is no text.
        """
        parts = []
        for before, path, words in self._fields:
            text = text_at(row, path, self._labels)
            if words is not None:
                text = " ".join(text.split()[words])
            if not text or text.isspace():
                return ""
            parts += [before, text]
        return "".join([*parts, self._after]).strip()


def _slice(text: str) -> slice:
    first, colon, last = text.partition(":")
    if not colon:
        raise ValueError(f"the words of a field are asked for as {{text:0:8}}, got {text!r} behind the colon")
    return slice(int(first) if first else None, int(last) if last else None)


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """Returns what stands at a path such as `"answers.text"`: the first entry of a list, `""` for an empty one.

    Raises:
        RowError: if there is no such column, a `MissingColumnError` where the row lacks it.
    """
    if path in row:
        return _first(row[path])
    value: Any = row
    for part in path.split("."):
        if not isinstance(value, Mapping):
            raise RowError(f"column {path!r} is {_kind(value)} where it should have a part {part!r}")
        if part not in value:
            raise MissingColumnError(path, part, list(value))
        value = _first(value[part])
    return value


def text_at(row: Mapping[str, Any], path: str, labels: Labels) -> str:
    """Returns what stands at a path as text; a number by its label, where the column has some.

    Raises:
        RowError: if there is no such column, or it is no text, or one that no file in UTF-8 can hold.
    """
    value = value_at(row, path)
    if path in labels and value != "":
        return _label(value, path, labels[path])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if not isinstance(value, str):
        raise RowError(f"column {path!r} must be text, got {_kind(value)}")
    if "\0" in value:
        raise RowError(f"column {path!r} holds a null byte")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise RowError(f"column {path!r} holds half a surrogate pair, its character {error.start + 1}") from error
    return value


def _label(value: Any, path: str, names: Sequence[str]) -> str:
    if value in names:
        return str(value)
    try:
        number = int(value)
        if number == float(value) and 0 <= number < len(names):
            return names[number]
    except (TypeError, ValueError, OverflowError):
        pass
    raise RowError(f"column {path!r} must be 0 to {len(names) - 1} or one of {', '.join(names)}, got {_kind(value)}")


def _first(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return value[0] if value else ""
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "nothing (null)"
    return f"{type(value).__name__} {value!r:.40}"
