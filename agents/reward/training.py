"""Training of one member of a reward model: early stopping on validation loss, and the best weights kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from agents.reward.judgements import Judgements
from agents.reward.network import RewardNetwork
from agents.text_reader import Rows
from textgym.types import FloatArray

_ANNOTATORS_FASTER = 10
"""How much larger the step of what each annotator has of their own is: one number each, met in few batches."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a member learns.

    Attributes:
        learning_rate: AdamW's, at its highest; it rises over the first epoch.
        batch_size: answers in a batch.
        max_epochs: the most passes over the answers.
        patience: how many epochs in a row may fail to improve validation loss before learning stops.
        weight_decay: AdamW's, of the language model and the head.
        max_grad_norm: the largest gradient norm of a batch.

    Raises:
        ValueError: if a number is out of its range.
    """

    learning_rate: float = 1e-3
    batch_size: int = 32
    max_epochs: int = 20
    patience: int = 3
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_epochs", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay}")


@dataclass(frozen=True)
class Learnt:
    """How a member learnt.

    Attributes:
        train_losses: (E,) the mean loss of an answer while each epoch learnt from it.
        validation_losses: (E + 1,) before learning and after each epoch.
        best_epoch: which of the E + 1 has the weights that were kept.
    """

    train_losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    best_epoch: int


def train_member(
    network: RewardNetwork,
    rows: Rows,
    train: Judgements,
    validation: Judgements,
    *,
    schedule: Schedule,
    generator: np.random.Generator,
    tell: Callable[[int], object] = lambda batches: None,
) -> Learnt:
    """Teaches a network the answers of `train`, in place, and keeps the weights of the best epoch.

    Args:
        network: the network; what it learns from is prepared by `RewardModel`.
        rows: the texts.
        train: the answers to learn from, with ratings as `RewardNetwork.rating_losses` takes them.
        validation: the answers that say when to stop.
        schedule: how long and how fast.
        generator: the source of the order in which answers are seen.
        tell: takes the number of batches that are done, after each and at the end.

    Raises:
        FloatingPointError: if a loss is not finite.
    """
    own = [network.biases, network.log_scales, network.raw_cuts, network.flip_logit]
    mine = {id(parameter) for parameter in own}
    others = [parameter for parameter in network.parameters() if id(parameter) not in mine]
    optimizer = torch.optim.AdamW(
        [
            {"params": others, "weight_decay": schedule.weight_decay},
            {"params": own, "weight_decay": 0.0, "lr": _ANNOTATORS_FASTER * schedule.learning_rate},
        ],
        lr=schedule.learning_rate,
    )
    in_epoch = -(-len(train) // schedule.batch_size)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / in_epoch))
    network.train(False)
    train_losses: list[float] = []
    validation_losses = [_mean_loss(network, rows, validation)]
    best_epoch, best = 0, copy.deepcopy(network.state_dict())
    for epoch in range(1, schedule.max_epochs + 1):
        total, order = 0.0, generator.permutation(len(train))
        for start in range(0, len(order), schedule.batch_size):
            batch = train.part(order[start : start + schedule.batch_size])
            losses = answer_losses(network, rows, batch)
            loss = losses.mean() + network.annotator_penalty() / len(train)
            _check(float(loss.detach()), epoch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.max_grad_norm)
            optimizer.step()
            warmup.step()
            total += float(losses.detach().sum())
            tell(1)
        train_losses.append(total / len(train))
        validation_losses.append(_mean_loss(network, rows, validation))
        _check(validation_losses[-1], epoch)
        if validation_losses[-1] < validation_losses[best_epoch]:
            best_epoch, best = epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= schedule.patience:
            tell((schedule.max_epochs - epoch) * in_epoch)
            break
    network.load_state_dict(best)
    return Learnt(tuple(train_losses), tuple(validation_losses), best_epoch)


def _check(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss} in epoch {epoch}: lower the learning_rate")


def answer_losses(network: RewardNetwork, rows: Rows, answers: Judgements) -> torch.Tensor:
    """Returns the loss of each answer, (m,), ratings first; every text is read once."""
    numbers, places = np.unique(np.maximum(answers.texts, 0), return_inverse=True)
    outputs = network.outputs(*rows.part(numbers))  # (b, 1 or K)
    rated, device = answers.rated, outputs.device
    chosen, used, who, ratings = (
        torch.from_numpy(part).to(device)
        for part in (places.reshape(answers.texts.shape), answers.texts >= 0, answers.annotators, answers.ratings)
    )
    losses = []
    if rated.any():
        losses.append(network.rating_losses(outputs[chosen[rated, 0]], ratings[rated].float(), who[rated]))
    if not rated.all():
        utilities = network.utilities(outputs)[chosen[~rated]]
        losses.append(network.comparison_losses(utilities, used[~rated], who[~rated]))
    return torch.cat(losses)


@torch.no_grad()
def _mean_loss(network: RewardNetwork, rows: Rows, answers: Judgements, batch_size: int = 128) -> float:
    starts = range(0, len(answers), batch_size)
    parts = [np.arange(len(answers))[start : start + batch_size] for start in starts]
    return sum(float(answer_losses(network, rows, answers.part(part)).sum()) for part in parts) / len(answers)


@torch.no_grad()
def utilities_of(network: RewardNetwork, rows: Rows, batch_size: int = 128) -> FloatArray:
    """Returns the utilities of N texts, (N,); texts of a batch are of similar length."""
    order = np.argsort(rows.lengths.cpu().numpy(), kind="stable")
    utilities = np.zeros(len(order))
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        utilities[numbers] = network.utilities(network.outputs(*rows.part(numbers))).double().cpu().numpy()
    return utilities
