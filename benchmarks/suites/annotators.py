"""Annotators: at the same cost, from which kind of feedback is most learnt?

Fresh transformers learn the same problem from each kind of annotator: a rating, a preference, a ranking, an edit, a
demonstration, a click, a dwell time, a comment, a judge, and the model's own judgement. All but edits (from the
reference) and the last (from how usual a text is) read gold. Each answer has the price that its annotator declares
(`cost`, in ratings), each row may spend `amount`, and a run ends when that is spent, or after `tokens`, whichever is
first. So a demonstration, five ratings dear, teaches with a fifth of the texts that a rating does, and a click, at a
hundredth, cannot spend its share.

The score is (R - R_random) / (R_optimal - R_random) of gold on test prompts at the end. Beside it stand what was spent,
and a curve for each kind: the score of the texts that were written while learning against what had been spent.

A kind that scores low though its answers are cheap says little about a text, or misleads; one that is high early is
worth its price. What is measured is the answer's number as a reward: a demonstration could also be imitated, and a
comparison be learnt from as a pair. Own feedback is free and reads how usual a text is, which is not what is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.learners import title_of
from benchmarks.problems import task_of
from benchmarks.robustness import mean_score
from benchmarks.runner import Run
from benchmarks.sections import Cell, cell, line, write_study
from benchmarks.statistics import Interval
from benchmarks.study import FinishedRuns, StudySettings
from textgym.registration import build

TAGS = ("feedback", "fresh")
MINUTES = 10

POINTS = 24
"""How many points a curve has at most."""


@dataclass(frozen=True)
class Settings(StudySettings):
    """What the suite does; see `StudySettings` for the rest.

    Attributes:
        env_id: the environment.
        env_kwargs: its arguments.
        group_size: how many texts in a row answer one prompt, for those who compare them; the same for all kinds.
        annotators: the kinds, each with its arguments.
        amount: what each row may spend, in ratings.
        tokens: how many tokens a learner writes at most; the same for all learners, or some could not spend it all.
    """

    shares: dict[str, float] = field(default_factory=dict)
    env_id: str = "textgym/Noise-v0"
    env_kwargs: dict[str, Any] = field(default_factory=lambda: {"length": 3, "letters": 4, "noise": []})
    group_size: int = 4
    annotators: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "rating": {"metric": "gold"},
            "preference": {"metric": "gold", "against": "previous", "teacher": "equal"},
            "ranking": {"metric": "gold"},
            "edit": {},
            "demonstration": {"metric": "gold"},
            "click": {"metric": "gold"},
            "dwell": {"metric": "gold"},
            "comment": {"metric": "gold"},
            "judge": {"metric": "gold", "against": "previous"},
            "self_feedback": {},
        }
    )
    amount: float = 200.0
    tokens: int = 50_000


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    few = {name: settings.annotators[name] for name in ("rating", "click")}
    return replace(settings.small(), annotators=few, amount=4.0, tokens=512)


def plan(settings: Settings) -> list[Run]:
    """Returns all runs, seed by seed, so that a broken-off suite has every kind."""
    return [
        settings.run(
            kind,
            settings.env_id,
            _environment(settings, kind),
            learner=learner,
            seed=seed,
            tokens=affordable(settings, kind, settings.tokens_for(learner, settings.tokens)),
            kind=kind,
            cost=price(settings, kind),
        )
        for seed in settings.seeds
        for kind in settings.annotators
        for learner in settings.learners
    ]


def _environment(settings: Settings, kind: str) -> dict[str, Any]:
    return {
        **settings.env_kwargs,
        "feedback": [{"name": kind, **settings.annotators[kind]}],
        "feedback_budget": settings.amount,
        "group_size": settings.group_size,
    }


def price(settings: Settings, kind: str) -> float:
    """Returns what an answer of a kind costs, in ratings."""
    arguments = {name: value for name, value in settings.annotators[kind].items() if name != "metric"}
    task = task_of(settings.env_id, settings.env_kwargs)
    cost: float = build("annotators", {"name": kind, **arguments}, build("metrics", "gold", task)).cost
    return cost


def affordable(settings: Settings, kind: str, tokens: int) -> int:
    """Returns how many tokens a run writes: `tokens`, or the longest texts that `amount` pays answers about.

    Shorter texts spend the amount a little earlier; then nothing more is learnt.
    """
    cost = price(settings, kind)
    longest = task_of(settings.env_id, settings.env_kwargs).max_new_tokens
    most = math.inf if not cost else settings.amount // cost * longest * settings.rows
    return int(max(1, min(tokens, most)))


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes and prints what was learnt from each kind and what it cost, with the curves."""
    runs = FinishedRuns.below(folder)
    rows: list[list[Cell]] = []
    lines: dict[str, list[dict[str, Any]]] = {policy: [] for policy in settings.order}
    for kind in settings.annotators:
        row: list[Cell] = [kind, price(settings, kind)]
        for learner in settings.learners:
            own = runs.where(kind=kind, policy=title_of(learner))
            if not own:
                row += [None, None]
                continue
            curve = spending_curve(own, price(settings, kind), settings)
            lines[title_of(learner)].append(line(kind, "", curve))
            row += [cell(mean_score(own.scores())), max(curve)]
        rows.append(row)
    heads = [part for policy in settings.order for part in (policy, f"{policy} has spent")]
    study = {
        "title": "What annotators teach for their money",
        "introduction": f"Fresh transformers learn {settings.env_id} from each kind of annotator, of whom each of "
        f"{settings.rows} rows may ask for {settings.amount:g} ratings' worth. Scores are of gold: 0 is random, 1 is "
        "optimal.",
        "order": settings.order,
        "sections": [
            {
                "title": "At the same cost",
                "note": "The score on test prompts at the end, with 95 % bootstrap intervals over seeds, and what a "
                "row has spent by then, in ratings: less than the amount where the tokens were used up first.",
                "tables": [{"title": "Score by kind of annotator", "head": ["kind", "price", *heads], "rows": rows}],
                "charts": [
                    {
                        "title": f"{policy}: what was learnt against what was spent",
                        "caption": "the score of texts while learning; free feedback stays at 0",
                        "across": "spent by a row, in ratings",
                        "up": "score",
                        "lines": own,
                    }
                    for policy, own in lines.items()
                ],
            }
        ],
    }
    write_study(folder, study, console)


def spending_curve(runs: FinishedRuns, cost: float, settings: Settings) -> Mapping[float, Interval]:
    """Returns the mean score of texts while learning, over seeds, by what a row had spent when they were finished."""
    _, texts, scores = zip(*(run.curve() for run in runs), strict=True)
    length = min(map(len, scores))
    points: dict[float, Interval] = {}
    for part in np.array_split(np.arange(length), min(POINTS, length)):
        spent = cost * np.mean([own[: part[-1] + 1].sum() for own in texts]) / settings.rows
        seeds = np.array(
            [np.average(own[part], weights=weights[part]) for own, weights in zip(scores, texts, strict=True)]
        )
        points[round(float(min(spent, settings.amount)), 4)] = mean_score(seeds)
    return points
