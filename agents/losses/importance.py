"""Importance: what a token counts that was not drawn from the policy which learns from it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from textgym.types import BoolArray, FloatArray

Level = Literal["text", "token"]


def importance_weights(log_ratios: FloatArray, mask: BoolArray, level: Level, largest: float) -> FloatArray:
    """Returns how much tokens that were drawn from a proposal q count for the policy pi, (N, T).

    Args:
        log_ratios: (N, T) log pi - log q of each token.
        mask: (N, T) which places are in use.
        level: `"text"`, the product of the ratios of all tokens of the text, divided by its mean over the texts;
            `"token"`, each token's own ratio.
        largest: where weights are cut, before the division.
    """
    log_ratios = log_ratios * mask
    if level == "token":
        return np.exp(np.minimum(log_ratios, np.log(largest)))
    product = np.exp(np.minimum(log_ratios.sum(axis=1, keepdims=True), np.log(largest)))
    weights: FloatArray = np.broadcast_to(product / product.mean(), mask.shape)
    return weights


def ratios(log_ratios: torch.Tensor, text: torch.Tensor, level: Level) -> torch.Tensor:
    """Returns how much likelier the tokens are than before the update, (M,), with gradient.

    Args:
        log_ratios: (M,) log pi - log pi_before of each token, with gradient.
        text: (M,) the number of the text that each is of, from 0.
        level: `"token"`, each token's own ratio, as in PPO (Schulman et al. 2017, equation 6); `"text"`, the geometric
            mean over the tokens of the text, with the gradient of each token's own, as in GSPO-token (Zheng et al.
            2025, "Group sequence policy optimization", equation 14).
    """
    if level == "token":
        return log_ratios.exp()
    values = log_ratios.detach()
    count = torch.zeros(int(text.max()) + 1, device=text.device)
    total = count.index_add(0, text, values)
    mean = total / count.index_add(0, text, torch.ones_like(values))
    return mean[text].exp() * (log_ratios - values).exp()


def clipped(ratio: torch.Tensor, advantage: torch.Tensor, clip_range: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns min(rho A, clip(rho, 1 - eps, 1 + eps) A), (M,), and where the clip holds the gradient back, (M,) bool.

    The surrogate objective of PPO, Schulman et al. 2017, equation 7.

    Args:
        ratio: rho, (M,).
        advantage: A, (M,).
        clip_range: eps, above 0.
    """
    plain, bounded = ratio * advantage, ratio.clamp(1 - clip_range, 1 + clip_range) * advantage
    return torch.minimum(plain, bounded), bounded < plain
