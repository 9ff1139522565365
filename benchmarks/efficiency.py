"""How soon a learner learns: the tokens that it needs to come most of the way to its own best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.statistics import Interval, stratified_bootstrap
from textgym.types import FloatArray


def smoothed(tokens: FloatArray, values: FloatArray, texts: FloatArray, window: float) -> FloatArray:
    """Returns at each point of a curve the mean over all texts of the `window` tokens before it, (p,).

    Args:
        tokens: (p,) the tokens written so far, rising.
        values: (p,) the mean over the texts finished since the point before.
        texts: (p,) how many these were.
        window: in tokens; a point counts itself at least.
    """
    firsts = np.searchsorted(tokens, tokens - window, side="right")
    total, count = (np.concatenate(([0.0], np.cumsum(part))) for part in (values * texts, texts))
    lasts = np.arange(1, len(tokens) + 1)
    mean: FloatArray = (total[lasts] - total[firsts]) / (count[lasts] - count[firsts])
    return mean


def tokens_needed(
    records: Sequence[Mapping[str, Any]], measure: str, start: float, *, share: float = 0.9, window: float = 0.1
) -> float | None:
    """Returns after how many tokens a run first reached start + share (best - start), its best being its own.

    The curve is that of the texts written while learning, each point the mean over the texts of the last tenth of the
    run; that makes every learner look late by up to as much.

    Args:
        records: the run's metrics.
        measure: what is looked at, such as `"clean_return"`.
        start: its value before learning: that of random tokens, or of the warm start.
        share: of the way, in (0, 1].
        window: of the run's tokens, in (0, 1].

    Returns:
        None where no point is above the start.
    """
    known = [record for record in records if record.get(measure) is not None]
    if not known:
        return None
    tokens, values, texts = (
        np.array([record[name] for record in known], np.float64) for name in ("timesteps", measure, "texts")
    )
    curve = smoothed(tokens, values, texts, window * tokens[-1])
    if curve.max() <= start:
        return None
    return float(tokens[np.argmax(curve >= start + share * (curve.max() - start))])


def over_seeds(values: Sequence[float | None]) -> Interval | None:
    """Returns the mean over those seeds that have a value, with its 95 % bootstrap interval, from a fixed seed."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return stratified_bootstrap(np.array(known)[:, None], generator=np.random.default_rng(0), statistic=np.mean)


def in_thousands(values: Sequence[float | None]) -> str:
    """Returns numbers of tokens as their mean and interval in thousands, and how many seeds had none."""
    found, missing = over_seeds(values), sum(value is None for value in values)
    if found is None:
        return "never"
    told = f"{found.estimate / 1000:.1f}k [{found.low / 1000:.1f}, {found.high / 1000:.1f}]"
    return f"{told}, {missing} of {len(values)} never" if missing else told
