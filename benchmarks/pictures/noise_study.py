"""What channels of noise make of known numbers: what `textgym show noise` and the report draw."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.pictures.response import Response
from textgym.channels import Channels
from textgym.noise.base import Noise
from textgym.noise.composition import Composition
from textgym.random import Address
from textgym.types import FloatArray

VALUES, DRAWS, COURSES, TEXTS = 61, 2000, 400, 200
"""How many values a channel is given, how often each, how many rows' time is followed, and for how many texts."""

MOST_LEVELS = 12
"""The most values that can come out of a channel whose confusion matrix is shown."""

TOKENS, SPOKEN = 40, 10
"""The length of a text, and the token of it that feedback is given on, to see when it arrives."""


@dataclass(frozen=True)
class NoiseStudy:
    """What channels do to numbers.

    Attributes:
        values: (g,) what goes in.
        outputs: (g, d) what comes out, d times for each; NaN where it is lost.
        mean: (g,) the mean that the channels declare.
        deviation: (g,) the standard deviation that they declare.
        levels: (K,) the values that come out, ascending, if they are few and are confused with each other; else None.
        confusion: (K, K) P(out = levels[j] | in = levels[i]), likewise.
        course: (t, r) what comes out of the middle value for the t-th text of r rows, for channels with a memory;
            None for others.
        arrival: (T,) how much of a feedback of 1 on token `SPOKEN` arrives at each token of a text, for channels that
            may keep it back; None for others.
    """

    values: FloatArray
    outputs: FloatArray
    mean: FloatArray
    deviation: FloatArray
    levels: FloatArray | None
    confusion: FloatArray | None
    course: FloatArray | None
    arrival: FloatArray | None


def study_noise(channels: Sequence[Noise], low: float = 0.0, high: float = 1.0) -> NoiseStudy:
    """Gives channels values from `low` to `high`; the channels themselves are left as they are."""
    values = np.linspace(low, high, VALUES)
    tried, outputs = _bound(channels, DRAWS), np.empty((VALUES, DRAWS))
    for number, value in enumerate(values):
        for channel in tried.noise:
            channel.reseed(np.arange(DRAWS))
        outputs[number] = tried.disturb(np.full((DRAWS, 1), value), Address.first(DRAWS, seed=number))[:, 0]
    law = Composition(channels)
    levels, confusion = _confusion(law, outputs)
    deviation = np.sqrt(law.variance(values))
    course, arrival = _course(channels, low, high), _arrival(channels)
    return NoiseStudy(values, outputs, law.mean(values), deviation, levels, confusion, course, arrival)


def noise_response(study: NoiseStudy) -> Response:
    """Returns how what comes out follows what goes in."""
    return Response.of([study.values[i : i + 1] for i in range(VALUES)], list(study.outputs))


def _bound(channels: Sequence[Noise], rows: int) -> Channels:
    """Returns fresh copies of channels for some rows."""
    fresh = copy.deepcopy(list(channels))
    for channel in fresh:
        channel.bind(rows)
    return Channels("sum", fresh, ())


def _confusion(law: Composition, outputs: FloatArray) -> tuple[FloatArray | None, FloatArray | None]:
    """Returns the values that come out, if they are few, and how channels confuse them, if they do."""
    levels = np.unique(np.round(outputs[~np.isnan(outputs)], 12))
    confusion = law.confusion(levels) if 1 < len(levels) <= MOST_LEVELS else None
    if confusion is None or np.allclose(confusion, np.eye(len(levels))):
        return None, None
    return levels, confusion


def _course(channels: Sequence[Noise], low: float, high: float) -> FloatArray | None:
    tried, first = _bound(channels, COURSES), Address.first(COURSES)
    if not any(channel.get_state() and not channel.sees_missing for channel in tried.noise):
        return None
    middle = np.full((COURSES, 1), (low + high) / 2)
    places = (replace(first, episodes=np.full(COURSES, number)) for number in range(TEXTS))
    return np.array([tried.disturb(middle, place)[:, 0] for place in places])


def _arrival(channels: Sequence[Noise]) -> FloatArray | None:
    if not any(channel.sees_missing for channel in channels):
        return None
    tried, first = _bound(channels, DRAWS), Address.first(DRAWS)
    arrived = np.zeros((TOKENS, DRAWS))
    for token in range(TOKENS):
        finished = np.full(DRAWS, token == TOKENS - 1)
        place = replace(first, steps=np.full(DRAWS, token), finished=finished)
        arrived[token] = tried.disturb(np.full((DRAWS, 1), 1.0 if token == SPOKEN else np.nan), place)[:, 0]
    arrival: FloatArray = np.nansum(arrived, axis=1) / DRAWS
    return arrival
