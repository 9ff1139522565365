"""Over-optimisation: gold and proxy against the distance from a reference, gathered from runs, fitted and told.

A run's `config.json` has `policy`, the name of the method, and `seed`; its `result.json` has `points`, each with `kl`
(nats per text), `proxy` and `gold`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import run_folders
from textgym.types import FloatArray

BEST_OF_N = "Best of n"
EXPLAINED = 0.8
"""The share of gold's variance from which on a fitted law is shown."""


@dataclass(frozen=True)
class Fit:
    """Gold as a function of the distance `d = sqrt(KL)`, above what the reference gets.

    `d (alpha - beta log d)` for learners and `d (alpha - beta d)` for the best of n: Gao, Schulman and Hilton 2023,
    "Scaling laws for reward model overoptimization", section 3.1.

    Attributes:
        alpha, beta: the least-squares estimates.
        explained: the share of gold's variance that the fit explains, at most 1.
    """

    alpha: float
    beta: float
    explained: float


@dataclass(frozen=True, eq=False)
class Course:
    """How one method moved away from the reference.

    Attributes:
        name: the method.
        distance: (seeds, p) sqrt(KL) from the reference at each point.
        proxy: (seeds, p) what the reward model says.
        gold: (seeds, p) what the texts are worth.
        fit: of gold, over all seeds; None where it explains less than EXPLAINED of its variance or does not bend down.
    """

    name: str
    distance: FloatArray
    proxy: FloatArray
    gold: FloatArray
    fit: Fit | None

    @property
    def peak(self) -> int:
        """The point at which gold, the mean over seeds, is highest."""
        return int(self.gold.mean(axis=0).argmax())


def gather_courses(folder: str | Path, order: Sequence[str]) -> list[Course]:
    """Reads all finished runs below a folder that have points; one course for each method, in order."""
    points: dict[str, list[list[dict[str, float]]]] = {name: [] for name in order}
    for run in run_folders(folder):
        if run.finished and "points" in run.result():
            points.setdefault(str(run.config()["policy"]), []).append(run.result()["points"])
    return [course_of(name, seeds) for name, seeds in points.items() if seeds]


def course_of(name: str, seeds: Sequence[Sequence[dict[str, float]]]) -> Course:
    """Returns the course of a method from its points, one list for each seed; as many as all seeds have."""
    count = min(map(len, seeds))
    names = ("kl", "proxy", "gold")
    kl, proxy, gold = (np.array([[point[name] for point in own[:count]] for own in seeds]) for name in names)
    distance = np.sqrt(np.maximum(kl, 0.0))
    found = fitted(distance.ravel(), gold.ravel() - gold[:, :1].mean(), squared=name == BEST_OF_N)
    return Course(name, distance, proxy, gold, found if found.explained > EXPLAINED and found.beta > 0 else None)


def fitted(distance: FloatArray, gain: FloatArray, *, squared: bool) -> Fit:
    """Returns the least-squares fit of gains in gold, (p,), at distances (p,); `d (alpha - beta d)` where `squared`."""
    moved = distance > 1e-3
    columns = np.stack([distance[moved], -distance[moved] * shape(distance[moved], squared=squared)], axis=1)
    (alpha, beta), *_ = np.linalg.lstsq(columns, gain[moved], rcond=None)
    left, spread = gain[moved] - columns @ [alpha, beta], gain[moved] - gain[moved].mean()
    explained = 1 - float(left @ left) / max(float(spread @ spread), 1e-12)
    return Fit(float(alpha), float(beta), explained)


def shape(distance: FloatArray, *, squared: bool) -> FloatArray:
    """Returns what `beta` is multiplied with besides d: d itself, or its logarithm."""
    return distance if squared else np.log(distance)


HEAD = ("method", "KL at the peak", "gold: start", "peak", "end", "proxy: start", "peak", "end", "KL at the end", "fit")
MEASURES = {"proxy": ("Proxy", "what the reward model says"), "gold": ("Gold", "what the texts are worth")}


