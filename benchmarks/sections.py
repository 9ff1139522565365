"""The sections of a study's report as plain data: what `benchmarks.report.extra_sections` reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.report import PROFILE, write_report
from benchmarks.results import write_json
from benchmarks.statistics import Interval

Cell = str | float | list[float] | None


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
    """Writes a study's report, and prints its tables.

    Args:
        folder: the suite's.
        study: its `title`, its `introduction`, the `order` of the policies and its `sections`.
        console: where the tables are printed.
    """
    write_json(folder / PROFILE, {**study, "sections": [_drawn(section) for section in study["sections"]]})
    write_report(folder, console)


def _drawn(section: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a section without the lines and bars of which nothing is known yet, nor charts that are then empty."""
    charts = []
    for chart in section.get("charts", ()):
        part = "rows" if "rows" in chart else "lines"
        known = [one for one in chart[part] if (any(one[1:]) if part == "rows" else one["x"])]
        charts += [{**chart, part: known}] if known else []
    return {**section, "charts": charts}
