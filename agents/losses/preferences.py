"""Losses for preferences of which some are wrong: the pair was labelled the other way round at a known rate."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid


def conservative_loss(margin: torch.Tensor, flip_rate: float) -> torch.Tensor:
    """Returns `-(1 - eps) log sigma(z) - eps log sigma(-z)` for each pair, in the margins' shape.

    Label smoothing: the loss is least where the model itself gives the label the probability 1 - eps (the conservative
    DPO of Mitchell 2023, "A note on DPO with noisy preferences and relationship to IPO").

    Args:
        margin: z, the logit of the chosen text being the better one, such as a difference of rewards.
        flip_rate: eps, the probability that a label is wrong, in [0, 0.5).
    """
    _check(flip_rate)
    return -(1 - flip_rate) * logsigmoid(margin) - flip_rate * logsigmoid(-margin)


def unbiased_loss(margin: torch.Tensor, flip_rate: float) -> torch.Tensor:
    """Returns `(-(1 - eps) log sigma(z) + eps log sigma(-z)) / (1 - 2 eps)` for each pair, in the margins' shape.

    Its mean over wrong labels is the loss `-log sigma(z)` of right ones: Chowdhury, Kini and Natarajan 2024, "Provably
    robust DPO: aligning language models with noisy feedback". It has no lower bound.

    Args:
        margin: z, the logit of the chosen text being the better one, such as a difference of rewards.
        flip_rate: eps, the probability that a label is wrong, in [0, 0.5).
    """
    _check(flip_rate)
    return (-(1 - flip_rate) * logsigmoid(margin) + flip_rate * logsigmoid(-margin)) / (1 - 2 * flip_rate)


def mixture_loss(margin: torch.Tensor, flip_rate: torch.Tensor | float) -> torch.Tensor:
    """Returns `-log((1 - eps) sigma(z) + eps sigma(-z))` for each pair, in the margins' shape.

    The negative log-likelihood of a label that is turned round with probability eps, which may itself be learnt: a pair
    that the model is sure of pulls the less the more it contradicts. With eps = 0.05 it is the error model of
    Christiano et al. 2017, "Deep reinforcement learning from human preferences", section 2.2.3.

    Args:
        margin: z, the logit of the better text being chosen if nothing is turned round.
        flip_rate: eps, in [0, 0.5).
    """
    rate = torch.as_tensor(flip_rate, dtype=margin.dtype, device=margin.device)
    _check(float(rate.detach()))
    return -torch.logaddexp(torch.log1p(-rate) + logsigmoid(margin), torch.log(rate) + logsigmoid(-margin))


def _check(flip_rate: float) -> None:
    if not 0 <= flip_rate < 0.5:
        raise ValueError(f"flip_rate must be at least 0 and below 0.5, got {flip_rate}")
