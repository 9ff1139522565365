"""What a report says in sentences: how learners compare with the baseline, or which problems they do not master."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.report.records import Problem, Report, Row

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
    unmastered = list(_unmastered(report))
    if unmastered or not report.learners or not set(report.learners) <= set(report.covering()):
        return unmastered
    return [f"Every learner masters every problem: at least {MASTERED} of the way."]


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
    """Says of each learner on how many problems it ended above the baseline, and where it did not."""
    for policy in report.learners:
        both = [problem for problem in report.problems if {policy, report.baseline} <= problem.scores.keys()]
        if not both:
            continue
        signs = {problem.name: _sign(problem, policy, report.baseline) for problem in both}
        told = [
            f"{policy} ends above the {report.baseline.lower()} on {sum(s > 0 for s in signs.values())} of {len(both)}"
        ]
        unsure, below = ([name for name, sign in signs.items() if sign == which] for which in (0, -1))
        told += [f"can't be told from it on {', '.join(unsure)}"] if unsure else []
        told += [f"ends below it on {', '.join(below)}"] if below else []
        yield f"{', '.join(told)}."


def _sign(problem: Problem, policy: str, baseline: str) -> int:
    """Returns 1 or -1 where a policy's gold is above or below the baseline's, as its interval tells, else 0.

    Without the returns of single texts it is the order of the mean scores.
    """
    gains = [row.gains["gold_return"] for row in problem.rows if row.policy == policy and row.gains]
    if not gains:
        difference = problem.scores[policy].mean() - problem.scores[baseline].mean()
        return int(np.sign(difference))
    return int(gains[0].low > 0) - int(gains[0].high < 0)


def _unmastered(report: Report) -> Iterator[str]:
    for policy in report.learners:
        for problem in report.learnable:
            if policy in problem.scores and problem.interval(policy).estimate < MASTERED:
                yield f"{policy} does not master {problem.name}: {problem.interval(policy)} of the way to the optimum"
