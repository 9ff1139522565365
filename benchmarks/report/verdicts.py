"""What a report says in sentences: how learners compare with the baseline, or which problems they do not master."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report.records import Report, Row

MASTERED = 0.95
"""The share of the way from random to optimal at which a problem counts as mastered."""


def verdicts(report: Report) -> list[str]:
    """Says of one task how learners end, on clean and on gold return; of many problems, on how many of them."""
    if len(report.problems) == 1 and any(row.gains for row in report.problems[0].rows):
        return _compared(report)
    if not report.learnable:
        return []
    if report.baseline:
        return list(_gains(report))
    return list(_unmastered(report)) or [f"Every learner masters every problem: at least {MASTERED} of the way."]


def _compared(report: Report) -> list[str]:
    (problem,) = report.problems
    learners = {curve.learner for curve in next(iter(problem.curves.values()), [])}
    compared = [row for row in problem.rows if row.gains and row.policy in learners]
    return [verdict(row, report.baseline, measure) for row in compared for measure in ("clean_return", "gold_return")]


def verdict(row: Row, baseline: str, measure: str) -> str:
    """Says whether a policy ended above the baseline, as far as the interval of their difference tells."""
    gain = row.gains[measure]
    what = measure.replace("_", " ")
    if gain.low > 0:
        return f"{row.policy} ends above the {baseline.lower()} on {what}, by {gain}."
    if gain.high < 0:
        return f"{row.policy} ends below the {baseline.lower()} on {what}, by {gain}."
    return f"{row.policy} can't be told from the {baseline.lower()} on {what}: the difference is {gain}."


def _gains(report: Report) -> Iterator[str]:
    """Says of each learner on how many problems its mean score exceeds the baseline's, and where it does not."""
    for policy in report.policies:
        both = [problem for problem in report.problems if {policy, report.baseline} <= problem.scores.keys()]
        if policy == report.baseline or not both:
            continue
        missed = [one.name for one in both if one.scores[policy].mean() <= one.scores[report.baseline].mean()]
        beaten = f"{policy} ends above the {report.baseline.lower()} on {len(both) - len(missed)} of {len(both)}"
        yield f"{beaten}{', not on ' if missed else ''}{', '.join(missed)}."


def _unmastered(report: Report) -> Iterator[str]:
    for policy in report.policies:
        for problem in report.learnable:
            if policy in problem.scores and problem.interval(policy).estimate < MASTERED:
                yield f"{policy} does not master {problem.name}: {problem.interval(policy)} of the way to the optimum"
