"""None: takes the readings as they are."""

from __future__ import annotations

from textgym.correction.base import Correction
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class NoCorrection(Correction):
    """Passes every reading on as it is."""

    def __init__(self) -> None:
        super().__init__(oracle=False)

    def apply(self, values: FloatArray, who: IntArray, address: Address) -> FloatArray:
        return values
