"""The scores of many problems side by side: what the runs of a suite say, gathered and tabled.

A run's `config.json` has `env_id`, `policy`, `seed`, `swept`, `random_return`, `optimal_return`, `settings`, and
`scored`, which is false for runs that only add to a picture; its `result.json` has `score` and `gold`, and where theory
says what happens, `predicted_gold`, or `front` and `signals`; and may have
`tokens_needed` and `train_seconds`. The folder's own `profile.json` has the title, the
introduction, the order of the policies, and for each environment its question and what is predicted. `scores_page`
turns it into HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.charts import Curve
from benchmarks.efficiency import in_thousands, over_seeds
from benchmarks.report import curves_of, foot_of
from benchmarks.results import RunFolder, read_json, run_folders
from benchmarks.statistics import Interval, Statistic, interquartile_mean, stratified_bootstrap
from textgym.types import FloatArray

PROFILE = "profile.json"
MASTERED = 0.95
"""The share of the way from random to optimal at which a problem counts as mastered."""


@dataclass(frozen=True)
class Problem:
    """What every policy made of one problem.

    Attributes:
        env_id: the environment.
        question: what it asks, in a few words.
        swept: its swept argument and the value that it had, such as `"length 8"`.
        optimal_return: the highest expected gold.
        random_return: the expected gold of random tokens.
        scores: for each policy the score of each seed, (seeds,).
        curves: for each measure, what each learner's texts were worth while it learnt.
        predicted: what theory says of a problem that shows a failure; empty where gold can be learnt.
        predicted_gold: the gold at which learners end up in theory, where it is known.
        front: (k, 2) the signals of the texts that no other beats in both, where two are in conflict.
        reached: for each policy the mean signals of its texts, one pair for each weight of the sum.
        needed: for each learner the tokens that each seed needed to come most of the way to its best, or None.
        seconds: for each learner the time that each seed took.
    """

    env_id: str
    question: str
    swept: str
    optimal_return: float
    random_return: float
    scores: dict[str, FloatArray]
    curves: dict[str, list[Curve]]
    predicted: str = ""
    predicted_gold: float | None = None
    front: list[list[float]] = field(default_factory=list)
    reached: dict[str, list[list[float]]] = field(default_factory=dict)
    needed: dict[str, list[float | None]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The environment's id without its namespace and version."""
        return self.env_id.partition("/")[2].rpartition("-v")[0]

    def interval(self, policy: str) -> Interval:
        """Returns the mean score with its 95 % bootstrap interval over seeds."""
        return _bootstrap(self.scores[policy][:, None], np.mean)


@dataclass(frozen=True)
class Profile:
    """All that the page shows.

    Attributes:
        title: the headline.
        introduction: one paragraph: what this is.
        policies: the policies, in order.
        problems: the problems, in the order of the suite.
        overall: for each policy the interquartile mean of its scores over seeds and the problems that can be learnt.
        foot: settings and versions, as titled groups of names and values.
        baseline: the policy that the others are compared with; without one, they are compared with the optimum.
        untrained: the policies that learn nothing, beside the baseline.
    """

    title: str
    introduction: str
    policies: list[str]
    problems: list[Problem]
    overall: dict[str, Interval]
    foot: dict[str, dict[str, Any]]
    baseline: str = ""
    untrained: list[str] = field(default_factory=list)

    @property
    def colours(self) -> dict[str, str]:
        """The class of each policy in the style sheet: the learners' hues in order, and grey for the others."""
        hues = iter(f"s{number}" for number in range(len(self.policies)))
        grey = {self.baseline, *self.untrained}
        return {policy: "plain" if policy in grey else next(hues) for policy in self.policies}


def gather_scores(folder: str | Path) -> Profile:
    """Reads all finished runs of a suite.

    Raises:
        ValueError: if there is none, or runs of one problem were made from different prompts.
    """
    folder = Path(folder)
    suite = read_json(folder / PROFILE)
    runs = [run for run in run_folders(folder) if run.finished]
    if not runs:
        raise ValueError(f"no finished run below {folder}")
    configs = [run.config() for run in runs]
    problems = []
    for env_id, question in suite["questions"].items():
        own = [(run, config) for run, config in zip(runs, configs, strict=True) if config["env_id"] == env_id]
        if any(config["scored"] for _, config in own):
            problems.append(_problem(env_id, question, suite["predicted"].get(env_id, ""), suite["order"], own))
    present = [policy for policy in suite["order"] if any(policy in problem.scores for problem in problems)]
    learnable = [problem for problem in problems if not problem.predicted]
    return Profile(
        title=suite["title"],
        introduction=suite["introduction"],
        policies=present,
        problems=problems,
        overall={policy: _overall(policy, learnable) for policy in present if _covers(policy, learnable)},
        foot=foot_of(configs),
        baseline=suite.get("baseline", ""),
        untrained=suite.get("untrained", []),
    )


