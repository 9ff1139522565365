"""How near correctors that estimate come to one that knows: `python -m benchmarks.realism --json FILE`.

In each world the noise is of a known kind, but its parameters are drawn at random, and no corrector is told them. Each
corrector reads one text after the other, as in an environment, and is judged on the second half. The oracle knows all
parameters: its posterior mean has the least squared error that there can be. The surrogate reward, which is meant to be
right on average instead, is held against the surrogate with `oracle=True`, by the error of the mean of each level.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.raters import KINDS, Sizes, World
from benchmarks.statistics import Interval, percentile_interval
from textgym.correction.base import Correction
from textgym.random import Address
from textgym.registration import build
from textgym.types import FloatArray, Spec

ZSCORE: Spec = {"name": "calibrate", "method": "zscore"}
AFFINE: Spec = {"name": "calibrate", "method": "affine", "probes": 0.1}
ISOTONIC: Spec = {"name": "calibrate", "method": "isotonic", "probes": 0.1}
PROBED_KALMAN: Spec = {"name": "kalman", "probes": 0.1}

CORRECTORS: Mapping[str, Sequence[Spec]] = {
    "flip": ("dawid_skene", "surrogate"),
    "asymmetric": ("dawid_skene", "surrogate"),
    "confusion": ("dawid_skene", "surrogate"),
    "randomised_response": ("dawid_skene", "surrogate"),
    "spammers": ("dawid_skene",),
    "biased": ("kalman", "exponential", ZSCORE, AFFINE),
    "drifting": ("kalman", "exponential", PROBED_KALMAN),
    "skewed": (ZSCORE, AFFINE, ISOTONIC),
    "contamination": ("huber", "median"),
}
"""Which correctors are tried on which kind of noise; all estimate, some with a tenth of the texts as gold probes."""


@dataclass(frozen=True)
class Line:
    """How a corrector did on one kind of noise.

    Attributes:
        kind: the kind of noise.
        corrector: the corrector.
        measure: `"mse"`, the mean squared error, or `"bias"`, the squared error of the mean of each level.
        raw, estimated, oracle: it for the mean reading, the corrector, and the one that knows; means over worlds.
        share: the share of the gap between raw and oracle that the corrector closes, with its 95 % interval.
        rank_raw, rank_estimated, rank_oracle: Spearman's correlation with the true quality, likewise.
    """

    kind: str
    corrector: str
    measure: str
    raw: float
    estimated: float
    oracle: float
    share: Interval
    rank_raw: float
    rank_estimated: float
    rank_oracle: float


def correct(spec: Spec, worlds: Sequence[World], *, annotators: int, seed: int) -> FloatArray:
    """Returns what a corrector makes of all texts of all worlds, (W, T), one text after the other.

    Args:
        spec: the corrector.
        worlds: W worlds of T texts; the corrector sees the readings, and the truth of its gold probes.
        annotators: how many people give the readings.
        seed: where the choice of gold probes comes from.
    """
    readings, who, truth = (
        np.stack(part) for part in zip(*((w.readings, w.who, w.truth) for w in worlds), strict=True)
    )
    corrector: Correction = build("correction", spec)
    corrector.expect(0.0, 1.0, worlds[0].levels)
    corrector.bind(len(worlds), readings.shape[2], annotators)
    place = Address.first(len(worlds), seed)
    corrected = np.empty_like(truth)
    for text in range(truth.shape[1]):
        address = replace(place, episodes=np.full(len(worlds), text))
        corrected[:, text] = corrector.apply(readings[:, text], who[:, text], address).mean(axis=1)
        probes = np.flatnonzero(address.of("probes").uniform()[:, 0] < corrector.probe_rate)
        if len(probes):
            corrector.learn(readings[probes, text], truth[probes, text], who[probes, text], address[probes])
    return corrected


def known_surrogate(world: World) -> FloatArray:
    """Returns what the surrogate that is told the channel makes of a world's texts, (T,)."""
    assert world.channel is not None
    corrector: Correction = build("correction", {"name": "surrogate", "oracle": True})
    corrector.expect(0.0, 1.0, world.levels)
    corrector.know([world.channel])
    corrector.bind(len(world.truth))  # it learns nothing, so each text may be a row
    mean: FloatArray = corrector.apply(world.readings, world.who, Address.first(len(world.truth))).mean(axis=1)
    return mean


