"""What metrics share: what is computed once from the references, batches that fit a cache, token ids as strings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from textgym.tasks.base import PromptSet
from textgym.transition import Transition, once_per_transition
from textgym.types import IntArray, TokenArray
from textgym.vocabulary import Vocabulary

_Computed = TypeVar("_Computed")
_BATCH = 256
_MOST_KEPT = 2**20  # tokens of references of which something larger is kept, computed once


def once_per_prompt_set(
    compute: Callable[[PromptSet, Vocabulary], _Computed],
) -> Callable[[PromptSet, Vocabulary], _Computed]:
    """Decorates a function of a prompt set and its vocabulary: its result is kept as long as the prompt set lives."""
    known: WeakKeyDictionary[PromptSet, _Computed] = WeakKeyDictionary()

    @wraps(compute)
    def remembered(prompt_set: PromptSet, vocabulary: Vocabulary) -> _Computed:
        if prompt_set not in known:
            known[prompt_set] = compute(prompt_set, vocabulary)
        return known[prompt_set]

    return remembered


def batches(count: int) -> Iterator[slice]:
    """Yields the slices of a large batch in parts whose arrays fit the processor's cache: two to three times faster."""
    for first in range(0, count, _BATCH):
        yield slice(first, first + _BATCH)


def as_strings(ids: IntArray | TokenArray, lengths: IntArray | TokenArray) -> list[str]:
    """Returns each row of token ids, (n, T) and (n,), as a string with one character a token, for string algorithms."""
    if not ids.shape[1]:
        return [""] * len(ids)
    characters = ids.astype(np.uint32)
    characters += np.uint32(1)
    characters *= np.arange(ids.shape[1]) < lengths[:, None]  # NumPy's strings end at their last non-zero character
    strings: list[str] = characters.view(f"U{ids.shape[1]}")[:, 0].tolist()
    return strings


@once_per_transition
def text_strings(transition: Transition) -> list[str]:
    """Returns each text as a string with one character a token."""
    return as_strings(transition.text_ids, transition.text_lengths)


def fits_memory(prompt_set: PromptSet) -> bool:
    """Returns whether all references are so few that what is computed once from them may be larger than they are."""
    return prompt_set.reference_ids.size <= _MOST_KEPT


@once_per_transition
def reference_strings(transition: Transition, vocabulary: Vocabulary) -> list[str]:
    """Returns the reference of each text as a string with one character a token."""
    if not fits_memory(transition.prompt_set):
        return as_strings(transition.reference_ids, transition.reference_lengths)
    known = _all_reference_strings(transition.prompt_set, vocabulary)
    return [known[sample] for sample in transition.samples.tolist()]


@once_per_prompt_set
def _all_reference_strings(prompt_set: PromptSet, vocabulary: Vocabulary) -> list[str]:
    return as_strings(prompt_set.reference_ids, prompt_set.reference_lengths)
