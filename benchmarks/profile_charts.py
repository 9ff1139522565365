"""Charts of a profile, as inline SVG: a radar, bars with their intervals, and a front of two signals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.charts import path, svg
from benchmarks.statistics import Interval

RADAR_WIDTH, RADAR_HEIGHT, RADIUS = 460, 360, 130
BAR_WIDTH, NAME_WIDTH, BAR_HEIGHT, BAR_SPACE = 460, 92, 9, 14
FRONT_SIZE, FRONT_MARGIN = 300, 40


def radar(
    axes: Sequence[str], scores: Mapping[str, Sequence[float | None]], colours: Mapping[str, str], *, title: str
) -> str:
    """Returns a radar of scores in [0, 1], clipped to it: the centre is random, the rim optimal.

    Args:
        axes: the problems, clockwise from the top.
        scores: for each policy one score for each axis, None where it has none.
        colours: each policy's class of the style sheet.
        title: what the chart shows, for screen readers.
    """

    def place(number: int, share: float) -> tuple[float, float]:
        angle = 2 * math.pi * number / len(axes)
        return (
            RADAR_WIDTH / 2 + RADIUS * share * math.sin(angle),
            RADAR_HEIGHT / 2 - RADIUS * share * math.cos(angle),
        )

    marks = []
    for ring in (0.25, 0.5, 0.75, 1.0):
        corners = [place(number, ring) for number in range(len(axes))]
        marks.append(f'<path class="grid" d="{path(*zip(*corners, strict=True))}Z"/>')
    for number, name in enumerate(axes):
        (x, y), (far_x, far_y) = place(number, 1.0), place(number, 1.1)
        side = far_x - RADAR_WIDTH / 2
        anchor = "middle" if abs(side) < 12 else "start" if side > 0 else "end"
        marks.append(f'<path class="grid" d="M{RADAR_WIDTH / 2} {RADAR_HEIGHT / 2}L{x:.1f} {y:.1f}"/>')
        marks.append(
            f'<text class="tick" x="{far_x:.1f}" y="{far_y + 4:.1f}" text-anchor="{anchor}">{escape(name)}</text>'
        )
    for policy, own in scores.items():
        colour = colours[policy]
        points = [place(i, min(1.0, max(0.0, score))) for i, score in enumerate(own) if score is not None]
        if len(points) > 2:
            outline = path(*zip(*points, strict=True))
            marks.append(f'<path class="band {colour}" d="{outline}Z"/><path class="mean {colour}" d="{outline}Z"/>')
        marks += [f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
    return svg(RADAR_WIDTH, RADAR_HEIGHT, title, marks)


def bars_height(rows: Mapping[str, Mapping[str, Interval]]) -> float:
    """Returns the height of the bars' chart."""
    return 26 + sum(len(own) * BAR_HEIGHT + BAR_SPACE - 4 for own in rows.values())


def bars(rows: Mapping[str, Mapping[str, Interval]], colours: Mapping[str, str], *, title: str) -> str:
    """Returns horizontal bars from 0 to 1, one for each policy of each row, with whiskers over their intervals.

    Args:
        rows: for each problem the score of each policy that tried it.
        colours: each policy's class of the style sheet.
        title: what the chart shows, for screen readers.
    """
    right = 16

    def x(score: float) -> float:
        return NAME_WIDTH + (BAR_WIDTH - NAME_WIDTH - right) * min(1.0, max(0.0, score))

    marks, y = [], 6.0
    for name, own in rows.items():
        middle = y + len(own) * BAR_HEIGHT / 2 + 4
        marks.append(
            f'<text class="tick" x="{NAME_WIDTH - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        for policy, interval in own.items():
            colour, centre = colours[policy], y + BAR_HEIGHT / 2
            length = x(interval.estimate) - NAME_WIDTH
            marks.append(
                f'<rect class="bar {colour}" x="{NAME_WIDTH}" y="{y:.1f}" width="{length:.1f}" '
                f'height="{BAR_HEIGHT - 1}"><title>{escape(f"{name}, {policy}: {interval}")}</title></rect>'
                f'<path class="whisker" d="M{x(interval.low):.1f} {centre:.1f}H{x(interval.high):.1f}"/>'
            )
            y += BAR_HEIGHT
        y += BAR_SPACE - 4
    grid = [
        f'<path class="grid" d="M{x(tick):.1f} 0V{y:.1f}"/>'
        f'<text class="tick" x="{x(tick):.1f}" y="{y + 14:.1f}" text-anchor="middle">{tick:g}</text>'
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    return svg(BAR_WIDTH, bars_height(rows), title, grid + marks)


def front_chart(
    front: Sequence[Sequence[float]], reached: Mapping[str, Sequence[Sequence[float]]], colours: Mapping[str, str]
) -> str:
    """Returns two signals against each other, both in [0, 1]: the front as a line, what policies reached as dots.

    Args:
        front: (k, 2) the signals of the texts that no other beats in both, the first rising.
        reached: for each policy its points, (p, 2).
        colours: each policy's class of the style sheet.
    """
    size, margin = FRONT_SIZE, FRONT_MARGIN

    def x(value: float) -> float:
        return margin + (size - margin - 10) * value

    def y(value: float) -> float:
        return size - margin - (size - margin - 10) * value

    marks = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        marks.append(
            f'<path class="grid" d="M{x(tick):.1f} {y(0):.1f}V{y(1):.1f}M{x(0):.1f} {y(tick):.1f}H{x(1):.1f}"/>'
        )
        marks.append(
            f'<text class="tick" x="{x(tick):.1f}" y="{y(0) + 15:.1f}" text-anchor="middle">{tick:g}</text>'
            f'<text class="tick" x="{x(0) - 6:.1f}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    marks.append(f'<text class="tick" x="{x(0.5):.1f}" y="{size - 4}" text-anchor="middle">first reader</text>')
    marks.append(
        f'<text class="tick" transform="translate(11 {y(0.5):.1f}) rotate(-90)" text-anchor="middle">'
        "second reader</text>"
    )
    marks.append(f'<path class="level" d="{path([x(a) for a, _ in front], [y(b) for _, b in front])}"/>')
    marks += [f'<circle class="corner" cx="{x(a):.1f}" cy="{y(b):.1f}" r="2"/>' for a, b in front]
    for policy, points in reached.items():
        marks += [f'<circle class="dot {colours[policy]}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="4"/>' for a, b in points]
    return svg(size, size, "the signals of the two readers, and the front", marks)
