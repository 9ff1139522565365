"""The report of a folder of runs, of any suite: `write_report` gathers what the files say and writes one page."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.report.gathering import PROFILE, gather
from benchmarks.report.page import render, sections_of
from benchmarks.report.raster import write_png
from benchmarks.report.records import Report
from benchmarks.report.returns_section import RETURNS
from benchmarks.report.section import Section
from benchmarks.report.tables import Table
from benchmarks.report.verdicts import verdicts

__all__ = ["PAGE", "PROFILE", "Report", "gather", "print_report", "verdicts", "write_report"]

PAGE, FIGURES = "report.html", "figures"
TABLES = {"scores.md": Table.markdown, "scores.tex": Table.latex}


def write_report(folder: str | Path, console: Console | None = None) -> Path:
    """Writes the report of the runs below a folder, and prints its tables where a console is given.

    It writes `report.html`, one page; its tables as `scores.md` and, for papers, `scores.tex`; and each chart as `.svg`
    and `.png`, with its data as `.csv`, below `figures/`.

    Returns:
        The path of the page.

    Raises:
        ValueError: if there is nothing to report; see `gather`.
    """
    path = Path(folder) / PAGE
    report = gather(folder)
    sections = sections_of(report)
    path.write_text(render(report, sections), encoding="utf-8")
    tables = [table for section in sections for table in section.tables]
    for name, write in TABLES.items():
        path.with_name(name).write_text("\n".join(map(write, tables)), encoding="utf-8")
    _write_figures(sections, path.with_name(FIGURES))
    if console is not None:
        print_report(report, sections, console)
        console.print(f"report: {path}", soft_wrap=True, highlight=False)
    return path


def _write_figures(sections: Sequence[Section], folder: Path) -> None:
    """Writes all charts of a page; what another report has left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for section in sections:
        for name, drawing in section.drawings:
            (folder / f"{name}.svg").write_text(drawing.picture(), encoding="utf-8")
            write_png(drawing, folder / f"{name}.png")
        for figure in section.figures:
            (folder / f"{figure.name}.csv").write_text((figure.file or figure.data).csv(), encoding="utf-8")


def print_report(report: Report, sections: Sequence[Section], console: Console) -> None:
    """Prints the tables of a report, what they warn of, and its verdicts, for a terminal."""
    warnings = []
    for section in sections:
        for table in section.tables:
            if len(report.problems) == 1 or section.heading != RETURNS:  # of many problems, the scores say enough
                console.print(table.printed())
            warnings += [table.warning] if table.warning else []
    for sentence in verdicts(report):
        console.print(sentence, highlight=False)
    for warning in dict.fromkeys(warnings):
        console.print(f"[yellow]warning:[/] {warning}", highlight=False)
