"""Noise: how much of its score does a learner lose to each kind of noise on the feedback, level by level?

Each channel of `textgym/noise` and each preset of several channels lies on the feedback at five levels (presets at
four), of which the first is none; fresh transformers are paid what comes out. A level is told in a unit that suits its
kind, and is the same for all channels of the kind:

- additive noise (Gaussian, Laplace, AR(1), drift, fatigue, a pool's biases and spreads): its standard deviation, in
  standard deviations of the clean return of random texts; of what grows, after 50 texts of a row;
- mistaken labels (flip, asymmetric, randomised response): 1 - J, J being Youden's, the slope of the expected answer
  against the truth: at 1 the answer says nothing;
- lost or made-up readings (dropout, contamination): their share;
- delay: tokens; quantise: the width of a step; clip: the share of the range that is cut off at the top;
- skew and affine: log2 of the exponent, and of how much is shrunk;
- presets: none, mild, medium, severe, as 0 to 3.

The score is (R - R_random) / (R_optimal - R_random) of gold, which has no noise, on test prompts. From it come the area
under the score against the level as a share of what the score at level 0 would give (1: noise does not matter), and the
sample inflation N_noisy / N_clean: how many times as many tokens it takes until the texts that are written while
learning score `target`. A run that does not get there in its budget is censored, and the ratio is a lower bound.

A small area says that a learner takes this kind of noise for news. Zero-mean noise leaves the gradient of REINFORCE
unbiased, so that there only inflation is to be expected; noise that moves the mean (asymmetric, skew, quantise, clip)
can change what is learnt, and more tokens do not mend that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.evaluation import evaluate
from benchmarks.learners import title_of
from benchmarks.noise_levels import Sweep
from benchmarks.problems import task_of
from benchmarks.robustness import area_under_curve, inflation, mean_score, tokens_to_reach
from benchmarks.runner import Run
from benchmarks.sections import Cell, cell, line, write_study
from benchmarks.study import FinishedRuns, Problem, StudySettings

TAGS = ("feedback", "fresh")
MINUTES = 20

_RATES, _SHARES, _STEPS = (0.2, 0.4, 0.6, 0.8), (0.25, 0.5, 0.75, 0.9), (1.0, 2.0, 3.0, 4.0)


@dataclass(frozen=True)
class Settings(StudySettings):
    """What the suite does; see `StudySettings` for the rest.

    Attributes:
        problems: what is learnt, by name. `Noise` is `Copy`, paid once at the end.
        sweeps: what is swept.
        target: the score at which the sample inflation is measured.
        window: over how many tokens a learning curve is averaged for it.
    """

    problems: dict[str, Problem] = field(
        default_factory=lambda: {
            "Noise": Problem("Noise", {"length": 3, "letters": 4}, 16_000),
            "Chain": Problem("Chain", {"length": 4}, 16_000),
            "Copy": Problem("Copy", {"length": 4, "letters": 4}, 20_000),
        }
    )
    sweeps: tuple[Sweep, ...] = (
        *(Sweep(name, "Noise") for name in ("gaussian", "laplace", "ar1", "drift", "fatigue", "pool")),
        *(Sweep(name, "Chain", _RATES) for name in ("flip", "asymmetric")),
        Sweep("randomised_response", "Noise", _RATES),
        Sweep("dropout", "Noise", _SHARES),
        Sweep("contamination", "Noise", (0.1, 0.2, 0.4, 0.8)),
        Sweep("delay", "Copy", _STEPS),
        Sweep("quantise", "Noise", (0.25, 1 / 3, 0.5, 1.0)),
        Sweep("clip", "Noise", _RATES),
        *(Sweep(name, "Noise", _STEPS) for name in ("skew", "affine")),
        *(Sweep(name, "Noise", _STEPS[:3]) for name in ("human", "crowd", "ai_judge", "implicit")),
    )
    target: float = 0.5
    window: float = 1024


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    problems = {name: replace(settings.problems[name], tokens=256) for name in ("Noise", "Chain")}
    sweeps = (Sweep("gaussian", "Noise", (1.0,)), Sweep("flip", "Chain", (0.4,)), Sweep("human", "Noise", (1.0,)))
    return settings.small(problems=problems, sweeps=sweeps, window=64)


def plan(settings: Settings) -> list[Run]:
    """Returns all runs, seed by seed, so that a broken-off suite has every channel; those without noise first.

    Raises:
        ValueError: if a sweep's noise or problem is unknown.
    """
    deviations = {name: clean_deviation(one) for name, one in settings.problems.items()}
    runs = []
    for seed in settings.seeds:
        for learner in settings.learners:
            runs += [_run(settings, name, "none", 0.0, [], learner, seed) for name in settings.problems]
        for sweep in settings.sweeps:
            if sweep.problem not in settings.problems:
                raise ValueError(f"problem must be one of {', '.join(settings.problems)}, got {sweep.problem!r}")
            for level in sweep.levels:
                noise = sweep.specs(level, deviations[sweep.problem])
                for learner in settings.learners:
                    runs.append(_run(settings, sweep.problem, sweep.noise, level, noise, learner, seed))
    return runs


def clean_deviation(problem: Problem) -> float:
    """Returns the standard deviation of the clean return of random texts for the train prompts, to two digits."""
    arguments = {**problem.arguments, "noise": []}
    episodes = len(task_of(problem.env_id, arguments).prompt_set("train"))
    found = evaluate("random", problem.env_id, split="train", episodes=episodes, **arguments)
    return round(float(found.returns["clean_return"].std()), 2)


def _run(settings: Settings, problem: str, noise: str, level: float, specs: list[Any], learner: str, seed: int) -> Run:
    one = settings.problems[problem]
    return settings.run(
        f"{problem}-{noise}-{level:.3g}",
        one.env_id,
        {**one.arguments, "noise": specs},
        learner=learner,
        seed=seed,
        tokens=settings.tokens_for(learner, one.tokens),
        problem=f"{problem}, {noise}",
        noise=noise,
        noise_level=level,
    )


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes what each channel costs at each level, and prints the areas and the sample inflation."""
    runs = FinishedRuns.below(folder)
    area_rows, slower_rows, charts = [], [], []
    for sweep in settings.sweeps:
        area: list[Cell] = [sweep.noise, sweep.problem, sweep.unit]
        slower: list[Cell] = [sweep.noise, sweep.problem]
        lines = []
        for learner in settings.learners:
            levels = _levels(runs, sweep, title_of(learner))
            scores = {level: own.scores() for level, own in levels.items()}
            lines.append(line(title_of(learner), title_of(learner), {at: mean_score(s) for at, s in scores.items()}))
            whole = set(levels) == {0.0, *sweep.levels}
            area.append(cell(area_under_curve(list(scores), list(scores.values()))) if whole else None)
            slower += [_inflation(settings, levels, level) for level in (sweep.levels[:2][-1], sweep.levels[-1])]
        area_rows.append(area)
        slower_rows.append(slower)
        caption = f"on {sweep.problem}; a level is: {sweep.unit}"
        charts.append({"title": sweep.noise, "caption": caption, "across": sweep.unit, "up": "score", "lines": lines})
    marked = [f"{policy}, {level} level" for policy in settings.order for level in ("second", "last")]
    study = {
        "title": "Scores under noise",
        "introduction": "Fresh transformers learn small problems from feedback with each kind of noise, level by "
        "level. Scores are of gold, which has none: 0 is random, 1 is optimal.",
        "order": settings.order,
        "sections": [
            {
                "title": "Scores against the level of noise",
                "note": "The area under the score against the level, as a share of what the score without noise would "
                "give: 1 is unharmed. Intervals: 95 % bootstrap over seeds.",
                "tables": [
                    {
                        "title": "Area under the score-versus-noise curve",
                        "head": ["noise", "problem", "a level is", *settings.order],
                        "rows": area_rows,
                    }
                ],
                "charts": charts,
            },
            {
                "title": "Sample inflation",
                "note": f"How many times as many tokens as without noise until texts score {settings.target}: the "
                "ratio of medians over seeds. After > it is a lower bound: most runs did not get there in time.",
                "tables": [
                    {
                        "title": f"Sample inflation at a score of {settings.target}",
                        "head": ["noise", "problem", *marked],
                        "rows": slower_rows,
                    }
                ],
            },
        ],
    }
    write_study(folder, study, console)


def _levels(runs: FinishedRuns, sweep: Sweep, policy: str) -> dict[float, FinishedRuns]:
    """Returns the runs of a policy at each level of which there are any; those without noise are shared."""
    found = {0.0: runs.where(problem=f"{sweep.problem}, none", policy=policy)}
    for level in sweep.levels:
        found[level] = runs.where(problem=f"{sweep.problem}, {sweep.noise}", policy=policy, noise_level=level)
    return {level: own for level, own in found.items() if own}


def _inflation(settings: Settings, levels: dict[float, FinishedRuns], level: float) -> Cell:
    if not levels.keys() >= {0.0, level}:
        return None
    took = [
        [tokens_to_reach(*run.curve(), target=settings.target, window=settings.window) for run in levels[at]]
        for at in (level, 0.0)
    ]
    return inflation(*took, budget=levels[level][0].config["settings"]["tokens"])
