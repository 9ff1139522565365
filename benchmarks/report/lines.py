"""Line charts: of learning, of a swept level, of shares of runs, of one measure against another, of answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.report.drawing import Dot, Drawing, Mark, Stroke, Words
from benchmarks.report.palette import WIDE
from benchmarks.report.section import Figure
from benchmarks.report.tables import Cell, Table
from benchmarks.report.ticks import nice_ticks, round_names, written
from textgym.types import FloatArray

PLOT, HEIGHT = 240, 264
LEFT, TOP, BOTTOM, ROOM, LINE_SPACE = 42, 24, 34, 88, 13
"""A chart's width between its axes, its height, its margins, the least room for labels, their least distance, in units.

They are SVG units.
"""

TABLE_POINTS = 25
"""The most points of each line in the table beside a chart; the file of its data has all."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: what stands at its end and in the table.
        colour: its name in the palette.
        x: (p,) where it goes, to the right.
        y: (p,) and upwards.
        low: (p,) the lower edge of the band around it; None for no band.
        high: (p,) the upper edge.
        thin: (k, p) lines that are drawn thin behind it; None for none.
        dots: whether its points are marked, and the last of a line that may turn by a larger dot.
        turns: whether it may turn back, so that it need not end at the right.
    """

    name: str
    colour: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    thin: FloatArray | None = None
    dots: bool = False
    turns: bool = False


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    across: str,
    up: str,
    ticks: Sequence[float] | None = None,
    span: tuple[float, float] | None = None,
    names: Mapping[float, str] | None = None,
    levels: Mapping[str, float] | None = None,
    diagonal: bool = False,
) -> Drawing:
    """Returns lines with their bands, each with its name at its end, and known levels dashed.

    Args:
        lines: what is drawn.
        title: what the chart shows, for screen readers.
        across: what the horizontal axis shows.
        up: what the vertical axis shows.
        ticks: the marks of the vertical axis, lowest first, which span it; by default round numbers.
        span: the ends of the horizontal axis; by default those of the lines.
        names: marks of the horizontal axis by their place; by default round numbers.
        levels: values to compare with, by name, such as that of the warm start.
        diagonal: whether a dotted line marks where both axes agree.
    """
    levels = levels or {}
    if ticks is None:
        values = [edge for line in lines for edge in _ends(line)]
        ticks = nice_ticks(min([*values, *levels.values()]), max([*values, *levels.values()]))
    left, right = span or (min(float(line.x.min()) for line in lines), max(float(line.x.max()) for line in lines))
    width = (right - left) or 1.0
    named = [*levels, *(line.name for line in lines if line.name)]
    edge = LEFT + PLOT

    def x(value: float) -> float:
        return LEFT + PLOT * (value - left) / width

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    marks: list[Mark] = [Words(LEFT, 11, up)]
    for tick in ticks:
        marks.append(Stroke([(LEFT, y(tick)), (edge, y(tick))], "grid"))
        marks.append(Words(LEFT - 7, y(tick) + 4, written(tick, ticks), anchor="end"))
    marks += _across(x, names or round_names(left, right), across)
    if diagonal:
        ends = [max(left, ticks[0]), min(right, ticks[-1])]
        if ends[0] < ends[1]:
            marks.append(Stroke([(x(end), y(end)) for end in ends], "agree"))
    marks += [Stroke([(LEFT, y(level)), (edge, y(level))], "level") for level in levels.values()]
    for line in lines:
        marks += _line(line, x, y)
    heights = [y(level) for level in levels.values()] + [y(float(line.y[-1])) for line in lines if line.name]
    kinds = [("known", "")] * len(levels) + [("label", line.colour) for line in lines if line.name]
    for text, height, (letters, colour) in zip(named, _apart(heights), kinds, strict=True):
        marks.append(Words(edge + 7, height + 4, text, letters, colour=colour))
    room = max(ROOM, 10 + WIDE * max(map(len, named))) if named else 16
    return Drawing(math.ceil(edge + room), HEIGHT, title, marks)


def line_figure(
    lines: Sequence[Line],
    *,
    name: str,
    title: str,
    caption: str,
    across: str,
    up: str,
    ticks: Sequence[float] | None = None,
    span: tuple[float, float] | None = None,
    levels: Mapping[str, float] | None = None,
    diagonal: bool = False,
    shape: str = "",
) -> Figure:
    """Returns a chart of lines with their points beside it; see `line_chart`, and `Figure` for the rest."""
    drawing = line_chart(
        lines,
        title=f"{title}: {up} against {across}",
        across=across,
        up=up,
        ticks=ticks,
        span=span,
        levels=levels,
        diagonal=diagonal,
    )
    short, whole = (line_table(lines, across=across, up=up, most=most) for most in (TABLE_POINTS, None))
    return Figure(name, title, caption, drawing, short, whole, shape)


def line_table(lines: Sequence[Line], *, across: str, up: str, most: int | None = TABLE_POINTS) -> Table:
    """Returns the points of lines as a table, spread evenly over each line where it has more than `most`."""
    bands = any(line.low is not None or line.thin is not None for line in lines)
    rows: list[list[Cell]] = []
    for line in lines:
        low, high = (line.thin.min(axis=0), line.thin.max(axis=0)) if line.thin is not None else (line.low, line.high)
        count = len(line.x)
        for i in np.unique(np.linspace(0, count - 1, min(most or count, count)).round().astype(int)):
            row: list[Cell] = [line.name, float(line.x[i]), float(line.y[i])]
            row += [None if edge is None else float(edge[i]) for edge in ((low, high) if bands else ())]
            rows.append(row)
    return Table(["line", across, up, *(["lowest", "highest"] if bands else [])], rows)


def _ends(line: Line) -> Iterator[float]:
    """Returns the lowest and highest of all that is drawn of a line."""
    for values in (line.y, line.low, line.high, line.thin):
        if values is not None:
            yield from (float(values.min()), float(values.max()))


def _line(line: Line, x: Callable[[float], float], y: Callable[[float], float]) -> list[Mark]:
    at = [x(value) for value in line.x.tolist()]

    def points(values: FloatArray) -> list[tuple[float, float]]:
        return [(a, y(value)) for a, value in zip(at, values.tolist(), strict=True)]

    marks: list[Mark] = []
    if line.low is not None and line.high is not None:
        marks.append(Stroke([*points(line.low), *reversed(points(line.high))], "band", line.colour, closed=True))
    if line.thin is not None:
        marks += [Stroke(points(values), "seed", line.colour) for values in line.thin]
    marks.append(Stroke(points(line.y), "mean", line.colour))
    if line.dots or len(at) == 1:
        last = len(at) - 1
        marks += [
            Dot(*point, 5 if line.turns and number == last else 3, colour=line.colour)
            for number, point in enumerate(points(line.y))
        ]
    return marks


def _across(x: Callable[[float], float], names: Mapping[float, str], across: str) -> list[Mark]:
    """Returns the marks of the horizontal axis, and beneath them what it shows."""
    marks: list[Mark] = [Words(x(at), HEIGHT - BOTTOM + 16, name, anchor="middle") for at, name in names.items()]
    return [*marks, Words(LEFT + PLOT / 2, HEIGHT - 3, across, anchor="middle")]


def _apart(heights: Sequence[float]) -> list[float]:
    """Returns the heights of labels, moved where two would be less than LINE_SPACE apart or below the chart."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    last = -math.inf
    for number in order:
        last = placed[number] = max(heights[number], last + LINE_SPACE)
    limit = float(HEIGHT - BOTTOM)
    for number in reversed(order):
        placed[number] = min(placed[number], limit)
        limit = placed[number] - LINE_SPACE
    return placed
