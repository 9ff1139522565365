"""A table, once: as HTML, Markdown, LaTeX and CSV, and on a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from rich import box
from rich.table import Table as Printed
from rich.text import Text

from benchmarks.statistics import Interval

Cell = str | float | Interval | None
"""Words, a number, an estimate with its interval, or nothing."""

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "\N{MINUS SIGN}": "$-$", "\N{SQUARE ROOT}": r"$\surd$", '"': "''", "|": r"\textbar{}",
}  # fmt: skip
"""What has a meaning in LaTeX, or is in none of its usual fonts, and how it is written there."""


DENSE = 8
"""A table with more columns than this is in smaller letters."""


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head.

    Attributes:
        head: the names of the columns.
        rows: the cells, as many in each row as there are columns.
        title: what it shows; in LaTeX a comment, on a terminal and in Markdown a line above, and on a page where tables
            stand together.
        note: what a reader must know, in a sentence or two beneath it.
        keys: the colour of each row's first cell, by its words, for a dot beside it.
        warning: what a reader must be warned of.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    warning: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"a row has {len(row)} cells, but the table {len(self.head)} columns: {row}")

    def html(self, *, titled: bool = False) -> str:
        """Returns the table as HTML, which scrolls by itself where it is too wide; `titled` puts its title above."""
        caption = f"<caption>{escape(self.title)}</caption>" if titled and self.title else ""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.head)
        body = "".join(f"<tr>{self._first(row[0])}{''.join(map(_html, row[1:]))}</tr>" for row in self.rows)
        told = "".join(
            f'<p class="{kind}">{escape(text)}</p>'
            for kind, text in (("note", self.note), ("warning", self.warning))
            if text
        )
        kind = ' class="dense"' if len(self.head) > DENSE else ""
        return (
            f'<div class="scroll" tabindex="0"><table{kind}>{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>{told}"
        )

    def _first(self, cell: Cell) -> str:
        words = plain(cell)
        key = f'<i class="key {self.keys[words]}"></i>' if words in self.keys else ""
        return f'<th scope="row">{key}{escape(words)}</th>'

    def markdown(self) -> str:
        """Returns the table in Markdown, its title in bold above it."""
        rows = [[plain(cell).replace("|", r"\|") for cell in row] for row in self.rows]
        lines = [self.head, ["---"] * len(self.head), *rows]
        title = f"**{self.title}**\n\n" if self.title else ""
        return title + "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def latex(self) -> str:
        r"""Returns the table in LaTeX, a `tabular` for the package booktabs."""
        rows = [" & ".join(map(_latex, row)) + r" \\" for row in self.rows]
        comments = [f"% {' '.join(text.split())}" for text in (self.title, self.note, self.warning) if text]
        return "\n".join(
            [
                *comments,
                rf"\begin{{tabular}}{{l{'r' * (len(self.head) - 1)}}}",
                r"\toprule",
                " & ".join(map(_latex, self.head)) + r" \\",
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}",
                "",
            ]
        )

    def csv(self) -> str:
        """Returns the table as CSV with all digits; an interval takes three columns."""
        wide = [any(isinstance(row[i], Interval) for row in self.rows) for i in range(len(self.head))]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        names = [
            [name, f"{name} low", f"{name} high"] if w else [name] for name, w in zip(self.head, wide, strict=True)
        ]
        writer.writerow([name for group in names for name in group])
        for row in self.rows:
            writer.writerow([value for cell, w in zip(row, wide, strict=True) for value in _values(cell, w)])
        return stream.getvalue()

    def printed(self) -> Printed:
        """Returns the table for a terminal."""
        table = Printed(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
        table.title = self.title or None
        for number, name in enumerate(self.head):
            table.add_column(name, justify="left" if number == 0 else "right")
        for row in self.rows:
            table.add_row(*(Text(plain(cell).replace(" [", "\n[")) for cell in row))
        return table


def plain(cell: Cell) -> str:
    """Returns a cell in words."""
    if cell is None:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def interval_html(interval: Interval, sign: str = "") -> str:
    """Returns an interval as HTML: the estimate bold, the bounds quiet; `sign` is `"+"` for differences."""
    estimate, low, high = (
        f"{value:{sign}.3f}".replace("-", "\N{MINUS SIGN}")
        for value in (interval.estimate, interval.low, interval.high)
    )
    return f'<b>{estimate}</b> <span class="quiet">[{low}, {high}]</span>'


def _html(cell: Cell) -> str:
    if isinstance(cell, Interval):
        return f"<td>{interval_html(cell)}</td>"
    return f"<td>{escape(plain(cell))}</td>"


def _latex(cell: Cell) -> str:
    if isinstance(cell, Interval):
        return f"${cell.estimate:.3f}$ {{\\scriptsize $[{cell.low:.3f}, {cell.high:.3f}]$}}"
    if isinstance(cell, float):
        digits, _, power = f"{cell:.4g}".partition("e")
        return f"${digits} \\times 10^{{{int(power)}}}$" if power else f"${digits}$"
    return "".join(LATEX.get(letter, letter) for letter in plain(cell))


def _values(cell: Cell, wide: bool) -> list[str | float | None]:
    if isinstance(cell, Interval):
        return [cell.estimate, cell.low, cell.high]
    return [cell, None, None] if wide else [cell]
