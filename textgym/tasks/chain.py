"""Chain: the first token decides, and is paid for at the end of a text of many tokens that do not matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.first_token import first_token_right, first_token_values
from textgym.tasks.parts.prompts import as_tokens, keyed_triples, letter_vocabulary
from textgym.transition import Transition
from textgym.types import FloatArray


class Chain(Task):
    """Repeat the first letter of the prompt, then write anything.

    Example: prompt `c a d b`, text `c a a d b a c d`.

    Gold is 1 if the first token is the prompt's first letter, else 0. It is paid with the last token, `length - 1`
    tokens later. Every text has `length` tokens: the end token ends nothing, since a text that could end at once would
    be paid at once. The prompt's other letters mean nothing.

    The optimum is 1, the return of random tokens 1 / (letters + 1).

    A low score means that credit does not reach back to what earned it: a discount or a trace below 1 (of the
    advantage, lambda^length is left), a critic that cannot tell the first token from the text, or an update in which
    the one token that matters drowns in the noise of those that do not. Every length asks the same of exploration.

    Args:
        length: how many tokens a text has, at least 1.
        letters: how many letters there are, 2 to 26.

    Version history: v0, the first.
    """

    default_feedback = ({"name": "gold", "weight": 1.0},)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "easy": {"length": 8},
        "medium": {"length": 32},
        "hard": {"length": 128},
    }
    swept = "length"
    fixed_length = True
    optimal_return = 1.0

    def __init__(self, length: int = 8, letters: int = 4) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        self.vocabulary = letter_vocabulary(letters)
        self.length, self.letters = length, letters
        self.max_new_tokens = length
        self.random_return = 1.0 / (letters + 1)

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts = as_tokens(keyed_triples(self.letters, split))
        return PromptSet.from_tokens(prompts, [prompt[:1] * self.length for prompt in prompts], self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        return first_token_right(transition)

    def action_values(self, transition: Transition) -> FloatArray:
        return first_token_values(transition, len(self.vocabulary))
