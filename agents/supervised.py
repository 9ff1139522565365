"""Warm start: maximum likelihood on prompt -> reference, until validation perplexity stops falling."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from agents.backbone import Backbone
from agents.policy import MaskableTransformerPolicy, TransformerPolicy
from agents.transcripts import play_references
from textgym.tasks.base import PromptSet, Task
from textgym.types import IntArray

POOL = 16
"""How many batches are drawn together, then sorted by length: texts of a batch are alike, batches still differ."""


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


@dataclass(frozen=True)
class Texts:
    """Prompts followed by their references, to learn from.

    Attributes:
        tokens: (S, W) prompt, reference and end token, right padded.
        prompt_lengths: (S,) where the reference starts.
        lengths: (S,) where the text ends.
        replies: (S, W) which tokens another side said: they are read, not learnt; None where nobody answers.
    """

    tokens: torch.Tensor
    prompt_lengths: IntArray
    lengths: IntArray
    replies: torch.Tensor | None = None

    @classmethod
    def of(cls, prompt_set: PromptSet, *, end_id: int, pad_id: int, max_new_tokens: int) -> Texts:
        """Joins prompts and references; a reference beyond the budget of `max_new_tokens` is cut, and so has no end.

        Raises:
            ValueError: if no sample has a reference.
        """
        known = _with_reference(prompt_set)
        prompt_lengths = prompt_set.prompt_lengths[known].astype(np.int64)
        ends = prompt_lengths + prompt_set.reference_lengths[known]
        lengths = np.minimum(ends + 1, prompt_lengths + max_new_tokens)
        place = np.arange(lengths.max())  # (W,)
        prompts = np.pad(prompt_set.prompt_ids[known], ((0, 0), (0, 1)))
        references = prompt_set.reference_ids[known]
        in_prompt = np.broadcast_to(np.minimum(place, prompts.shape[1] - 1), (len(known), len(place)))
        in_reference = np.clip(place - prompt_lengths[:, None], 0, references.shape[1] - 1)
        tokens = np.where(
            place < prompt_lengths[:, None],
            np.take_along_axis(prompts, in_prompt, axis=1),
            np.take_along_axis(references, in_reference, axis=1),
        )
        tokens = np.where(place == ends[:, None], end_id, tokens)
        tokens = np.where(place < lengths[:, None], tokens, pad_id)
        return cls(torch.from_numpy(tokens.astype(np.int64)), prompt_lengths, lengths)

    @classmethod
    def of_task(cls, task: Task, split: str, *, max_new_tokens: int, generator: np.random.Generator) -> Texts:
        """Joins the prompts and references of a split; where the task answers, with its answers between the turns."""
        prompt_set, vocabulary = task.prompt_set(split), task.vocabulary
        if not task.max_reply_tokens:
            return cls.of(prompt_set, end_id=vocabulary.end_id, pad_id=vocabulary.pad_id, max_new_tokens=max_new_tokens)
        known, seed = _with_reference(prompt_set), int(generator.integers(2**32))
        played = play_references(task, split, max_new_tokens=max_new_tokens, seed=seed)
        tokens, replies = torch.from_numpy(played.tokens[known]), torch.from_numpy(played.replies[known])
        return cls(tokens, prompt_set.prompt_lengths[known].astype(np.int64), played.lengths[known], replies)

    def batches(self, batch_size: int, generator: np.random.Generator) -> Iterator[IntArray]:
        """Yields every text once, in a random order of batches (b,) of texts of similar length."""
        order = generator.permutation(len(self.lengths))
        pool = POOL * batch_size
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        by_length = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools])
        starts = np.arange(0, len(order), batch_size)
        for start in generator.permutation(starts):
            yield by_length[start : start + batch_size]


def _with_reference(prompt_set: PromptSet) -> IntArray:
    """Returns the numbers of the samples that have a reference, of which there must be one."""
    known = np.flatnonzero(prompt_set.reference_lengths)
    if not len(known):
        raise ValueError("a warm start needs references, and no sample of the prompt set has one")
    return known


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
    train_perplexities, perplexities = [], [_perplexity(backbone, validation, batch_size)]
    best_epoch, best_weights = 0, copy.deepcopy(backbone.state_dict())
    steps_in_epoch = math.ceil(len(train.lengths) / batch_size)
    with tqdm(total=max_epochs * steps_in_epoch, desc="warm start", unit="batch", disable=not progress) as bar:
        for epoch in range(1, max_epochs + 1):
            total, count = 0.0, 0
            for number, batch in enumerate(train.batches(batch_size, generator), start=1):
                losses, of_reference = token_losses(backbone, train, batch, with_prompt=prompt_weight > 0)
                weights = torch.where(of_reference, 1.0, prompt_weight)
                loss = losses @ weights / weights.sum()
                if not torch.isfinite(loss):
                    raise FloatingPointError(f"the loss became {loss.item()} in epoch {epoch}: lower the learning_rate")
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(backbone.parameters(), max_grad_norm)
                optimizer.step()
                schedule.step()
                total += float(losses.detach()[of_reference].sum())
                count += int(of_reference.sum())
                bar.update()
                tell((epoch - 1 + number / steps_in_epoch) / max_epochs)
            train_perplexities.append(math.exp(total / count))
            perplexities.append(_perplexity(backbone, validation, batch_size))
            bar.set_postfix(perplexity=f"{perplexities[-1]:.2f}")
            if perplexities[-1] < perplexities[best_epoch]:
                best_epoch, best_weights = epoch, copy.deepcopy(backbone.state_dict())
            elif epoch - best_epoch >= patience:
                break
    backbone.load_state_dict(best_weights)
    return WarmStart(tuple(train_perplexities), tuple(perplexities), best_epoch)


def token_losses(
    backbone: Backbone, texts: Texts, batch: IntArray, *, with_prompt: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the negative log-likelihood of the tokens of some texts, (M,) nats, and which are of the reference, (M,).

    Only the logits that a loss needs are computed.

    Args:
        backbone: the language model.
        texts: the texts.
        batch: (b,) which of them.
        with_prompt: whether the tokens of the prompt, but its first, are among the M.
    """
    device = next(backbone.parameters()).device
    prompt_lengths, lengths = (
        torch.from_numpy(part[batch, None]).to(device) for part in (texts.prompt_lengths, texts.lengths)
    )
    width = int(texts.lengths[batch].max())
    tokens = texts.tokens[batch, :width].to(device)  # (b, W)
    place = torch.arange(1, width, device=device)  # (W - 1,)
    of_reference = (prompt_lengths <= place) & (place < lengths)
    if texts.replies is not None:
        of_reference &= ~texts.replies[batch, 1:width].to(device)
    chosen = place < lengths if with_prompt else of_reference
    hidden = backbone.hidden(tokens[:, :-1])  # (b, W - 1, D); padding is to the right, where a causal model cannot look
    losses = cross_entropy(backbone.logits(hidden[chosen]), tokens[:, 1:][chosen], reduction="none")
    return losses, of_reference[chosen]


@torch.no_grad()
def _perplexity(backbone: Backbone, texts: Texts, batch_size: int) -> float:
    by_length = np.argsort(texts.lengths, kind="stable")
    total, count = 0.0, 0
    for start in range(0, len(by_length), batch_size):
        losses, _ = token_losses(backbone, texts, by_length[start : start + batch_size], with_prompt=False)
        total += float(losses.sum())
        count += len(losses)
    return math.exp(total / count)
