"""The sections of a suite of problems: aggregates, performance profiles, sample efficiency, the profile, all scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.aggregates import (
    AGGREGATES,
    aggregate,
    efficiency_curve,
    few_seeds,
    on_grid,
    performance_profile,
    probability_of_improvement,
)
from benchmarks.efficiency import in_thousands, over_seeds
from benchmarks.report.lines import Line, line_figure
from benchmarks.report.palette import HUES
from benchmarks.report.records import Report
from benchmarks.report.scores_charts import bars, radar
from benchmarks.report.section import Figure, Panels, Section, note
from benchmarks.report.tables import Cell, Table
from benchmarks.report.ticks import nice_ticks
from benchmarks.statistics import Interval
from textgym.types import FloatArray

THRESHOLDS = np.linspace(0.0, 1.0, 101)
EFFICIENCY_POINTS = 50


def summary_section(report: Report) -> Section | None:
    """Returns the aggregates over all problems that can be learnt, and who improves on whom."""
    if len(report.learnable) < 2 or not report.covering():
        return None
    parts: list[Table | Panels] = [aggregate_table(report)]
    improvement = improvement_table(report)
    return Section("In short", [*parts, improvement] if improvement.rows else parts)


def aggregate_table(report: Report) -> Table:
    """Returns the interquartile mean and other aggregates of the scores, for each policy that covers all problems."""
    rows: list[list[Cell]] = []
    warning = ""
    for policy, scores in report.covering().items():
        few = few_seeds(len(scores)) if policy in report.learners else ""
        found = aggregate(scores, generator=np.random.default_rng(0))
        estimates = (_estimate(one, len(scores)) for one in found.values())
        rows.append([policy, f"{len(scores)}{' (few)' if few else ''}", *estimates])
        warning = warning or few
    for policy, seeds in report.incomplete().items():
        warning += f"{' ' if warning else ''}{policy} lacks runs, and is counted with {seeds} of its seeds."
    count = len(report.learnable)
    return Table(
        ["policy", "seeds", *AGGREGATES],
        rows,
        title="Aggregates of the scores, with 95 % stratified bootstrap intervals",
        note=f"Over {count} problems that can be learnt, in gold on test prompts: 0 is random, 1 is optimal. The "
        "median is that of the problems' means; the optimality gap is how far scores fall short of 1: less is better. "
        "Brackets: 95\N{NO-BREAK SPACE}% stratified bootstrap intervals (Agarwal et al. 2021).",
        keys=report.colours,
        warning=warning,
    )


def improvement_table(report: Report) -> Table:
    """Returns for each pair of policies the probability that a run of the one beats a run of the other."""
    scores = report.covering()
    policies = list(scores)
    rows: list[list[Cell]] = [
        [
            policy,
            *(
                probability_of_improvement(scores[policy], scores[other], generator=np.random.default_rng(0))
                if number > place
                else None
                for place, other in enumerate(policies[:-1])
            ),
        ]
        for number, policy in enumerate(policies[1:], start=1)
    ]
    return Table(
        ["probability that", *(f"beats {other}" for other in policies[:-1])],
        rows,
        title="Probability of improvement, with 95 % stratified bootstrap intervals",
        note="How probable it is that a run of the one scores higher than a run of the other on the same problem: the "
        "Mann-Whitney U statistic over the number of pairs, averaged over problems; 0.5 is no difference.",
        keys=report.colours,
    )


def distribution_section(report: Report) -> Section | None:
    """Returns the performance profiles and the sample efficiency of policies with scores."""
    scores = report.covering()
    if len(report.learnable) < 2 or not scores:
        return None
    figures = [_distribution(scores, report.colours)]
    efficiency = _efficiency(report)
    figures += [efficiency] if efficiency else []
    text = "Bands: 95\N{NO-BREAK SPACE}% stratified bootstrap intervals, at each place by itself."
    held = " A run that has ended keeps its last score." if efficiency else ""
    return Section("Over all problems", [Panels(figures, "wide"), note(text + held)])


def _distribution(scores: Mapping[str, FloatArray], colours: Mapping[str, str]) -> Figure:
    lines = []
    for policy, own in scores.items():
        band = performance_profile(own, THRESHOLDS, generator=np.random.default_rng(0))
        lines.append(Line(policy, colours[policy], band.at, band.estimate, band.low, band.high))
    return line_figure(
        lines,
        name="performance-profile",
        title="Performance profile",
        caption="the share of runs whose score exceeds \N{GREEK SMALL LETTER TAU}, averaged over problems",
        across="score \N{GREEK SMALL LETTER TAU}",
        up="share of runs that score more",
        ticks=nice_ticks(0.0, 1.0),
    )


def _efficiency(report: Report) -> Figure | None:
    """Returns the interquartile mean of normalised gold, while learning, against tokens; None without curves."""
    lines = [line for policy in report.covering() if (line := _efficiency_line(report, policy)) is not None]
    if not lines:
        return None
    return line_figure(
        lines,
        name="sample-efficiency",
        title="Sample efficiency",
        caption="the interquartile mean, over problems and seeds, of what texts score while learning",
        across="tokens written",
        up="interquartile mean of the score",
        span=(0.0, max(float(line.x[-1]) for line in lines)),
    )


def _efficiency_line(report: Report, policy: str) -> Line | None:
    """Returns a policy's line, if it has equally many curves on all problems."""
    runs = []
    for problem in report.learnable:
        low, high = problem.random_return, problem.optimal_return
        curve = {one.learner: one for one in problem.curves.get("gold_return", [])}.get(policy)
        if curve is None or low is None or high is None:
            return None
        runs.append((curve.tokens, (curve.seeds - low) / (high - low)))
    if len({len(scores) for _, scores in runs}) > 1:
        return None
    first, last = max(float(tokens[0]) for tokens, _ in runs), max(float(tokens[-1]) for tokens, _ in runs)
    grid = np.linspace(min(first, last), last, EFFICIENCY_POINTS)
    scores = np.stack([on_grid(grid, [(at, one) for one in own]) for at, own in runs], axis=1)
    band = efficiency_curve(grid, scores, generator=np.random.default_rng(0))
    return Line(policy, report.colours[policy], band.at, band.estimate, band.low, band.high)


