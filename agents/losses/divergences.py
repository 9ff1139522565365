"""Divergences of a policy from its reference: in full, estimated from what was written, priced adaptively."""

from __future__ import annotations

from typing import Literal

import torch

Estimator = Literal["full", "k1", "k2", "k3"]
Place = Literal["loss", "reward"]

ESTIMATORS: dict[Place, tuple[Estimator, ...]] = {"loss": ("full", "k2", "k3"), "reward": ("k1", "k3")}
"""Which estimators a loss and a reward may hold, the best first.

Gradients differ from values (Tang, Munos 2025, "On a few pitfalls in KL divergence gradient estimation for RL"), so not
every estimator belongs in both. With r = log pi(a | s) - log pi_ref(a | s), a drawn from pi:

- In the loss, `"full"` has the exact gradient of KL(pi || pi_ref) at each state, and `"k2"` has it on average. `"k3"`,
  which GRPO takes, has that of KL(pi_ref || pi) on average. `"k1"` has grad log pi(a | s), which is 0 on average: it
  holds nothing back and is refused. None of them sees that a token also changes which states come next.
- In the reward, `"k1"` makes the policy gradient that of the divergence between whole texts, exactly (Ziegler et al.
  2019). `"k3"` has the same mean, but part of its gradient is lost. `"full"` does not depend on the token that it would
  be a penalty for, and is refused, as is `"k2"`, whose mean is another.
"""


def full(probs: torch.Tensor, log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Returns KL(pi || pi_ref) = sum_a pi(a) (log pi(a) - log pi_ref(a)) in nats, (M,).

    Args:
        probs: (M, V) pi.
        log_probs: (M, V) log pi.
        reference: (M, V) log pi_ref.
    """
    return (probs * (log_probs - reference)).sum(dim=-1)


def sampled(estimator: Estimator, log_ratio: torch.Tensor) -> torch.Tensor:
    """Returns the divergence as estimated from one token each, in nats, in the log-ratios' shape.

    Schulman 2020, "Approximating KL divergence": k1 = r, unbiased, of either sign; k2 = r^2 / 2, biased, never
    negative; k3 = exp(-r) - 1 + r, unbiased, never negative.

    Args:
        estimator: `"k1"`, `"k2"` or `"k3"`.
        log_ratio: r, log pi - log pi_ref of the tokens that were written.
    """
    if estimator == "k1":
        return log_ratio
    if estimator == "k2":
        return log_ratio.square() / 2
    return torch.expm1(-log_ratio) + log_ratio


def adapted(coef: float, *, divergence: float, target: float, texts: int, horizon: float) -> float:
    """Returns the weight of the divergence for the next update, which draws it to its target.

    The proportional controller of Ziegler et al. 2019, "Fine-tuning language models from human preferences", section
    2.2: coef (1 + texts / horizon clip(divergence / target - 1, -0.2, 0.2)).

    Args:
        coef: the weight so far.
        divergence: what was measured, in nats per text.
        target: what it should be, in nats per text, above 0.
        texts: how many texts the update learnt from.
        horizon: how many texts a full correction takes; the larger, the slower.
    """
    return coef * (1.0 + texts / horizon * min(max(divergence / target - 1.0, -0.2), 0.2))
