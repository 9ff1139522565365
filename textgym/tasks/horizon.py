"""Horizon: the same easy task, 8 to 1,024 tokens long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.prompts import as_tokens, letter_vocabulary, triples
from textgym.tasks.parts.right_share import random_right_share, right_share, right_share_values
from textgym.transition import Transition
from textgym.types import FloatArray


class Horizon(Task):
    """Repeat the prompt's three letters over and over until the text has `length` letters, then end it.

    Example: prompt `c a d`, text `c a d c a d c a`.

    Gold is the share of right tokens, the end counted as one: (letters in their right place + whether the text
    ended right after the last) / (length + 1). The default feedback is dense: `token_match` pays each right token the
    moment it is written. With `reward="gold"` the same return is sparse: all of it comes with the last token.

    The optimum is 1, the return of random tokens (1 - (letters / (letters + 1))^(length + 1)) / (length + 1): their
    texts end after some letters + 1 tokens.

    A low score means that the algorithm, or its settings, does not scale with the length of texts: returns whose
    variance grows with it, discounting, a budget of tokens that buys few texts, a text ended early for good, or a state
    (positions, cache) that does not hold so many tokens. The gap between dense and sparse is what the credit for each
    token is worth.

    Args:
        length: how many letters a text has, at least 1.
        letters: how many letters there are, 2 to 26.

    Version history: v0, the first.
    """

    default_feedback = ({"name": "token_match", "weight": 1.0},)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "easy": {"length": 8},
        "medium": {"length": 64},
        "hard": {"length": 1024},
    }
    swept = "length"
    optimal_return = 1.0

    def __init__(self, length: int = 8, letters: int = 4) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        self.vocabulary = letter_vocabulary(letters)
        self.length, self.letters = length, letters
        self.max_new_tokens = length + 1
        self.random_return = random_right_share(self.vocabulary, length)

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts = as_tokens(triples(self.letters, split))
        references = [[prompt[place % len(prompt)] for place in range(self.length)] for prompt in prompts]
        return PromptSet.from_tokens(prompts, references, self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        return right_share(transition, self.vocabulary, self.length)

    def action_values(self, transition: Transition) -> FloatArray:
        return right_share_values(transition, self.vocabulary, self.length)
