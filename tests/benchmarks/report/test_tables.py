"""A table says the same in every form, and in LaTeX nothing of it is read as a command."""

from __future__ import annotations

import csv

import pytest
from rich.console import Console

from benchmarks.report.section import Section, note
from benchmarks.report.tables import LATEX, Table
from benchmarks.statistics import Interval

HALF = Interval(0.5, 0.25, 0.75)
TABLE = Table(["problem", "PPO"], [["a_b", HALF], ["c|d", 1234.5], ["e", None]], "Title", keys={"e": "s1"}, warning="!")


def test_markdown_and_csv_and_html_by_hand() -> None:
    assert TABLE.markdown() == (
        "**Title**\n\n| problem | PPO |\n| --- | --- |\n| a_b | 0.500 [0.250, 0.750] |\n| c\\|d | 1234 |\n| e |  |\n"
    )
    assert list(csv.reader(TABLE.csv().splitlines())) == [
        ["problem", "PPO", "PPO low", "PPO high"],
        ["a_b", "0.5", "0.25", "0.75"],
        ["c|d", "1234.5", "", ""],
        ["e", "", "", ""],
    ]
    page = TABLE.html()
    assert '<th scope="row">a_b</th><td><b>0.500</b> <span class="quiet">[0.250, 0.750]</span></td>' in page
    assert '<th scope="row"><i class="key s1"></i>e</th><td></td>' in page
    assert page.endswith('<p class="warning">!</p>')


def test_tables_that_stand_together_have_their_titles_and_one_alone_the_heading() -> None:
    caption = "<caption>Title</caption>"
    assert caption not in Section("Heading", [TABLE, note("words")]).html()
    assert Section("Heading", [TABLE, note("words"), TABLE]).html().count(caption) == 2


def test_latex_by_hand() -> None:
    assert (
        TABLE.latex()
        == r"""% Title
% !
\begin{tabular}{lr}
\toprule
problem & PPO \\
\midrule
a\_b & $0.500$ {\scriptsize $[0.250, 0.750]$} \\
c\textbar{}d & $1234$ \\
e &  \\
\bottomrule
\end{tabular}
"""
    )
    assert r"$1.2 \times 10^{-7}$" in Table(["x", "y"], [["a", 1.2e-7]]).latex()


@pytest.mark.parametrize("letter", LATEX)
def test_what_latex_would_read_as_a_command_is_escaped(letter: str) -> None:
    row = Table([f"h{letter}", "x"], [[f"a{letter}b", "c"]]).latex().splitlines()[4]
    assert row == f"a{LATEX[letter]}b & c \\\\"
    assert set("&%$#_{}~^\\") <= LATEX.keys()


def test_on_a_terminal() -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(TABLE.printed())
    told = console.export_text()
    assert "Title" in told
    assert "[0.250, 0.750]" in told


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row has 1 cells, but the table 2 columns"):
        Table(["a", "b"], [["c"]])
