"""A pool: the people who answer, each with a scale, a bias, a spread, a taste and a reliability of their own."""

from __future__ import annotations

import numpy as np

from textgym.random import Address
from textgym.types import FloatArray, IntArray

_SHAPE = 3.0  # of the inverse gamma law of the variances: two thirds of the people are steadier than the mean
_BETA = 10.0  # the concentration of the law of the reliabilities


class Pool:
    """Several annotators who see the same text differently.

    With q in [0, 1] the metric's place between its bounds, annotator j sees, for each answer anew,

        a_j q + b_j + s_j xi   with probability theta_j, else the habit h_j,

    where `log a_j ~ N(0, scale^2)`, `b_j ~ N(0, bias^2)`, `s_j^2` is inverse gamma with mean `spread^2` and shape 3,
    `theta_j` is beta with mean `reliability` and concentration 10, and `h_j` is uniform in [0, 1]. A metric of several
    parts (`blend`) is weighted by each annotator's own shares, drawn from the Dirichlet law around the blend's whose
    variance is `taste` times the largest possible. The people depend on `seed` alone: they are the same in every row
    and every episode. The m answers about a text come from m different ones.

    Args:
        shares: (p,) the weights of the metric's parts, summing to 1; `[1.0]` for a metric without parts.
        size: the number of annotators, at least 1.
        scale: the standard deviation of the log of their scales, at least 0.
        bias: the standard deviation of their biases, in units of the whole scale, at least 0.
        spread: the root mean square of their spreads, in the same units, at least 0.
        taste: how much their weights differ, in [0, 1).
        reliability: their mean probability of looking at the text at all, in (0, 1].
        seed: who they are.

    Attributes:
        scales, biases, spreads, reliabilities, habits: (size,) what they have of their own.
        tastes: (size, p) their weights.
    """

    def __init__(
        self,
        shares: FloatArray,
        size: int = 8,
        scale: float = 0.0,
        bias: float = 0.0,
        spread: float = 0.0,
        taste: float = 0.0,
        reliability: float = 1.0,
        seed: int = 0,
    ) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        for name, value in (("scale", scale), ("bias", bias), ("spread", spread)):
            if not 0 <= value < np.inf:
                raise ValueError(f"{name} must be finite and non-negative, got {value}")
        if not 0 <= taste < 1:
            raise ValueError(f"taste must be at least 0 and below 1, got {taste}")
        if taste and len(shares) < 2:
            raise ValueError('taste needs a metric of several parts, {"name": "blend", "metrics": [...]}')
        if not 0 < reliability <= 1:
            raise ValueError(f"reliability must be above 0 and at most 1, got {reliability}")
        self.size, self.taste = size, taste
        own = [np.random.Generator(np.random.PCG64(child)) for child in np.random.SeedSequence(seed).spawn(6)]
        self.scales = np.exp(scale * own[0].standard_normal(size))
        self.biases = bias * own[1].standard_normal(size)
        self.spreads = spread * np.sqrt((_SHAPE - 1) / own[2].standard_gamma(_SHAPE, size))
        self.tastes = np.tile(shares, (size, 1))
        if taste:
            self.tastes = own[3].dirichlet(np.maximum(shares, 1e-9) * (1 - taste) / taste, size)
        self.reliabilities = np.ones(size)
        if reliability < 1:
            self.reliabilities = own[4].beta(_BETA * reliability, _BETA * (1 - reliability), size)
        self.habits = own[5].uniform(size=size)

    def choose(self, address: Address, readings: int) -> IntArray:
        """Returns who answers about n texts, (n, m): different people for each text, all equally often."""
        return np.argsort(address.uniform(self.size), axis=1)[:, :readings]

    def see(self, quality: FloatArray, who: IntArray, address: Address) -> FloatArray:
        """Returns what annotators see, (n, m), in units of the scale.

        Args:
            quality: (n, m) the true place of each text on the scale, weighted by each one's taste.
            who: (n, m) the numbers of the annotators.
            address: where chance is drawn from; 2 m numbers.
        """
        count = who.shape[1]
        seen = self.scales[who] * quality + self.biases[who]
        if self.spreads.any():
            seen = seen + self.spreads[who] * address.normal(count)
        if (self.reliabilities < 1).any():
            seen = np.where(address.uniform(count, first=count) < self.reliabilities[who], seen, self.habits[who])
        return seen
