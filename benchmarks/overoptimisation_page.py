"""The page of over-optimisation: gold and proxy against the distance from the reference, and the table beside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from benchmarks.charts import HEIGHT, WIDTH, nice_ticks
from benchmarks.distance_chart import distance_chart
from benchmarks.overoptimisation import (
    BEST_OF_N,
    EXPLAINED,
    HEAD,
    Course,
    Overoptimisation,
    shape,
    table_of,
    told_of,
    verdicts,
)
from benchmarks.page import document, settings_section, side_by_side
from textgym.types import FloatArray

MEASURES = {"proxy": ("Proxy", "what the reward model says"), "gold": ("Gold", "what the texts are worth")}


def write_curves_page(found: Overoptimisation, folder: str | Path) -> Path:
    """Writes the report to `report.html` in a folder, and its picture, `overoptimisation.svg`; returns its path."""
    path = Path(folder) / "report.html"
    path.write_text(render(found), encoding="utf-8")
    path.with_name("overoptimisation.svg").write_text(picture(found), encoding="utf-8")
    return path


def render(found: Overoptimisation) -> str:
    """Returns the page."""
    figures = "".join(
        f"<figure><figcaption><b>{title}</b> {what}</figcaption>{_chart(found, name)}</figure>"
        for name, (title, what) in MEASURES.items()
    )
    known = f'<p class="note">{escape(told_of(found.reward_model))}</p>' if found.reward_model else ""
    parts = [
        f"<header><h1>{escape(found.title)}</h1><p>{escape(found.introduction)}</p></header>",
        f'<p class="verdict">{"<br>".join(map(escape, verdicts(found)))}</p>{known}',
        f'<section><h2>Against the distance from the reference</h2><div class="panels wide">{figures}</div>'
        '<p class="note">Means over test prompts. Across: d, the square root of KL(policy || reference) in nats per '
        "text; of the best of n it is log n - (n - 1) / n. Thin: one training seed. Bold: their mean. Dashed: the fit "
        f"of Gao, Schulman and Hilton 2023, where it explains more than {EXPLAINED:.0%} of the variance.</p></section>",
        _table(found),
        settings_section(found.foot),
    ]
    return document(found.title, parts)


def picture(found: Overoptimisation) -> str:
    """Returns both charts as one picture in SVG, light or dark as its reader likes."""
    return side_by_side([(title, _chart(found, name), WIDTH, HEIGHT) for name, (title, _) in MEASURES.items()])


def _chart(found: Overoptimisation, measure: str) -> str:
    values = [getattr(course, measure) for course in found.courses]
    ticks = nice_ticks(min(float(part.min()) for part in values), max(float(part.max()) for part in values))
    lines = [(course.name, course.distance, part) for course, part in zip(found.courses, values, strict=True)]
    fits = [_fit(course) if measure == "gold" else None for course in found.courses]
    return distance_chart(lines, fits, ticks=ticks, title=f"{MEASURES[measure][0]} against the distance d")


def _fit(course: Course) -> tuple[FloatArray, FloatArray] | None:
    if course.fit is None:
        return None
    d = np.linspace(max(0.05, float(course.distance.min())), float(course.distance.max()), 60)
    bent = shape(d, squared=course.name == BEST_OF_N)
    return d, course.gold[:, 0].mean() + d * (course.fit.alpha - course.fit.beta * bent)


def _table(found: Overoptimisation) -> str:
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEAD)
    body = "".join(map(_row, table_of(found)))
    return (
        f'<section><h2>Where gold turns</h2><div class="scroll"><table><thead><tr>{columns}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _row(cells: Sequence[str]) -> str:
    numbers = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f'<tr><th scope="row">{escape(cells[0])}</th>{numbers}</tr>'