def profile_section(report: Report) -> Section | None:
    """Returns the scores of all problems as bars, and as a radar too where that can be read."""
    names = [problem.name for problem in report.problems if problem.scores]
    if len(names) < 2:
        return None
    rows = _intervals(report)
    policies = [policy for policy in report.policies if any(policy in own for own in rows.values())]
    colours = {policy: report.colours[policy] for policy in policies}
    intervals = [[name, *(rows[name].get(policy) for policy in policies)] for name in names]
    figures = [
        Figure(
            "profile-bars",
            "Scores, with intervals",
            "95\N{NO-BREAK SPACE}%, over seeds",
            bars(rows, colours, title="scores of all problems, with 95 % intervals"),
            Table(["problem", *policies], intervals),
        )
    ]
    around = [policy for policy in policies if policy not in report.untrained]
    if len(names) > 2 and len(around) <= len(HUES):
        figures.insert(0, _radar(rows, around, colours))
    text = (
        "The share of the way from random tokens (0) to the optimum (1), in gold, on test prompts. Whiskers: "
        "95\N{NO-BREAK SPACE}% bootstrap intervals over seeds."
    )
    return Section("Profile", [Panels(figures, "wide", name="profile"), note(text)])


def _radar(rows: Mapping[str, Mapping[str, Interval]], policies: Sequence[str], colours: Mapping[str, str]) -> Figure:
    around = {policy: [own[policy].estimate if policy in own else None for own in rows.values()] for policy in policies}
    points: list[list[Cell]] = [
        [name, *(drawn[number] for drawn in around.values())] for number, name in enumerate(rows)
    ]
    title = "scores of all problems, from the centre (random) to the rim (optimal)"
    return Figure(
        "profile-radar",
        "Scores",
        "from random (centre) to optimal (rim)",
        radar(list(rows), around, colours, title=title),
        Table(["problem", *around], points),
    )


