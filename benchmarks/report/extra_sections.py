"""Sections that a suite gives as data, in its folder's `profile.json`: tables, and charts of lines or of bars.

    "sections": [{
        "title": "How much a corrector closes of the gap",
        "note": "what a reader must know",
        "tables": [{"title": "...", "head": ["noise", "dawid_skene"], "rows": [["flip", [0.82, 0.77, 0.88]]]}],
        "charts": [{"title": "...", "caption": "...", "across": "square root of KL", "up": "return",
                    "lines": [{"name": "gold", "policy": "PPO", "x": [...], "y": [...], "low": [...], "high": [...]}]},
                   {"title": "...", "head": ["variant", "PPO"], "rows": [["clean", [0.9, 0.8, 0.95]]]}]
    }]

A cell is words, a number, null, or an estimate with the ends of its interval, [estimate, low, high]. A line takes the
colour of its `policy`, or else the next one, and with `"dashed": true` is dashed; `low` and `high` may be missing. A
chart with `head` and `rows` instead has a bar for each interval, from 0 to 1, in the colour of its column's policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.aggregates import FEW_SEEDS, few_seeds
from benchmarks.report.lines import Line, line_figure
from benchmarks.report.palette import dashed, hue
from benchmarks.report.records import Report
from benchmarks.report.scores_charts import bars
from benchmarks.report.section import Figure, Markup, Panels, Section, file_name, note
from benchmarks.report.tables import Cell, Table
from benchmarks.statistics import Interval


def extra_sections(report: Report) -> list[Section]:
    """Returns the sections that the suite gives.

    Raises:
        ValueError: if a part lacks something, or has something unknown; the message names it.
    """
    few = few_seeds(min((report.seeds[policy] for policy in report.learners), default=FEW_SEEDS))
    found = list[Section]()
    for given in report.extras:
        _check(given, "a section", needed={"title"}, allowed={"note", "tables", "charts"})
        parts: list[Table | Panels | Markup] = [_table(one) for one in given.get("tables", [])]
        charts = [(_bars if "rows" in one else _lines)(one, report.colours) for one in given.get("charts", [])]
        kind = "wide" if any("rows" in one for one in given.get("charts", [])) else ""
        parts += [Panels(charts, kind)] if charts else []
        parts += [note(given["note"])] if given.get("note") else []
        parts += [note(few, "warning")] if few and not found else []
        found.append(Section(given["title"], parts))
    return found


def _table(given: Mapping[str, Any]) -> Table:
    _check(given, "a table", needed={"head", "rows"}, allowed={"title", "note", "warning"})
    return Table(**{**given, "rows": _cells(given["rows"])})


def _cells(rows: Sequence[Sequence[Any]]) -> list[list[Cell]]:
    return [[_cell(cell) for cell in row] for row in rows]


def _cell(cell: Any) -> Cell:
    if isinstance(cell, list):
        if len(cell) != 3:
            raise ValueError(f"a cell with an interval must be [estimate, low, high], got {cell}")
        return Interval(*map(float, cell))
    return float(cell) if isinstance(cell, int) else cell


def _bars(given: Mapping[str, Any], colours: Mapping[str, str]) -> Figure:
    _check(given, "a chart of bars", needed={"title", "head", "rows"}, allowed={"caption"})
    title, table = given["title"], Table(given["head"], _cells(given["rows"]))
    keys = {name: colours.get(name, hue(number)) for number, name in enumerate(table.head[1:])}
    rows = {
        str(name): {key: cell for key, cell in zip(keys, cells, strict=True) if isinstance(cell, Interval)}
        for name, *cells in table.rows
    }
    return Figure(file_name(title), title, given.get("caption", ""), bars(rows, keys, title=title), table)


def _lines(given: Mapping[str, Any], colours: Mapping[str, str]) -> Figure:
    _check(given, "a chart", needed={"title", "across", "up", "lines"}, allowed={"caption"})
    lines = [_line(one, colours, number) for number, one in enumerate(given["lines"])]
    return line_figure(
        lines,
        name=file_name(given["title"]),
        title=given["title"],
        caption=given.get("caption", ""),
        across=given["across"],
        up=given["up"],
    )


def _line(given: Mapping[str, Any], colours: Mapping[str, str], number: int) -> Line:
    _check(given, "a line", needed={"name", "x", "y"}, allowed={"policy", "low", "high", "dashed"})
    arrays = {part: np.array(given[part], np.float64) for part in ("x", "y", "low", "high") if part in given}
    if len({len(values) for values in arrays.values()}) > 1:
        sizes = ", ".join(f"{part} {len(values)}" for part, values in arrays.items())
        raise ValueError(f"the line {given['name']!r} needs as many of each coordinate, got {sizes}")
    colour = colours.get(given.get("policy", ""), hue(number))
    colour = dashed(colour) if given.get("dashed") else colour
    return Line(given["name"], colour, arrays["x"], arrays["y"], arrays.get("low"), arrays.get("high"))


def _check(given: Mapping[str, Any], what: str, *, needed: set[str], allowed: set[str]) -> None:
    missing, unknown = needed - given.keys(), given.keys() - needed - allowed
    if missing or unknown:
        lacks = f"lacks {', '.join(sorted(missing))}" if missing else f"has an unknown {', '.join(sorted(unknown))}"
        raise ValueError(f"{what} of profile.json {lacks}; it takes {', '.join(sorted(needed | allowed))}")
