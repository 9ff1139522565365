"""The sections on learning: observed, clean and gold return against tokens, proxy against gold, and what misleads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from benchmarks.report.curve import MAX_THIN, Curve, learning_lines
from benchmarks.report.lines import Line, line_figure
from benchmarks.report.records import EXPLAINED, Problem, Report
from benchmarks.report.scores_charts import front_chart
from benchmarks.report.section import Figure, Markup, Panels, Section, file_name, note
from benchmarks.report.tables import Cell, Table
from benchmarks.report.ticks import nice_ticks
from textgym.types import FloatArray

PAID = ("observed_return", "clean_return")
"""The measures in the unit of the feedback, which share their axis."""


def learning_section(report: Report) -> Section | None:
    """Returns the learning curves: all three measures of one task; of many, gold, and the others folded."""
    problems = [problem for problem in report.problems if problem.curves and not problem.predicted]
    if not problems:
        return None
    if len(report.problems) == 1:
        figures = _measures(problems[0], report)
        panels = [Panels(figures, name="learning")]
    else:
        main = [_curve(problem, "gold_return", report) for problem in problems if "gold_return" in problem.curves]
        rest = [
            _curve(problem, measure, report) for problem in problems for measure in PAID if measure in problem.curves
        ]
        panels = [Panels(main)] if main else []
        panels += [Panels(rest, folded="Observed and clean return")] if rest else []
    return Section("While learning", [*panels, note(_how(report, problems))])


def _how(report: Report, problems: Sequence[Problem]) -> str:
    seeds = [sum(len(c.seeds) for c in curves) for problem in problems for curves in problem.curves.values()]
    thin = "Thin: one training seed. Bold: their mean."
    band = "Bold: the mean of the training seeds. Band: from the lowest to the highest."
    level = f" The dashed line is the {report.baseline.lower()} on the same prompts."
    return (
        "The mean return of the texts written on the train split since the point before. "
        f"{band if max(seeds) > MAX_THIN else thin}{level if any(problem.levels for problem in problems) else ''}"
    )


def _measures(problem: Problem, report: Report) -> list[Figure]:
    return [_curve(problem, measure, report, alone=True) for measure in problem.curves]


def _curve(problem: Problem, measure: str, report: Report, *, alone: bool = False) -> Figure:
    """Returns the learning curves of a measure; `alone`, they are titled by it, else by the problem."""
    title, what = EXPLAINED[measure]
    levels = {report.baseline.lower(): problem.levels[measure]} if measure in problem.levels else {}
    if measure == "gold_return" and not alone:
        levels = {**problem.score_levels, **levels}
    shared = [name for name in PAID if name in problem.curves] if measure in PAID else [measure]
    drawn = [curve for name in shared for curve in problem.curves[name]]
    known = [*levels.values(), *(problem.levels[name] for name in shared if name in problem.levels)]
    caption = what if alone else "; ".join(part for part in (problem.question, problem.swept) if part)
    if not alone and measure in PAID:
        caption = title.lower()
    return learning_figure(
        problem.curves[measure],
        report.colours,
        name=file_name("learning", "" if alone else problem.name, measure),
        title=title if alone else problem.name,
        caption=caption,
        up=title.lower(),
        levels=levels,
        ticks=_ticks(drawn, known),
    )


def learning_figure(
    curves: Sequence[Curve],
    colours: Mapping[str, str],
    *,
    name: str,
    title: str,
    caption: str,
    up: str,
    levels: Mapping[str, float],
    ticks: Sequence[float],
) -> Figure:
    """Returns one measure of several learners against the tokens written.

    Args:
        curves: the measure of each learner.
        colours: each learner's colour.
        name: the stem of the figure's file names.
        title: its heading.
        caption: what it shows.
        up: the measure, for the axis.
        levels: values to compare with, by name.
        ticks: the marks of the vertical axis, which span it.
    """
    return line_figure(
        learning_lines(curves, colours),
        name=name,
        title=title,
        caption=caption,
        across="tokens written",
        up=up,
        ticks=ticks,
        span=(0.0, max(float(curve.tokens[-1]) for curve in curves)),
        levels=levels,
    )


def _ticks(curves: Sequence[Curve], levels: Sequence[float]) -> list[float]:
    values = [float(edge) for curve in curves for edge in (curve.seeds.min(), curve.seeds.max())]
    return nice_ticks(min([*values, *levels]), max([*values, *levels]))


def proxy_section(report: Report) -> Section | None:
    """Returns gold return against what learners were paid, as it went while they learnt."""
    figures = [
        _proxy(problem, report)
        for problem in report.problems
        if problem.paid_feedback and {"observed_return", "gold_return"} <= problem.curves.keys()
    ]
    text = (
        "Each line follows a learner's mean over its seeds from its first texts to its last, the larger dot. "
        "Where the line turns down or runs flat, what is paid has parted from what is wanted."
    )
    return Section("Proxy against gold", [Panels(figures), note(text)]) if figures else None


def _proxy(problem: Problem, report: Report) -> Figure:
    gold = {curve.learner: curve for curve in problem.curves["gold_return"]}
    lines = []
    for curve in problem.curves["observed_return"]:
        if curve.learner in gold:
            own = gold[curve.learner]
            size = min(len(curve.tokens), len(own.tokens))
            paid, wanted = _smooth(curve.seeds.mean(axis=0)[:size]), _smooth(own.seeds.mean(axis=0)[:size])
            lines.append(Line(curve.learner, report.colours[curve.learner], paid, wanted, dots=True, turns=True))
    ticks = nice_ticks(min(float(line.x.min()) for line in lines), max(float(line.x.max()) for line in lines))
    return line_figure(
        lines,
        name=file_name("proxy", problem.name),
        title=problem.name,
        caption="gold against what was paid",
        across="observed return (proxy)",
        up="gold return",
        span=(ticks[0], ticks[-1]),
    )


def _smooth(values: FloatArray) -> FloatArray:
    """Returns the means of at most ten equal parts of a line, in order."""
    return np.array([part.mean() for part in np.array_split(values, min(10, len(values)))])


def misled_section(report: Report) -> Section | None:
    """Returns what happened where theory predicts that feedback misleads, beside what it predicts."""
    parts: list[Panels | Markup] = []
    for problem in report.problems:
        if problem.predicted:
            parts.append(
                Markup(f"<h3>{escape(problem.name)}: {escape(problem.question)}; {escape(problem.swept)}</h3>")
            )
            parts.append(note(f"In theory: {problem.predicted}."))
            parts.append(Panels(_misled(problem, report), "even"))
    return Section("Where the feedback misleads", parts) if parts else None


def _misled(problem: Problem, report: Report) -> list[Figure]:
    figures = []
    for measure in ("gold_return", "clean_return"):
        if measure in problem.curves:
            title, what = EXPLAINED[measure]
            known = measure == "gold_return" and problem.predicted_gold is not None
            levels = {"in theory": problem.predicted_gold} if known and problem.predicted_gold is not None else {}
            figures.append(
                learning_figure(
                    problem.curves[measure],
                    report.colours,
                    name=file_name("learning", problem.name, measure),
                    title=title,
                    caption=what,
                    up=title.lower(),
                    levels=levels,
                    ticks=_ticks(problem.curves[measure], list(levels.values())),
                )
            )
    if problem.front:
        rows: list[list[Cell]] = [["the front", *point] for point in problem.front]
        rows += [[policy, *point] for policy, points in problem.reached.items() for point in points]
        drawing = front_chart(problem.front, problem.reached, report.colours)
        caption = "dots: what was reached, with several weights of the two"
        data = Table(["policy", "first reader", "second reader"], rows)
        figures.append(Figure(file_name("front", problem.name), "The front", caption, drawing, data, shape="response"))
    return figures
