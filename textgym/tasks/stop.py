"""Stop: end the text when it has as many tokens as the prompt says."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.prompts import letter_prompts, letter_vocabulary
from textgym.transition import Transition
from textgym.types import FloatArray


class Stop(Task):
    """Write as many tokens as the number in the prompt, no matter which, and then the end.

    Example: prompt `b d 3`, text `b b b`.

    Gold is 1 where the text has exactly that many tokens, else 0; the two letters of the prompt do not matter. The
    optimum is 1. Random tokens, of which the share p = 1 / (letters + largest + 1) ends the text, get the mean of
    `(1 - p)^n p` over the numbers n. The default feedback is `length`: nearer is better, and best where gold is 1.

    A low score means that the policy does not end its texts when they are complete: it does not count, or its algorithm
    treats the end token, or texts that the budget cuts, in another way than other actions and endings. One that falls
    as `largest` rises, with texts that end too soon, means that it never tried the long ones: end tokens are
    everywhere, and each is final.

    Args:
        largest: the largest number, at least 1; every number from 1 on is asked for equally often.
        letters: how many letters there are, 2 to 26.

    Version history: v0, the first.
    """

    presets: ClassVar = {"easy": {"largest": 4}, "medium": {"largest": 16}, "hard": {"largest": 64}}
    swept = "largest"
    default_feedback = ({"name": "length", "weight": 1.0},)
    optimal_return = 1.0

    def __init__(self, largest: int = 4, letters: int = 4) -> None:
        if largest < 1:
            raise ValueError(f"largest must be at least 1, got {largest}")
        self.vocabulary = letter_vocabulary(letters, *(str(number) for number in range(1, largest + 1)))
        self.largest, self.letters, self.max_new_tokens = largest, letters, largest + 1
        end = 1 / int(self.vocabulary.writable.sum())
        self.random_return = float(np.mean((1 - end) ** np.arange(1, largest + 1) * end))

    def make_prompt_set(self, split: str) -> PromptSet:
        first_number = len(self.vocabulary) - self.largest
        beginnings = letter_prompts(self.letters, 2, self.letters**2, split)
        asked = [(letters, number) for letters in beginnings for number in range(self.largest)]
        prompts = [[*letters, first_number + number] for letters, number in asked]
        references = [[letters[0]] * (number + 1) for letters, number in asked]
        return PromptSet.from_tokens(prompts, references, self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        exact: FloatArray = (transition.text_lengths == transition.reference_lengths).astype(np.float64)
        return exact

    def action_values(self, transition: Transition) -> FloatArray:
        wanted, budget = transition.reference_lengths, transition.text_ids.shape[1]
        in_reach = (transition.text_lengths < wanted) & (wanted <= budget)
        values = np.repeat(in_reach[:, None], len(self.vocabulary), axis=1).astype(np.float64)
        values[:, self.vocabulary.end_id] = transition.text_lengths == wanted
        return values
