"""Quick: what is an algorithm good at, in short? Five small problems that tell algorithms apart.

Fresh transformers of one layer learn each problem, paid with its feedback, and write texts for test prompts:

- `Bandit`: which of eight tokens pays; a low score is too much or too little exploration;
- `Copy`: a token at each place, paid at once; a low score is a policy that does not look back;
- `Chain`: the first of four tokens decides, paid with the last; a low score is credit that does not reach back;
- `Lock`: one of 125 texts pays; a low score is too little exploration, or a success that is forgotten;
- `Noise`: `Copy` paid at the end, with noise that outweighs what there is to earn; a low score takes noise for news.

The score is (R - R_random) / (R_optimal - R_random) of gold on test prompts, and over all problems and seeds the
interquartile mean, with stratified bootstrap 95 % intervals (Agarwal et al. 2021, "Deep reinforcement learning at the
edge of the statistical precipice"). Three seeds tell large differences only: `diagnostics` is the longer look.

`textgym benchmark quick --algorithms ppo,reinforce,mypackage.module:make` compares an algorithm of one's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from benchmarks.problems import RANDOM, random_run, report_scores
from benchmarks.runner import Run
from benchmarks.study import Problem, StudySettings

TAGS = ("algorithms", "fresh")
MINUTES = 2


@dataclass(frozen=True)
class Settings(StudySettings):
    """What the suite does; see `StudySettings` for the rest.

    Attributes:
        problems: the problems.
    """

    problems: tuple[Problem, ...] = (
        Problem("Bandit", {"arms": 8}, 8_000, "which token pays"),
        Problem("Copy", {"length": 4, "letters": 4}, 20_000, "a token at each place"),
        Problem("Chain", {"length": 4}, 16_000, "credit over tokens"),
        Problem("Lock", {"depth": 3}, 16_000, "exploration"),
        Problem("Noise", {"sigma": 0.4}, 24_000, "noisy feedback"),
    )


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    return settings.small(problems=tuple(replace(one, tokens=256) for one in settings.problems[:2]))


def plan(settings: Settings) -> list[Run]:
    """Returns all runs, seed by seed, so that a broken-off suite has every problem; the longest of a seed first."""
    random = [random_run(one.task, one.env_id, one.arguments) for one in settings.problems]
    return random + [
        settings.run(
            one.task,
            one.env_id,
            one.arguments,
            learner=learner,
            seed=seed,
            tokens=settings.tokens_for(learner, one.tokens),
            scored=True,
        )
        for seed in settings.seeds
        for one in sorted(settings.problems, key=lambda one: -one.tokens)
        for learner in settings.learners
    ]


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes the page of scores of what is finished, as `report.html`, and prints their table."""
    report_scores(
        folder,
        {
            "title": "A quick look at algorithms",
            "introduction": "Each problem asks one question of an algorithm. Fresh transformers of one layer learn it; "
            "the score is 0 for random tokens and 1 for the optimum.",
            "order": [RANDOM, *settings.order],
            "untrained": [RANDOM],
            "questions": {one.env_id: one.question for one in settings.problems},
            "predicted": {},
        },
        console,
    )
