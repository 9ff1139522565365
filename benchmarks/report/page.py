"""The report as one HTML page that needs nothing else: its style and its charts are inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.report.extra_sections import extra_sections
from benchmarks.report.feedback_section import feedback_section
from benchmarks.report.learning_sections import learning_section, misled_section, proxy_section
from benchmarks.report.palette import chart_sheet, colour_sheet
from benchmarks.report.records import Report
from benchmarks.report.returns_section import returns_section
from benchmarks.report.scores_sections import (
    distribution_section,
    pace_section,
    profile_section,
    scores_section,
    summary_section,
)
from benchmarks.report.section import Section
from benchmarks.report.style import PAGE
from benchmarks.report.texts_section import texts_section
from benchmarks.report.verdicts import verdicts

SECTIONS: tuple[Callable[[Report], Section | None], ...] = (
    summary_section,
    profile_section,
    scores_section,
    pace_section,
    returns_section,
    distribution_section,
    learning_section,
    misled_section,
    proxy_section,
    feedback_section,
    texts_section,
)
"""What a page may have, in order; each returns None where a folder has nothing for it. A new one is added here."""


def sections_of(report: Report) -> list[Section]:
    """Returns the sections for which a report has data; those that the suite gives follow the scores."""
    found = [section for make in SECTIONS if (section := make(report)) is not None]
    extras = extra_sections(report)
    place = next((i for i, section in enumerate(found) if section.heading == "While learning"), len(found))
    return [*found[:place], *extras, *found[place:]]


def render(report: Report, sections: Iterable[Section]) -> str:
    """Returns the page."""
    told = "<br>".join(map(escape, verdicts(report)))
    return document(
        report.title,
        [
            f"<header><h1>{escape(report.title)}</h1><p>{escape(report.introduction)}</p></header>",
            f'<p class="verdict">{told}</p>' if told else "",
            *(section.html() for section in sections),
            _settings(report.foot),
        ],
    )


def document(title: str, parts: Sequence[str]) -> str:
    """Returns a whole page of some parts, with all that it needs inside."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{colour_sheet()}{PAGE}{chart_sheet()}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _settings(foot: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the foot of a page: settings and versions, as titled groups of names and values."""
    groups = []
    for title, values in foot.items():
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in values.items())
        groups.append(f"<div><h3>{escape(title)}</h3><dl>{rows}</dl></div>")
    return f'<footer><h2>Settings</h2><div class="groups">{"".join(groups)}</div></footer>'
