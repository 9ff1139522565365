"""Selection: how much each of a learner's own texts counts as an example, by what its judge said of it."""

from __future__ import annotations

import math

import numpy as np

from textgym.types import BoolArray, FloatArray


def best_weights(returns: FloatArray, observed: BoolArray, fraction: float) -> FloatArray:
    """Returns 1 for the best texts of each group and 0 for the others, (G, K).

    The best `ceil(fraction n)` of the n that were observed. Where more are equally good than places are left, they
    share these: each gets the probability of being among the best when ties are broken by lot.

    Args:
        returns: (G, K) what each text was paid.
        observed: (G, K) about which texts anything was observed.
        fraction: in (0, 1].
    """
    ranked = -np.sort(-np.where(observed, returns, -np.inf), axis=1)
    count = np.ceil(fraction * observed.sum(axis=1, keepdims=True) - 1e-9).astype(int)
    last = np.take_along_axis(ranked, np.maximum(count - 1, 0), axis=1)
    above, tied = observed & (returns > last), observed & (returns == last)
    places_left = count - above.sum(axis=1, keepdims=True)
    weights: FloatArray = above + tied * places_left / np.maximum(tied.sum(axis=1, keepdims=True), 1)
    return weights


def softmax_weights(returns: FloatArray, observed: BoolArray, temperature: float) -> FloatArray:
    """Returns exp(return / temperature), scaled to a mean of 1 over the observed texts of each group, (G, K).

    Reward-weighted regression: Peters, Schaal 2007, "Reinforcement learning by reward-weighted regression for
    operational space control", with the softmax within a group, so that prompts count alike.

    Args:
        returns: (G, K) what each text was paid.
        observed: (G, K) about which texts anything was observed; the others weigh 0.
        temperature: in units of return, above 0.
    """
    highest = np.where(observed, returns, -np.inf).max(axis=1, keepdims=True)
    shifted = np.where(observed, returns - np.where(np.isfinite(highest), highest, 0.0), 0.0)
    weights = np.exp(shifted / temperature) * observed
    total = weights.sum(axis=1, keepdims=True)
    scaled: FloatArray = weights * observed.sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    return scaled


def effective_share(weights: FloatArray) -> float:
    """Returns which share of N texts, weighed (N,), counts: Kish's effective sample size over N, in [0, 1]."""
    total = float(weights.sum())
    return total**2 / (math.fsum(weights**2) * len(weights)) if total else 0.0
