"""A chart as a list of marks, written as SVG here and as PNG by `raster`: what a chart shows is decided once.

As SVG inside a page its colours come from the page, so that they follow its light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

from benchmarks.report.palette import chart_sheet, colour_sheet

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """A line through points, or an area around them, in SVG units.

    Attributes:
        points: the points, x to the right and y downwards.
        pen: one of `PENS`.
        colour: the colour of pens that have none of their own.
        closed: whether the last point is joined to the first.
    """

    points: Sequence[Point]
    pen: str
    colour: str = ""
    closed: bool = False


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    pen: str = "dot"
    colour: str = ""


@dataclass(frozen=True)
class Bar:
    """A filled rectangle, with what is told where it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    told: str = ""


@dataclass(frozen=True)
class Words:
    """A line of text; `anchor` is what lies at (x, y): its start, middle or end. `upright` turns it by -90 degrees."""

    x: float
    y: float
    text: str
    letters: str = "tick"
    anchor: str = "start"
    colour: str = ""
    upright: bool = False


Mark = Stroke | Dot | Bar | Words


@dataclass(frozen=True)
class Drawing:
    """A chart.

    Attributes:
        width: in SVG units.
        height: in SVG units.
        title: what it shows, for screen readers.
        marks: what is drawn, the last on top.
    """

    width: float
    height: float
    title: str
    marks: Sequence[Mark]

    def svg(self) -> str:
        """Returns the chart as SVG for a page, which brings the style sheet."""
        label = escape(self.title, quote=True)
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{label}">{self._inside()}</svg>'
        )

    def picture(self) -> str:
        """Returns the chart as an SVG that needs no page around it, light or dark as its reader likes."""
        size = f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" height="{self.height:g}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(self.title, quote=True)}">'
            f"<style>{colour_sheet()}{chart_sheet()}svg {{ font: 12px system-ui, sans-serif; }} "
            f'.paper {{ fill: var(--paper); }}</style><rect class="paper" width="{self.width:g}" '
            f'height="{self.height:g}"/>{self._inside()}</svg>\n'
        )

    def _inside(self) -> str:
        return "".join(map(_element, self.marks))


def side_by_side(drawings: Sequence[tuple[str, Drawing]]) -> Drawing:
    """Returns charts, each with its heading, as one."""
    marks: list[Mark] = []
    x = 15.0
    for heading, drawing in drawings:
        marks.append(Words(x + 8, 24, heading, "heading"))
        for mark in drawing.marks:
            if isinstance(mark, Stroke):
                marks.append(replace(mark, points=[(a + x, b + 36) for a, b in mark.points]))
            else:
                marks.append(replace(mark, x=mark.x + x, y=mark.y + 36))
        x += drawing.width
    height = max(drawing.height for _, drawing in drawings) + 44
    return Drawing(x + 15, height, "; ".join(drawing.title for _, drawing in drawings), marks)


def _element(mark: Mark) -> str:
    match mark:
        case Stroke():
            end = "Z" if mark.closed else ""
            return f'<path class="{_classes(mark.pen, mark.colour)}" d="{path(mark.points)}{end}"/>'
        case Dot():
            kind = _classes(mark.pen, mark.colour)
            return f'<circle class="{kind}" cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="{mark.radius:g}"/>'
        case Bar():
            place = f'x="{mark.x:.1f}" y="{mark.y:.1f}" width="{mark.width:.1f}" height="{mark.height:.1f}"'
            told = f"<title>{escape(mark.told)}</title>" if mark.told else ""
            return f'<rect class="{_classes("bar", mark.colour)}" {place}>{told}</rect>'
        case Words():
            place = f'x="{mark.x:.1f}" y="{mark.y:.1f}"'
            if mark.upright:
                place = f'transform="translate({mark.x:.1f} {mark.y:.1f}) rotate(-90)"'
            anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
            return f'<text class="{_classes(mark.letters, mark.colour)}" {place}{anchor}>{escape(mark.text)}</text>'


def _classes(kind: str, colour: str) -> str:
    return f"{kind} {colour}" if colour else kind


def path(points: Iterable[Point]) -> str:
    """Returns the data of an SVG path through some points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
