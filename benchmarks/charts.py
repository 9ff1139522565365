"""Charts as inline SVG whose colours come from the page, so that they follow its light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from benchmarks.pictures.response import Response
from benchmarks.statistics import Interval
from textgym.types import FloatArray

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 34, 88, 10, 34
MAX_POINTS = 100
LINE_SPACE = 14
"""A line chart's size, its margins, the most points of a line, and the least distance of two labels, in SVG units."""


@dataclass(frozen=True)
class Curve:
    """One measure of one learner while it trained.

    Attributes:
        learner: its name.
        tokens: (p,) the tokens written so far.
        seeds: (seeds, p) the measure of each training seed.
    """

    learner: str
    tokens: FloatArray
    seeds: FloatArray

    @classmethod
    def from_seeds(cls, learner: str, points: Sequence[tuple[FloatArray, FloatArray]]) -> Curve:
        """Brings seeds, each with its tokens (p_i,) and measure (p_i,), to the same places; at most MAX_POINTS."""
        end = min(tokens[-1] for tokens, _ in points)
        grid = max((tokens[tokens <= end] for tokens, _ in points), key=len)
        seeds = np.array([np.interp(grid, tokens, values) for tokens, values in points])
        size = math.ceil(len(grid) / MAX_POINTS)
        starts = np.arange(0, len(grid), size)
        counts = np.diff(np.append(starts, len(grid)))
        return cls(learner, np.add.reduceat(grid, starts) / counts, np.add.reduceat(seeds, starts, axis=1) / counts)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Returns about `count` round numbers (1, 2 or 5 times a power of ten apart) that enclose low <= high."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def learning_curves(curves: Sequence[Curve], *, levels: Mapping[str, float], ticks: Sequence[float], title: str) -> str:
    """Returns a line chart: each seed thin, their mean bold with its name at the end, known levels dashed.

    Args:
        curves: one measure of several learners; the order picks their colours.
        levels: values to compare with, by name, such as that of the warm start.
        ticks: the marks of the vertical axis, lowest first, which span it; see `nice_ticks`.
        title: what the chart shows, for screen readers.
    """
    end = max(float(curve.tokens[-1]) for curve in curves)

    def x(tokens: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * tokens / end

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    marks = [
        f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" x="{LEFT - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{decimal(tick, ticks)}</text>'
        for tick in ticks
    ]
    tokens = [tick for tick in nice_ticks(0, end, 4) if tick <= end * 1.001]
    named = [(x(tick), HEIGHT - BOTTOM + 16, thousands(tick)) for tick in tokens]
    named.append(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "tokens written"))
    marks += [f'<text class="tick" x="{at:.1f}" y="{y}" text-anchor="middle">{text}</text>' for at, y, text in named]
    marks += [f'<path class="level" d="M{LEFT} {y(level):.1f}H{WIDTH - RIGHT}"/>' for level in levels.values()]
    labels = [("level", name, y(level)) for name, level in levels.items()]  # class, text, height
    for number, curve in enumerate(curves):
        at = [x(float(value)) for value in curve.tokens]
        mean = curve.seeds.mean(axis=0)
        marks += [f'<path class="seed s{number}" d="{path(at, map(y, values.tolist()))}"/>' for values in curve.seeds]
        marks.append(f'<path class="mean s{number}" d="{path(at, map(y, mean.tolist()))}"/>')
        labels.append((f"s{number}", curve.learner, y(float(mean[-1]))))
    for (kind, text, _), height in zip(labels, apart([height for *_, height in labels]), strict=True):
        marks.append(f'<text class="label {kind}" x="{WIDTH - RIGHT + 7}" y="{height + 4:.1f}">{escape(text)}</text>')
    return svg(WIDTH, HEIGHT, title, marks)


def response_chart(response: Response, *, title: str, across: str) -> str:
    """Returns how answers follow what is true: their mean, a band of 80 % of them, a dotted line where they agree.

    Args:
        response: the answers.
        title: what the chart shows, for screen readers.
        across: what the horizontal axis shows.
    """
    right = 12
    across_ticks = nice_ticks(float(response.truth.min()), float(response.truth.max()), 4)
    ticks = nice_ticks(float(response.low.min()), float(response.high.max()))

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - right) * (value - across_ticks[0]) / (across_ticks[-1] - across_ticks[0])

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    marks = [
        f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - right}"/>'
        f'<text class="tick" x="{LEFT - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{decimal(tick, ticks)}</text>'
        for tick in ticks
    ]
    named = [(x(tick), HEIGHT - BOTTOM + 16, decimal(tick, across_ticks)) for tick in across_ticks]
    named.append(((LEFT + WIDTH - right) / 2, HEIGHT - 3, escape(across)))
    marks += [f'<text class="tick" x="{at:.1f}" y="{y}" text-anchor="middle">{text}</text>' for at, y, text in named]
    agree = [max(across_ticks[0], ticks[0]), min(across_ticks[-1], ticks[-1])]
    if agree[0] < agree[1]:
        marks.append(f'<path class="agree" d="{path(map(x, agree), map(y, agree))}"/>')
    at = [x(float(value)) for value in response.truth]
    there, back = (list(map(y, values.tolist())) for values in (response.low, response.high))
    marks.append(f'<path class="band s0" d="{path([*at, *reversed(at)], [*there, *reversed(back)])}Z"/>')
    marks.append(f'<path class="mean s0" d="{path(at, map(y, response.mean.tolist()))}"/>')
    return svg(WIDTH, HEIGHT, title, marks)


def interval_strip(interval: Interval, *, low: float, high: float, level: float | None, colour: str) -> str:
    """Returns a strip from `low` to `high`: a dot at the estimate, a bar over its interval, a mark at `level`."""
    width, height = 150, 14

    def x(value: float) -> float:
        return 4 + (width - 8) * (value - low) / (high - low)

    marks = [f'<path class="grid" d="M0 {height / 2}H{width}"/>']
    if level is not None:
        marks.append(f'<path class="level" d="M{x(level):.1f} 0V{height}"/>')
    marks.append(f'<path class="mean {colour}" d="M{x(interval.low):.1f} {height / 2}H{x(interval.high):.1f}"/>')
    marks.append(f'<circle class="dot {colour}" cx="{x(interval.estimate):.1f}" cy="{height / 2}" r="3.5"/>')
    return svg(width, height, str(interval), marks)


def thousands(tokens: float) -> str:
    """Returns a number of tokens in short: 0, 500, 50k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{unit}"
    return f"{tokens:g}"


def apart(heights: Sequence[float]) -> list[float]:
    """Returns the heights of labels, moved down where two would be less than LINE_SPACE apart."""
    placed = [0.0] * len(heights)
    last = -math.inf
    for number in sorted(range(len(heights)), key=heights.__getitem__):
        last = placed[number] = max(heights[number], last + LINE_SPACE)
    return placed


def path(xs: Iterable[float], ys: Iterable[float]) -> str:
    """Returns the data of an SVG path through some points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))


def decimal(value: float, ticks: Sequence[float]) -> str:
    """Writes a mark with the decimals that its neighbours need."""
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def svg(width: float, height: float, title: str, marks: Sequence[str]) -> str:
    """Returns a chart of marks, with its title for screen readers."""
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(marks)}</svg>'
