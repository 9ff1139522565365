"""Reads a folder of runs: what their files say, gathered for the report.

It reads what every suite writes. A run's `config.json` has `env_id`, `fingerprint`, `policy`, `seed` and `settings`.
Its metrics have `timesteps`, in tokens, and the mean returns of the texts finished since the last record. Its
`result.json` may have

- `evaluation`, the returns of each test prompt, with `train_level` and `samples`;
- `score` and `gold`, if the config has `random_return` and `optimal_return`; where theory says what happens,
  `predicted_gold`, or `front` and `signals`;
- `tokens_needed` and `train_seconds`; see `benchmarks.efficiency`.

A config may also have `problem`, the name under which runs belong together, by default the environment's; `swept`, the
task's own swept argument; and `scored`, false for runs that only add to a picture.

The folder's own `profile.json` has the title, the introduction, the order of the policies, the baseline, the policies
that are `untrained`, for each problem its question and what is predicted, and whole `sections` as data; any of them may
be missing, and so may the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pictures.responses import shared_responses
from benchmarks.report.curve import Curve
from benchmarks.report.records import MEASURES, Problem, Report, Row, Sample, ScoredText, Voice
from benchmarks.results import RunFolder, finished_runs, read_json
from benchmarks.statistics import paired_differences
from textgym.types import FloatArray

PROFILE = "profile.json"

Config = Mapping[str, Any]


class _Finished:
    """A finished run with what its files say."""

    def __init__(self, run: RunFolder) -> None:
        self.run, self.config, self.result = run, run.config(), run.result()
        self.policy = str(self.config.get("policy", run.name))
        self.problem = str(self.config.get("problem", self.config.get("env_id", run.name)))
        self.scored = bool(self.config.get("scored", True))


def gather(folder: str | Path) -> Report:
    """Reads all finished runs below a folder.

    Raises:
        ValueError: if there is none, a file is damaged, or the fingerprints or prompts of runs of one problem differ.
    """
    folder = Path(folder)
    runs = [_Finished(run) for run in finished_runs(folder)]
    if not runs:
        raise ValueError(f"no finished run below {folder}")
    suite = read_json(folder / PROFILE) if (folder / PROFILE).exists() else {}
    policies = list(dict.fromkeys([*suite.get("order", []), *(run.policy for run in runs)]))
    found = {run.policy for run in runs}
    policies = [policy for policy in policies if policy in found]
    names = list(dict.fromkeys([*suite.get("questions", {}), *(run.problem for run in runs)]))
    baseline = suite.get("baseline", "")
    problems = []
    for name in names:
        own = [run for run in runs if run.problem == name]
        if any(run.scored for run in own):
            about = {"question": suite.get("questions", {}).get(name, "")}
            about["predicted"] = suite.get("predicted", {}).get(name, "")
            problems.append(_problem(name, own, policies, baseline, **about))
    fingerprints = {str(run.config.get("fingerprint")) for run in runs}
    configs = [run.config for run in runs]
    return Report(
        title=suite.get("title", folder.resolve().name),
        introduction=suite.get("introduction", ""),
        policies=policies,
        problems=problems,
        baseline=baseline if baseline in policies else "",
        untrained=suite.get("untrained", []),
        seeds={policy: _fewest(problems, policy, runs) for policy in policies},
        responses=shared_responses(configs),
        foot=_foot(configs, min(fingerprints) if len(fingerprints) == 1 else None),
        extras=suite.get("sections", []),
    )


def _fewest(problems: Sequence[Problem], policy: str, runs: Sequence[_Finished]) -> int:
    """Returns the fewest seeds of a policy on a problem that it tried; without problems, how many it has."""
    counts = [len(problem.scores[policy]) for problem in problems if policy in problem.scores]
    counts += [row.seeds for problem in problems for row in problem.rows if row.policy == policy]
    return min(counts) if counts else len({run.config.get("seed") for run in runs if run.policy == policy})


def _problem(
    name: str,
    runs: Sequence[_Finished],
    policies: Sequence[str],
    baseline: str,
    *,
    question: str,
    predicted: str,
) -> Problem:
    fingerprints = sorted({str(run.config.get("fingerprint")) for run in runs if run.scored})
    if len(fingerprints) > 1:
        raise ValueError(
            f"runs of {name} on different corpora can't be compared; their fingerprints: {', '.join(fingerprints)}"
        )
    scored = {policy: [run for run in runs if run.scored and run.policy == policy] for policy in policies}
    scored = {policy: own for policy, own in scored.items() if own}
    first = next(run for run in runs if run.scored)
    evaluations = {
        policy: {measure: _stacked(name, own, measure) for measure in MEASURES}
        for policy, own in scored.items()
        if all("evaluation" in run.result for run in own)
    }
    level = scored[baseline][0].result.get("train_level", {}) if baseline in scored else {}
    return Problem(
        name=_short(name),
        question=question,
        swept=", ".join(f"{key} {value:g}" for key, value in first.config.get("swept", {}).items()),
        random_return=first.config.get("random_return"),
        optimal_return=first.config.get("optimal_return"),
        scores={
            policy: np.array([run.result["score"] for run in own])
            for policy, own in scored.items()
            if all("score" in run.result for run in own)
        },
        curves=_curves({policy: [run.run for run in own] for policy, own in scored.items()}),
        prompts=max((returns[MEASURES[0]].shape[1] for returns in evaluations.values()), default=0),
        rows=compare(evaluations, baseline),
        levels=level,
        samples=_samples({policy: own[0].result for policy, own in scored.items()}),
        paid_feedback=first.config.get("env_kwargs", {}).get("reward", "feedback") == "feedback",
        predicted=predicted,
        predicted_gold=first.result.get("predicted_gold"),
        front=first.result.get("front", []),
        reached=_reached(runs, scored) if "front" in first.result else {},
        needed=_of_learners(scored, "tokens_needed"),
        seconds=_of_learners(scored, "train_seconds"),
    )


def _of_learners(policies: Mapping[str, Sequence[_Finished]], name: str) -> dict[str, list[Any]]:
    """Returns a value of each run of those policies whose runs have it."""
    return {policy: [run.result[name] for run in own] for policy, own in policies.items() if name in own[0].result}


def _short(name: str) -> str:
    """Returns an environment's id without its namespace and version, and any other name as it is."""
    return name.partition("/")[2].rpartition("-v")[0] if name.startswith("textgym/") else name


