"""Correction: how much of what noise costs a learner does a corrector win back, told the channels and not told?

For each kind of noise on a signal of several readings, fresh transformers are paid the clean signal, the mean of the
noisy readings, and what each corrector that is meant for that noise makes of the readings: as it estimates by itself,
and with `oracle=True`, told the channels that made the noise, where it can be told.

The score is (R - R_random) / (R_optimal - R_random) of gold on test prompts, and a corrector's is the share of the gap
that it closes, (corrected - noisy) / (clean - noisy) of mean scores, with a bootstrap interval over seeds. It is left
out where noise costs nothing that can be told from chance.

A share near 0 does not mean that the corrector's values are wrong (`benchmarks.realism` measures those): a learner that
averages over many texts needs no value to be right, only the order of expected values. Affine errors, as of labels that
become any other, keep that order, and a surrogate reward buys its unbiased values with variance. Below 0 that price was
too high. Correctors estimate for each row by itself, so few texts of a row mean poor estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.learners import title_of
from benchmarks.robustness import mean_score, share_of_gap
from benchmarks.runner import Run
from benchmarks.sections import Cell, cell, write_study
from benchmarks.study import FinishedRuns, StudySettings

TAGS = ("feedback", "fresh")
MINUTES = 12

CLEAN, NOISY = "clean", "noisy"
ORACLES = ("dawid_skene", "surrogate")
"""The correctors that can be told the channels."""


@dataclass(frozen=True)
class Fault:
    """A kind of noise on what annotators say, and what is meant for it.

    Attributes:
        signal: the annotators' arguments beside their metric, such as `levels`, `noise`, and the `pool`.
        correctors: specs of correctors.
    """

    signal: dict[str, Any]
    correctors: tuple[dict[str, Any], ...]


_MODELS = ({"name": "surrogate"}, {"name": "dawid_skene"})
_ROBUST = ({"name": "median"}, {"name": "huber"})
_PEOPLE = {"levels": 7, "pool": {"size": 8, "bias": 0.6, "spread": 0.3}}
_LEVELS = [0.0, 1 / 3, 2 / 3, 1.0]
_HARSH = [[1.0, 0.0, 0.0, 0.0], [0.8, 0.2, 0.0, 0.0], [0.75, 0.15, 0.1, 0.0], [0.7, 0.15, 0.05, 0.1]]
"""What is reported, a column each, where a level is true, a row each: mostly a lower one."""


@dataclass(frozen=True)
class Settings(StudySettings):
    """What the suite does; see `StudySettings` for the rest.

    Attributes:
        env_id: the environment.
        env_kwargs: its arguments.
        readings: how many answers there are about each text; three are the fewest that a corrector learns from.
        tokens: how many tokens a learner writes.
        faults: the kinds of noise, by name, each with its correctors.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    rows: int = 32
    env_id: str = "textgym/Noise-v0"
    env_kwargs: dict[str, Any] = field(default_factory=lambda: {"length": 3, "letters": 4})
    readings: int = 3
    tokens: int = 16_000
    faults: dict[str, Fault] = field(
        default_factory=lambda: {
            "flip": Fault({"noise": [{"name": "flip", "rate": 0.5, "levels": _LEVELS}]}, _MODELS),
            "harsh": Fault({"noise": [{"name": "flip", "matrix": _HARSH, "levels": _LEVELS}]}, _MODELS),
            "randomised_response": Fault(
                {"noise": [{"name": "randomised_response", "epsilon": 1.0, "levels": _LEVELS}]}, _MODELS
            ),
            "contamination": Fault({"noise": [{"name": "contamination", "rate": 0.2, "outlier": 3.0}]}, _ROBUST),
            "biased annotators": Fault(_PEOPLE, ({"name": "calibrate"}, {"name": "calibrate", "method": "affine"})),
            "drifting biases": Fault(
                {**_PEOPLE, "noise": [{"name": "drift", "tau": 0.05}]}, ({"name": "kalman"}, {"name": "exponential"})
            ),
        }
    )


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    few = {"flip": replace(settings.faults["flip"], correctors=_MODELS[:1])}
    return replace(settings.small(), tokens=256, faults=few)


def variants(settings: Settings) -> list[tuple[str, str, dict[str, Any]]]:
    """Returns what is learnt from: the name of the noise, that of the variant, and the signal."""
    base = {"name": "rating", "metric": "gold", "levels": 4, "readings": settings.readings}
    found = [("none", CLEAN, base)]
    for name, fault in settings.faults.items():
        noisy = {**base, **fault.signal}
        found.append((name, NOISY, noisy))
        for corrector in fault.correctors:
            found.append((name, title(corrector), {**noisy, "correction": [corrector]}))
            if corrector["name"] in ORACLES:
                told = {**corrector, "oracle": True}
                found.append((name, title(told), {**noisy, "correction": [told]}))
    return found


def title(corrector: dict[str, Any]) -> str:
    """Returns how tables call a corrector."""
    return " ".join(name if value is True else str(value) for name, value in corrector.items())


def plan(settings: Settings) -> list[Run]:
    """Returns all runs, seed by seed, so that a broken-off suite has every variant."""
    return [
        settings.run(
            f"{noise}-{variant}".replace(" ", "_"),
            settings.env_id,
            {**settings.env_kwargs, "feedback": [signal], "noise": []},
            learner=learner,
            seed=seed,
            tokens=settings.tokens_for(learner, settings.tokens),
            noise=noise,
            variant=variant,
        )
        for seed in settings.seeds
        for noise, variant, signal in variants(settings)
        for learner in settings.learners
    ]


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes and prints the scores of all variants, and the share of the gap that each corrector closes."""
    runs = FinishedRuns.below(folder)
    scores: list[list[Cell]] = []
    shares: list[list[Cell]] = []
    for noise, variant, _ in variants(settings):
        score: list[Cell] = [noise, variant]
        share: list[Cell] = [noise, variant]
        for learner in settings.learners:
            own = runs.where(policy=title_of(learner))
            parts = (
                own.scores(variant=CLEAN),
                own.scores(noise=noise, variant=NOISY),
                own.scores(noise=noise, variant=variant),
            )
            score.append(cell(mean_score(parts[2])) if len(parts[2]) else None)
            share.append(cell(share_of_gap(*parts)) if all(map(len, parts)) else None)
        scores.append(score)
        if variant not in (CLEAN, NOISY):
            shares.append(share)
    head = ["noise", "variant", *settings.order]
    charts = [
        {
            "title": noise,
            "caption": "scores: 0 is random, 1 is optimal",
            "head": head[1:],
            "rows": [row[1:] for row in scores if row[0] == noise or row[1] == CLEAN],
        }
        for noise in settings.faults
        if runs.where(noise=noise)
    ]
    study = {
        "title": "What correctors win back",
        "introduction": f"Fresh transformers learn {settings.env_id} from {settings.readings} noisy readings of each "
        "text, as they are and corrected. Scores are of gold: 0 is random, 1 is optimal.",
        "order": settings.order,
        "sections": [
            {
                "title": "The share of the gap that a corrector closes",
                "note": "(corrected - noisy) / (clean - noisy), with 95 % bootstrap intervals over seeds; empty where "
                "noise costs nothing that can be told from chance. A corrector with oracle is told the channels.",
                "tables": [
                    {"title": "Share of the gap closed", "head": head, "rows": shares},
                    {"title": "Scores: 0 is random, 1 is optimal", "head": head, "rows": scores},
                ],
                "charts": charts,
            }
        ],
    }
    write_study(folder, study, console)
