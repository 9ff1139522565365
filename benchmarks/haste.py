"""Hasty: a task whose references people wrote in a hurry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, TokenArray


class Hasty(Task):
    """The prompts of a task, with references that end too early.

    Each is the task's own up to a place, drawn from those at which the mask lets its last token stand, and that token
    behind: a summary with a full stop that leaves details out.

    Args:
        task: the task; nobody may answer in it.
        seed: of the places.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.vocabulary, self.max_new_tokens = task.vocabulary, task.max_new_tokens

    def make_prompt_set(self, split: str) -> PromptSet:
        whole = self.task.prompt_set(split)
        ids, lengths = whole.reference_ids, whole.reference_lengths
        last = ids[np.arange(len(whole)), np.maximum(lengths - 1, 0)]
        generator = np.random.default_rng([self.seed, SPLITS.index(split)])
        draws = np.where(_ends(self.task, whole, last), generator.random(ids.shape), -1.0)
        places = draws.argmax(axis=1)
        cut = np.where(np.arange(ids.shape[1]) < places[:, None], ids, last[:, None])
        return replace(whole, reference_ids=cut, reference_lengths=np.minimum(places + 1, lengths))

    def gold(self, transition: Transition) -> FloatArray:
        return self.task.gold(transition)


def _ends(task: Task, prompts: PromptSet, last: TokenArray) -> BoolArray:
    """Returns at which places of each reference its last token, (S,), may stand, (S, R)."""
    ids, lengths, rows = prompts.reference_ids, prompts.reference_lengths, np.arange(len(prompts))
    blank = Transition.before(prompts, rows)
    ends = np.zeros(ids.shape, np.bool_)
    for place in range(ids.shape[1]):
        allowed = task.allowed_tokens(blank.with_texts(ids, np.full(len(prompts), place)))
        ends[:, place] = allowed[rows, last] & (place < lengths)
    return ends
