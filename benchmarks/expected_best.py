"""What the best of n texts is worth on average, from more texts than n and without drawing any."""

from __future__ import annotations

import math

import numpy as np

from textgym.types import FloatArray


def expected_best(proxy: FloatArray, gold: FloatArray, n: int) -> tuple[float, float]:
    """Returns the mean proxy and gold of the text with the highest proxy among n, over prompts and over all draws of n.

    Of N texts sorted by the proxy, the i-th (from 1) is the best of n drawn ones with probability `C(i - 1, n - 1) /
    C(N, n)`, so that no draw is needed (Nakano et al. 2021, "WebGPT", appendix I). Equal texts share their places.

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
    places = np.arange(1, count + 1)
    logs = np.array([_log_choose(place - 1, n - 1) - _log_choose(count, n) for place in places.tolist()])
    order = np.lexsort((gold, proxy), axis=1)  # among equal proxies by gold, and below the other way round
    turned = np.lexsort((-gold, proxy), axis=1)
    means = [
        np.take_along_axis(values, by, axis=1) @ np.exp(logs) for by in (order, turned) for values in (proxy, gold)
    ]
    return float((means[0] + means[2]).mean() / 2), float((means[1] + means[3]).mean() / 2)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) if 0 <= k <= n else -math.inf
