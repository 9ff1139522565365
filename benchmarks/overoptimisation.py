"""Over-optimisation: gold and proxy against the distance from a reference, gathered from runs, fitted and tabled.

A run's `config.json` has `policy`, the name of the method, and `seed`; its `result.json` has `points`, each with `kl`
(nats per text), `proxy` and `gold`. The folder's `overoptimisation.json` has the title, the introduction and the order
of the methods. `overoptimisation_page` turns it into HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.report import foot_of
from benchmarks.results import read_json, run_folders
from textgym.types import FloatArray

OVEROPTIMISATION = "overoptimisation.json"
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


@dataclass(frozen=True)
class Overoptimisation:
    """What all methods made of one reward model.

    Attributes:
        title: the headline.
        introduction: one paragraph: what this is.
        courses: one for each method.
        reward_model: what is known of the reward model itself.
        foot: settings and versions, as titled groups of names and values.
    """

    title: str
    introduction: str
    courses: list[Course]
    reward_model: dict[str, float]
    foot: dict[str, dict[str, Any]]


def gather_curves(folder: str | Path) -> Overoptimisation:
    """Reads all finished runs below a folder.

    Raises:
        ValueError: if no run has points, or a file is damaged.
    """
    runs = [run for run in run_folders(folder) if run.finished]
    told = read_json(Path(folder) / OVEROPTIMISATION)
    points: dict[str, list[list[dict[str, float]]]] = {name: [] for name in told["order"]}
    reward_model: dict[str, float] = {}
    for run in runs:
        result = run.result()
        if "points" in result:
            points.setdefault(str(run.config()["policy"]), []).append(result["points"])
        elif "test_accuracy" in result:
            reward_model = {name: float(value) for name, value in result.items()}
    courses = [course_of(name, seeds) for name, seeds in points.items() if seeds]
    if not courses:
        raise ValueError(f"no finished run below {folder} has measured its distance from a reference")
    foot = foot_of([run.config() for run in runs])
    return Overoptimisation(told["title"], told["introduction"], courses, reward_model, foot)


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


def table_of(found: Overoptimisation) -> list[tuple[str, ...]]:
    """Returns the table's rows, one for each method; means over seeds."""
    rows = []
    for course in found.courses:
        peak, gold, proxy = course.peak, course.gold.mean(axis=0), course.proxy.mean(axis=0)
        kl = (course.distance**2).mean(axis=0)
        fit, bent = course.fit, "d" if course.name == BEST_OF_N else "log d"
        numbers = [kl[peak], gold[0], gold[peak], gold[-1], proxy[0], proxy[peak], proxy[-1], kl[-1]]
        told = "" if fit is None else f"d ({fit.alpha:.3f} {-fit.beta:+.3f} {bent}), R² {fit.explained:.2f}"
        rows.append((course.name, f"{numbers[0]:.2f}", *(f"{n:.3f}" for n in numbers[1:7]), f"{numbers[7]:.2f}", told))
    return rows


def verdicts(found: Overoptimisation) -> list[str]:
    """Says of each method whether gold turned while the proxy went on rising."""
    told = []
    for course, row in zip(found.courses, table_of(found), strict=True):
        gold, proxy, peak = course.gold.mean(axis=0), course.proxy.mean(axis=0), course.peak
        if peak < len(gold) - 1 and gold[-1] < gold[peak] and proxy[-1] > proxy[peak]:
            told.append(
                f"{course.name}: gold rises from {row[2]} to {row[3]} at {row[1]} nats, then falls to {row[4]}, while "
                f"the proxy rises on from {row[6]} to {row[7]}."
            )
        else:
            told.append(f"{course.name}: gold goes from {row[2]} to {row[4]}, the proxy from {row[5]} to {row[7]}.")
    return told


def print_curves(found: Overoptimisation, console: Console) -> None:
    """Prints what the reward model knows, the table and what it says, for a terminal."""
    known = found.reward_model
    if known:
        console.print(told_of(known), highlight=False)
    table = Table(*HEAD, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for row in table_of(found):
        table.add_row(*row)
    console.print(table)
    for sentence in verdicts(found):
        console.print(sentence, highlight=False)


def told_of(reward_model: dict[str, float]) -> str:
    """Says how good the reward model is."""
    return (
        f"The reward model learnt from {reward_model['pairs']:.0f} pairs ({reward_model['ties']:.0f} more were ties), "
        f"took {reward_model['flip_rate']:.0%} of the labels for turned round, and names the better of two new texts "
        f"of the reference {reward_model['test_accuracy']:.1%} of the time."
    )