def _intervals(report: Report) -> dict[str, dict[str, Interval]]:
    """Returns the score of each policy on each problem that it tried."""
    return {
        problem.name: {policy: problem.interval(policy) for policy in report.policies if policy in problem.scores}
        for problem in report.problems
        if problem.scores
    }


def scores_section(report: Report) -> Section | None:
    """Returns the table of all scores; that of one task's returns says more, where it has one."""
    scored = [problem for problem in report.problems if problem.scores]
    if not scored or (len(report.problems) == 1 and report.problems[0].rows):
        return None
    return Section("Scores", [scores_table(report)])


def scores_table(report: Report) -> Table:
    """Returns the scores: a row for each problem, and one for all that can be learnt."""
    problems = [problem for problem in report.problems if problem.scores]
    policies = [policy for policy in report.policies if any(policy in problem.scores for problem in problems)]
    rows: list[list[Cell]] = []
    for problem in problems:
        known = (problem.optimal_return, problem.random_return)
        optimal, random = ("" if value is None else value for value in known)
        intervals = [
            _estimate(problem.interval(policy), len(problem.scores[policy])) if policy in problem.scores else None
            for policy in policies
        ]
        name = f"{problem.name}{' *' if problem.predicted else ''}"
        shown = f"{optimal:.3f}" if isinstance(optimal, float | int) else ""
        rows.append(
            [name, problem.swept, shown, f"{random:.3g}" if isinstance(random, float | int) else "", *intervals]
        )
    starred = any(problem.predicted for problem in problems)
    if len(report.learnable) > 1:
        overall = {
            policy: _estimate(aggregate(scores, generator=np.random.default_rng(0))["interquartile mean"], len(scores))
            for policy, scores in report.covering().items()
        }
        label = "interquartile mean, without *" if starred else "interquartile mean"
        rows.append([label, "", "", "", *(overall.get(policy) for policy in policies)])
    return Table(
        ["problem", "swept", "optimum", "random", *policies],
        rows,
        title="Scores: 0 is random, 1 is optimal; 95 % bootstrap intervals over seeds",
        note="* paid feedback that misleads or conflicts: see below for what theory says." if starred else "",
        warning=few_seeds(min((report.seeds[policy] for policy in policies if policy in report.learners), default=99)),
    )


def _estimate(found: Interval, seeds: int) -> Cell:
    """Returns an estimate with its interval over seeds; of a single run there is none."""
    return found if seeds > 1 else f"{found.estimate:.3f}"


def pace_section(report: Report) -> Section | None:
    """Returns how far and how soon each policy came, a row for each problem and policy; None where it is not known."""
    if not any(problem.needed for problem in report.problems):
        return None
    rows: list[list[Cell]] = []
    for problem in report.problems:
        for policy in (policy for policy in report.policies if policy in problem.scores):
            pace: list[Cell] = [None, None]
            if policy in problem.needed:
                pace = [in_thousands(problem.needed[policy]), _seconds(problem.seconds[policy])]
            score = _estimate(problem.interval(policy), len(problem.scores[policy]))
            rows.append([problem.name, policy, score, *pace])
    text = (
        "Tokens: until the texts written while learning were worth 90\N{NO-BREAK SPACE}% of the way from where "
        "learning began to the learner's own best, each point the mean of the last tenth of a run. Seconds: of "
        "training, on the machine that ran it, side by side with other runs. Brackets: 95\N{NO-BREAK SPACE}% bootstrap "
        "intervals over seeds."
    )
    head = ["problem", "policy", "score", "tokens to 90 % of its best", "seconds"]
    return Section("How soon", [Table(head, rows, title="How far and how soon", note=text)])


def _seconds(values: Sequence[float]) -> str:
    mean = over_seeds(values)
    return "" if mean is None else f"{mean.estimate:.1f} [{mean.low:.1f}, {mean.high:.1f}]"
