"""Fusion: does it pay to weigh sources of feedback by what they are worth, and how far should noisy feedback be heeded?

Two questions, on fresh transformers and small problems.

**Rules.** Three sources report one quality with normal noise of standard deviation .1, .3 and 1 times `scale`, and each
fusion rule weighs them: `fixed`, all alike; `inverse_variance`, w_i ~ 1 / sigma_i^2, estimated by each row, and told
the channels (`oracle`); `hedge`, w_i ~ exp(-eta loss_i); `scheduled`, from alike to the best source alone. At scale 1
the variance of the sum is .122 with equal weights and .0089 with inverse variances. Beside them stand the best source
alone, the worst alone, and feedback without noise: what there is to gain. A rule that scores like the best source has
found it; rules can't differ where noise of the equal weights costs nothing, and a rule that learns from few texts of a
row may come too late.

**Trade-off.** REINFORCE is paid gold, exact, at the end of a text, and adds alpha times noisy feedback on each token,
grad log pi(a_t | s_t) (Q_t + alpha f_t - b_t), for feedback of several noise levels. At alpha = 0 it hears only the
reward. A curve that rises says that early feedback speeds credit; one that falls, that its noise drowns the reward.

The score is (R - R_random) / (R_optimal - R_random) of gold on test prompts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.learners import title_of
from benchmarks.robustness import mean_score
from benchmarks.runner import Run
from benchmarks.sections import Cell, cell, line, write_study
from benchmarks.study import FinishedRuns, StudySettings

TAGS = ("feedback", "fresh")
MINUTES = 8

TRADER = "reinforce"
"""The learner whose alpha is swept."""


@dataclass(frozen=True)
class Settings(StudySettings):
    """What the suite does; see `StudySettings` for the rest.

    Attributes:
        env_id: the environment of the rules.
        env_kwargs: its arguments.
        tokens: how many tokens a learner writes there.
        sigmas: the standard deviation of each source's noise, the best first.
        scale: by what they are all multiplied.
        rules: the fusion rules, by what tables call them.
        trade_id: the environment of the trade-off, whose feedback comes token by token.
        trade_kwargs: its arguments.
        trade_tokens: how many tokens REINFORCE writes there.
        alphas: the weights of the feedback, ascending from 0.
        trade_sigmas: the standard deviations of the noise on each token's feedback.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    env_id: str = "textgym/Noise-v0"
    env_kwargs: dict[str, Any] = field(default_factory=lambda: {"length": 3, "letters": 4})
    tokens: int = 16_000
    sigmas: tuple[float, ...] = (0.1, 0.3, 1.0)
    scale: float = 2.0
    rules: dict[str, Any] = field(
        default_factory=lambda: {
            "fixed": "fixed",
            "inverse_variance": "inverse_variance",
            "inverse_variance oracle": {"name": "inverse_variance", "oracle": True},
            "hedge": "hedge",
            "scheduled": {"name": "scheduled", "to": [1.0, 0.0, 0.0], "episodes": 30},
        }
    )
    trade_id: str = "textgym/Copy-v0"
    trade_kwargs: dict[str, Any] = field(default_factory=lambda: {"length": 4, "letters": 4})
    trade_tokens: int = 10_000
    alphas: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0)
    trade_sigmas: tuple[float, ...] = (0.0, 0.2, 0.8)


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    rules = {name: settings.rules[name] for name in ("inverse_variance oracle",)}
    few = replace(settings.small(), rules=rules, alphas=settings.alphas[:2], trade_sigmas=settings.trade_sigmas[1:2])
    return replace(few, tokens=256, trade_tokens=256)