def _problem(
    env_id: str, question: str, predicted: str, order: Sequence[str], runs: Sequence[tuple[RunFolder, dict[str, Any]]]
) -> Problem:
    scored = [(run, config) for run, config in runs if config["scored"]]
    fingerprints = {config["fingerprint"] for _, config in scored}
    if len(fingerprints) > 1:
        raise ValueError(f"runs of {env_id} on different prompts can't be compared: {', '.join(sorted(fingerprints))}")
    policies = {policy: [run for run, config in scored if config["policy"] == policy] for policy in order}
    policies = {policy: own for policy, own in policies.items() if own}
    results = {policy: [run.result() for run in own] for policy, own in policies.items()}
    first, config = next(iter(results.values()))[0], scored[0][1]
    reached: dict[str, list[list[float]]] = {}
    if "front" in first:
        for policy in policies:
            points: dict[Any, list[Any]] = {}
            for run, own in runs:
                if own["policy"] == policy:
                    points.setdefault(own["env_kwargs"].get("weight"), []).append(run.result()["signals"])
            reached[policy] = [np.mean(values, axis=0).tolist() for values in points.values()]
    return Problem(
        env_id=env_id,
        question=question,
        swept=", ".join(f"{name} {value:g}" for name, value in config["swept"].items()),
        optimal_return=config["optimal_return"],
        random_return=config["random_return"],
        scores={policy: np.array([result["score"] for result in own]) for policy, own in results.items()},
        curves=curves_of(policies),
        predicted=predicted,
        predicted_gold=first.get("predicted_gold"),
        front=first.get("front", []),
        reached=reached,
        needed=_of_learners(results, "tokens_needed"),
        seconds=_of_learners(results, "train_seconds"),
    )


def _of_learners(results: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> dict[str, list[Any]]:
    """Returns a value of each run of those policies whose runs have it."""
    return {policy: [result[name] for result in own] for policy, own in results.items() if name in own[0]}


def print_scores(profile: Profile, console: Console) -> None:
    """Prints the table of scores, for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.title = "Scores: 0 is random, 1 is optimal; 95 % bootstrap intervals over seeds"
    head, *rows = table_of(profile)
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number < 2 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if sooner := pace_of(profile):
        paces = Table(*sooner[0], box=box.SIMPLE_HEAD, pad_edge=False)
        for row in sooner[1:]:
            paces.add_row(*row)
        console.print(paces)


def markdown(profile: Profile) -> str:
    """Returns the table in Markdown, and below it how soon each learner learnt, where that is known."""
    head, *rows = table_of(profile)
    told = markdown_table(head, rows)
    sooner = pace_of(profile)
    return f"{told}\n{markdown_table(sooner[0], sooner[1:])}" if sooner else told


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns any table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table_of(profile: Profile) -> list[list[str]]:
    """Returns the table as text: its head, a row for each problem, and one for all that can be learnt."""
    rows = [["problem", "swept", "optimum", "random", *profile.policies]]
    for problem in profile.problems:
        found = [str(problem.interval(policy)) if policy in problem.scores else "" for policy in profile.policies]
        name = problem.name + (" *" if problem.predicted else "")
        rows.append([name, problem.swept, f"{problem.optimal_return:.3f}", f"{problem.random_return:.3g}", *found])
    overall = [str(profile.overall[policy]) if policy in profile.overall else "" for policy in profile.policies]
    starred = ", without *" if any(problem.predicted for problem in profile.problems) else ""
    return [*rows, [f"interquartile mean{starred}", "", "", "", *overall]]


def pace_of(profile: Profile) -> list[list[str]]:
    """Returns how soon each learner learnt, as text: a head, then a row for each problem and learner; empty if unknown.

    The tokens are those to 90 % of the way from the start to the learner's own best; see `benchmarks.efficiency`.
    """
    rows = []
    for problem in profile.problems:
        for policy, needed in problem.needed.items():
            seconds = over_seeds(problem.seconds[policy])
            told = "" if seconds is None else f"{seconds.estimate:.1f} [{seconds.low:.1f}, {seconds.high:.1f}]"
            rows.append([problem.name, policy, str(problem.interval(policy)), in_thousands(needed), told])
    return [["problem", "learner", "score", "tokens to 90 % of its best", "seconds"], *rows] if rows else []


def verdicts(profile: Profile) -> list[str]:
    """Says how the learners compare with the baseline, or else which problems they do not master."""
    if profile.baseline:
        return _gains(profile)
    return _unmastered(profile) or [f"Every learner masters every problem: at least {MASTERED} of the way."]


def _gains(profile: Profile) -> list[str]:
    """Says of each learner on how many problems its mean score exceeds the baseline's, and where it does not."""
    told = []
    for policy in profile.policies:
        both = [problem for problem in profile.problems if {policy, profile.baseline} <= problem.scores.keys()]
        if policy == profile.baseline or not both:
            continue
        missed = [one.name for one in both if one.scores[policy].mean() <= one.scores[profile.baseline].mean()]
        beaten = f"{policy} ends above the {profile.baseline.lower()} on {len(both) - len(missed)} of {len(both)}"
        told.append(f"{beaten}{', not on ' if missed else ''}{', '.join(missed)}.")
    return told


def _unmastered(profile: Profile) -> list[str]:
    return [
        f"{policy} does not master {problem.name}: {problem.interval(policy)} of the way to the optimum"
        for problem in profile.problems
        if not problem.predicted
        for policy in problem.scores
        if problem.interval(policy).estimate < MASTERED
    ]


def _covers(policy: str, problems: Sequence[Problem]) -> bool:
    seeds = {len(problem.scores.get(policy, ())) for problem in problems}
    return len(seeds) == 1 and seeds != {0}


def _overall(policy: str, problems: Sequence[Problem]) -> Interval:
    return _bootstrap(np.stack([problem.scores[policy] for problem in problems], axis=1), interquartile_mean)


def _bootstrap(scores: FloatArray, statistic: Statistic) -> Interval:
    """Returns the interval of a statistic of scores, (seeds, problems), from a fixed seed: a report never changes."""
    return stratified_bootstrap(scores, generator=np.random.default_rng(0), statistic=statistic)
