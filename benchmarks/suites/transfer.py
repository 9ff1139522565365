"""Transfer: is what was learnt from one annotator, or on prompts of one difficulty, worth anything to others?

**Annotators.** Fresh transformers learn one problem from each of several annotators who look for different things: the
longest common subsequence, few edits, the share of common letters, an exact answer, or how usual a text is. Every
policy then writes texts for the same test prompts, which every annotator answers, and gold scores them. An entry of the
matrix is the mean answer, (A - A_random) / (A_reference - A_random), A_random of random tokens and A_reference of
references; 0 is worth no more to that annotator than random tokens, 1 as much as the reference.

**Difficulty.** They also learn `Copy` of one length of prompt, and are tested on all lengths; the score is (R -
R_random) / (R_optimal - R_random) of gold.

A column that is low beside a high diagonal says that what pleases one annotator does not please the other: what was
learnt was the annotator. Low entries beside the diagonal of lengths say that a rule was learnt for one length only. The
drop, the score on train prompts less that on test prompts, says how much was learnt by heart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import textgym
from benchmarks.problems import mean_return, score, scored_texts, task_of, train_learner, write_texts
from benchmarks.results import RunFolder
from benchmarks.robustness import mean_score
from benchmarks.runner import Run, Tell
from benchmarks.sections import Cell, cell, write_study
from benchmarks.study import FinishedRuns, StudySettings

TAGS = ("feedback", "fresh")
MINUTES = 6


@dataclass(frozen=True)
class Settings(StudySettings):
    """What the suite does; see `StudySettings` for the rest.

    Attributes:
        env_id: the environment; its references earn the optimum.
        env_kwargs: its arguments.
        tokens: how many tokens a learner writes.
        annotators: the feedback of each annotator, by name.
        lengths: the lengths of prompts between which is transferred, of `env_id`.
        length_tokens: how many tokens a learner writes for each of them.
    """

    env_id: str = "textgym/Copy-v0"
    env_kwargs: dict[str, Any] = field(default_factory=lambda: {"length": 4, "letters": 4, "noise": []})
    tokens: int = 24_000
    annotators: dict[str, Any] = field(
        default_factory=lambda: {
            "rating of rouge_l": {"name": "rating", "metric": "rouge_l"},
            "edit": {"name": "edit"},
            "dwell on chrf": {"name": "dwell", "metric": "chrf"},
            "click on exact_match": {"name": "click", "metric": "exact_match", "position": 1, "user": "navigational"},
            "comment on gold": {"name": "comment", "metric": "gold"},
            "self_feedback": {"name": "self_feedback"},
        }
    )
    lengths: tuple[int, ...] = (2, 3, 4)
    length_tokens: int = 24_000


def quick(settings: Settings) -> Settings:
    """Returns settings that go through every part in seconds, to see that it works; its numbers mean nothing."""
    few = {name: settings.annotators[name] for name in ("rating of rouge_l", "edit")}
    return replace(settings.small(), annotators=few, lengths=(2, 3), tokens=256, length_tokens=256)


def plan(settings: Settings) -> list[Run]:
    """Returns all runs, seed by seed, so that a broken-off suite has every annotator and every length."""
    runs = []
    widest = task_of(settings.env_id, {**settings.env_kwargs, "length": max(settings.lengths)})
    context = widest.max_prompt_tokens + widest.max_new_tokens
    for seed in settings.seeds:
        for learner in settings.learners:
            runs += [
                settings.run(
                    name.replace(" ", "_"),
                    settings.env_id,
                    {**settings.env_kwargs, "feedback": [signal]},
                    learner=learner,
                    seed=seed,
                    tokens=settings.tokens_for(learner, settings.tokens),
                    function=run_on_annotators,
                    trained_on=name,
                    tested_on=settings.annotators,
                )
                for name, signal in settings.annotators.items()
            ]
            runs += [
                settings.run(
                    f"length-{length}",
                    settings.env_id,
                    {**settings.env_kwargs, "length": length, "context_length": context},
                    learner=learner,
                    seed=seed,
                    tokens=settings.tokens_for(learner, settings.length_tokens),
                    function=run_on_lengths,
                    trained_on=f"length {length}",
                    tested_on=list(settings.lengths),
                )
                for length in settings.lengths
            ]
    return runs


def run_on_annotators(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains on one annotator, and lets all others answer about texts for the test prompts."""
    learner = train_learner(folder, config, tell)
    answers = {}
    for name, signal in config["tested_on"].items():
        mine, random = (
            mean_return(write_texts(policy, config, feedback=[signal]), "observed_return")
            for policy in (learner, "random")
        )
        answers[name] = (mine - random) / (reference_answer(config, signal) - random)
    return {**_scored_on_both_splits(learner, config), "answers": answers}


