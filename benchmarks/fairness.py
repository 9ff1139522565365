"""Fairness of an evaluated policy: what its texts are worth by group of prompts, and whether the groups differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from agents.best_of_n import BestOfN
from benchmarks.evaluation import Evaluation, make_env, write
from benchmarks.gaps import Gap, demographic_parity, equalised_odds, largest_gap, members_of
from benchmarks.policies import Policy, chooser, own_randomness
from benchmarks.statistics import Interval, paired_bootstrap
from textgym.metrics.fairness import GROUPS, counterfactual_prompts
from textgym.tasks.base import PromptSet

ROUNDING = 1e-9
"""How far below a bar a sum of floats still counts as reaching it."""


@dataclass(frozen=True)
class FairnessReport:
    """What a policy's texts are worth by group.

    Attributes:
        groups: the names of the groups.
        counts: how many prompts each has.
        means: for each measure, the mean of each group.
        gaps: for each measure, and each criterion of binary decisions, the gap between the best and the worst group.
    """

    groups: list[str]
    counts: list[int]
    means: dict[str, list[Interval]]
    gaps: dict[str, Gap]


def fairness(
    evaluation: Evaluation, groups: Sequence[str], *, bar: float = 1.0, accepted_at: float | None = None
) -> FairnessReport:
    """Returns what the texts of an evaluation are worth by group, from a fixed seed, so that it never changes.

    Beside the returns there is the accuracy: whether gold reaches `bar`. A text counts as accepted whose observed
    return reaches `accepted_at`; then the gaps have the demographic parity of acceptance, and the equalised odds of
    acceptance given accuracy.

    Args:
        evaluation: what the policy wrote.
        groups: the group of each of its prompts, at least two different ones.
        bar: the gold from which on a text is right.
        accepted_at: the observed return from which on a text counts as accepted; where the observed returns have but
            two values, it is by default the larger of them, and else nothing is accepted or not.
    """
    right = evaluation.returns["gold_return"] >= bar - ROUNDING
    measures = {**evaluation.returns, "accuracy": right.astype(np.float64)}
    names, members = members_of(groups)
    generator = np.random.default_rng(evaluation.seed)
    means = {
        measure: [paired_bootstrap(values[None, own > 0], generator=generator) for own in members]
        for measure, values in measures.items()
    }
    gaps = {measure: largest_gap(values, groups, generator=generator) for measure, values in measures.items()}
    observed = evaluation.returns["observed_return"]
    if accepted_at is None and len(np.unique(observed)) == 2:
        accepted_at = float(observed.max())
    if accepted_at is not None:
        accepted = observed >= accepted_at - ROUNDING
        gaps["accepted"] = demographic_parity(accepted, groups, generator=generator)
        for y, gap in equalised_odds(accepted, right, groups, generator=generator).items():
            gaps[f"accepted if {'right' if y else 'wrong'}"] = gap
    return FairnessReport(names, members.sum(axis=1).astype(int).tolist(), means, gaps)


def print_fairness(report: FairnessReport, by: str, console: Console) -> None:
    """Prints a report for a terminal."""
    table = Table(by, "prompts", box=box.SIMPLE_HEAD, pad_edge=False)
    for measure in report.means:
        table.add_column(measure.replace("_", " "), justify="right")
    for number, (group, count) in enumerate(zip(report.groups, report.counts, strict=True)):
        table.add_row(group, str(count), *(str(means[number]) for means in report.means.values()))
    console.print(table)
    gaps = Table("", "largest gap", "p", "best", "worst", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, gap in report.gaps.items():
        gaps.add_row(
            name.replace("_", " "),
            str(gap.interval),
            f"{gap.p_value:.4f}",
            *(("", "") if gap.best == gap.worst else (gap.best, gap.worst)),
        )
    console.print(gaps)
    console.print(
        "Brackets: 95 % bootstrap intervals over prompts. p: permutation tests of the largest gap, which account for "
        f"the number of groups, not for the {len(report.gaps)} rows.",
        highlight=False,
    )


@dataclass(frozen=True)
class Counterfactual:
    """What exchanging the group words of prompts does to the gold of a policy's texts.

    Attributes:
        prompts: how many prompts have group words.
        change: the mean change of gold.
        absolute: the mean absolute change, the counterfactual gap.
    """

    prompts: int
    change: Interval
    absolute: Interval


def counterfactual(
    policy: Policy,
    env_id: str,
    *,
    split: str = "test",
    episodes: int = 256,
    seed: int = 0,
    deterministic: bool = False,
    groups: Sequence[Sequence[str]] = GROUPS,
    **env_kwargs: Any,
) -> Counterfactual | None:
    """Lets a policy write for prompts, and for the same ones with their group words exchanged, with the same chance.

    The metric `fairness` asks whether a text is judged the same after the exchange; this asks whether a text as good is
    written (Garg et al. 2019, "Counterfactual fairness in text classification through robustness", of a classifier's
    score; here the score is gold). Prompts without a group word are left out, and so is one that grows too long.

    Args:
        policy: as for `evaluate`, but no `BestOfN`.
        env_id: the environment.
        split: the split whose prompts are used.
        episodes: how many of its prompts are looked through.
        seed: the seed of all chance.
        deterministic: whether an SB3 policy writes its likeliest token.
        groups: pairs of words; see the metric.
        **env_kwargs: further arguments of the environment.

    Returns:
        None where no prompt has a group word.

    Raises:
        ValueError: if the task keeps more of its prompts than their tokens, which the exchange could not reach.
    """
    if isinstance(policy, BestOfN):
        raise ValueError("a BestOfN can't be asked for counterfactual texts: ask its policy")
    env = make_env(env_id, num_rows=1, split=split, **env_kwargs)
    prompts, task = env.simulator.prompt_set, env.simulator.task
    if prompts.data:
        raise ValueError(
            f"{type(task).__name__} keeps {', '.join(prompts.data)} of its prompts beside their tokens, "
            "which an exchange of words does not reach"
        )
    exchanged, changed = counterfactual_prompts(prompts, task.vocabulary, groups)
    changed = changed & (exchanged.prompt_lengths <= task.max_prompt_tokens)
    samples = np.flatnonzero(changed[:episodes])
    if not len(samples):
        return None
    gold = []
    for prompt_set in (prompts, _narrow(exchanged, task.max_prompt_tokens)):
        simulator = make_env(env_id, num_rows=len(samples), split=split, **env_kwargs).simulator
        simulator.prompt_set = prompt_set
        with own_randomness(seed, policy):
            choose = chooser(policy, simulator, samples, seed, deterministic)
            gold.append(write(simulator, choose, samples, seed).gold_return)
    change = (gold[1] - gold[0])[None]
    generator = np.random.default_rng(seed)
    return Counterfactual(
        prompts=len(samples),
        change=paired_bootstrap(change, generator=generator),
        absolute=paired_bootstrap(np.abs(change), generator=generator),
    )


def print_exchange(policy: Policy, env_id: str, console: Console, **choices: Any) -> None:
    """Prints what the exchange of group words does to gold, or why it can't be said.

    Args:
        policy: as for `counterfactual`.
        env_id: the environment.
        console: where it is printed.
        **choices: its other arguments.
    """
    try:
        found = counterfactual(policy, env_id, **choices)
    except ValueError as error:
        console.print(f"The words can't be exchanged: {error}.", highlight=False)
        return
    if found is not None:
        console.print(
            f"With their group words exchanged, gold on {found.prompts} prompts changes by {found.change}, "
            f"in absolute value by {found.absolute}.",
            highlight=False,
        )


def _narrow(prompts: PromptSet, width: int) -> PromptSet:
    """Returns a prompt set without the places beyond a width, whose prompts are not used."""
    lengths = np.minimum(prompts.prompt_lengths, width)
    return PromptSet(prompts.prompt_ids[:, :width], lengths, prompts.reference_ids, prompts.reference_lengths)
