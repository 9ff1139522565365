"""One step of an optimizer down the gradient of a loss that is a number."""

from __future__ import annotations

from collections.abc import Iterable

import torch


def gradient_step(
    loss: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    parameters: Iterable[torch.nn.Parameter],
    *,
    max_grad_norm: float,
) -> torch.Tensor:
    """Takes the step and returns the norm that the gradient had, ().

    Args:
        loss: ().
        optimizer: of the parameters.
        parameters: those whose gradient is cut.
        max_grad_norm: the largest norm of their gradient.

    Raises:
        FloatingPointError: if the loss is not finite; the weights are as they were.
    """
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss.item()}: lower the learning_rate or max_grad_norm")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    optimizer.step()
    return norm
