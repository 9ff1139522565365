"""Writing without an environment: a policy goes on after any tokens until its end token or its budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from agents.policy import TransformerPolicy
from textgym.tasks.base import pad
from textgym.vocabulary import Vocabulary

_BATCH = 256


@torch.no_grad()
def write_texts(
    policy: TransformerPolicy, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, deterministic: bool = False
) -> list[list[int]]:
    """Returns what a policy writes after n prompts, as token ids with the end token where it wrote one.

    Padding and separators are never written. Draws come from torch's global generator.

    Args:
        policy: the policy.
        prompts: (n,) token ids.
        max_new_tokens: the most tokens of a text, the end token included.
        deterministic: whether the likeliest tokens are written.

    Raises:
        ValueError: if a prompt leaves no room for the budget in what the policy reads.
    """
    context, vocab_size = policy.backbone.context_length, policy.backbone.vocab_size
    needed = max((len(prompt) for prompt in prompts), default=0) + max_new_tokens
    if needed > context:
        raise ValueError(f"a prompt and its text may have {needed} tokens, but the policy reads {context}")
    writable = np.ones(vocab_size, np.bool_)
    writable[[Vocabulary.pad_id, Vocabulary.separator_id]] = False
    texts: list[list[int]] = []
    for first in range(0, len(prompts), _BATCH):
        tokens, lengths = pad(prompts[first : first + _BATCH], Vocabulary.pad_id)
        rows = np.arange(len(tokens))
        tokens = np.pad(tokens.astype(np.int64), ((0, 0), (0, max_new_tokens)))
        written: list[list[int]] = [[] for _ in rows]
        writing = np.ones(len(rows), np.bool_)
        for _ in range(max_new_tokens):
            mask = np.arange(tokens.shape[1]) < lengths[:, None]
            observation = {"input_ids": tokens, "attention_mask": mask.astype(np.int8)}
            seen = {name: torch.from_numpy(part).to(policy.device) for name, part in observation.items()}
            actions, _, _ = policy(seen, deterministic, np.tile(writable, (len(rows), 1)))
            for row in rows[writing]:
                token = int(actions[row])
                written[row].append(token)
                tokens[row, lengths[row]] = token
            lengths = lengths + writing
            writing &= actions.cpu().numpy() != Vocabulary.end_id
            if not writing.any():
                break
        texts += written
    return texts
