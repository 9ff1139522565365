"""The report of a folder of runs: what their files say, gathered and tabled; `page` turns it into HTML.

It reads what every suite writes. A run's `config.json` has `env_id`, `fingerprint`, `policy`, `seed` and `settings`;
its `result.json` has `evaluation`, the returns of each test prompt, and may have `train_level` and `samples`; its
metrics have `timesteps`, in tokens, and the mean returns of the texts finished since the last record. The folder's own
`report.json` has the title, the introduction, the order of the policies and the one that the others are compared with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.charts import Curve
from benchmarks.pictures.response import Response
from benchmarks.pictures.responses import shared_responses
from benchmarks.results import RunFolder, read_json, run_folders
from benchmarks.statistics import Interval, paired_bootstrap, paired_difference
from textgym.types import FloatArray

MEASURES = ("observed_return", "clean_return", "gold_return")
SETTINGS = "report.json"


@dataclass(frozen=True)
class Row:
    """What one policy's texts on the test prompts are worth, over all its training seeds.

    Attributes:
        policy: its name.
        seeds: how many training seeds it has.
        returns: the mean of each measure.
        gains: by how much it exceeds the baseline's; empty for the baseline itself.
    """

    policy: str
    seeds: int
    returns: dict[str, Interval]
    gains: dict[str, Interval]


@dataclass(frozen=True)
class ScoredText:
    """A text and what each of its tokens earned.

    Attributes:
        policy: who wrote it.
        tokens: the T tokens as text.
        earned: (T,) what each added to the clean return.
        signals: the same for each signal, before weighting.
        empty: the clean return of the empty text.
        clean_return: the text's clean return.
        gold_return: the text's gold return.
        credited: (T,) what the policy's gradient credits each with; empty where nobody asked. See `benchmarks.credit`.
        credited_end: the same of the end token, if the text has one.
        estimator: how the advantages were estimated, in words.
    """

    policy: str
    tokens: list[str]
    earned: list[float]
    signals: dict[str, list[float]]
    empty: float
    clean_return: float
    gold_return: float
    credited: list[float] = field(default_factory=list)
    credited_end: list[float] = field(default_factory=list)
    estimator: str = ""


@dataclass(frozen=True)
class Sample:
    """A prompt, its reference, and what several policies wrote."""

    prompt: str
    reference: str
    texts: list[ScoredText]


@dataclass(frozen=True)
class Report:
    """All that the page shows.

    Attributes:
        title: the headline.
        introduction: one paragraph: what this is.
        baseline: the policy that the others are compared with.
        prompts: how many test prompts the table rests on.
        rows: one for each policy.
        curves: for each measure, one for each learner.
        levels: the baseline's value of each measure on the prompts of the training.
        samples: texts before and after.
        responses: how the environment's annotators, and the noise on the sum, follow what is true.
        foot: settings, versions and fingerprint, as titled groups of names and values.
    """

    title: str
    introduction: str
    baseline: str
    prompts: int
    rows: list[Row]
    curves: dict[str, list[Curve]]
    levels: dict[str, float]
    samples: list[Sample]
    responses: dict[str, Response] = field(default_factory=dict)
    foot: dict[str, dict[str, Any]] = field(default_factory=dict)


def gather(folder: str | Path) -> Report:
    """Reads all finished runs below a folder.

    Raises:
        ValueError: if there is none, a file is damaged, or the runs' fingerprints or prompts differ.
    """
    folder = Path(folder)
    runs = [run for run in run_folders(folder) if run.finished]
    if not runs:
        raise ValueError(f"no finished run below {folder}")
    configs = [run.config() for run in runs]
    fingerprints = sorted({str(config.get("fingerprint")) for config in configs})
    if len(fingerprints) > 1:
        raise ValueError(f"runs on different corpora can't be compared; their fingerprints: {', '.join(fingerprints)}")
    settings: dict[str, Any] = {"title": folder.resolve().name, "introduction": "", "baseline": "", "order": []}
    if (folder / SETTINGS).exists():
        settings |= read_json(folder / SETTINGS)
    policies: dict[str, list[RunFolder]] = {policy: [] for policy in settings["order"]}
    for run, config in zip(runs, configs, strict=True):
        policy = str(config.get("policy", run.name))
        policies.setdefault(policy, []).append(run)
    policies = {policy: own for policy, own in policies.items() if own}
    results = {run.path: run.result() for run in runs}
    evaluations = {
        policy: {name: _stacked([results[run.path] for run in own], name) for name in MEASURES}
        for policy, own in policies.items()
        if all("evaluation" in results[run.path] for run in own)
    }
    baseline = results[policies[settings["baseline"]][0].path] if settings["baseline"] in policies else {}
    return Report(
        title=settings["title"],
        introduction=settings["introduction"],
        baseline=settings["baseline"],
        prompts=max((returns[MEASURES[0]].shape[1] for returns in evaluations.values()), default=0),
        rows=compare(evaluations, settings["baseline"]),
        curves=curves_of(policies),
        levels=baseline.get("train_level", {}),
        samples=_samples({policy: results[own[0].path] for policy, own in policies.items()}),
        responses=shared_responses(configs),
        foot=foot_of(configs, fingerprints[0]),
    )


def compare(evaluations: dict[str, dict[str, FloatArray]], baseline: str) -> list[Row]:
    """Returns the table's rows from each policy's returns, (seeds, prompts) for each measure.

    Every number is a 95 % bootstrap over seeds and prompts, from a fixed seed, so that a report never changes.
    """
    rows = []
    for policy, returns in evaluations.items():
        against = evaluations.get(baseline, {}) if policy != baseline else {}
        rows.append(
            Row(
                policy=policy,
                seeds=len(returns[MEASURES[0]]),
                returns={
                    name: paired_bootstrap(values, generator=np.random.default_rng(0))
                    for name, values in returns.items()
                },
                gains={
                    name: paired_difference(returns[name], values, generator=np.random.default_rng(0))
                    for name, values in against.items()
                },
            )
        )
    return rows


def verdicts(report: Report) -> list[str]:
    """Says of each learner whether it ended above the baseline, on clean return and on gold return."""
    learners = {curve.learner for curve in next(iter(report.curves.values()), [])}
    compared = [row for row in report.rows if row.gains and row.policy in learners]
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


def print_table(report: Report, console: Console) -> None:
    """Prints the table and what it says, for a terminal."""
    table = Table("policy", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.title = f"Means over {report.prompts} test prompts, with 95 % bootstrap intervals"
    shown = ("clean_return", "gold_return")
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right")
    for name in shown:
        table.add_column(f"{name.split('_')[0]} above {report.baseline.lower()}", justify="right")
    for row in report.rows:
        found = [row.returns[name] for name in shown] + [row.gains[name] for name in shown if row.gains]
        table.add_row(row.policy, *(Text(str(interval).replace(" [", "\n[")) for interval in found))
    console.print(table)
    for sentence in verdicts(report):
        console.print(sentence, highlight=False)


def _stacked(results: Sequence[dict[str, Any]], measure: str) -> FloatArray:
    """Returns the returns of a policy's runs, (seeds, prompts)."""
    returns = [result["evaluation"][measure] for result in results]
    if len({len(values) for values in returns}) > 1:
        raise ValueError("runs were evaluated on different numbers of prompts and can't be compared")
    return np.array(returns, np.float64)


