"""Noise at levels: how each channel is set to one, in a unit that all channels of its kind share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from textgym.noise.presets import SEVERITIES

TEXTS = 50
"""After how many texts of a row noise that grows has the standard deviation that its level says."""

DEVIATIONS = "standard deviations of the clean return"
LABELS = "1 - J, J the slope of the mean answer"
SHARE = "share of the readings"


@dataclass(frozen=True)
class Channel:
    """How a channel is set to a level.

    Attributes:
        unit: what a level is.
        arguments: the channel's arguments from the level; from the level in units of the feedback, where that is told
            in standard deviations.
    """

    unit: str
    arguments: Callable[[float], dict[str, Any]]


def _private(level: float, labels: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)) -> dict[str, Any]:
    """Returns the randomised response with J = 1 - level: e**epsilon = (1 + (K - 1) J) / (1 - J)."""
    odds = (1 + (len(labels) - 1) * (1 - level)) / level
    return {"epsilon": round(float(np.log(odds)), 6), "levels": list(labels)}


CHANNELS = {
    "gaussian": Channel(DEVIATIONS, lambda x: {"sigma": x}),
    "laplace": Channel(DEVIATIONS, lambda x: {"epsilon": round(float(np.sqrt(2)) / x, 6)}),
    "ar1": Channel(DEVIATIONS, lambda x: {"sigma": x}),
    "drift": Channel(DEVIATIONS, lambda x: {"tau": round(x / float(np.sqrt(TEXTS)), 6)}),
    "fatigue": Channel(
        DEVIATIONS, lambda x: {"sigma": x / 4, "ceiling": x, "kappa": round(float(np.log(4)) / TEXTS, 6)}
    ),
    "pool": Channel(DEVIATIONS, lambda x: {"scale": 0.0, "bias": round(x / 2**0.5, 6), "spread": round(x / 2**0.5, 6)}),
    "flip": Channel(LABELS, lambda x: {"rate": x / 2}),
    "asymmetric": Channel(LABELS, lambda x: {"false_positive_rate": x / 4, "false_negative_rate": 3 * x / 4}),
    "randomised_response": Channel(LABELS, _private),
    "dropout": Channel(SHARE, lambda x: {"seen": round(1 - x, 6)}),
    "contamination": Channel(SHARE, lambda x: {"rate": x, "outlier": 1.0}),
    "delay": Channel("tokens", lambda x: {"steps": int(x)}),
    "quantise": Channel("width of a step", lambda x: {"levels": 1 + round(1 / x)}),
    "clip": Channel("share of the range", lambda x: {"low": 0.0, "high": round(1 - x, 6)}),
    "skew": Channel("log2 of the exponent", lambda x: {"rho": 2.0**x}),
    "affine": Channel("log2 of the shrinkage", lambda x: {"scale": 2.0**-x}),
}


@dataclass(frozen=True)
class Sweep:
    """What is swept on which problem.

    Attributes:
        noise: a channel, or a preset.
        problem: the name of a problem.
        levels: the levels above 0; of a preset 1 to 3.
    """

    noise: str
    problem: str
    levels: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)

    def specs(self, level: float, deviation: float) -> list[Any]:
        """Returns the noise at a level above 0.

        Args:
            level: the level.
            deviation: the standard deviation of the clean return.
        """
        if self.noise not in CHANNELS:
            return [f"{self.noise}/{SEVERITIES[int(level) - 1]}"]
        channel = CHANNELS[self.noise]
        size = round(level * deviation, 6) if channel.unit is DEVIATIONS else level
        return [{"name": self.noise, **channel.arguments(size)}]

    @property
    def unit(self) -> str:
        """What a level is."""
        return CHANNELS[self.noise].unit if self.noise in CHANNELS else f"none, {', '.join(SEVERITIES)}"
