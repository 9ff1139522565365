"""BestOfN: of the texts that a policy draws for a prompt, the one that a signal likes best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from textgym.types import FloatArray, IntArray, Spec

OBSERVED, LOG_PROB = "observed", "log_prob"


@dataclass(frozen=True)
class BestOfN:
    """Draws n texts for each prompt and gives the one that scores best: an optimiser without any training.

    `benchmarks.evaluation.evaluate` takes it as a policy. With n = 1 it is the policy that it draws from.

    Args:
        policy: what draws the texts: whatever `evaluate` takes but another `BestOfN`.
        n: how many texts are drawn for each prompt, at least 1.
        by: what chooses: `"observed"`, the environment's own feedback with all its noise; `"log_prob"`, the policy's
            log-probability of the whole text; or the name or spec of a metric or annotator, such as a reward model.

    Raises:
        ValueError: if `n` is not positive, or the policy is a `BestOfN` itself.
    """

    policy: Any
    n: int
    by: Spec = OBSERVED

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}")
        if isinstance(self.policy, BestOfN):
            raise ValueError("policy must not be a BestOfN itself: draw more texts from its policy")

    @property
    def kl_bound(self) -> float:
        """The most that it can diverge from its policy: log n - (n - 1) / n, in nats per text.

        Beirami et al. 2024, "Theoretical guarantees on the best-of-n alignment policy", theorem 1: long quoted as the
        divergence itself, it is an upper bound, near which it is where every single text is improbable and no two score
        alike. Where few texts are likely, the divergence is far below it.
        """
        return math.log(self.n) - (self.n - 1) / self.n

    def best(self, scores: FloatArray) -> IntArray:
        """Returns for each prompt the number of its best text, (E,), from scores (n, E); the first where some tie."""
        best: IntArray = scores.argmax(axis=0)
        return best
