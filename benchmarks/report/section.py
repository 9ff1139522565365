"""The parts of a page: a section of words, tables and figures; a figure is a chart with its data beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.report.drawing import Drawing, side_by_side
from benchmarks.report.tables import Table


@dataclass(frozen=True)
class Figure:
    """A chart, what it shows, and its data.

    Attributes:
        name: the stem of its files' names.
        title: its heading.
        caption: what it shows, in a few words.
        drawing: the chart.
        data: what is in it, for the page.
        file: what is in it, for its file; where it is None, `data`.
        shape: a class of the style sheet that bounds its width.
    """

    name: str
    title: str
    caption: str
    drawing: Drawing
    data: Table
    file: Table | None = None
    shape: str = ""

    def html(self) -> str:
        """Returns the figure with its table, which is folded."""
        kind = f' class="{self.shape}"' if self.shape else ""
        title = f"<b>{escape(self.title)}</b> " if self.title else ""
        return (
            f"<figure{kind}><figcaption>{title}{escape(self.caption)}</figcaption>{self.drawing.svg()}"
            f"<details><summary>Data</summary>{self.data.html()}</details></figure>"
        )


@dataclass(frozen=True)
class Panels:
    """Figures side by side, as many as there is room for.

    Attributes:
        figures: the figures.
        kind: a class of the style sheet that says how wide they are.
        folded: a heading that unfolds them; empty where they are seen at once.
        name: the stem of the file's name of all of them as one picture; empty for none.
    """

    figures: Sequence[Figure]
    kind: str = ""
    folded: str = ""
    name: str = ""

    def html(self) -> str:
        """Returns the panels."""
        inside = f'<div class="panels {self.kind}">{"".join(figure.html() for figure in self.figures)}</div>'
        if not self.folded:
            return inside
        return f"<details><summary>{escape(self.folded)}</summary>{inside}</details>"


@dataclass(frozen=True)
class Markup:
    """A piece of HTML that a section wrote itself, with the table that says the same, where there is one."""

    text: str
    table: Table | None = None

    def html(self) -> str:
        """Returns the piece."""
        return self.text


@dataclass(frozen=True)
class Section:
    """A section of a page; its parts stand beneath each other."""

    heading: str
    parts: Sequence[Table | Panels | Markup]

    def html(self) -> str:
        """Returns the section; tables that stand together have their titles, else the heading says it."""
        together = sum(isinstance(part, Table) for part in self.parts) > 1
        parts = (part.html(titled=together) if isinstance(part, Table) else part.html() for part in self.parts)
        return f"<section><h2>{escape(self.heading)}</h2>{''.join(parts)}</section>"

    @property
    def figures(self) -> Iterator[Figure]:
        """All figures."""
        for part in self.parts:
            if isinstance(part, Panels):
                yield from part.figures

    @property
    def drawings(self) -> Iterator[tuple[str, Drawing]]:
        """All charts with the stems of their files' names, and panels that are one picture, too."""
        yield from ((figure.name, figure.drawing) for figure in self.figures)
        for part in self.parts:
            if isinstance(part, Panels) and part.name:
                yield part.name, side_by_side([(figure.title, figure.drawing) for figure in part.figures])

    @property
    def tables(self) -> Iterator[Table]:
        """All tables but those beside figures."""
        for part in self.parts:
            if isinstance(part, Table):
                yield part
            elif isinstance(part, Markup) and part.table is not None:
                yield part.table


def note(text: str, kind: str = "note") -> Markup:
    """Returns a paragraph in small letters; of the kind `"warning"`, one that is seen."""
    return Markup(f'<p class="{kind}">{escape(text)}</p>')


def file_name(*parts: str) -> str:
    """Returns the stem of a file's name from words, such as `learning-gold-return-copy`."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")
