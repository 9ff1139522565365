"""Bandit: one token, each worth a known amount, the smallest problem of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.prompts import as_tokens, triples
from textgym.transition import Transition
from textgym.types import FloatArray
from textgym.vocabulary import SPECIAL_TOKENS, WordVocabulary


class Bandit(Task):
    """Write the token that is worth most; which one it is can only be found out.

    Example: prompt `arm3 arm0 arm5`, text `arm7`.

    Gold is the worth of the first token: (r / arms)^2 for the arm of rank r, which is 1 to `arms`, and 0 for an empty
    text. The ranks are shuffled once. The prompt, three arms, means nothing: it only makes the splits differ. All
    chance is that of the feedback: add `noise` for a bandit whose arms are uncertain.

    The optimum is 1, the return of random tokens (2 arms + 1) / (6 arms), a little above 1/3; the best two arms differ
    by (2 arms - 1) / arms^2, so more arms are also closer to each other.

    A low score means that the algorithm does not weigh exploring against exploiting: it settles for the first good arm
    (too greedy, too little entropy), or goes on trying when it could know (too much). Nothing else is asked, neither
    memory nor credit over time: look here first.

    Args:
        arms: how many tokens there are to choose from, 2 to 4,096.
        instance: shuffles the ranks; another number, another bandit.

    Version history: v0, the first.
    """

    default_feedback = ({"name": "gold", "weight": 1.0},)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "easy": {"arms": 8},
        "medium": {"arms": 64},
        "hard": {"arms": 512},
    }
    swept = "arms"
    optimal_return = 1.0

    def __init__(self, arms: int = 8, instance: int = 0) -> None:
        if not 2 <= arms <= 4096:
            raise ValueError(f"arms must be 2 to 4,096, got {arms}")
        if instance < 0:
            raise ValueError(f"instance must be at least 0, got {instance}")
        self.arms = arms
        self.vocabulary = WordVocabulary([f"arm{i}" for i in range(arms)])
        self.max_new_tokens = 1
        ranks = np.random.Generator(np.random.PCG64(instance)).permutation(arms) + 1
        self.worth = np.zeros(len(self.vocabulary))  # (V,) of each token
        self.worth[len(SPECIAL_TOKENS) :] = (ranks / arms) ** 2
        self.random_return = (2 * arms + 1) / (6 * arms)

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts = as_tokens(triples(self.arms, split))
        return PromptSet.from_tokens(prompts, [[int(self.worth.argmax())]] * len(prompts), self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        first: FloatArray = np.where(transition.text_mask, self.worth[transition.text_ids], 0.0)[:, :1].sum(axis=1)
        return first

    def action_values(self, transition: Transition) -> FloatArray:
        blank = (transition.text_lengths == 0)[:, None]
        return np.where(blank, self.worth, self.gold(transition)[:, None])
