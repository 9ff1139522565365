"""The colours and pens of all charts, once: the page's style sheet and the pictures for papers are made from them.

The hues are Okabe and Ito's, 2008, darkened or lightened where they would be faint on white or on black.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HUES = (
    ("#0072b2", "#56b4e9"), ("#d55e00", "#f08a3c"), ("#009e73", "#2cc295"), ("#b0609a", "#d99bc0"),
    ("#b58900", "#e6c34a"), ("#5b4fc4", "#a79cf5"), ("#8a5a3c", "#c79a7a"), ("#3f8fb0", "#8fd3ea"),
)  # fmt: skip
"""What learners are drawn in, in order, each on white and on black; after the last they begin anew, dashed."""

COLOURS = {
    "paper": ("#ffffff", "#141517"), "ink": ("#1b1c1e", "#e4e5e7"), "quiet": ("#62666c", "#9a9ea5"),
    "rule": ("#d9dbde", "#3a3d42"), "faint": ("#eceeef", "#26282b"), "warn": ("#9a4a00", "#f0a35c"),
    "up": ("#009e73", "#0fae82"), "down": ("#cc79a7", "#d0649f"),
    **{f"s{number}": hue for number, hue in enumerate(HUES)},
}  # fmt: skip
"""Each colour by its name: on white, and on black."""

DASH = (6.0, 3.0)
"""How the lines of the learners after the last hue are dashed: drawn, left out; in SVG units."""


@dataclass(frozen=True)
class Pen:
    """How a line or an area is drawn.

    Attributes:
        colour: one of `COLOURS`; empty for the mark's own.
        width: of the line, in SVG units; 0 for an area.
        opacity: in (0, 1].
        dash: what is drawn and what is left out, in SVG units; empty for a whole line, or as the mark's colour says.
    """

    colour: str = ""
    width: float = 1.0
    opacity: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Letters:
    """How words are written: one of `COLOURS`, or empty for the mark's own; their size in SVG units."""

    colour: str = ""
    size: float = 11.0
    bold: bool = False


PENS = {
    "grid": Pen("faint"), "seed": Pen(opacity=0.38), "mean": Pen(width=2.25), "band": Pen(width=0, opacity=0.16),
    "agree": Pen("quiet", dash=(1.0, 4.0)), "level": Pen("quiet", 1.25, dash=(4.0, 4.0)),
    "whisker": Pen("ink", 1.25, 0.75), "spread": Pen(width=1.25, opacity=0.8),
    "dot": Pen(width=0), "corner": Pen("quiet", 0), "bar": Pen(width=0),
}  # fmt: skip
LETTERS = {
    "tick": Letters("quiet"), "label": Letters(size=11.5, bold=True), "known": Letters("quiet", 11.5),
    "heading": Letters("ink", 14.0, True),
}  # fmt: skip


WIDE = 8.0
"""About how wide a letter of a bold label is, in SVG units, in a wide font."""


def hue(number: int) -> str:
    """Returns the name of the colour of the learner of a number, 0 and up: `s0`, `s1`, ..., dashed ones after `s7`."""
    return f"s{number % (2 * len(HUES))}"


def solid(colour: str) -> tuple[str, bool]:
    """Returns the entry of `COLOURS` that a mark's colour stands for, and whether its lines are dashed."""
    number = int(colour[1:]) if colour[:1] == "s" and colour[1:].isdigit() else -1
    if number >= len(HUES):
        return f"s{number - len(HUES)}", True
    return colour if colour in COLOURS else "quiet", False


def dashed(colour: str) -> str:
    """Returns the name of a learner's colour, dashed; the grey of what learns nothing stays as it is."""
    name, _ = solid(colour)
    return hue(int(name[1:]) + len(HUES)) if name[1:].isdigit() else colour


def colour_sheet() -> str:
    """Returns the style sheet's colours, light and dark."""
    light, dark = (" ".join(f"--{name}: {shades[side]};" for name, shades in COLOURS.items()) for side in (0, 1))
    return (
        f":root {{ color-scheme: light dark; {light} --strength: .9; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} --strength: .6; }} }}\n"
        f"@media print {{ :root {{ color-scheme: light; {light} --strength: .9; }} }}\n"
    )


def chart_sheet() -> str:
    """Returns the style sheet's pens and letters, and a class for the colour of every learner."""
    rules = ["svg path { fill: none; stroke-linejoin: round; stroke-linecap: round; }"]
    for number in range(2 * len(HUES)):
        name, broken = solid(hue(number))
        dash = f" --dash: {_numbers(DASH)};" if broken else ""
        rules.append(f".{hue(number)} {{ --c: var(--{name});{dash} }}")
    rules.append(".plain { --c: var(--quiet); }")
    for name, pen in PENS.items():
        paint = f"var(--{pen.colour or 'c'})"
        if not pen.width:
            rules.append(
                f".{name} {{ fill: {paint}; opacity: {pen.opacity:g}; }}\nsvg path.{name} {{ fill: {paint}; }}"
            )
            continue
        dash = f" stroke-dasharray: {_numbers(pen.dash) if pen.dash else 'var(--dash, none)'};"
        cap = " stroke-linecap: butt;" if name in ("level", "whisker") else ""
        rules.append(
            f"path.{name} {{ stroke: {paint}; stroke-width: {pen.width:g}; opacity: {pen.opacity:g};{dash}{cap} }}"
        )
    for name, letters in LETTERS.items():
        weight = " font-weight: 600;" if letters.bold else ""
        paint = f"var(--{letters.colour or 'c'})"
        rules.append(f"text.{name} {{ fill: {paint}; font-size: {letters.size:g}px;{weight} }}")
    return "\n".join(rules) + "\n"


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:g}" for value in values)
