"""Texts to learn from: prompts and what follows them, in batches, and how likely a language model finds them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from agents.backbone import Backbone
from agents.data.transcripts import play_references
from textgym.tasks.base import PromptSet, Task, pad
from textgym.types import IntArray

POOL = 16
"""How many batches are drawn together, then sorted by length: texts of a batch are alike, batches still differ."""


@dataclass(frozen=True)
class Texts:
    """Prompts and the texts after them, which are learnt.

    Attributes:
        tokens: (S, W) prompt, text and end token, right padded.
        prompt_lengths: (S,) where the text starts.
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

    @classmethod
    def of_tokens(cls, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]], *, pad_id: int) -> Texts:
        """Joins n prompts and n texts, both as token ids; a text has its end token already."""
        tokens, lengths = pad([[*prompt, *text] for prompt, text in zip(prompts, texts, strict=True)], pad_id)
        prompt_lengths = np.array([len(prompt) for prompt in prompts], np.int64)
        return cls(torch.from_numpy(tokens.astype(np.int64)), prompt_lengths, lengths.astype(np.int64))

    @classmethod
    def packed(cls, texts: Sequence[Sequence[int]], *, length: int, end_id: int, pad_id: int) -> Texts:
        """Writes plain texts one behind the other, an end token behind each, and cuts that into pieces to learn from.

        The first token of a piece is not learnt: nothing comes before it.

        Args:
            texts: the texts, as token ids without special ones.
            length: the length of a piece, at least 2; the last may be shorter.
            end_id: the end token.
            pad_id: the padding.

        Raises:
            ValueError: if the length is below 2, or there is nothing to learn.
        """
        if length < 2:
            raise ValueError(f"length must be at least 2, got {length}")
        stream = [token for text in texts for token in (*text, end_id)]
        pieces = [piece for first in range(0, len(stream), length) if len(piece := stream[first : first + length]) > 1]
        if not pieces:
            raise ValueError(f"there is no token to learn in {len(texts)} texts: give texts that are not empty")
        return cls.of_tokens([piece[:1] for piece in pieces], [piece[1:] for piece in pieces], pad_id=pad_id)

    def __len__(self) -> int:
        return len(self.lengths)

    def part(self, rows: IntArray) -> Texts:
        """Returns some of the texts, by their number (r,)."""
        replies = None if self.replies is None else self.replies[rows]
        return Texts(self.tokens[rows], self.prompt_lengths[rows], self.lengths[rows], replies)

    @cached_property
    def learnt(self) -> IntArray:
        """How many tokens of each text are learnt, (S,)."""
        replied = 0 if self.replies is None else self.replies.sum(dim=1).numpy()
        learnt: IntArray = self.lengths - self.prompt_lengths - replied
        return learnt

    @cached_property
    def prompts(self) -> list[bytes]:
        """What is the same for texts on the same prompt and different otherwise, (S,)."""
        return [row[:length].tobytes() for row, length in zip(self.tokens.numpy(), self.prompt_lengths, strict=True)]

    def batches(self, batch_size: int, generator: np.random.Generator) -> Iterator[IntArray]:
        """Yields every text once, in a random order of batches (b,) of texts of similar length."""
        return batches_by_length(self.lengths, batch_size, generator)


def batches_by_length(lengths: IntArray, batch_size: int, generator: np.random.Generator) -> Iterator[IntArray]:
    """Yields the numbers of all lengths (S,) once, in a random order of batches (b,) of similar length."""
    order = generator.permutation(len(lengths))
    pool = POOL * batch_size
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    by_length = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in pools])
    starts = np.arange(0, len(order), batch_size)
    for start in generator.permutation(starts):
        yield by_length[start : start + batch_size]


def _with_reference(prompt_set: PromptSet) -> IntArray:
    """Returns the numbers of the samples that have a reference, of which there must be one."""
    known = np.flatnonzero(prompt_set.reference_lengths)
    if not len(known):
        raise ValueError("a warm start needs references, and no sample of the prompt set has one")
    return known


