"""Lock: a combination that must be found by trying, and is worth nothing before it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.prompts import as_tokens, letter_vocabulary, triples
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray
from textgym.vocabulary import SPECIAL_TOKENS


class Lock(Task):
    """Write the combination, a secret of `depth` letters: one right letter at each depth.

    Example: prompt `b a c`, text `d c c`.

    Gold is 1 if the text is the combination, else 0: nothing says how far a wrong text got. There is one combination,
    the same for all prompts, so that finding it is all there is to learn; the prompt, three letters, only makes the
    splits differ. `action_values` knows the combination, so an annotator such as `demonstration` can give hints.

    The optimum is 1, the return of random tokens (letters + 1)^-depth.

    A low score means that the algorithm does not explore: with random tokens the first reward comes after some
    (letters + 1)^depth texts, and what was found once must then be found again. A score that is low although some texts
    were right means that it forgets rare successes: too small a step on them, or one update that averages them away.

    Args:
        depth: how many letters the combination has, at least 1.
        letters: how many letters there are, 2 to 26.
        instance: draws the combination; another number, another lock.

    Version history: v0, the first.
    """

    default_feedback = ({"name": "gold", "weight": 1.0},)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "easy": {"depth": 3},
        "medium": {"depth": 6},
        "hard": {"depth": 12},
    }
    swept = "depth"
    optimal_return = 1.0

    def __init__(self, depth: int = 3, letters: int = 4, instance: int = 0) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        if instance < 0:
            raise ValueError(f"instance must be at least 0, got {instance}")
        self.vocabulary = letter_vocabulary(letters)
        self.depth, self.letters = depth, letters
        self.max_new_tokens = depth
        drawn = np.random.Generator(np.random.PCG64(instance)).integers(letters, size=depth)
        self.combination = len(SPECIAL_TOKENS) + drawn  # (depth,) token ids
        self.random_return = float(letters + 1) ** -depth

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts = as_tokens(triples(self.letters, split))
        return PromptSet.from_tokens(prompts, [self.combination.tolist()] * len(prompts), self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        opened = self._right_so_far(transition) & (transition.text_lengths == self.depth)
        gold: FloatArray = opened.astype(np.float64)
        return gold

    def action_values(self, transition: Transition) -> FloatArray:
        written, budget = transition.text_lengths, transition.text_ids.shape[1]
        right = self._right_so_far(transition)
        values = np.zeros((len(transition), len(self.vocabulary)))
        going = np.flatnonzero(right & (written < self.depth) & (budget >= self.depth))
        values[going, self.combination[written[going]]] = 1.0
        values[right & (written == self.depth), self.vocabulary.end_id] = 1.0  # with a larger budget, it must be ended
        return values

    def _right_so_far(self, transition: Transition) -> BoolArray:
        """Returns which texts are the beginning of the combination, or begin with it, (n,)."""
        width = min(self.depth, transition.text_ids.shape[1])
        same = transition.text_ids[:, :width] == self.combination[:width]
        right: BoolArray = (same | ~transition.text_mask[:, :width]).all(axis=1)
        return right
