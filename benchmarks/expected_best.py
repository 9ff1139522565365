"""What the best of n texts is worth on average, from more texts than n and without drawing any."""

from __future__ import annotations

import math

import numpy as np

from textgym.types import FloatArray


def expected_best(proxy: FloatArray, gold: FloatArray, n: int) -> tuple[float, float]:
    """Returns the mean proxy and gold of the text with the highest proxy among n, over prompts and over all draws of n.

    Of N texts sorted by the proxy, the i-th (from 1) is the best of n drawn ones with probability `C(i - 1, n - 1) /
    C(N, n)`, so that no draw is needed (Nakano et al. 2021, "WebGPT", appendix I). Texts that the proxy finds equal
    share the chance of their places.

    Args:
        proxy: (prompts, N) what the proxy says of N texts of the reference for each prompt.
        gold: (prompts, N) what they are worth.
        n: how many are drawn, 1 to N.

    Raises:
        ValueError: if n is out of its range.
    """
    count = proxy.shape[1]
    if not 1 <= n <= count:
        raise ValueError(f"n must be 1 to {count}, the number of texts for each prompt, got {n}")
    below = np.array([math.comb(few, n) / math.comb(count, n) for few in range(count + 1)])  # all n among the first few
    best = np.zeros((len(proxy), 2))
    for row, (liked, worth) in enumerate(zip(proxy, gold, strict=True)):
        order = np.argsort(liked)
        low, high = (np.searchsorted(liked[order], liked[order], side) for side in ("left", "right"))
        chance = (below[high] - below[low]) / (high - low)
        best[row] = chance @ liked[order], chance @ worth[order]
    means = best.mean(axis=0)
    return float(means[0]), float(means[1])
