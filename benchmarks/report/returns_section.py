"""What policies' texts for the same test prompts are worth: a table for each problem, a strip for each interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from benchmarks.aggregates import FEW_SEEDS, few_seeds
from benchmarks.report.drawing import Dot, Drawing, Mark, Stroke
from benchmarks.report.records import EXPLAINED, Problem, Report, Row
from benchmarks.report.section import Markup, Section, note
from benchmarks.report.tables import Cell, Table, interval_html
from benchmarks.report.ticks import nice_ticks
from benchmarks.statistics import Interval

RETURNS = "Returns on test prompts"
SHOWN = ("clean_return", "gold_return")


def returns_section(report: Report) -> Section | None:
    """Returns the tables of returns, if test prompts were evaluated."""
    problems = [problem for problem in report.problems if problem.rows]
    if not problems:
        return None
    tables = [_markup(problem, report) for problem in problems]
    level = f" The dashed line marks the {report.baseline.lower()}." if report.baseline else ""
    text = (
        "Every policy wrote one text for each of the same prompts. Brackets and bars: 95\N{NO-BREAK SPACE}% bootstrap "
        f"intervals over training seeds and paired prompts.{level}"
    )
    warnings = dict.fromkeys(one.table.warning for one in tables if one.table is not None and one.table.warning)
    told = [note(text), *(note(warning, "warning") for warning in warnings)]
    if len(problems) == 1:
        return Section(f"On {problems[0].prompts} test prompts", [*tables, *told])
    folded = [
        replace(one, text=f"<details open><summary>{escape(problem.name)}</summary>{one.text}</details>")
        for problem, one in zip(problems, tables, strict=True)
    ]
    return Section(RETURNS, [*told, *folded])


def returns_table(problem: Problem, report: Report) -> Table:
    """Returns the means of clean and gold return, and by how much they exceed the baseline's."""
    names = [name.replace("_", " ") for name in SHOWN]
    above = [f"{name.split('_')[0]} above {report.baseline.lower()}" for name in SHOWN] if report.baseline else []
    rows: list[list[Cell]] = []
    for row in problem.rows:
        gains = [row.gains.get(name) for name in SHOWN] if above else []
        rows.append([row.policy, str(row.seeds), *(row.returns[name] for name in SHOWN), *gains])
    title = f"{problem.name}: means over {problem.prompts} test prompts, with 95 % bootstrap intervals"
    learners = {curve.learner for curve in next(iter(problem.curves.values()), [])} - {report.baseline}
    warning = few_seeds(min((row.seeds for row in problem.rows if row.policy in learners), default=FEW_SEEDS))
    return Table(["policy", "seeds", *names, *above], rows, title, keys=report.colours, warning=warning)


def _markup(problem: Problem, report: Report) -> Markup:
    head = "".join(f'<th scope="col">{EXPLAINED[name][0]}</th>' for name in SHOWN)
    levels = {row.policy: row.returns for row in problem.rows}.get(report.baseline, {})
    scales = {name: _scale([row.returns[name] for row in problem.rows]) for name in SHOWN}
    body = "".join(_row(row, report.colours, scales, levels) for row in problem.rows)
    above = f'<th scope="colgroup" colspan="2">Above the {escape(report.baseline.lower())}</th>' if levels else ""
    return Markup(
        '<div class="scroll" tabindex="0"><table><thead><tr><td></td>'
        f'<th scope="colgroup" colspan="2">Mean of the sampled texts</th>{above}</tr>'
        f'<tr><th scope="col">Policy</th>{head}{head if levels else ""}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>",
        returns_table(problem, report),
    )


def _row(
    row: Row,
    colours: Mapping[str, str],
    scales: Mapping[str, tuple[float, float]],
    levels: Mapping[str, Interval],
) -> str:
    colour = colours.get(row.policy, "plain")
    seeds = f' <span class="quiet">{row.seeds} seeds</span>' if row.seeds > 1 else ""
    cells = [f'<th scope="row"><i class="key {colour}"></i>{escape(row.policy)}{seeds}</th>']
    for name in SHOWN:
        low, high = scales[name]
        level = levels[name].estimate if name in levels else None
        strip = interval_strip(row.returns[name], low=low, high=high, level=level, colour=colour).svg()
        cells.append(f'<td><div class="strip">{strip}<div>{interval_html(row.returns[name])}</div></div></td>')
    if levels:
        cells += [f"<td>{interval_html(row.gains[name], sign='+') if row.gains else ''}</td>" for name in SHOWN]
    return f"<tr>{''.join(cells)}</tr>"


def interval_strip(interval: Interval, *, low: float, high: float, level: float | None, colour: str) -> Drawing:
    """Returns a strip from `low` to `high`: a dot at the estimate, a bar over its interval, a mark at `level`."""
    width, height = 150, 14

    def x(value: float) -> float:
        return 4 + (width - 8) * (value - low) / (high - low)

    marks: list[Mark] = [Stroke([(0, height / 2), (width, height / 2)], "grid")]
    if level is not None:
        marks.append(Stroke([(x(level), 0), (x(level), height)], "level"))
    marks.append(Stroke([(x(interval.low), height / 2), (x(interval.high), height / 2)], "mean", colour))
    marks.append(Dot(x(interval.estimate), height / 2, 3.5, colour=colour))
    return Drawing(width, height, str(interval), marks)


def _scale(intervals: Sequence[Interval]) -> tuple[float, float]:
    ticks = nice_ticks(min(interval.low for interval in intervals), max(interval.high for interval in intervals))
    return ticks[0], ticks[-1]
