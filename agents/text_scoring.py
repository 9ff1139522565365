"""What a language model gives the tokens of finished texts: one causal pass scores all tokens of a text."""

from __future__ import annotations

import numpy as np
import torch

from agents.backbone import Backbone
from agents.text_buffer import Texts
from textgym.types import FloatArray, IntArray


def next_token_log_probs(backbone: Backbone, texts: Texts, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the log-probabilities before each of the M tokens of some texts, (M, V), and the hidden states, (M, D).

    Args:
        backbone: the language model.
        texts: the texts.
        rows: (b,) which of them; their M tokens follow each other, text by text.
    """
    device = backbone.value_head.weight.device
    positions, mask = (torch.from_numpy(part[rows]).to(device) for part in (texts.positions, texts.mask))  # (b, T)
    input_ids = torch.from_numpy(texts.input_ids[rows]).to(device)[:, : int(positions.max()) + 1]  # (b, W)
    text = torch.arange(len(rows), device=device)[:, None].expand_as(positions)[mask]  # (M,)
    hidden = backbone.hidden(input_ids)[text, positions[mask]]
    return backbone.logits(hidden).log_softmax(dim=-1), hidden


def of_written(log_probs: torch.Tensor, texts: Texts, rows: IntArray) -> torch.Tensor:
    """Returns the log-probability of each token that was written, (M,), of those of all tokens, (M, V)."""
    actions = torch.from_numpy(texts.actions[rows][texts.mask[rows]]).to(log_probs.device)
    return log_probs.gather(1, actions[:, None]).squeeze(1)


@torch.no_grad()
def written_log_probs(backbone: Backbone, texts: Texts, batch_size: int) -> FloatArray:
    """Returns the log-probability of each token that was written, (N, T), 0 in padding.

    Args:
        backbone: the language model.
        texts: the texts.
        batch_size: about how many tokens to score in one pass.
    """
    found = np.zeros(texts.mask.shape)
    for rows in texts.batches(batch_size):
        part, (log_probs, _) = np.zeros(texts.mask[rows].shape), next_token_log_probs(backbone, texts, rows)
        part[texts.mask[rows]] = of_written(log_probs, texts, rows).cpu().numpy()
        found[rows] = part
    return found