def section_of(courses: Sequence[Course], *, problem: str, introduction: str) -> dict[str, Any]:
    """Returns the section of a report, as `benchmarks.report.extra_sections` reads it.

    Args:
        courses: how each method moved.
        problem: what was learnt, for the titles.
        introduction: what the section says first.
    """
    charts = [
        {
            "title": f"{problem}: {title.lower()}",
            "caption": f"{what}, against the distance from the reference",
            "across": "d = \N{SQUARE ROOT}KL",
            "up": title.lower(),
            "lines": [line for course in courses for line in _lines(course, measure)],
        }
        for measure, (title, what) in MEASURES.items()
    ]
    note = (
        f"{' '.join([introduction, *verdicts(courses)])} Means over test prompts and training seeds; the band spans "
        "the seeds. Across: the square root of KL(policy || reference) in nats per text; of the best of n, its upper "
        "bound log n - (n - 1) / n. Fitted: the law of Gao, Schulman and Hilton 2023, where it explains over "
        f"{EXPLAINED:.0%} of the variance."
    )
    table = {"title": "Where gold turns", "head": list(HEAD), "rows": [list(row) for row in table_of(courses)]}
    return {
        "title": f"{problem}: against the distance from the reference",
        "note": note,
        "tables": [table],
        "charts": charts,
    }


def _lines(course: Course, measure: str) -> Iterator[dict[str, Any]]:
    values: FloatArray = getattr(course, measure)
    ends = {"y": values.mean(axis=0), "low": values.min(axis=0), "high": values.max(axis=0)}
    parts = {name: part.tolist() for name, part in ends.items()}
    yield {"name": course.name, "policy": course.name, "x": course.distance.mean(axis=0).tolist(), **parts}
    if measure == "gold" and course.fit is not None:
        d = np.linspace(max(0.05, float(course.distance.min())), float(course.distance.max()), 60)
        bent = d * (course.fit.alpha - course.fit.beta * shape(d, squared=course.name == BEST_OF_N))
        gold = course.gold[:, 0].mean() + bent
        line = {"name": f"{course.name}, fitted", "policy": course.name, "dashed": True}
        yield {**line, "x": d.tolist(), "y": gold.tolist()}


def table_of(courses: Sequence[Course]) -> list[tuple[str, ...]]:
    """Returns the table's rows, one for each method; means over seeds."""
    rows = []
    for course in courses:
        peak, gold, proxy = course.peak, course.gold.mean(axis=0), course.proxy.mean(axis=0)
        kl = (course.distance**2).mean(axis=0)
        fit, bent = course.fit, "d" if course.name == BEST_OF_N else "log d"
        numbers = [kl[peak], gold[0], gold[peak], gold[-1], proxy[0], proxy[peak], proxy[-1], kl[-1]]
        told = "" if fit is None else f"d ({fit.alpha:.3f} {-fit.beta:+.3f} {bent}), R² {fit.explained:.2f}"
        rows.append((course.name, f"{numbers[0]:.2f}", *(f"{n:.3f}" for n in numbers[1:7]), f"{numbers[7]:.2f}", told))
    return rows


def verdicts(courses: Sequence[Course]) -> list[str]:
    """Says of each method whether gold turned while the proxy went on rising."""
    told = []
    for course, row in zip(courses, table_of(courses), strict=True):
        gold, proxy, peak = course.gold.mean(axis=0), course.proxy.mean(axis=0), course.peak
        if peak < len(gold) - 1 and gold[-1] < gold[peak] and proxy[-1] > proxy[peak]:
            before = f"rises from {row[2]} to {row[3]} at {row[1]} nats, then falls" if peak else f"falls from {row[2]}"
            told.append(
                f"{course.name}: gold {before} to {row[4]}, while the proxy rises on from {row[6]} to {row[7]}."
            )
        else:
            told.append(f"{course.name}: gold goes from {row[2]} to {row[4]}, the proxy from {row[5]} to {row[7]}.")
    return told


def told_of(reward_model: Mapping[str, Any]) -> str:
    """Says how good the reward model is."""
    return (
        f"The reward model learnt from {reward_model['pairs']:.0f} pairs ({reward_model['ties']:.0f} more were ties), "
        f"took {reward_model['flip_rate']:.0%} of the labels for turned round, and names the better of two new texts "
        f"of the reference {reward_model['test_accuracy']:.1%} of the time."
    )
