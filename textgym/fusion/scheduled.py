"""Scheduled: weights that move from one set to another as a row's episodes go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from textgym.fusion.base import Fusion
from textgym.random import Address
from textgym.types import FloatArray

_SHAPES = ("linear", "cosine")


class Scheduled(Fusion):
    """Moves the weights of a row from the spec's to others: `w = (1 - s) w_spec + s w_to`, s from 0 to 1.

    With p = min(1, episode / episodes), s is p where the shape is linear and (1 - cos(pi p)) / 2, slow at both ends,
    where it is cosine (Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts").

    Args:
        weights: (k,) the weights of the spec.
        names: (k,) the names of the signals.
        to: the weights to end with: one for each signal, or by name, and then the others keep theirs. By default all
            signals get the mean of the spec's weights.
        episodes: after how many episodes of a row they are reached, at least 1.
        shape: `"linear"` or `"cosine"`.
    """

    def __init__(
        self,
        weights: FloatArray,
        names: Sequence[str],
        to: Mapping[str, float] | Sequence[float] | None = None,
        episodes: int = 1000,
        shape: Literal["linear", "cosine"] = "linear",
    ) -> None:
        super().__init__(weights, names)
        if episodes < 1:
            raise ValueError(f"episodes must be at least 1, got {episodes}")
        if shape not in _SHAPES:
            raise ValueError(f"shape must be one of {', '.join(_SHAPES)}, got {shape!r}")
        self.episodes, self.shape = episodes, shape
        self.final_weights = np.full(len(weights), weights.mean()) if to is None else self._in_order(to)

    def _in_order(self, to: Mapping[str, float] | Sequence[float]) -> FloatArray:
        if isinstance(to, Mapping):
            if unknown := [name for name in to if name not in self.names]:
                raise ValueError(f"to names no signal {unknown[0]!r}; known: {', '.join(self.names)}")
            to = [to.get(name, weight) for name, weight in zip(self.names, self.base_weights, strict=True)]
        final = np.array(to, np.float64)
        if final.shape != self.base_weights.shape or not np.isfinite(final).all():
            raise ValueError(f"to must be {len(self.names)} finite weights, one for each signal, got {to}")
        return final

    def weights(self, address: Address) -> FloatArray:
        progress = np.minimum(address.episodes / self.episodes, 1.0)[:, None]
        if self.shape == "cosine":
            progress = 0.5 - 0.5 * np.cos(np.pi * progress)
        return (1 - progress) * self.base_weights + progress * self.final_weights