def judge(kind: str, spec: Spec, worlds: Sequence[World], *, annotators: int, generator: np.random.Generator) -> Line:
    """Tries a corrector on a kind of noise; only the second half of each world's texts counts."""
    name = spec if isinstance(spec, str) else " ".join(map(str, spec.values()))
    surrogate = name == "surrogate"
    error = level_bias if surrogate else squared_error
    estimated = correct(spec, worlds, annotators=annotators, seed=int(generator.integers(2**31)))
    estimates = np.stack(
        [
            [world.readings.mean(axis=1) for world in worlds],
            estimated,
            [known_surrogate(world) if surrogate else world.posterior_mean for world in worlds],
        ]
    )  # (3, W, T)
    half = estimates.shape[2] // 2
    pairs = [[(mine[half:], world.truth[half:]) for mine, world in zip(by, worlds, strict=True)] for by in estimates]
    errors = np.array([[error(*pair) for pair in row] for row in pairs])  # (3, W)
    raw, mean_estimated, oracle = errors.mean(axis=1).tolist()
    ranks = [float(np.mean([spearman(*pair) for pair in row])) for row in pairs]
    share = share_of_gap(errors, generator=generator)
    return Line(kind, name, "bias" if surrogate else "mse", raw, mean_estimated, oracle, share, *ranks)


def squared_error(estimate: FloatArray, truth: FloatArray) -> float:
    """Returns the mean squared error of the estimates, (T,), of a world's texts."""
    return float(((estimate - truth) ** 2).mean())


def level_bias(estimate: FloatArray, truth: FloatArray) -> float:
    """Returns the squared error of the mean estimate of each level, averaged over a world's texts, (T,)."""
    levels, level, counts = np.unique(truth, return_inverse=True, return_counts=True)
    bias = np.bincount(level, estimate) / counts - levels
    return float((bias**2)[level].mean())


def spearman(first: FloatArray, second: FloatArray) -> float:
    """Returns the correlation of the ranks of two samples, (T,) each; equal values share their mean rank."""
    ranks = []
    for sample in (first, second):
        _, place, counts = np.unique(sample, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[place])
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def share_of_gap(errors: FloatArray, *, generator: np.random.Generator, resamples: int = 2000) -> Interval:
    """Returns `(raw - estimated) / (raw - oracle)` of the means over worlds, with its 95 % bootstrap interval.

    Args:
        errors: (3, W) the errors of the three in each world.
        generator: where the draws of worlds come from.
        resamples: how many bootstrap samples are drawn.
    """
    drawn = errors[:, generator.integers(errors.shape[1], size=(resamples, errors.shape[1]))].mean(axis=2)
    raw, estimated, oracle = np.column_stack([errors.mean(axis=1), drawn])
    share = (raw - estimated) / (raw - oracle)
    return percentile_interval(float(share[0]), share[1:])


def measure(
    sizes: Sizes | None = None, *, seed: int = 0, correctors: Mapping[str, Sequence[Spec]] = CORRECTORS
) -> list[Line]:
    """Tries all correctors on all kinds of noise; less than a minute."""
    sizes = sizes or Sizes()
    generators = dict(zip(correctors, np.random.default_rng(seed).spawn(len(correctors)), strict=True))
    lines = []
    with tqdm(total=sum(map(len, correctors.values())), unit="corrector") as progress:
        for kind, generator in generators.items():
            worlds = [KINDS[kind](sizes, generator) for _ in range(sizes.worlds)]
            for spec in correctors[kind]:
                lines.append(judge(kind, spec, worlds, annotators=sizes.annotators, generator=generator))
                progress.update()
    return lines


def by_name(lines: Sequence[Line]) -> dict[str, float]:
    """Returns the numbers of all lines as one flat object, such as `"flip/dawid_skene/mse_raw"`."""
    numbers: dict[str, float] = {}
    for line in lines:
        values = {f"{line.measure}_{who}": getattr(line, who) for who in ("raw", "estimated", "oracle")}
        values |= {f"rank_{who}": getattr(line, f"rank_{who}") for who in ("raw", "estimated", "oracle")}
        share = line.share
        values |= {"share_of_gap": share.estimate, "share_of_gap_low": share.low, "share_of_gap_high": share.high}
        numbers |= {f"{line.kind}/{line.corrector}/{name}": value for name, value in values.items()}
    return numbers


def as_table(lines: Sequence[Line]) -> Table:
    """Returns the lines as a table for the terminal."""
    table = Table("noise", "corrector", "error", "raw", "estimated", "oracle", "gap closed", "rank correlations")
    for line in lines:
        errors = (f"{value:.4f}" for value in (line.raw, line.estimated, line.oracle))
        ranks = f"{line.rank_raw:.3f} {line.rank_estimated:.3f} {line.rank_oracle:.3f}"
        table.add_row(line.kind, line.corrector, line.measure, *errors, str(line.share), ranks)
    return table


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="where to write the numbers, by name")] = None,
    seed: Annotated[int, typer.Option(help="the seed of all chance")] = 0,
) -> None:
    """Tries every corrector that estimates on noise that it was not told of, beside one that knows it."""
    lines = measure(seed=seed)
    Console(width=130).print(as_table(lines))
    if json_file is not None:
        json_file.write_text(json.dumps(by_name(lines), indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
