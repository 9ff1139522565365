"""The inverse of what channels make of a value on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textgym.noise.composition import Composition
from textgym.types import FloatArray


@dataclass(frozen=True)
class InverseMean:
    """Finds the value whose expected reading a reading is: linear between some points, and beyond them.

    Where the mean is affine in the value this is exact, and so the result is right on average.

    Attributes:
        means: (P,) expected readings, ascending.
        values: (P,) the values that they belong to, ascending or descending.
    """

    means: FloatArray
    values: FloatArray

    @classmethod
    def of(cls, channels: Composition, values: FloatArray) -> InverseMean:
        """Returns the inverse of the channels' mean between some values, (P,), which ascend.

        Raises:
            ValueError: if the mean does not rise, or fall, all the way.
        """
        means = channels.mean(values[:, None])[:, 0]
        if means[0] > means[-1]:
            values, means = values[::-1], means[::-1]
        if (np.diff(means) <= 0).any():
            raise ValueError(
                "the channels' mean does not rise, or fall, with the value everywhere: it has no inverse; if they turn "
                "values into a few levels, tell the corrector how many, such as levels=5"
            )
        return cls(means, values)

    @property
    def affine(self) -> bool:
        """Whether the inverse shifts all readings alike and scales them by one factor above 0."""
        slopes = np.diff(self.values) / np.diff(self.means)
        return bool(slopes[0] > 0 and np.allclose(slopes, slopes[0]))

    def __call__(self, readings: FloatArray) -> FloatArray:
        """Returns the value of each reading, in the same shape; NaN stays NaN."""
        inside = np.clip(readings, self.means[0], self.means[-1])
        slope = (self.values[-1] - self.values[0]) / (self.means[-1] - self.means[0])
        value: FloatArray = np.interp(inside, self.means, self.values) + slope * (readings - inside)
        return value
