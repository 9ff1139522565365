"""Charts as PNG: Matplotlib paints the marks of a drawing, as a browser would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.report.drawing import Bar, Dot, Drawing, Words
from benchmarks.report.palette import COLOURS, DASH, LETTERS, PENS, solid

DOTS_PER_UNIT = 3
"""How many pixels an SVG unit has, along each side."""


def write_png(drawing: Drawing, path: Path) -> None:
    """Writes a chart, light, to a file; an SVG unit is 1/96 of an inch."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Polygon, Rectangle

    figure = Figure(figsize=(drawing.width / 96, drawing.height / 96), facecolor=COLOURS["paper"][0])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.axis("off")
    point = 72 / 96  # an SVG unit in points
    for order, mark in enumerate(drawing.marks):
        if isinstance(mark, Words):
            letters = LETTERS[mark.letters]
            axes.text(
                mark.x, mark.y, mark.text, size=letters.size * point, color=_shade(letters.colour or mark.colour),
                weight="bold" if letters.bold else "normal", va="baseline", zorder=order, parse_math=False,
                ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
                rotation=90 if mark.upright else 0, rotation_mode="anchor",
            )  # fmt: skip
            continue
        pen = PENS["bar" if isinstance(mark, Bar) else mark.pen]
        colour = _shade(pen.colour or mark.colour)
        filled: dict[str, Any] = {"facecolor": colour, "alpha": pen.opacity, "linewidth": 0, "zorder": order}
        if isinstance(mark, Dot):
            axes.add_patch(Circle((mark.x, mark.y), mark.radius, **filled))
        elif isinstance(mark, Bar):
            axes.add_patch(Rectangle((mark.x, mark.y), mark.width, mark.height, **filled))
        elif not pen.width:
            axes.add_patch(Polygon(mark.points, closed=True, **filled))
        else:
            dash = pen.dash or (DASH if solid(mark.colour)[1] and not pen.colour else ())
            points = [*mark.points, mark.points[0]] if mark.closed else mark.points
            axes.plot(
                *zip(*points, strict=True), color=colour, alpha=pen.opacity, linewidth=pen.width * point, zorder=order,
                linestyle=(0, [part / pen.width for part in dash]) if dash else "-", solid_capstyle="round",
                solid_joinstyle="round",
            )  # fmt: skip
    figure.savefig(path, dpi=96 * DOTS_PER_UNIT, metadata={"Software": None})


def _shade(colour: str) -> str:
    return COLOURS[solid(colour)[0]][0]
