"""Returns and baselines: what the tokens of a text were worth, and what that is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from textgym.types import BoolArray, FloatArray


def returns_to_go(rewards: FloatArray, gamma: float) -> FloatArray:
    """Returns Q_t = sum_{s >= t} gamma^(s - t) r_s for rewards (N, T); (N, T)."""
    returns = rewards.copy()
    for t in range(rewards.shape[1] - 2, -1, -1):
        returns[:, t] += gamma * returns[:, t + 1]
    return returns


def by_group(targets: FloatArray, mask: BoolArray, group_size: int) -> FloatArray:
    """Returns what the texts of each group are compared by, (N / K, K, T).

    A text counts with the target of its token of the same number, or of its last token where it is shorter.

    Args:
        targets: (N, T) what the tokens of each text were worth; those of a group are neighbours.
        mask: (N, T) which tokens are in use.
        group_size: how many texts a group has, K, at least 2.
    """
    last = mask.sum(axis=1, keepdims=True) - 1
    held = np.take_along_axis(targets, np.minimum(np.arange(targets.shape[1]), last), axis=1)
    return held.reshape(-1, group_size, targets.shape[1])


def leave_one_out(groups: FloatArray, observed: BoolArray) -> FloatArray:
    """Returns the mean target of the other texts of each text's group (Kool, van Hoof, Welling 2019).

    Args:
        groups: (G, K, T) the targets; see `by_group`.
        observed: (G, K) which texts count.

    Returns:
        The means, (G, K, T); a text without any other that counts gets its own target, and so no advantage.

    The difference from the mean of all K texts, own target included, is the advantage of Dr. GRPO (Liu et al. 2025,
    "Understanding R1-Zero-like training"); it is this one's times 1 - 1/K.
    """
    counted = np.where(observed[:, :, None], groups, 0.0)
    count = (observed.sum(axis=1, keepdims=True) - observed)[:, :, None]
    others = (counted.sum(axis=1, keepdims=True) - counted) / np.maximum(count, 1)
    return np.where(count > 0, others, groups)


def mean_and_deviation(groups: FloatArray, observed: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Returns the mean and the standard deviation of the targets of each group, (G, 1, T) each.

    The advantages of GRPO (Shao et al. 2024, "DeepSeekMath", section 4.1.2), biased in two ways. The mean holds the
    text's own target, which makes its advantage smaller by the factor 1 - 1/K; and the division weighs prompts whose
    texts are nearly alike as much as those where they differ.
    """
    count = np.maximum(observed.sum(axis=1), 1)[:, None, None]
    chosen = observed[:, :, None]
    mean = np.where(chosen, groups, 0.0).sum(axis=1, keepdims=True) / count
    variance = np.where(chosen, (groups - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / count
    return mean, np.sqrt(variance)


def normalised(advantages: FloatArray, used: BoolArray, weights: FloatArray) -> FloatArray:
    """Returns weighted advantages, (N, T), shifted by their weighted mean and divided by their deviation.

    Args:
        advantages: (N, T).
        used: (N, T) which of them count for mean and deviation.
        weights: (N, T) how much each counts.
    """
    if not used.any():
        return weights * advantages
    centred = weights * (advantages - np.average(advantages[used], weights=weights[used]))
    return centred / (centred[used].std() + 1e-8)  # type: ignore[no-any-return]


class MovingAverage:
    """The exponential moving average of what the t-th token of a text was worth, for each t seen so far.

    Args:
        rate: the weight of the newest mean, in (0, 1]; the first means of a token weigh the same.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.averages = np.zeros(0)
        self.updates = np.zeros(0, np.int64)

    def get(self, length: int) -> FloatArray:
        """Returns the averages of the first tokens, (length,); 0 where none was seen."""
        missing = max(length - len(self.averages), 0)
        self.averages, self.updates = np.pad(self.averages, (0, missing)), np.pad(self.updates, (0, missing))
        return self.averages[:length].copy()

    def baselines(self, targets: FloatArray, weights: FloatArray | BoolArray) -> FloatArray:
        """Returns what the tokens of new texts are compared with: the mean of the others' and of the average, (N, T).

        The average counts as 1 / rate texts. A text's own target is left out, since a baseline must not depend on its
        actions. The other texts keep up with a policy that changes at once: the average alone would still expect full
        returns of one that begins to fail, and push down all it does, until nothing of it is left.

        Args:
            targets: (N, T) what the tokens of the new texts were worth.
            weights: (N, T) how much each counts; 0 leaves out.
        """
        average = self.get(targets.shape[1])
        prior = np.where(self.updates[: targets.shape[1]] > 0, 1 / self.rate, 0.0)
        count = np.asarray(weights, np.float64)
        sums = (targets * count).sum(axis=0) - targets * count
        counts = count.sum(axis=0) - count + prior
        means: FloatArray = (sums + prior * average) / np.where(counts > 0, counts, 1.0)
        return means

    def update(self, targets: FloatArray, weights: FloatArray | BoolArray) -> None:
        """Takes in the targets of new texts, (N, T), of which the longest has T tokens, weighing each; 0 leaves out."""
        length = targets.shape[1]
        count = weights.sum(axis=0)
        step = (targets * weights).sum(axis=0) / np.where(count > 0, count, 1) - self.get(length)
        self.updates[:length] += count > 0
        rate = np.where(count > 0, np.maximum(self.rate, 1.0 / np.maximum(self.updates[:length], 1)), 0.0)
        self.averages[:length] += rate * step

    def training_state(self) -> dict[str, Any]:
        """Returns the averages and how often each was updated, and the rate."""
        return {"rate": self.rate, "averages": self.averages.copy(), "updates": self.updates.copy()}

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restores what `training_state` returned.

        Raises:
            ValueError: if it is of another rate.
        """
        if state["rate"] != self.rate:
            raise ValueError(f"the moving average's rate was {state['rate']} and is {self.rate}")
        self.averages, self.updates = state["averages"].copy(), state["updates"].copy()
