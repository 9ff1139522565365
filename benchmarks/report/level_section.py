"""The section on what a suite sweeps: scores against the level of noise, of agreement, of anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.aggregates import few_seeds
from benchmarks.report.lines import Line, line_chart, line_table
from benchmarks.report.records import Report
from benchmarks.report.section import Figure, Panels, Section, file_name, note
from benchmarks.statistics import Interval, interquartile_mean, stratified_bootstrap
from textgym.types import FloatArray

SCALES = ("linear", "even")

Levels = Mapping[float | str, Interval]


def level_chart(
    policies: Mapping[str, Levels],
    colours: Mapping[str, str],
    *,
    name: str,
    title: str,
    caption: str,
    across: str,
    up: str = "score",
    scale: str = "linear",
) -> Figure:
    """Returns a measure against a swept level: a line for each policy, with the interval at each level as its band.

    Args:
        policies: for each policy its levels in order, each with the estimate and its interval.
        colours: each policy's colour; one that is missing is grey.
        name: the stem of the figure's file names.
        title: its heading.
        caption: what it shows, in a few words.
        across: what is swept.
        up: the measure.
        scale: `"linear"`, levels where their values are; `"even"`, as far apart as each other, with their names. Levels
            that are words are even.

    Raises:
        ValueError: if the scale is unknown, or there is no level.
    """
    if scale not in SCALES:
        raise ValueError(f"the scale of a sweep must be one of {', '.join(SCALES)}, got {scale!r}")
    levels = list(dict.fromkeys(level for own in policies.values() for level in own))
    if not levels:
        raise ValueError("a chart of levels needs at least one level")
    if all(isinstance(level, int | float) for level in levels):
        levels.sort(key=float)
    else:
        scale = "even"
    places = {level: float(number if scale == "even" else level) for number, level in enumerate(levels)}
    lines = []
    for policy, own in policies.items():
        found = [(places[level], one.estimate, one.low, one.high) for level, one in own.items()]
        x, estimate, low, high = np.array(sorted(found)).T
        lines.append(Line(policy, colours.get(policy, "plain"), x, estimate, low, high, dots=True))
    names = {place: f"{level:g}" if isinstance(level, float) else str(level) for level, place in places.items()}
    drawing = line_chart(
        lines, title=f"{title}: {up} against {across}", across=across, up=up, names=names if scale == "even" else None
    )
    data = line_table(lines, across=across, up=up, most=None)
    if scale == "even":
        rows = [
            [row[0], names[places[levels[int(row[1])]]], *row[2:]] for row in data.rows if isinstance(row[1], float)
        ]
        data = type(data)(data.head, rows)
    return Figure(name, title, caption, drawing, data)


def level_section(report: Report) -> Section | None:
    """Returns the scores of swept runs against their level: over all problems, and for each."""
    problems = [problem for problem in report.problems if problem.swept_scores]
    if not problems:
        return None
    across, scale = report.sweep.get("name", "level"), report.sweep.get("scale", "linear")
    figures = [
        level_chart(
            {
                policy: {level: _interval([scores]) for level, scores in own.items()}
                for policy, own in problem.swept_scores.items()
            },
            report.colours,
            name=file_name("level", problem.name),
            title=problem.name,
            caption=problem.question,
            across=across,
            scale=scale,
        )
        for problem in problems
    ]
    overall = _overall([problem.swept_scores for problem in problems], report.policies) if len(problems) > 1 else {}
    if overall:
        figures.insert(
            0,
            level_chart(
                overall,
                report.colours,
                name="level-all",
                title="All problems",
                caption="the interquartile mean over problems and seeds",
                across=across,
                scale=scale,
            ),
        )
    fewest = min(
        len(scores) for problem in problems for own in problem.swept_scores.values() for scores in own.values()
    )
    text = "Bands: 95\N{NO-BREAK SPACE}% stratified bootstrap intervals over seeds, at each level by itself."
    warning = [note(few_seeds(fewest), "warning")] if few_seeds(fewest) else []
    return Section(f"Score against {across}", [Panels(figures), note(text), *warning])


def _overall(
    problems: Sequence[Mapping[str, Mapping[float | str, FloatArray]]], policies: Sequence[str]
) -> dict[str, dict[float | str, Interval]]:
    """Returns the interquartile mean over problems, for levels that all of them have, with equally many seeds."""
    found: dict[str, dict[float | str, Interval]] = {}
    for policy in policies:
        for level in problems[0].get(policy, {}):
            scores = [own.get(policy, {}).get(level) for own in problems]
            known = [one for one in scores if one is not None]
            if len(known) == len(problems) and len({len(one) for one in known}) == 1:
                found.setdefault(policy, {})[level] = _interval(known)
    return found


def _interval(scores: Sequence[FloatArray]) -> Interval:
    """Returns the interquartile mean over problems and seeds, or the mean of one problem's, with its interval."""
    statistic = interquartile_mean if len(scores) > 1 else np.mean
    return stratified_bootstrap(np.stack(scores, axis=1), generator=np.random.default_rng(0), statistic=statistic)
