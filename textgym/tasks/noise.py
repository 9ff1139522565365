"""Noise: one simple problem, and feedback that tells the truth in the mean."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.copy import Copy
from textgym.transition import Transition
from textgym.types import FloatArray


class Noise(Task):
    """Repeat the prompt, as in `Copy`, paid once at the end and with Gaussian noise on what is paid.

    Example: prompt `d b a`, text `d b a`.

    Gold is the share of right tokens, the end counted as one. The default feedback is gold, the default noise on it is
    normal with standard deviation `sigma`, independent from text to text: its mean is the truth, so a learner needs no
    correction but more texts, in proportion to `sigma**2` where the noise outweighs all other variance. The optimum is
    1; random tokens get `(1 - (1 - p)^(length + 1)) / (length + 1)`, p = 1 / (letters + 1).

    Everything but the noise stays the same, so what is told is how the score falls as sigma rises. A low score means
    that the learner takes noise for news: its steps are too large or its batches too small to average it away, it
    keeps the best of what it happened to see, or it clips the feedback. With `reward="gold"` or `noise=[]` there is no
    noise.

    Args:
        sigma: the standard deviation of the noise on the feedback of a text, finite, at least 0; gold spans 0 to 1.
        length: how many letters a prompt has, at least 1.
        letters: how many letters there are, 2 to 26.
        size: how many different prompts all splits have together; at most `letters ** length`.

    Version history: v0, the first.
    """

    presets: ClassVar = {"easy": {"sigma": 0.1}, "medium": {"sigma": 0.5}, "hard": {"sigma": 2.0}}
    swept = "sigma"
    default_feedback = ({"name": "gold", "weight": 1.0},)
    optimal_return = 1.0

    def __init__(self, sigma: float = 0.1, length: int = 3, letters: int = 4, size: int = 1024) -> None:
        if not 0 <= sigma < np.inf:
            raise ValueError(f"sigma must be finite and non-negative, got {sigma}")
        self._copy = Copy(length, letters, size)
        self.sigma, self.vocabulary, self.max_new_tokens = sigma, self._copy.vocabulary, self._copy.max_new_tokens
        self.default_noise = ({"name": "gaussian", "sigma": sigma},) if sigma else ()
        self.random_return = self._copy.random_return

    def make_prompt_set(self, split: str) -> PromptSet:
        return self._copy.make_prompt_set(split)

    def gold(self, transition: Transition) -> FloatArray:
        return self._copy.gold(transition)

    def action_values(self, transition: Transition) -> FloatArray:
        return self._copy.action_values(transition)
