"""Channels: noise and then correction, on one signal or on the sum."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textgym.component import Component
from textgym.correction.base import Correction
from textgym.noise.base import Noise
from textgym.noise.composition import least_privacy_loss
from textgym.noise.presets import expand
from textgym.random import Address
from textgym.registration import as_list, build
from textgym.types import FloatArray, IntArray, Spec


@dataclass(frozen=True)
class Channels:
    """What feedback passes through on its way. Where nothing was said a reading is NaN, and stays so.

    Attributes:
        path: where they sit, `"sum"` or `"signal/LABEL"`; their chance depends on it.
        noise: the channels of noise, in order.
        correction: the correctors, in order.
        privacy_loss: the epsilon of local differential privacy that one reading spends; 0 where no channel is private.
    """

    path: str
    noise: Sequence[Noise]
    correction: Sequence[Correction]
    privacy_loss: float = 0.0

    @classmethod
    def make(
        cls,
        path: str,
        noise: Sequence[Spec] | str,
        correction: Sequence[Spec],
        low: float,
        high: float,
        outcomes: FloatArray | None,
    ) -> Channels:
        """Builds channels from their specs; clean values lie in [low, high] and are `outcomes` where these are few."""
        listed = [noise] if isinstance(noise, str) and "/" in noise else as_list("noise", noise)
        channels: list[Noise] = [build("noise", spec) for spec in expand(listed)]
        ends = np.array([low, high])  # of what comes to a channel, but for what chance has added
        for channel in channels:
            if channel.sensitivity is not None and np.ptp(ends) > channel.sensitivity * (1 + 1e-9):
                warnings.warn(
                    f"{path}: the privacy that {type(channel).__name__} promises holds for values that differ by at "
                    f"most sensitivity={channel.sensitivity:g}, and these lie from {ends.min():g} to {ends.max():g}",
                    stacklevel=2,
                )
            if not channel.variance(ends).any():
                ends = channel.mean(ends)
        correctors: list[Correction] = [build("correction", spec) for spec in as_list("correction", correction)]
        for corrector in correctors:
            corrector.expect(low, high, outcomes)
            if corrector.oracle:
                corrector.know(channels)
        return cls(path, channels, correctors, least_privacy_loss(channels) or 0.0)

    @property
    def empty(self) -> bool:
        """Whether what passes them comes out as it was."""
        return not self.noise and not self.correction

    @property
    def postpones(self) -> bool:
        """Whether what does not come out at a token may come out later in the text."""
        return any(channel.postpones for channel in self.noise)

    @property
    def components(self) -> dict[str, Component]:
        """All parts by their place."""
        noise = {f"{self.path}/noise/{number}": part for number, part in enumerate(self.noise)}
        return {**noise, **{f"{self.path}/correction/{number}": part for number, part in enumerate(self.correction)}}

    def disturb(self, values: FloatArray, address: Address) -> FloatArray:
        """Returns noisy values, (n, m) to (n, m)."""
        for number, channel in enumerate(self.noise):
            place = address.of(f"{self.path}/noise/{number}")
            missing = np.isnan(values)
            if channel.sees_missing or not missing.any():
                values = channel.apply(values, place)
                continue
            some = np.flatnonzero(~missing.all(axis=1))
            noisy = np.full_like(values, np.nan)
            if len(some):
                stand_in = np.nanmean(values[some], axis=1, keepdims=True)
                noisy[some] = channel.apply(np.where(missing[some], stand_in, values[some]), place[some])
                noisy[missing] = np.nan
            values = noisy
        return values

    def correct(self, values: FloatArray, truth: FloatArray, who: IntArray, address: Address) -> FloatArray:
        """Returns corrected readings, (n, m'), of which the mean is what is believed; NaN where there is none.

        Args:
            values: (n, m) the noisy readings.
            truth: (n,) the clean values, which are shown for gold probes alone.
            who: (n, m) the number of the annotator behind each reading.
            address: where the rows stand.
        """
        if not self.correction:
            return values
        missing = np.isnan(values)
        if not missing.any():
            return self._correct(values, truth, who, address)
        some = np.flatnonzero(~missing.all(axis=1))
        if not len(some):
            return values
        corrected = self._correct(values[some], truth[some], who[some], address[some])
        everywhere = np.full((len(values), corrected.shape[1]), np.nan)
        everywhere[some] = corrected
        return everywhere

    def _correct(self, values: FloatArray, truth: FloatArray, who: IntArray, address: Address) -> FloatArray:
        for number, corrector in enumerate(self.correction):
            place = address.of(f"{self.path}/correction/{number}")
            corrected = corrector.apply(values, who, place)
            if corrector.probe_rate > 0:
                probes = np.flatnonzero(
                    place.of(f"{self.path}/correction/{number}/probes").uniform()[:, 0] < corrector.probe_rate
                )
                if len(probes):
                    corrector.learn(values[probes], truth[probes], who[probes], place[probes])
            values = corrected
            if values.shape[1] != who.shape[1]:
                who = np.zeros(values.shape, np.int64)
        return values
