"""Transcripts: texts played to their end, with what the other side answers between the agent's turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textgym.random import Address, bits, component_key, row_keys
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import BoolArray, IntArray, KeyArray


@dataclass(frozen=True)
class Transcripts:
    """S texts as an agent would have written them.

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
    rows = np.arange(len(prompts))
    budget = min(max_new_tokens, prompts.reference_ids.shape[1] + 1)
    text_ids = np.full((len(prompts), budget), end_id, np.int64)
    kept = np.arange(budget) < prompts.reference_lengths[:, None]
    text_ids[kept] = prompts.reference_ids[:, :budget][kept[:, : prompts.reference_ids.shape[1]]]
    text_lengths = np.minimum(prompts.reference_lengths + 1, budget).astype(np.int64)
    keys = bits(seed, component_key("transcripts"), 0, 0, rows)
    return _play(task, split, rows, text_ids, text_lengths, keys, np.zeros_like(rows))


def play_texts(
    task: Task,
    split: str,
    samples: Sequence[int],
    texts: Sequence[Sequence[int]],
    *,
    seeds: Sequence[int],
    episodes: Sequence[int],
) -> Transcripts:
    """Writes n texts, and lets the task answer after each turn as it answers in an environment's row.

    Args:
        task: a task that answers the agent.
        split: the split of the prompts.
        samples: (n,) the number of each prompt.
        texts: (n,) token ids, with the end tokens of all turns.
        seeds: (n,) what the row was reset with, in which each text is written.
        episodes: (n,) how many texts the row had finished before.
    """
    text_lengths = np.array([len(text) for text in texts], np.int64)
    text_ids = np.full((len(texts), int(text_lengths.max())), task.vocabulary.end_id, np.int64)
    for row, text in enumerate(texts):
        text_ids[row, : len(text)] = text
    return _play(task, split, np.array(samples), text_ids, text_lengths, row_keys(seeds), np.array(episodes))


def _play(
    task: Task,
    split: str,
    samples: IntArray,
    text_ids: IntArray,
    text_lengths: IntArray,
    keys: KeyArray,
    episodes: IntArray,
) -> Transcripts:
    """Writes texts (n, T) of which (n,) tokens are in use; (n,) keys and episodes make the other side's chance."""
    prompts, rows, end_id = task.prompt_set(split), np.arange(len(samples)), task.vocabulary.end_id
    width, budget = prompts.prompt_ids.shape[1], text_ids.shape[1]
    tokens = np.full((len(samples), width + budget + task.max_reply_tokens), task.vocabulary.pad_id, np.int64)
    tokens[:, :width] = prompts.prompt_ids[samples]
    lengths = prompts.prompt_lengths[samples].astype(np.int64)
    replies = np.zeros(tokens.shape, np.bool_)
    nobody = np.zeros(len(samples), np.bool_)
    for step in range(budget):
        writing = rows[step < text_lengths]
        tokens[writing, lengths[writing]] = text_ids[writing, step]
        lengths[writing] += 1
        asked = writing[(text_ids[writing, step] == end_id) & (step + 1 < text_lengths[writing])]
        if not len(asked):
            continue
        steps = np.full(len(asked), step)
        transition = Transition(
            prompt_set=prompts, rows=asked, samples=samples[asked], episodes=episodes[asked], steps=steps,
            actions=text_ids[asked, step], input_ids=tokens[asked], lengths=lengths[asked], text_ids=text_ids[asked],
            text_lengths=steps + 1, finished=nobody[asked],
        )  # fmt: skip
        address = Address(keys[asked], 0, episodes[asked], steps, asked, nobody[asked]).of("reply")
        for row, said, length in zip(asked, *task.reply(transition, address), strict=True):
            said_at = slice(lengths[row], lengths[row] + length)
            tokens[row, said_at] = said[:length]
            replies[row, said_at] = True
            lengths[row] += length
            if not length:  # nobody says any more, and so the text is over
                text_lengths[row] = step + 1
    return Transcripts(tokens, lengths, replies)
