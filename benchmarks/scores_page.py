"""The page of a suite of problems: how far each policy came on each, as a radar, bars, a table and learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.charts import Curve, learning_curves, nice_ticks, svg
from benchmarks.page import EXPLAINED, document, settings_section, side_by_side
from benchmarks.profile_charts import (
    BAR_WIDTH,
    RADAR_HEIGHT,
    RADAR_WIDTH,
    bars,
    bars_height,
    front_chart,
    radar,
)
from benchmarks.scores import Problem, Profile, markdown, pace_of, table_of, verdicts
from benchmarks.statistics import Interval


def write_scores_page(profile: Profile, folder: str | Path) -> Path:
    """Writes a profile to `report.html` in a folder, with its table, `scores.md`, and its picture, `profile.svg`.

    Returns:
        The path of the page.
    """
    path = Path(folder) / "report.html"
    path.write_text(render(profile), encoding="utf-8")
    path.with_name("scores.md").write_text(markdown(profile), encoding="utf-8")
    path.with_name("profile.svg").write_text(picture(profile), encoding="utf-8")
    return path


def render(profile: Profile) -> str:
    """Returns the page."""
    learnable = [problem for problem in profile.problems if not problem.predicted]
    others = [problem for problem in profile.problems if problem.predicted]
    parts = [
        f"<header><h1>{escape(profile.title)}</h1><p>{escape(profile.introduction)}</p></header>",
        f'<p class="verdict">{"<br>".join(map(escape, verdicts(profile)))}</p>' if learnable else "",
        _profile(profile),
        _table(profile),
        _pace(profile),
        _curves("While learning", learnable) if learnable else "",
        _predicted(others, profile.colours) if others else "",
        settings_section(profile.foot),
    ]
    return document(profile.title, parts)


def _colours(colours: Mapping[str, str]) -> str:
    keys = (f'<span><i class="key {colour}"></i>{escape(policy)}</span>' for policy, colour in colours.items())
    return f'<div class="colours">{"".join(keys)}</div>'


def _charts(profile: Profile) -> tuple[str, str]:
    """Returns the radar and the bars of all scores."""
    names, rows = [problem.name for problem in profile.problems], _intervals(profile)
    around = {
        policy: [rows[name][policy].estimate if policy in rows[name] else None for name in names]
        for policy in profile.policies
        if policy not in profile.untrained
    }
    return (
        radar(
            names,
            around,
            profile.colours,
            title="scores of all problems, from the centre (random) to the rim (optimal)",
        ),
        bars(rows, profile.colours, title="scores of all problems, with 95 % intervals"),
    )


def _intervals(profile: Profile) -> dict[str, dict[str, Interval]]:
    """Returns the score of each policy on each problem that it tried."""
    return {
        problem.name: {policy: problem.interval(policy) for policy in profile.policies if policy in problem.scores}
        for problem in profile.problems
    }


def picture(profile: Profile) -> str:
    """Returns the radar and the bars as one picture in SVG, light or dark as its reader likes."""
    around, across = _charts(profile)
    keys = [
        f'<text class="label {colour}" x="{8 + 100 * number}" y="14">{escape(policy)}</text>'
        for number, (policy, colour) in enumerate(profile.colours.items())
    ]
    key = svg(RADAR_WIDTH, 20, "the policies", keys)
    charts = [("Scores from random (centre) to optimal (rim)", around, RADAR_WIDTH, RADAR_HEIGHT)]
    drawn = side_by_side([*charts, ("with 95 % intervals", across, BAR_WIDTH, bars_height(_intervals(profile)))])
    placed = key.replace("<svg", f'<svg x="15" y="{RADAR_HEIGHT + 30}" width="{RADAR_WIDTH}" height="20"', 1)
    return drawn.replace("</svg>\n", f"{placed}</svg>\n")


def _profile(profile: Profile) -> str:
    figures = "".join(f"<figure>{chart}</figure>" for chart in _charts(profile))
    return (
        f'<section><h2>Profile</h2>{_colours(profile.colours)}<div class="panels wide">{figures}</div>'
        '<p class="note">The share of the way from random tokens (centre, 0) to the optimum (rim, 1), in gold, on test '
        "prompts. Whiskers: 95&nbsp;% bootstrap intervals over seeds.</p></section>"
    )


def _table(profile: Profile) -> str:
    starred = any(problem.predicted for problem in profile.problems)
    note = '<p class="note">* paid feedback that misleads or conflicts: see below for what theory says.</p>'
    return _tabled("Scores", table_of(profile), note if starred else "")


def _pace(profile: Profile) -> str:
    note = (
        '<p class="note">Tokens: until the texts written while learning were worth 90&nbsp;% of the way from where '
        "learning began to the learner's own best, each point the mean of the last tenth of a run. Seconds: of "
        "training, on the machine that ran it, side by side with other runs. Brackets: 95&nbsp;% bootstrap intervals "
        "over seeds.</p>"
    )
    sooner = pace_of(profile)
    return _tabled("How soon", sooner, note) if sooner else ""


def _tabled(title: str, rows: Sequence[Sequence[str]], note: str) -> str:
    """Returns a section with a table, whose first row is its head."""
    body = [
        "<tr>"
        + f'<th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows[1:]
    ]
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    return (
        f'<section><h2>{title}</h2><div class="scroll"><table><thead><tr>{columns}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{note}</section>"
    )


def _curves(title: str, problems: Sequence[Problem]) -> str:
    figures = []
    for problem in problems:
        curves = problem.curves.get("gold_return", [])
        if curves:
            levels = {"optimum": problem.optimal_return, "random": problem.random_return}
            chart = learning_curves(curves, levels=levels, ticks=_ticks(curves, *levels.values()), title=problem.name)
            caption = f"<b>{escape(problem.name)}</b> {escape(problem.question)}; {escape(problem.swept)}"
            figures.append(f"<figure><figcaption>{caption}</figcaption>{chart}</figure>")
    return (
        f'<section><h2>{title}</h2><div class="panels">{"".join(figures)}</div>'
        '<p class="note">Mean gold of the texts written on the train split since the point before. Thin: one seed. '
        "Bold: their mean.</p></section>"
    )


def _predicted(problems: Sequence[Problem], colours: Mapping[str, str]) -> str:
    parts = []
    for problem in problems:
        figures = []
        for measure in ("gold_return", "clean_return"):
            curves = problem.curves.get(measure, [])
            if curves:
                levels = {}
                if measure == "gold_return" and problem.predicted_gold is not None:
                    levels = {"in theory": problem.predicted_gold}
                title, what = EXPLAINED[measure]
                chart = learning_curves(
                    curves, levels=levels, ticks=_ticks(curves, *levels.values()), title=f"{problem.name}: {title}"
                )
                figures.append(f"<figure><figcaption><b>{title}</b> {what}</figcaption>{chart}</figure>")
        if problem.front:
            chart = front_chart(problem.front, problem.reached, colours)
            caption = "<b>The front</b> dots: what was reached, with several weights of the two"
            figures.append(f'<figure class="response"><figcaption>{caption}</figcaption>{chart}</figure>')
        parts.append(
            f"<h3>{escape(problem.name)}: {escape(problem.question)}; {escape(problem.swept)}</h3>"
            f'<p class="note">In theory: {escape(problem.predicted)}.</p>'
            f'<div class="panels even">{"".join(figures)}</div>'
        )
    return f"<section><h2>Where the feedback misleads</h2>{''.join(parts)}</section>"


def _ticks(curves: Sequence[Curve], *levels: float) -> list[float]:
    values = [float(edge) for curve in curves for edge in (curve.seeds.min(), curve.seeds.max())]
    return nice_ticks(min([*values, *levels]), max([*values, *levels]))
