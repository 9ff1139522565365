"""The sections of a study's report as plain data, printed and written: tables, and charts of lines with bands.

A section has a `title`, a `note`, `tables` of a `title`, a `head` and `rows`, and `charts` of a `title`, a `caption`,
the names of both axes, `across` and `up`, and `lines`. A cell is words, a number, None, or an estimate with the ends of
its interval, `[estimate, low, high]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.results import write_json
from benchmarks.scores import markdown_table
from benchmarks.statistics import Interval

Cell = str | float | list[float] | None

SCORES, TABLES = "scores.json", "scores.md"


def cell(interval: Interval | None) -> Cell:
    """Returns an interval as a cell."""
    return None if interval is None else [interval.estimate, interval.low, interval.high]


def line(name: str, policy: str, points: Mapping[float, Interval]) -> dict[str, Any]:
    """Returns a line through estimates at places along the axis, with their intervals as its band.

    Args:
        name: what it is called.
        policy: whose colour it takes; empty for one of its own.
        points: the estimates by their places, ascending.
    """
    parts = {part: [getattr(one, end) for one in points.values()] for part, end in _ENDS.items()}
    return {"name": name, "policy": policy, "x": list(points), **parts}


_ENDS = {"y": "estimate", "low": "low", "high": "high"}


def write_study(folder: Path, study: Mapping[str, Any], console: Console) -> None:
    """Prints the tables of a study's sections, and writes them as `scores.md` and everything as `scores.json`.

    Args:
        folder: the suite's.
        study: its `title`, its `introduction`, the `order` of the policies and its `sections`.
        console: where the tables are printed.
    """
    write_json(folder / SCORES, {**study, "sections": [_drawn(section) for section in study["sections"]]})
    told = [f"# {study['title']}\n\n{study['introduction']}\n"]
    for section, table in _tables(study["sections"]):
        rows = [[_text(value) for value in row] for row in table["rows"]]
        told.append(f"\n## {table['title']}\n\n{markdown_table(table['head'], rows)}\n{section.get('note', '')}\n")
        _print(table["title"], table["head"], rows, console)
    (folder / TABLES).write_text("".join(told), encoding="utf-8")
    console.print(f"report: {folder / TABLES}", soft_wrap=True, highlight=False)


def _drawn(section: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a section without the lines of which there is no point yet, and the charts that are then empty."""
    charts = [{**chart, "lines": [one for one in chart["lines"] if one["x"]]} for chart in section.get("charts", ())]
    return {**section, "charts": [chart for chart in charts if chart["lines"]]}


def _tables(sections: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for section in sections:
        for table in section["tables"]:
            yield section, table


def _print(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def _text(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return str(Interval(*value))
    return value if isinstance(value, str) else f"{value:g}"