def curves_of(policies: Mapping[str, Sequence[RunFolder]]) -> dict[str, list[Curve]]:
    """Returns for each measure what the texts of each learner were worth while it learnt."""
    curves: dict[str, list[Curve]] = {}
    for policy, runs in policies.items():
        records = [run.metrics() for run in runs]
        for measure in MEASURES:
            points = [
                (np.array([record["timesteps"] for record in known]), np.array([record[measure] for record in known]))
                for known in ([r for r in own if r.get(measure) is not None and "timesteps" in r] for own in records)
                if known
            ]
            if points:
                curves.setdefault(measure, []).append(Curve.from_seeds(policy, points))
    return curves


def _samples(results: dict[str, dict[str, Any]]) -> list[Sample]:
    """Puts what the policies wrote for the same prompt side by side."""
    samples: dict[int, Sample] = {}
    for policy, result in results.items():
        for text in result.get("samples", ()):
            found = samples.setdefault(text["sample"], Sample(text["prompt"], text["reference"], []))
            known = {name: text[name] for name in ScoredText.__dataclass_fields__ if name in text}
            found.texts.append(ScoredText(policy=policy, **known))
    return list(samples.values())


def foot_of(configs: Sequence[dict[str, Any]], fingerprint: str | None = None) -> dict[str, dict[str, Any]]:
    """Groups what was run: the environments and the corpus, the settings of each policy, and the versions."""
    env_ids = sorted({str(config["env_id"]) for config in configs if "env_id" in config})
    foot: dict[str, dict[str, Any]] = {"Environment": {"id": ", ".join(env_ids)}}
    if fingerprint is not None:
        foot["Environment"]["corpus fingerprint"] = fingerprint
    for config in configs:
        settings = config.get("settings", {})
        foot.setdefault(
            str(config.get("policy", "Settings")),
            {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()},
        )
    found: dict[str, set[str]] = {}
    for config in configs:
        for package, number in config.get("versions", {}).items():
            found.setdefault(package, set()).add(number)
    foot["Versions"] = {package: ", ".join(sorted(numbers)) for package, numbers in found.items()}
    return {title: values for title, values in foot.items() if values}