def _reached(runs: Sequence[_Finished], policies: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    """Returns for each policy the mean signals of its texts, one pair for each weight of the sum."""
    reached: dict[str, list[list[float]]] = {}
    for policy in policies:
        points: dict[Any, list[Any]] = {}
        for run in runs:
            if run.policy == policy:
                points.setdefault(run.config["env_kwargs"].get("weight"), []).append(run.result["signals"])
        reached[policy] = [np.mean(values, axis=0).tolist() for values in points.values()]
    return reached


def compare(evaluations: Mapping[str, Mapping[str, FloatArray]], baseline: str) -> list[Row]:
    """Returns the rows of a table from each policy's returns, (seeds, prompts) for each measure.

    Every number is a 95 % bootstrap over seeds and prompts, from a fixed seed, so that a report never changes.
    """
    rows = []
    for policy, returns in evaluations.items():
        against = evaluations.get(baseline, {}) if policy != baseline else {}
        found = paired_differences(returns, generator=np.random.default_rng(0))
        gains = paired_differences(returns, against, generator=np.random.default_rng(0)) if against else {}
        rows.append(Row(policy, len(returns[MEASURES[0]]), found, gains))
    return rows


def _stacked(problem: str, runs: Sequence[_Finished], measure: str) -> FloatArray:
    """Returns the returns of a policy's runs, (seeds, prompts)."""
    returns = [run.result["evaluation"][measure] for run in runs]
    if len({len(values) for values in returns}) > 1:
        raise ValueError(f"runs of {problem} were evaluated on different numbers of prompts and can't be compared")
    return np.array(returns, np.float64)


def _curves(policies: Mapping[str, Sequence[RunFolder]]) -> dict[str, list[Curve]]:
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
    return {measure: curves[measure] for measure in MEASURES if measure in curves}


def _samples(results: Mapping[str, Mapping[str, Any]]) -> list[Sample]:
    """Puts what the policies wrote for the same prompt side by side."""
    samples: dict[int, Sample] = {}
    for policy, result in results.items():
        for text in result.get("samples", ()):
            found = samples.setdefault(text["sample"], Sample(text["prompt"], text["reference"], []))
            known = {name: text[name] for name in ScoredText.__dataclass_fields__ if name in text and name != "voices"}
            voices = [Voice(**voice) for voice in text.get("voices", ())]
            found.texts.append(ScoredText(policy=policy, voices=voices, **known))
    return list(samples.values())


MOST_VALUES = 4
"""How many values of a setting, over several runs, are named."""


def _with_defaults(config: Config, part: str) -> dict[str, Any]:
    """Returns a part of a configuration, with what it leaves to defaults."""
    return {**config.get("defaults", {}).get(part, {}), **config.get(part, {})}


def _values(settings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Returns for each name the values that it has, in words; of many only their number."""
    given: dict[str, dict[str, None]] = {}
    for own in settings:
        for name, value in own.items():
            given.setdefault(name, {})[value if isinstance(value, str) else json.dumps(value)] = None
    return {
        name: " or ".join(values) if len(values) <= MOST_VALUES else f"{len(values)} values"
        for name, values in given.items()
    }


def _foot(configs: Sequence[Config], fingerprint: str | None = None) -> dict[str, dict[str, Any]]:
    """Groups what was run: the environments and the corpus, the settings of each policy, and the versions."""
    env_ids = sorted({str(config["env_id"]) for config in configs if "env_id" in config})
    foot: dict[str, dict[str, Any]] = {"Environment": {"id": ", ".join(env_ids)}}
    if fingerprint is not None:
        foot["Environment"]["corpus fingerprint"] = fingerprint
    foot["Environment"] |= _values([_with_defaults(config, "env_kwargs") for config in configs])
    for policy in dict.fromkeys(str(config.get("policy", "Settings")) for config in configs):
        own = [config for config in configs if str(config.get("policy", "Settings")) == policy]
        foot[policy] = _values([_with_defaults(config, "settings") for config in own])
    found: dict[str, set[str]] = {}
    for config in configs:
        for package, number in config.get("versions", {}).items():
            found.setdefault(package, set()).add(number)
    foot["Versions"] = {package: ", ".join(sorted(numbers)) for package, numbers in found.items()}
    return {title: values for title, values in foot.items() if values}
