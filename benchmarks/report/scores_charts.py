"""Charts of the scores of many problems: a radar, bars with their intervals, and a front of two signals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.report.drawing import Bar, Dot, Drawing, Mark, Point, Stroke, Words
from benchmarks.report.palette import WIDE, solid
from benchmarks.statistics import Interval

RADAR_WIDTH, RADAR_HEIGHT, RADIUS = 460, 360, 130
BAR_WIDTH, NAME_WIDTH, BAR_HEIGHT, BAR_SPACE = 460, 104, 9, 10
NAMED_BAR_HEIGHT, HEADING_HEIGHT = 14, 20
FRONT_SIZE, FRONT_MARGIN = 300, 40
LEGEND_LINE, LETTER = 16, 6.8
"""The height of a line of the legend, and about the width of a letter of a name, in SVG units."""
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def legend(policies: Sequence[str], colours: Mapping[str, str], width: float, top: float) -> tuple[list[Mark], float]:
    """Returns the policies, each with its colour, in lines of a width below `top`, and where these end."""
    marks: list[Mark] = []
    x, y = 6.0, top + LEGEND_LINE
    for policy in policies:
        room = 24 + WIDE * len(policy)
        if x > 6 and x + room > width:
            x, y = 6.0, y + LEGEND_LINE
        marks += [Dot(x, y - 4, 4, colour=colours[policy]), Words(x + 9, y, policy, "label", colour=colours[policy])]
        x += room
    return marks, y + 6


def radar(
    axes: Sequence[str], scores: Mapping[str, Sequence[float | None]], colours: Mapping[str, str], *, title: str
) -> Drawing:
    """Returns a radar of scores in [0, 1], clipped to it: the centre is random, the rim optimal.

    Args:
        axes: the problems, clockwise from the top.
        scores: for each policy one score for each axis, None where it has none.
        colours: each policy's colour.
        title: what the chart shows, for screen readers.
    """
    longest = max(map(len, axes))
    width = max(RADAR_WIDTH, 2 * (1.1 * RADIUS + LETTER * longest + 4))
    centre = width / 2, RADAR_HEIGHT / 2

    def place(number: int, share: float) -> Point:
        angle = 2 * math.pi * number / len(axes)
        return centre[0] + RADIUS * share * math.sin(angle), centre[1] - RADIUS * share * math.cos(angle)

    marks: list[Mark] = [
        Stroke([place(number, ring) for number in range(len(axes))], "grid", closed=True) for ring in QUARTERS[1:]
    ]
    for number, name in enumerate(axes):
        far_x, far_y = place(number, 1.1)
        side = far_x - centre[0]
        anchor = "middle" if abs(side) < 12 else "start" if side > 0 else "end"
        marks.append(Stroke([centre, place(number, 1.0)], "grid"))
        marks.append(Words(far_x, far_y + 4, name, anchor=anchor))
    for policy, own in scores.items():
        colour = colours[policy]
        points = [place(i, min(1.0, max(0.0, score))) for i, score in enumerate(own) if score is not None]
        if len(points) > 2:
            marks += [Stroke(points, pen, colour, closed=True) for pen in ("band", "mean")]
        marks += [Dot(x, y, 3, colour=colour) for x, y in points]
    keys, height = legend(list(scores), colours, width, RADAR_HEIGHT)
    return Drawing(width, height, title, marks + keys)


def bars(rows: Mapping[str, Mapping[str, Interval]], colours: Mapping[str, str], *, title: str) -> Drawing:
    """Returns horizontal bars from 0 to 1, one for each policy of each row, with whiskers over their intervals.

    Policies whose colours tell them apart have a legend; else each bar has its policy's name.

    Args:
        rows: for each problem the score of each policy that tried it.
        colours: each policy's colour.
        title: what the chart shows, for screen readers.
    """
    tried = [policy for policy in colours if any(policy in own for own in rows.values())]
    named = len({solid(colours[policy])[0] for policy in tried}) < len(tried)
    left, right = max(NAME_WIDTH, 12 + LETTER * max(map(len, tried if named else rows))), 16
    height = NAMED_BAR_HEIGHT if named else BAR_HEIGHT

    def x(score: float) -> float:
        return left + (BAR_WIDTH - left - right) * min(1.0, max(0.0, score))

    marks: list[Mark] = []
    y = 6.0
    for name, own in rows.items():
        if named:
            marks.append(Words(6, y + 12, name, "heading"))
            y += HEADING_HEIGHT
        else:
            marks.append(Words(left - 8, y + len(own) * height / 2 + 4, name, anchor="end"))
        for policy, interval in own.items():
            centre = y + height / 2
            if named:
                marks.append(Words(left - 8, centre + 4, policy, anchor="end"))
            told = f"{name}, {policy}: {interval}"
            marks.append(Bar(left, y, x(interval.estimate) - left, height - 1, colours[policy], told))
            marks.append(Stroke([(x(interval.low), centre), (x(interval.high), centre)], "whisker"))
            y += height
        y += BAR_SPACE
    grid: list[Mark] = []
    for tick in QUARTERS:
        grid.append(Stroke([(x(tick), 0), (x(tick), y)], "grid"))
        grid.append(Words(x(tick), y + 14, f"{tick:g}", anchor="middle"))
    keys, bottom = ([], y + 22) if named else legend(tried, colours, BAR_WIDTH, y + 20)
    return Drawing(BAR_WIDTH, bottom, title, grid + marks + keys)


def front_chart(
    front: Sequence[Sequence[float]], reached: Mapping[str, Sequence[Sequence[float]]], colours: Mapping[str, str]
) -> Drawing:
    """Returns two signals against each other, both in [0, 1]: the front as a line, what policies reached as dots.

    Args:
        front: (k, 2) the signals of the texts that no other beats in both, the first rising.
        reached: for each policy its points, (p, 2).
        colours: each policy's colour.
    """
    size, margin = FRONT_SIZE, FRONT_MARGIN

    def place(first: float, second: float) -> Point:
        room = size - margin - 10
        return margin + room * first, size - margin - room * second

    marks: list[Mark] = []
    for tick in QUARTERS:
        (x, bottom), (left, y) = place(tick, 0), place(0, tick)
        marks += [Stroke([(x, bottom), place(tick, 1)], "grid"), Stroke([(left, y), place(1, tick)], "grid")]
        marks.append(Words(x, bottom + 15, f"{tick:g}", anchor="middle"))
        marks.append(Words(left - 6, y + 4, f"{tick:g}", anchor="end"))
    middle = place(0.5, 0.5)
    marks.append(Words(middle[0], size - 4, "first reader", anchor="middle"))
    marks.append(Words(11, middle[1], "second reader", anchor="middle", upright=True))
    corners = [place(first, second) for first, second in front]
    marks.append(Stroke(corners, "level"))
    marks += [Dot(x, y, 2, "corner") for x, y in corners]
    for policy, points in reached.items():
        marks += [Dot(*place(first, second), 4, colour=colours[policy]) for first, second in points]
    keys, height = legend(list(reached), colours, size, size)
    return Drawing(size, height, "the signals of the two readers, and the front", marks + keys)
