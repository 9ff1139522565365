"""Vocabulary: one and the same problem among 32 to 32,768 tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.first_token import first_token_right, first_token_values
from textgym.tasks.parts.prompts import keyed_triples
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray
from textgym.vocabulary import SPECIAL_TOKENS, WordVocabulary

_USED = 16


class Vocabulary(Task):
    """Repeat the first word of the prompt, one of 16, and find it among all the words that there are.

    Example: prompt `w5 w9 w5 w27`, text `w5`.

    Gold is 1 if the first token is the prompt's first word, else 0. A text has one token. Prompts of any size of the
    vocabulary use the same 16 words, spread over it evenly, so that what is to be learnt stays the same and only the
    number of actions grows.

    The optimum is 1, the return of random tokens 1 / (tokens - 2). The masks (`action_masks()`) allow the prompt's
    words and the end token: among those, random tokens get about 1/5 at every size. A mask is one byte for each token
    and row, 32 MiB for 1,024 rows and 32,768 tokens.

    A low score means that the algorithm does not cope with many actions: its exploration spreads over all of them, an
    entropy bonus grows with their number and outweighs the reward, or it updates only what it tried. The gap between a
    learner that uses masks and one that does not is what masks are worth.

    Args:
        tokens: how many tokens the vocabulary has, the three special ones among them, 32 to 65,536.

    Version history: v0, the first.
    """

    default_feedback = ({"name": "gold", "weight": 1.0},)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "easy": {"tokens": 32},
        "medium": {"tokens": 1024},
        "hard": {"tokens": 32768},
    }
    swept = "tokens"
    optimal_return = 1.0

    def __init__(self, tokens: int = 32) -> None:
        if not 32 <= tokens <= 65_536:
            raise ValueError(f"tokens must be 32 to 65,536, got {tokens}")
        words = tokens - len(SPECIAL_TOKENS)
        self.vocabulary = WordVocabulary([f"w{i}" for i in range(words)])
        self.max_new_tokens = 1
        self.used = len(SPECIAL_TOKENS) + np.arange(_USED) * words // _USED  # (16,) token ids
        self.random_return = 1.0 / np.count_nonzero(self.vocabulary.writable)

    def make_prompt_set(self, split: str) -> PromptSet:
        prompts = self.used[np.array(keyed_triples(_USED, split))].tolist()
        return PromptSet.from_tokens(prompts, [prompt[:1] for prompt in prompts], self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        return first_token_right(transition)

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        allowed = np.zeros((len(transition), len(self.vocabulary)), np.bool_)
        allowed[:, self.vocabulary.end_id] = True
        words = transition.prompt_set.prompt_ids[transition.samples, :-1]  # (n, 4), all but the separator
        allowed[np.arange(len(transition))[:, None], words] = True
        return allowed

    def action_values(self, transition: Transition) -> FloatArray:
        return first_token_values(transition, len(self.vocabulary))
