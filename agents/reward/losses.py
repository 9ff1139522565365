"""Losses of ratings and rankings, for utilities: the larger a text's utility, the better it is."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid, softplus

_NOWHERE = -1e9  # the utility of a place that holds no text


def plackett_luce_loss(utilities: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Returns `-sum_k log(exp u_k / sum_(l >= k) exp u_l)` of m rankings, (m,).

    Plackett 1975, "The analysis of permutations". Of two texts it is `-log sigma(u_1 - u_2)`: Bradley and Terry 1952,
    "Rank analysis of incomplete block designs".

    Args:
        utilities: (m, K) those of the ranked texts, the best first.
        used: (m, K) which places hold a text; empty ones come last.
    """
    filled = utilities.masked_fill(~used, _NOWHERE)
    rest = filled.flip(1).logcumsumexp(dim=1).flip(1)  # log sum_(l >= k) exp u_l
    return ((rest - filled) * used).sum(dim=1)


def ordered_cuts(raw: torch.Tensor) -> torch.Tensor:
    """Returns ascending thresholds (K - 1,) from free parameters: the first, then steps before softplus."""
    return torch.cat((raw[:1], raw[:1] + softplus(raw[1:]).cumsum(0)))


def ordinal_log_probs(utilities: torch.Tensor, cuts: torch.Tensor) -> torch.Tensor:
    """Returns the log-probabilities of K levels, (m, K), in the model of cumulative logits.

    `P(level <= k) = sigma(c_k - u)`: McCullagh 1980, "Regression models for ordinal data". A difference of two is
    computed as `sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - e^(b - a))`.

    Args:
        utilities: (m,) u.
        cuts: (K - 1,) c_1 < ... < c_(K - 1).
    """
    below = cuts - utilities[:, None]  # (m, K - 1)
    inner = logsigmoid(below[:, 1:]) + logsigmoid(-below[:, :-1]) + torch.log(-torch.expm1(cuts[:-1] - cuts[1:]))
    return torch.cat((logsigmoid(below[:, :1]), inner, logsigmoid(-below[:, -1:])), dim=1)


def generalised_cross_entropy(log_prob: torch.Tensor, robustness: float) -> torch.Tensor:
    """Returns `(1 - p^q) / q` of the probability p of each given label, in the shape of its logarithm.

    Zhang and Sabuncu 2018, "Generalized cross entropy loss for training deep neural networks with noisy labels", eq. 6.
    Labels that the model thinks impossible pull the less the larger q is; with q = 0 it is the cross-entropy.

    Args:
        log_prob: log p.
        robustness: q, in [0, 1].
    """
    if not 0 <= robustness <= 1:
        raise ValueError(f"robustness must be 0 to 1, got {robustness}")
    return -torch.expm1(robustness * log_prob) / robustness if robustness else -log_prob
