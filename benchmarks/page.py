"""The report as one HTML page that needs nothing else: its style and its charts are inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.charts import HEIGHT, WIDTH, interval_strip, learning_curves, nice_ticks
from benchmarks.feedback_section import feedback_section
from benchmarks.page_style import CHARTS, COLOURS, PAGE
from benchmarks.report import Report, Row, gather, verdicts
from benchmarks.statistics import Interval
from benchmarks.texts_section import MINUS, texts_section

EXPLAINED = {
    "observed_return": ("Observed return", "the noisy feedback, as paid"),
    "clean_return": ("Clean return", "the same feedback without noise"),
    "gold_return": ("Gold return", "what the task truly wants"),
}


def write_page(folder: str | Path) -> Path:
    """Writes the report of the runs below a folder to its `report.html` and returns that path.

    Where there are learning curves, they are also written alone, as the picture `curves.svg`.

    Raises:
        ValueError: if there is nothing to report; see `gather`.
    """
    report = gather(folder)
    path = Path(folder) / "report.html"
    path.write_text(render(report), encoding="utf-8")
    if report.curves:
        path.with_name("curves.svg").write_text(picture(report), encoding="utf-8")
    return path


def render(report: Report) -> str:
    """Returns the page."""
    colours = {curve.learner: f"s{number}" for number, curve in enumerate(next(iter(report.curves.values()), []))}
    parts = [
        f"<header><h1>{escape(report.title)}</h1><p>{escape(report.introduction)}</p></header>",
        f'<p class="verdict">{"<br>".join(map(escape, verdicts(report)))}</p>' if report.curves else "",
        _table(report, colours) if report.rows else "",
        _learning(report) if report.curves else "",
        feedback_section(report.responses) if report.responses else "",
        texts_section(report.samples) if report.samples else "",
        settings_section(report.foot),
    ]
    return document(report.title, parts)


def document(title: str, parts: Sequence[str]) -> str:
    """Returns a whole page of some parts, with all that it needs inside."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{COLOURS}{PAGE}{CHARTS}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def picture(report: Report) -> str:
    """Returns the learning curves as one picture in SVG, light or dark as its reader likes."""
    return side_by_side([(title, chart, WIDTH, HEIGHT) for title, _, chart in _charts(report)])


def side_by_side(charts: Sequence[tuple[str, str, float, float]]) -> str:
    """Returns charts, each with its title, width and height, as one picture in SVG that needs no page around it."""
    parts, x = [], 15.0
    for title, chart, width, height in charts:
        placed = chart.replace("<svg", f'<svg x="{x:g}" y="36" width="{width:g}" height="{height:g}"', 1)
        parts.append(f'<text class="name" x="{x + 8:g}" y="24">{escape(title)}</text>{placed}')
        x += width
    width, height = x + 15, max(height for *_, height in charts) + 44
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}"><style>{COLOURS}{CHARTS}svg {{ font: 12px system-ui, sans-serif; }} '
        f".paper {{ fill: var(--paper); }} .name {{ fill: var(--ink); font-weight: 600; font-size: 14px; }}</style>"
        f'<rect class="paper" width="{width:g}" height="{height:g}"/>{"".join(parts)}</svg>\n'
    )


def _table(report: Report, colours: Mapping[str, str]) -> str:
    measures = ("clean_return", "gold_return")
    head = "".join(f'<th scope="col">{EXPLAINED[name][0]}</th>' for name in measures)
    levels = {row.policy: row.returns for row in report.rows}.get(report.baseline, {})
    scales = {name: _scale([row.returns[name] for row in report.rows]) for name in measures}
    body = []
    for row in report.rows:
        colour = colours.get(row.policy, "plain")
        cells = [f'<th scope="row"><i class="key {colour}"></i>{escape(row.policy)}{_seeds(row)}</th>']
        for name in measures:
            low, high = scales[name]
            level = levels[name].estimate if name in levels else None
            strip = interval_strip(row.returns[name], low=low, high=high, level=level, colour=colour)
            cells.append(f'<td><div class="strip">{strip}<div>{_interval(row.returns[name])}</div></div></td>')
        cells += [f"<td>{_interval(row.gains[name], sign='+') if row.gains else ''}</td>" for name in measures]
        body.append(f"<tr>{''.join(cells)}</tr>")
    above = f'<th scope="colgroup" colspan="2">Above the {escape(report.baseline.lower())}</th>' if levels else ""
    return (
        f'<section><h2>On {report.prompts} test prompts</h2><div class="scroll"><table><thead><tr><td></td>'
        f'<th scope="colgroup" colspan="2">Mean of the sampled texts</th>{above}</tr>'
        f'<tr><th scope="col">Policy</th>{head}{head if levels else ""}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
        '<p class="note">Every policy wrote one text for each of the same prompts. Brackets and bars: 95&nbsp;% '
        "bootstrap intervals over training seeds and paired prompts."
        f"{' The dashed line marks the ' + escape(report.baseline.lower()) + '.' if levels else ''}</p></section>"
    )


def _seeds(row: Row) -> str:
    return f' <span class="quiet">{row.seeds} seeds</span>' if row.seeds > 1 else ""


def _scale(intervals: Sequence[Interval]) -> tuple[float, float]:
    ticks = nice_ticks(min(interval.low for interval in intervals), max(interval.high for interval in intervals))
    return ticks[0], ticks[-1]


def _interval(interval: Interval, sign: str = "") -> str:
    estimate, low, high = (
        f"{value:{sign}.3f}".replace("-", MINUS) for value in (interval.estimate, interval.low, interval.high)
    )
    return f'<b>{estimate}</b> <span class="quiet">[{low}, {high}]</span>'


def _charts(report: Report) -> list[tuple[str, str, str]]:
    """Returns the title, the explanation and the learning curves of each measure.

    Observed and clean return share their axis, since they are in the same units; gold has its own.
    """
    paid = [name for name in ("observed_return", "clean_return") if name in report.curves]
    shared = _ticks(report, paid) if paid else []
    charts = []
    for name, curves in report.curves.items():
        title, what = EXPLAINED[name]
        ticks = shared if name in paid else _ticks(report, [name])
        levels = {"warm start": report.levels[name]} if name in report.levels else {}
        chart = learning_curves(curves, levels=levels, ticks=ticks, title=f"{title} against tokens")
        charts.append((title, what, chart))
    return charts


def _learning(report: Report) -> str:
    figures = [
        f"<figure><figcaption><b>{title}</b> {what}</figcaption>{chart}</figure>"
        for title, what, chart in _charts(report)
    ]
    level = " The dashed line is the warm start on the same prompts." if report.levels else ""
    return (
        f'<section><h2>While learning</h2><div class="panels">{"".join(figures)}</div>'
        '<p class="note">The mean return of the texts written on the train split since the point before. '
        f"Thin: one training seed. Bold: their mean.{level}</p></section>"
    )


def _ticks(report: Report, names: Sequence[str]) -> list[float]:
    values = [float(edge) for name in names for c in report.curves[name] for edge in (c.seeds.min(), c.seeds.max())]
    values += [report.levels[name] for name in names if name in report.levels]
    return nice_ticks(min(values), max(values))


def settings_section(foot: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the foot of a page: settings and versions, as titled groups of names and values."""
    groups = []
    for title, values in foot.items():
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in values.items())
        groups.append(f"<div><h3>{escape(title)}</h3><dl>{rows}</dl></div>")
    return f'<footer><h2>Settings</h2><div class="groups">{"".join(groups)}</div></footer>'
