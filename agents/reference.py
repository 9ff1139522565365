"""ReferencePolicy: writes the references, to see what texts as good as they are would be paid."""

from __future__ import annotations

from typing import Any

import numpy as np

from textgym.simulator import Simulator
from textgym.types import IntArray


class ReferencePolicy:
    """Writes in each row of a simulator the reference of its prompt, and then the end token.

    Args:
        simulator: whose rows it writes in.
        samples: the prompts that it is for, (n,).

    Raises:
        ValueError: if a prompt has no reference.
    """

    def __init__(self, simulator: Simulator, samples: IntArray) -> None:
        lacking = samples[simulator.prompt_set.reference_lengths[samples] == 0]
        if len(lacking):
            raise ValueError(f"sample {lacking[0]} of the {simulator.split} split has no reference to write")
        self.simulator = simulator
        ended = np.pad(simulator.prompt_set.reference_ids, ((0, 0), (0, 1)))
        ended[np.arange(len(ended)), simulator.prompt_set.reference_lengths] = simulator.vocabulary.end_id
        self.texts: IntArray = ended.astype(np.int64)  # (S, R + 1)

    def __call__(self, observations: dict[str, np.ndarray[Any, Any]]) -> IntArray:
        """Returns the next token of each row, (n,); of finished rows it means nothing."""
        steps = np.minimum(self.simulator.steps, self.texts.shape[1] - 1)
        tokens: IntArray = self.texts[self.simulator.samples, steps]
        return tokens
