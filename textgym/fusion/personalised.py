"""Personalised: every text is written for a user, who weighs the signals in a way of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgym.fusion.base import Fusion
from textgym.fusion.parts.reweighting import reweighted
from textgym.random import Address
from textgym.types import FloatArray, IntArray


class Personalised(Fusion):
    """Takes the weights of the user whom a text is written for, one of several, all equally likely.

    The shares of the signals in the total weight are drawn for each user from a Dirichlet distribution around those of
    the spec, so that the mean user weighs as the spec says; signs and total stay. The users are the same in all rows.

    Args:
        weights: (k,) the weights of the spec.
        names: (k,) the names of the signals.
        users: how many users there are, at least 1.
        concentration: the sum of the Dirichlet's parameters, above 0; a share p has the variance
            `p (1 - p) / (concentration + 1)` over users.
        seed: the seed of the users, at least 0.

    Attributes:
        user_weights: (users, k) the weights of each user.
    """

    def __init__(
        self,
        weights: FloatArray,
        names: Sequence[str],
        users: int = 16,
        concentration: float = 10.0,
        seed: int = 0,
    ) -> None:
        super().__init__(weights, names)
        if users < 1:
            raise ValueError(f"users must be at least 1, got {users}")
        if not 0 < concentration < np.inf:
            raise ValueError(f"concentration must be positive and finite, got {concentration}")
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed}")
        weighed = np.flatnonzero(weights)
        factors = np.ones((users, len(weights)))
        if len(weighed):
            shares = np.abs(weights[weighed]) / np.abs(weights).sum()
            drawn = np.random.Generator(np.random.PCG64(seed)).dirichlet(concentration * shares, users)
            factors[:, weighed] = drawn / shares
        self.user_weights = reweighted(weights, factors)

    def user(self, address: Address) -> IntArray:
        """Returns the number of the user of each text, (n,), the same from its first token to its last."""
        drawn = address.at_start().uniform()[:, 0] * len(self.user_weights)
        return drawn.astype(np.int64)

    def weights(self, address: Address) -> FloatArray:
        return self.user_weights[self.user(address)]