def run_on_lengths(folder: RunFolder, config: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Trains on prompts of one length, and scores texts for test prompts of all lengths."""
    learner = train_learner(folder, config, tell)
    answers = {}
    for length in config["tested_on"]:
        task = task_of(config["env_id"], {**config["env_kwargs"], "length": length})
        known = {"random_return": task.random_return, "optimal_return": task.optimal_return}
        gold = mean_return(write_texts(learner, config, length=length), "gold_return")
        answers[f"length {length}"] = score(gold, known)
    return {**_scored_on_both_splits(learner, config), "answers": answers}


def _scored_on_both_splits(learner: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    train = mean_return(write_texts(learner, config, split="train"), "gold_return")
    found = scored_texts(write_texts(learner, config), config)
    return {**found, "drop": score(train, config) - found["score"]}


def reference_answer(config: Mapping[str, Any], signal: Any) -> float:
    """Returns what an annotator says of the test prompts' references, the mean of about `config["texts"]` answers."""
    env_kwargs = {**config["env_kwargs"], "feedback": [signal]}
    prompts = task_of(config["env_id"], env_kwargs).prompt_set("test")
    references = [
        ids[:length].tolist() for ids, length in zip(prompts.reference_ids, prompts.reference_lengths, strict=True)
    ]
    times = max(1, config["texts"] // len(references))
    samples, texts = list(range(len(references))) * times, references * times
    answers = textgym.score(config["env_id"], samples, texts, split="test", **env_kwargs)
    return float(answers.observed_return.mean())


def report(folder: Path, settings: Settings, console: Console) -> None:
    """Writes and prints, for each learner, both matrices of trained on and tested on, and the drop to test prompts."""
    runs = FinishedRuns.below(folder)
    tested = {
        "Annotators": (list(settings.annotators), list(settings.annotators)),
        "Lengths": ([f"length {length}" for length in settings.lengths],) * 2,
    }
    sections = []
    for name, (trained_on, columns) in tested.items():
        tables = []
        for policy in settings.order:
            rows = [_row(runs.where(policy=policy, trained_on=source), source, columns) for source in trained_on]
            tables.append(
                {
                    "title": f"{name}: {policy}, trained on the row, tested on the column",
                    "head": ["trained on", *columns, "gold", "drop from train to test prompts"],
                    "rows": rows,
                }
            )
        charts = [
            {
                "title": f"{name}: {policy}",
                "caption": "trained on the rows, tested on the colours",
                "head": table["head"][: len(columns) + 1],
                "rows": [row[: len(columns) + 1] for row in table["rows"]],
            }
            for policy, table in zip(settings.order, tables, strict=True)
        ]
        sections.append({"title": name, "note": NOTES[name], "tables": tables, "charts": charts})
    study = {
        "title": "What carries over to others",
        "introduction": f"Fresh transformers learn {settings.env_id} from one annotator, or on prompts of one length, "
        "and are tested on the others.",
        "order": settings.order,
        "sections": sections,
    }
    write_study(folder, study, console)


NOTES = {
    "Annotators": "0 is worth no more to the annotator than random tokens, 1 as much as the reference; gold likewise.",
    "Lengths": "The score in gold on test prompts of each length: 0 is random, 1 is optimal.",
}


def _row(runs: FinishedRuns, source: str, columns: Sequence[str]) -> list[Cell]:
    """Returns the row of what was trained on one source: its answers, gold and drop, with intervals over seeds."""
    if not runs:
        return [source, *[None] * (len(columns) + 2)]
    answers = [np.array([run.result["answers"][column] for run in runs]) for column in columns]
    others = [np.array([run.result[name] for run in runs]) for name in ("score", "drop")]
    return [source, *(cell(mean_score(values)) for values in (*answers, *others))]
