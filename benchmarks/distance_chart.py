"""The chart of over-optimisation: a measure against the distance from a reference, with fitted curves."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, apart, decimal, nice_ticks, path, svg
from textgym.types import FloatArray


def distance_chart(
    lines: Sequence[tuple[str, FloatArray, FloatArray]],
    fits: Sequence[tuple[FloatArray, FloatArray] | None],
    *,
    ticks: Sequence[float],
    title: str,
) -> str:
    """Returns a line chart of measures against a distance d: seeds thin, their mean bold, fits dashed.

    Args:
        lines: for each method its name, and of each seed the distances and the measure, (seeds, p) each; the order
            picks the colours.
        fits: for each method the distances and the values of a fitted curve, (q,) each, or None.
        ticks: the marks of the vertical axis, lowest first, which span it; see `nice_ticks`.
        title: what the chart shows, for screen readers.
    """
    across = nice_ticks(0.0, max(float(distance.max()) for _, distance, _ in lines), 4)

    def x(distance: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * distance / across[-1]

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    def drawn(kind: str, number: int, distance: FloatArray, values: FloatArray) -> str:
        data = path(map(x, distance.tolist()), map(y, values.tolist()))
        return f'<path class="{kind} s{number}" d="{data}"/>'

    marks = [
        f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" x="{LEFT - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{decimal(tick, ticks)}</text>'
        for tick in ticks
    ]
    named = [(x(tick), HEIGHT - BOTTOM + 16, decimal(tick, across)) for tick in across]
    named.append(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "d = \N{SQUARE ROOT}KL"))
    marks += [f'<text class="tick" x="{at:.1f}" y="{y}" text-anchor="middle">{text}</text>' for at, y, text in named]
    labels = []
    for number, ((name, distance, values), fit) in enumerate(zip(lines, fits, strict=True)):
        marks += [drawn("seed", number, *seed) for seed in zip(distance, values, strict=True)]
        if fit is not None:
            marks.append(drawn("level", number, *fit))
        marks.append(drawn("mean", number, distance.mean(axis=0), values.mean(axis=0)))
        labels.append((number, name, y(float(values[:, -1].mean()))))
    for (number, name, _), height in zip(labels, apart([height for *_, height in labels]), strict=True):
        marks.append(
            f'<text class="label s{number}" x="{WIDTH - RIGHT + 7}" y="{height + 4:.1f}">{escape(name)}</text>'
        )
    return svg(WIDTH, HEIGHT, title, marks)
