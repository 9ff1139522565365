"""What a learner's texts were worth while it trained, seed by seed, and the lines that show it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.report.lines import Line
from textgym.types import FloatArray

MAX_POINTS = 100
"""The most points of a curve."""

MAX_THIN = 16
"""The most thin lines of a chart: where there are more seeds, a band from the lowest to the highest is drawn."""


@dataclass(frozen=True)
class Curve:
    """One measure of one learner while it trained.

    Attributes:
        learner: its name.
        tokens: (p,) the tokens written so far.
        seeds: (seeds, p) the measure of each training seed.
    """

    learner: str
    tokens: FloatArray
    seeds: FloatArray

    @classmethod
    def from_seeds(cls, learner: str, points: Sequence[tuple[FloatArray, FloatArray]]) -> Curve:
        """Brings seeds, each with its tokens (p_i,) and measure (p_i,), to the same places; at most MAX_POINTS."""
        end = min(tokens[-1] for tokens, _ in points)
        grid = max((tokens[tokens <= end] for tokens, _ in points), key=len)
        seeds = np.array([np.interp(grid, tokens, values) for tokens, values in points])
        size = math.ceil(len(grid) / MAX_POINTS)
        starts = np.arange(0, len(grid), size)
        counts = np.diff(np.append(starts, len(grid)))
        return cls(learner, np.add.reduceat(grid, starts) / counts, np.add.reduceat(seeds, starts, axis=1) / counts)


def learning_lines(curves: Sequence[Curve], colours: Mapping[str, str]) -> list[Line]:
    """Returns the lines of curves: each seed thin behind their mean, or a band over all where they are many."""
    many = sum(len(curve.seeds) for curve in curves) > MAX_THIN
    lines = []
    for curve in curves:
        low, high = (curve.seeds.min(axis=0), curve.seeds.max(axis=0)) if many else (None, None)
        colour, thin = colours.get(curve.learner, "plain"), None if many else curve.seeds
        lines.append(Line(curve.learner, colour, curve.tokens, curve.seeds.mean(axis=0), low, high, thin))
    return lines
