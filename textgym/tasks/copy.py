"""Copy: repeat the prompt, the smallest task with a right answer for every token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.prompts import letter_prompts, letter_vocabulary, number_of_prompts
from textgym.tasks.parts.right_share import random_right_share, right_share, right_share_values
from textgym.transition import Transition
from textgym.types import FloatArray


class Copy(Task):
    """Repeat the prompt, token by token, then end the text.

    Example: prompt `d b a`, text `d b a`.

    Gold is the share of right tokens, the end counted as one: (letters in their right place + whether the text
    ended right after the last) / (length + 1). The optimum is 1, the return of random tokens
    (1 - (letters / (letters + 1))^(length + 1)) / (length + 1).

    A low score means that the policy does not look back at the prompt, or that credit for one token does not reach it
    through the noise of the others. Where it falls with `length`, compare `Horizon`, whose prompts stay short.

    Args:
        length: how many letters a prompt has, at least 1.
        letters: how many letters there are, 2 to 26.
        size: how many different prompts all splits have together; at most `letters ** length`.

    Version history: v0, the first.
    """

    default_feedback = ({"name": "token_match", "weight": 1.0},)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "easy": {"length": 5},
        "medium": {"length": 10},
        "hard": {"length": 20},
    }
    swept = "length"
    optimal_return = 1.0

    def __init__(self, length: int = 5, letters: int = 8, size: int = 1024) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        self.vocabulary = letter_vocabulary(letters)
        self.size = number_of_prompts(size, letters, length)
        self.length, self.letters = length, letters
        self.max_new_tokens = length + 1
        self.random_return = random_right_share(self.vocabulary, length)

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts = letter_prompts(self.letters, self.length, self.size, split)
        return PromptSet.from_tokens(prompts, prompts, self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        return right_share(transition, self.vocabulary, self.length)

    def action_values(self, transition: Transition) -> FloatArray:
        return right_share_values(transition, self.vocabulary, self.length)
