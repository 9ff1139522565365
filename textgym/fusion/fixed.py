"""Fixed: the weights of the feedback spec, for ever."""

from __future__ import annotations

from collections.abc import Sequence

from textgym.fusion.base import Fusion
from textgym.random import Address
from textgym.types import FloatArray


class Fixed(Fusion):
    """Sums the signals with the weights that the feedback spec gives them."""

    def __init__(self, weights: FloatArray, names: Sequence[str]) -> None:
        super().__init__(weights, names)

    def weights(self, address: Address) -> FloatArray:
        return self.base_weights
