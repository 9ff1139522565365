"""Memory: recall one letter of a long prompt."""

from __future__ import annotations

from typing import ClassVar

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.first_token import first_token_right, first_token_values
from textgym.tasks.parts.prompts import letter_prompts, letter_vocabulary, number_of_prompts
from textgym.transition import Transition
from textgym.types import FloatArray


class Memory(Task):
    """Write the letter that stood at one place of the prompt, the first by default; all others do not matter.

    Example: prompt `c a d b d a a b`, text `c`.

    A text is a single token. Gold is 1 where it is that letter, else 0. The optimum is 1, random tokens get
    `1 / (letters + 1)`, and a policy that cannot see so far back gets about `1 / letters` at best.

    A low score means that what stood far back does not reach the policy: its memory or its attention does not span
    `length` tokens, or it does not find the one that matters among so many that tell nothing. A score that falls from
    the train to the test split means that it learnt whole prompts by heart.

    Args:
        length: how many letters a prompt has, at least 1.
        place: which of them is asked for, 1 to `length`.
        letters: how many letters there are, 2 to 26.
        size: how many different prompts all splits have together; at most `letters ** length`.

    Version history: v0, the first.
    """

    presets: ClassVar = {"easy": {"length": 8}, "medium": {"length": 32}, "hard": {"length": 128}}
    swept = "length"
    default_feedback = ({"name": "gold", "weight": 1.0},)
    max_new_tokens = 1
    optimal_return = 1.0

    def __init__(self, length: int = 8, place: int = 1, letters: int = 4, size: int = 1024) -> None:
        if length < 1 or not 1 <= place <= length:
            raise ValueError(f"length must be at least 1 and place 1 to length, got length={length}, place={place}")
        self.vocabulary = letter_vocabulary(letters)
        self.size = number_of_prompts(size, letters, length)
        self.length, self.place, self.letters = length, place, letters
        self.random_return = 1 / (letters + 1)

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts = letter_prompts(self.letters, self.length, self.size, split)
        return PromptSet.from_tokens(prompts, [[prompt[self.place - 1]] for prompt in prompts], self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        return first_token_right(transition)

    def action_values(self, transition: Transition) -> FloatArray:
        return first_token_values(transition, len(self.vocabulary))
