"""Transcripts: references played to their end, with what the other side answers between the agent's turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textgym.random import Address, bits, component_key
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import BoolArray, IntArray


@dataclass(frozen=True)
class Transcripts:
    """The S references of a split as an agent would have written them.

    Attributes:
        tokens: (S, W) the prompt and all that followed, right padded.
        lengths: (S,) the tokens in use.
        replies: (S, W) which of them the other side said.
    """

    tokens: IntArray
    lengths: IntArray
    replies: BoolArray


def play_references(task: Task, split: str, *, max_new_tokens: int, seed: int) -> Transcripts:
    """Writes every reference of a split and its end token, and lets the task answer after each turn.

    Args:
        task: a task that answers the agent.
        split: the split.
        max_new_tokens: the budget; what exceeds it is left out.
        seed: of the other side's chance.
    """
    prompts, end_id = task.prompt_set(split), task.vocabulary.end_id
    count, rows = len(prompts), np.arange(len(prompts))
    budget = min(max_new_tokens, prompts.reference_ids.shape[1] + 1)
    text_ids = np.full((count, budget), end_id, np.int64)
    kept = np.arange(budget) < prompts.reference_lengths[:, None]
    text_ids[kept] = prompts.reference_ids[:, :budget][kept[:, : prompts.reference_ids.shape[1]]]
    text_lengths = np.minimum(prompts.reference_lengths + 1, budget).astype(np.int64)
    width = prompts.prompt_ids.shape[1]
    tokens = np.full((count, width + budget + task.max_reply_tokens), task.vocabulary.pad_id, np.int64)
    tokens[:, :width] = prompts.prompt_ids
    lengths = prompts.prompt_lengths.astype(np.int64)
    replies = np.zeros(tokens.shape, np.bool_)
    keys = bits(seed, component_key("transcripts"), 0, 0, rows)
    nobody = np.zeros(count, np.bool_)
    for step in range(budget):
        writing = rows[step < text_lengths]
        tokens[writing, lengths[writing]] = text_ids[writing, step]
        lengths[writing] += 1
        asked = writing[(text_ids[writing, step] == end_id) & (step + 1 < text_lengths[writing])]
        if not len(asked):
            continue
        steps = np.full(len(asked), step)
        transition = Transition(
            prompt_set=prompts, rows=asked, samples=asked, episodes=np.zeros_like(asked), steps=steps,
            actions=text_ids[asked, step], input_ids=tokens[asked], lengths=lengths[asked], text_ids=text_ids[asked],
            text_lengths=steps + 1, finished=nobody[asked],
        )  # fmt: skip
        address = Address(keys[asked], 0, np.zeros_like(asked), steps, asked, nobody[asked]).of("reply")
        for row, said, length in zip(asked, *task.reply(transition, address), strict=True):
            said_at = slice(lengths[row], lengths[row] + length)
            tokens[row, said_at] = said[:length]
            replies[row, said_at] = True
            lengths[row] += length
    return Transcripts(tokens, lengths, replies)