class TokenScores(NamedTuple):
    """What a language model expected where M tokens of some texts stand, text by text.

    Attributes:
        hidden: (b, W - 1, D) the hidden states before every token but the first, in padding too.
        logits: (M, V) the logits in the place of each token.
        tokens: (M,) the tokens.
        of_text: (M,) which of them are to be learnt; the others are of the prompt or another side's.
    """

    hidden: torch.Tensor
    logits: torch.Tensor
    tokens: torch.Tensor
    of_text: torch.Tensor

    def losses(self) -> torch.Tensor:
        """Returns the negative log-likelihood of the tokens, (M,) nats."""
        return cross_entropy(self.logits, self.tokens, reduction="none")


def score_tokens(backbone: Backbone, texts: Texts, batch: IntArray, *, with_prompt: bool = False) -> TokenScores:
    """Scores the tokens of some texts in one causal pass; only the logits that are asked for are computed.

    Args:
        backbone: the language model.
        texts: the texts.
        batch: (b,) which of them.
        with_prompt: whether the tokens of the prompt, but its first, and those of the other side are among the M.
    """
    device = next(backbone.parameters()).device
    prompt_lengths, lengths = (
        torch.from_numpy(part[batch, None]).to(device) for part in (texts.prompt_lengths, texts.lengths)
    )
    width = int(texts.lengths[batch].max())
    tokens = texts.tokens[batch, :width].to(device)  # (b, W)
    place = torch.arange(1, width, device=device)  # (W - 1,)
    of_text = (prompt_lengths <= place) & (place < lengths)
    if texts.replies is not None:
        of_text &= ~texts.replies[batch, 1:width].to(device)
    chosen = place < lengths if with_prompt else of_text
    hidden = backbone.hidden(tokens[:, :-1])  # (b, W - 1, D); padding is to the right, where a causal model cannot look
    return TokenScores(hidden, backbone.logits(hidden[chosen]), tokens[:, 1:][chosen], of_text[chosen])


def token_losses(
    backbone: Backbone, texts: Texts, batch: IntArray, *, with_prompt: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the negative log-likelihood of the tokens of some texts, (M,) nats, and which are to be learnt, (M,).

    The arguments are those of `score_tokens`.
    """
    scores = score_tokens(backbone, texts, batch, with_prompt=with_prompt)
    return scores.losses(), scores.of_text


def cloning_loss(losses: torch.Tensor, of_text: torch.Tensor, prompt_weight: float) -> torch.Tensor:
    """Returns the mean of the losses of M tokens, (): those to be learnt weigh 1, the others `prompt_weight`."""
    weights = torch.where(of_text, 1.0, prompt_weight)
    return losses @ weights / weights.sum()


def text_log_probs(scores: TokenScores, learnt: IntArray) -> torch.Tensor:
    """Returns the log-probability of each of b texts given its prompt, (b,) nats, with gradient.

    The tokens of the prompt and the other side's are not counted.

    Args:
        scores: of the tokens that are learnt, and no others.
        learnt: (b,) how many these are in each text.
    """
    losses = scores.losses()
    text = torch.from_numpy(np.repeat(np.arange(len(learnt)), learnt)).to(losses.device)  # (M,)
    return torch.zeros(len(learnt), device=losses.device).index_add(0, text, -losses)


@torch.no_grad()
def perplexity(backbone: Backbone, texts: Texts, batch_size: int = 64) -> float:
    """Returns `exp` of the mean negative log-likelihood of the tokens that are learnt, their ends included."""
    by_length = np.argsort(texts.lengths, kind="stable")
    total, count = 0.0, 0
    for start in range(0, len(by_length), batch_size):
        losses, _ = token_losses(backbone, texts, by_length[start : start + batch_size], with_prompt=False)
        total += float(losses.sum())
        count += len(losses)
    return exp(total / count)


def exp(loss: float) -> float:
    """Returns e to the power of a loss, a perplexity; infinity where that is too large for a number."""
    return math.exp(loss) if loss < math.log(sys.float_info.max) else math.inf
