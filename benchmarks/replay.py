"""`replay`: texts written once more, to see what was seen and paid at each token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.token_scores import PlayedTexts
from textgym import row_seeds
from textgym.simulator import Simulator
from textgym.types import IntArray


def replay(
    simulator: Simulator,
    texts: Sequence[IntArray],
    samples: IntArray,
    seed: int,
    *,
    paid: Sequence[str] = ("clean_reward",),
    masked: bool = False,
) -> PlayedTexts:
    """Writes given texts as `benchmarks.evaluation.write` wrote them, and keeps what it sees.

    Args:
        simulator: of the environment in which they were written; its feedback may be another.
        texts: the n texts, (length,) each, with the end token where there is one.
        samples: (n,) their prompts.
        seed: the seed with which they were written, so that whoever answers says the same.
        paid: which of what the environment says of each token are taken for its reward, as a sum.
        masked: whether to keep which tokens were allowed.
    """
    counts = np.array([len(text) for text in texts])
    mask = np.arange(counts.max()) < counts[:, None]
    actions = np.zeros(mask.shape, np.int64)
    actions[mask] = np.concatenate(texts)
    positions, rewards = np.zeros_like(actions), np.zeros(mask.shape)
    input_ids = np.full((len(texts), simulator.context_length), simulator.vocabulary.pad_id, np.int64)
    allowed = np.zeros((*mask.shape, -(-len(simulator.vocabulary) // 8)), np.uint8) if masked else None
    seeds = row_seeds(seed, len(texts))
    for first in range(0, len(texts), simulator.num_rows):
        numbers = np.arange(first, min(first + simulator.num_rows, len(texts)))
        rows = numbers - first
        simulator.running[:] = False
        simulator.reseed(rows, seeds[first : first + len(rows)])
        simulator.start(rows, samples[numbers])
        for step in range(counts[numbers].max()):
            writing = mask[numbers, step]
            going, their_rows = numbers[writing], rows[writing]
            positions[going, step] = simulator.lengths[their_rows] - 1
            input_ids[going] = simulator.input_ids[their_rows]
            if allowed is not None:
                allowed[going, step] = np.packbits(simulator.allowed_tokens()[their_rows], axis=1)
            written = np.zeros(simulator.num_rows, np.int64)
            written[their_rows] = actions[going, step]
            info = simulator.step(written).info
            rewards[going, step] = np.sum([info[name] for name in paid], axis=0)[their_rows]
    return PlayedTexts(input_ids, positions, actions, rewards, mask, allowed)
