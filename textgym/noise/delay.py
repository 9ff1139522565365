"""Delay: feedback that arrives later in the same text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.component import Arrays
from textgym.noise.parts.discrete import DiscreteNoise
from textgym.random import Address
from textgym.types import FloatArray

_LONGEST = 53 * np.log(2.0)  # -log of the smallest number that is drawn


class Delay(DiscreteNoise):
    """Pays at token t + D what a reading said at token t; D is fixed, or geometric: `P(D = d) = p (1 - p)**d`.

    Readings that arrive at the same token add up; a token at which none arrives has none. What is still due when the
    text ends arrives with its last token, so nothing is lost and a text's return stays as it is: mean, variance and
    confusion matrix are those of one reading by itself, which arrives as it was. Joulani, Gyorgy and Szepesvari 2013,
    "Online learning under delayed feedback".

    Args:
        steps: the fixed delay D in tokens, at least 0; give either this or `rate`.
        rate: the probability p that a reading which is due arrives at a token, in [0.01, 1); the mean delay is
            (1 - p) / p tokens.
    """

    sees_missing = True
    postpones = True
    affine = True
    example: ClassVar[Mapping[str, Any]] = {"steps": 3}

    def __init__(self, steps: int | None = None, rate: float | None = None) -> None:
        if (steps is None) == (rate is None):
            raise ValueError(f"give either steps or rate, got steps={steps}, rate={rate}")
        if steps is not None and steps < 0:
            raise ValueError(f"steps must be at least 0, got {steps}")
        if rate is not None and not 0.01 <= rate < 1:
            raise ValueError(f"rate must be at least 0.01 and below 1, got {rate}")
        self.steps, self.rate = steps, rate

    def row_state(self, readings: int, annotators: int) -> Arrays:
        """A ring of the sums that are due at coming tokens, NaN where nothing is, and the text that they are from."""
        longest = self.steps if self.rate is None else int(_LONGEST / -np.log1p(-self.rate))
        assert longest is not None
        return {"due": np.full((readings, longest + 1), np.nan), "episode": np.array(-1)}

    def apply(self, values: FloatArray, address: Address) -> FloatArray:
        due, episode, rows = self.state["due"], self.state["episode"], address.rows
        due[rows[episode[rows] != address.episodes]] = np.nan
        episode[rows] = address.episodes
        row, reading, step = rows[:, None], np.arange(values.shape[1]), address.steps[:, None]
        given = ~np.isnan(values)
        arrival = row, reading, (step + self._delays(address, values.shape[1])) % due.shape[2]
        before = due[arrival]
        due[arrival] = np.where(given, np.where(np.isnan(before), 0.0, before) + values, before)
        now = row, reading, step % due.shape[2]
        arrived: FloatArray = due[now]
        due[now] = np.nan
        ended = address.finished
        if ended.any():
            rest = due[rows[ended]]
            last = np.concatenate([arrived[ended][..., None], rest], axis=2)
            arrived[ended] = np.where(np.isnan(last).all(axis=2), np.nan, np.nansum(last, axis=2))
            due[rows[ended]] = np.nan
        return arrived

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return values[..., None], np.ones(1)

    def _delays(self, address: Address, readings: int) -> Any:
        """Returns the delay in tokens of each reading, (n, m), or of all."""
        if self.rate is None:
            return self.steps
        return np.floor(np.log(address.uniform(readings)) / np.log1p(-self.rate)).astype(np.int64)