def sources(settings: Settings) -> dict[str, dict[str, Any]]:
    """Returns the feedback of each rule, and of single sources, as arguments of the environment."""
    sigmas = [round(settings.scale * sigma, 6) for sigma in settings.sigmas]
    signals = [
        {"name": "gold", "weight": round(1 / len(sigmas), 6), "noise": [{"name": "gaussian", "sigma": sigma}]}
        for sigma in sigmas
    ]
    found = {name: {"feedback": signals, "fusion": rule} for name, rule in settings.rules.items()}
    for name, signal in (("best source alone", signals[0]), ("worst source alone", signals[-1])):
        found[name] = {"feedback": [{**signal, "weight": 1.0}]}
    return {**found, "no noise": {"feedback": ["gold"]}}


def plan(settings: Settings) -> list[Run]:
    """Returns all runs, seed by seed, so that a broken-off suite has every rule and every alpha."""
    trading = [learner for learner in settings.learners if learner == TRADER]
    runs = []
    for seed in settings.seeds:
        runs += [
            settings.run(
                rule.replace(" ", "_"),
                settings.env_id,
                {**settings.env_kwargs, "noise": [], **feedback},
                learner=learner,
                seed=seed,
                tokens=settings.tokens_for(learner, settings.tokens),
                rule=rule,
            )
            for rule, feedback in sources(settings).items()
            for learner in settings.learners
        ]
        runs += [
            settings.run(
                f"trade-{sigma:g}-{alpha:g}",
                settings.trade_id,
                {**settings.trade_kwargs, "noise": [{"name": "gaussian", "sigma": sigma}], "reward": "gold"},
                learner=learner,
                seed=seed,
                tokens=settings.trade_tokens,
                arguments={"alpha": alpha},
                sigma=sigma,
                alpha=alpha,
            )
            for learner in trading
            for sigma in settings.trade_sigmas
            for alpha in settings.alphas
        ]
    return runs


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes and prints the scores of the rules, and those of the trade-off with their curves."""
    runs = FinishedRuns.below(folder)
    rules: list[list[Cell]] = []
    for rule in sources(settings):
        scores = [runs.scores(rule=rule, policy=title_of(learner)) for learner in settings.learners]
        rules.append([rule, *(cell(mean_score(own)) if len(own) else None for own in scores)])
    traded, lines = [], []
    for sigma in settings.trade_sigmas:
        found = {alpha: runs.scores(sigma=sigma, alpha=alpha) for alpha in settings.alphas}
        points = {alpha: mean_score(own) for alpha, own in found.items() if len(own)}
        traded.append([f"{sigma:g}", *(cell(points.get(alpha)) for alpha in settings.alphas)])
        lines.append(line(f"noise {sigma:g}", "", points))
    variance = sum((settings.scale * sigma) ** 2 for sigma in settings.sigmas) / len(settings.sigmas) ** 2
    least = 1 / sum((settings.scale * sigma) ** -2 for sigma in settings.sigmas)
    study = {
        "title": "Several sources of feedback",
        "introduction": "Fresh transformers learn small problems from several sources of one quality, and from a "
        "reward and feedback. Scores are of gold: 0 is random, 1 is optimal.",
        "order": settings.order,
        "sections": [
            {
                "title": "Rules of fusion",
                "note": f"The variance of the sum's noise is {variance:.3g} with equal weights and {least:.3g} with "
                "inverse variances. Brackets: 95 % bootstrap intervals over seeds.",
                "tables": [{"title": "Score by rule", "head": ["rule", *settings.order], "rows": rules}],
            },
            {
                "title": "Reward and feedback",
                "note": "REINFORCE paid gold at the end, with alpha times noisy feedback on each token.",
                "tables": [
                    {
                        "title": "Score by alpha, for feedback of several noise levels",
                        "head": ["noise", *(f"alpha {alpha:g}" for alpha in settings.alphas)],
                        "rows": traded,
                    }
                ],
                "charts": [
                    {
                        "title": "The weight of feedback",
                        "caption": "a line for each standard deviation of the noise on a token's feedback",
                        "across": "alpha",
                        "up": "score",
                        "lines": lines,
                    }
                ],
            },
        ],
    }
    write_study(folder, study, console)
