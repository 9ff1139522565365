"""Tradeoff: two readers who like different letters, and a text with room for so many."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from typing import ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.prompts import letter_vocabulary, of_split
from textgym.tasks.parts.two_counts import TwoCounts
from textgym.transition import Transition
from textgym.types import FloatArray, IntArray
from textgym.vocabulary import SPECIAL_TOKENS


class Tradeoff(Task):
    """Please two readers: the prompt names the letter that the first likes and the one that the second likes.

    Example: prompt `c f`, text `c c c c c f f f`.

    With i and j the numbers of their letters among the text's first `length` tokens, the readers' signals are

        f_1 = (i / length)^conflict,   f_2 = (j / length)^conflict,

    and gold is `weight f_1 + (1 - weight) f_2`, divided by the most that it can be, so that the optimum is 1; random
    tokens get what the distribution of (i, j) gives. The default feedback is the same sum, not divided. The Pareto
    front, `pareto_front()`, are the texts with i + j = length. Below a conflict of 1 it bulges outwards: both readers
    can have much of what they want, and the optimum lies between the ends. At 1 it is a straight line, and the optimum
    an end. Above 1 it bulges inwards: no weighted sum has its optimum between the ends, and each end is better than
    the texts near it.

    A low score at a small conflict means that the policy serves one signal and forgets the other. At a large one it
    means that the learner went to the wrong end and stays there, where gold is (1 - weight) / weight for a weight of
    the first above 1/2: it explores too little, or chance early on decided.

    Args:
        conflict: the exponent of the signals, above 0 and at most 10.
        weight: of the first reader, in [0, 1].
        length: how many tokens count, at least 1.
        letters: how many letters there are, 3 to 26; each prompt is a pair of different ones.

    Version history: v0, the first.
    """

    presets: ClassVar = {"easy": {"conflict": 0.5}, "medium": {"conflict": 1.0}, "hard": {"conflict": 2.0}}
    swept = "conflict"
    optimal_return = 1.0

    def __init__(self, conflict: float = 0.5, weight: float = 0.6, length: int = 8, letters: int = 6) -> None:
        if not 0 < conflict <= 10 or not 0 <= weight <= 1:
            raise ValueError(
                f"conflict must be above 0 and at most 10 and weight 0 to 1, got conflict={conflict}, weight={weight}"
            )
        if length < 1 or letters < 3:
            raise ValueError(f"length must be at least 1 and letters at least 3, got {length} and {letters}")
        self.conflict, self.weight, self.length, self.letters = conflict, weight, length, letters
        self.vocabulary = letter_vocabulary(letters)
        self.max_new_tokens = length
        self.default_feedback = tuple(
            {"name": "task_signal", "signal": f"reader_{reader}", "weight": share}
            for reader, share in ((1, weight), (2, 1 - weight))
        )
        self._signal: FloatArray = (np.arange(length + 1) / length) ** conflict  # (T + 1,), by count
        total = weight * self._signal[:, None] + (1 - weight) * self._signal
        on_the_front = total[np.arange(length + 1), length - np.arange(length + 1)]
        self.best_count = int(on_the_front.argmax())
        self._counts = TwoCounts(total / on_the_front[self.best_count])
        self.random_return = self._counts.random_return(letters + 1)
        self.signals = {f"reader_{reader}": partial(self.signal, reader=reader) for reader in (1, 2)}

    def make_prompt_set(self, split: str) -> PromptSet:
        pairs = list(permutations(range(len(SPECIAL_TOKENS), len(self.vocabulary)), 2))
        order = np.random.Generator(np.random.PCG64(0)).permutation(len(pairs))
        prompts = of_split([pairs[number] for number in order], split)
        first = self.best_count
        references = [[one] * first + [other] * (self.length - first) for one, other in prompts]
        return PromptSet.from_tokens(prompts, references, self.vocabulary)

    def pareto_front(self) -> FloatArray:
        """Returns the signals (f_1, f_2) of the texts that no other text beats in both, (length + 1, 2), f_1 rising."""
        return np.column_stack([self._signal, self._signal[::-1]])

    def signal(self, transition: Transition, reader: int) -> FloatArray:
        """Returns the signal of reader 1 or 2, (n,), in [0, 1]."""
        return self._signal[self._liked(transition, reader)]

    def gold(self, transition: Transition) -> FloatArray:
        return self._counts.gold[self._liked(transition, 1), self._liked(transition, 2)]

    def action_values(self, transition: Transition) -> FloatArray:
        liked = self._liked(transition, 1), self._liked(transition, 2)
        wanted = transition.prompt_set.prompt_ids[transition.samples]
        return self._counts.action_values(transition, self.vocabulary, liked, (wanted[:, 0], wanted[:, 1]))

    def _liked(self, transition: Transition, reader: int) -> IntArray:
        """Returns how many of the tokens that count are the letter that a reader likes, (n,)."""
        letter = transition.prompt_set.prompt_ids[transition.samples, reader - 1]
        same = transition.text_ids[:, : self.length] == letter[:, None]
        count: IntArray = (same & transition.text_mask[:, : self.length]).sum(axis=1)
        return count
