"""Affine: feedback on another scale, and with a bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.noise.parts.discrete import DiscreteNoise
from textgym.types import FloatArray


class Affine(DiscreteNoise):
    """Turns f into `scale * f + offset`.

    Args:
        scale: the factor, finite; below 0 it reverses the order.
        offset: the bias, finite, in units of the output.
    """

    affine = True
    example: ClassVar[Mapping[str, Any]] = {"scale": 0.8, "offset": 0.1}

    def __init__(self, scale: float = 1.0, offset: float = 0.0) -> None:
        if not np.isfinite([scale, offset]).all():
            raise ValueError(f"scale and offset must be finite, got scale={scale}, offset={offset}")
        self.scale, self.offset = scale, offset

    def outcomes(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        return (self.scale * values + self.offset)[..., None], np.ones(1)
