"""Warm start: maximum likelihood on prompt -> reference, until validation perplexity stops falling."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from agents.data.texts import Texts, cloning_loss, exp, perplexity, token_losses
from agents.gradient_step import gradient_step
from agents.policy import MaskableTransformerPolicy, TransformerPolicy
from textgym.tasks.base import Task


@dataclass(frozen=True)
class WarmStart:
    """How a warm start went.

    Attributes:
        train_perplexities: (E,) the mean perplexity of the reference tokens while each epoch learnt from them.
        validation_perplexities: (E + 1,) before learning and after each epoch, per reference token, its end included.
        best_epoch: which of the E + 1 has the weights that were kept, 0 being those before learning.
    """

    train_perplexities: tuple[float, ...]
    validation_perplexities: tuple[float, ...]
    best_epoch: int

    @property
    def perplexity(self) -> float:
        """The validation perplexity of the weights that were kept."""
        return self.validation_perplexities[self.best_epoch]


def warm_start(
    policy: TransformerPolicy | MaskableTransformerPolicy,
    task: Task,
    *,
    generator: np.random.Generator,
    max_new_tokens: int | None = None,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    warmup_steps: int = 50,
    max_epochs: int = 20,
    patience: int = 2,
    weight_decay: float = 0.01,
    max_grad_norm: float = 1.0,
    prompt_weight: float = 0.0,
    progress: bool = False,
    tell: Callable[[float], None] = lambda share: None,
) -> WarmStart:
    """Teaches a policy the references of a task's train split, in place, and keeps the weights of the best epoch.

    The learning rate rises linearly for `warmup_steps`, then falls with the square root of the step, so that the
    schedule does not depend on when learning stops (Vaswani et al. 2017, section 5.3). The value head learns nothing.

    Args:
        policy: the policy to teach.
        task: where the references are; validation perplexity is measured on its validation split.
        generator: the source of the order in which texts are seen.
        max_new_tokens: the budget of a text, in tokens; the task's own by default.
        learning_rate: AdamW's, at its highest.
        batch_size: texts in a batch.
        warmup_steps: batches until the learning rate is at its highest.
        max_epochs: the most passes over the train split.
        patience: how many epochs in a row may fail to improve validation perplexity before learning stops.
        weight_decay: AdamW's.
        max_grad_norm: the largest gradient norm of a batch.
        prompt_weight: the weight of a prompt token in the loss, at least 0; a reference token has 1.
        progress: whether to show a progress bar.
        tell: takes after each batch the share of the `max_epochs` that is done, in [0, 1].

    Raises:
        ValueError: if a number is out of its range, no sample has a reference, or a text exceeds the context length.
        FloatingPointError: if the loss is not finite.
    """
    numbers = {"batch_size": batch_size, "warmup_steps": warmup_steps, "max_epochs": max_epochs, "patience": patience}
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if learning_rate <= 0 or prompt_weight < 0:
        given = f"got {learning_rate} and {prompt_weight}"
        raise ValueError(f"learning_rate must be positive and prompt_weight at least 0, {given}")
    backbone = policy.backbone
    budget = task.max_new_tokens if max_new_tokens is None else max_new_tokens
    train, validation = (
        Texts.of_task(task, split, max_new_tokens=budget, generator=generator) for split in ("train", "validation")
    )
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup_steps, math.sqrt(warmup_steps / (step + 1)))
    )
    policy.set_training_mode(False)  # dropout would make the first probabilities of a rollout differ from these
    train_perplexities, perplexities = [], [perplexity(backbone, validation, batch_size)]
    best_epoch, best_weights = 0, copy.deepcopy(backbone.state_dict())
    steps_in_epoch = math.ceil(len(train.lengths) / batch_size)
    with tqdm(total=max_epochs * steps_in_epoch, desc="warm start", unit="batch", disable=not progress) as bar:
        for epoch in range(1, max_epochs + 1):
            total, count = 0.0, 0
            for number, batch in enumerate(train.batches(batch_size, generator), start=1):
                losses, of_reference = token_losses(backbone, train, batch, with_prompt=prompt_weight > 0)
                loss = cloning_loss(losses, of_reference, prompt_weight)
                gradient_step(loss, optimizer, backbone.parameters(), max_grad_norm=max_grad_norm)
                schedule.step()
                total += float(losses.detach()[of_reference].sum())
                count += int(of_reference.sum())
                bar.update()
                tell((epoch - 1 + number / steps_in_epoch) / max_epochs)
            train_perplexities.append(exp(total / count))
            perplexities.append(perplexity(backbone, validation, batch_size))
            bar.set_postfix(perplexity=f"{perplexities[-1]:.2f}")
            if perplexities[-1] < perplexities[best_epoch]:
                best_epoch, best_weights = epoch, copy.deepcopy(backbone.state_dict())
            elif epoch - best_epoch >= patience:
                break
    backbone.load_state_dict(best_weights)
    return WarmStart(tuple(train_perplexities), tuple(perplexities), best_epoch)
