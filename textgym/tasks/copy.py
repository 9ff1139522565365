"""Copy: repeat the prompt, the smallest task with a right answer for every token."""

from __future__ import annotations

import numpy as np

from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.transition import Transition
from textgym.types import FloatArray, IntArray
from textgym.vocabulary import SPECIAL_TOKENS, WordVocabulary


class Copy(Task):
    """Repeat the prompt, token by token, then end the text.

    Example: prompt `d b a`, text `d b a`.

    Gold is the share of right tokens, the end counted as one: (letters in their right place + whether the text
    ended right after the last) / (length + 1). The optimum is 1.

    Args:
        length: how many letters a prompt has, at least 1.
        letters: how many letters there are, 2 to 26.
        size: how many different prompts all splits have together; at most `letters ** length`.

    Version history: v0, the first.
    """

    default_feedback = ({"name": "token_match", "weight": 1.0},)
    optimal_return = 1.0

    def __init__(self, length: int = 5, letters: int = 8, size: int = 1024) -> None:
        if length < 1 or not 2 <= letters <= 26:
            raise ValueError(f"length must be at least 1 and letters 2 to 26, got length={length}, letters={letters}")
        self.size = min(size, letters**length)
        if self.size < len(SPLITS):
            raise ValueError(f"size must be at least {len(SPLITS)}, one prompt for each split, got {size}")
        self.length, self.letters = length, letters
        self.vocabulary = WordVocabulary([chr(ord("a") + i) for i in range(letters)])
        self.max_new_tokens = length + 1

    def make_prompt_set(self, split: str) -> PromptSet:
        generator = np.random.Generator(np.random.PCG64(0))
        chosen: dict[tuple[int, ...], None] = {}
        while len(chosen) < self.size:
            drawn = generator.integers(self.letters, size=(self.size, self.length))
            chosen.update(dict.fromkeys(map(tuple, drawn.tolist())))
        prompts = [[len(SPECIAL_TOKENS) + digit for digit in digits] for digits in list(chosen)[: self.size]]
        eighth = max(1, self.size // 8)
        splits = {
            "test": prompts[:eighth],
            "validation": prompts[eighth : 2 * eighth],
            "train": prompts[2 * eighth :],
        }
        return PromptSet.from_tokens(splits[split], splits[split], self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        ended = (transition.text_lengths == self.length) & (transition.actions == self.vocabulary.end_id)
        share: FloatArray = (self._right_letters(transition) + ended) / (self.length + 1)
        return share

    def action_values(self, transition: Transition) -> FloatArray:
        written, budget = transition.text_lengths, transition.text_ids.shape[1]
        writing = np.flatnonzero(written < self.length)
        right = self._right_letters(transition)
        # After one more letter, every place up to the budget, and the end if it fits, can still be right.
        to_come = np.maximum(min(self.length, budget) - written - 1, 0)
        to_come += (written < self.length) & (budget > self.length)
        values = np.repeat((right + to_come)[:, None], len(self.vocabulary), axis=1)
        values[writing, transition.reference_ids[writing, written[writing]]] += 1
        values[:, self.vocabulary.end_id] = right + (written == self.length)
        return values / (self.length + 1)

    def _right_letters(self, transition: Transition) -> IntArray:
        """Returns how many letters stand in their right place, (n,)."""
        width = min(self.length, transition.text_ids.shape[1])
        same = transition.text_ids[:, :width] == transition.reference_ids[:, :width]
        right: IntArray = (same & transition.text_mask[:, :width]).sum(axis=1)
        return right
