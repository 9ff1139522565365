"""Groups of prompts: by how long they are, by words in them, or by what the task knows of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from textgym.metrics.fairness import GROUPS
from textgym.simulator import Simulator
from textgym.types import IntArray

LENGTH, REFERENCE_LENGTH, GROUP_WORDS, WORDS = "length", "reference_length", "group_words", "words:"


def groups_of(by: str, simulator: Simulator, count: int) -> list[str]:
    """Returns the group of each of the first `count` prompts of a simulator's split.

    Args:
        by: what makes the groups. `"length"` and `"reference_length"`: three of about the same size, by tokens.
            `"group_words"`: which side of the word pairs of the metric `fairness`, he and she, is in the prompt.
            `"words:cat,dog"`: which of some words are. Else something that the task's prompt set knows of its prompts,
            such as `"module"`, or an attribute of it, such as `"wish.tone"`.
        simulator: the simulator.
        count: how many prompts.

    Raises:
        ValueError: if there is no such thing; the message lists what there is.
    """
    prompts = simulator.prompt_set
    if by == LENGTH:
        return _thirds(prompts.prompt_lengths[:count] - 1)  # without the separator
    if by == REFERENCE_LENGTH:
        return _thirds(prompts.reference_lengths[:count])
    if by == GROUP_WORDS or by.startswith(WORDS):
        texts = [
            simulator.vocabulary.decode(ids[:length].tolist())
            for ids, length in zip(prompts.prompt_ids[:count], prompts.prompt_lengths[:count], strict=True)
        ]
        if by == GROUP_WORDS:
            return _sides(texts)
        words = [word for word in by.removeprefix(WORDS).split(",") if word]
        if not words:
            raise ValueError(f"{by!r} names no word: write words:cat,dog")
        patterns = {word: _pattern([word]) for word in words}
        return ["+".join(w for w, own in patterns.items() if own.search(text)) or "none of them" for text in texts]
    name, *attributes = by.split(".")
    if name not in prompts.data:
        known = [LENGTH, REFERENCE_LENGTH, GROUP_WORDS, f"{WORDS}cat,dog", *prompts.data]
        raise ValueError(f"no grouping {by!r}: known here are {', '.join(known)}")
    return [_value(prompts.data[name][sample], attributes, by) for sample in range(count)]


def _thirds(lengths: Any) -> list[str]:
    """Returns for each length (n,) the range of the third that it is in; equal lengths are never parted."""
    edges = np.quantile(lengths, [1 / 3, 2 / 3])
    third: IntArray = np.searchsorted(edges, lengths)
    spans = {
        number: f"{lengths[third == number].min()} to {lengths[third == number].max()} tokens"
        for number in set(third.tolist())
    }
    return [spans[number] for number in third.tolist()]


def _sides(texts: Sequence[str]) -> list[str]:
    """Returns which sides of the pairs of group words are in each text."""
    one, other = (_pattern([pair[side] for pair in GROUPS]) for side in (0, 1))
    names = {
        (True, True): "both",
        (True, False): f"{GROUPS[0][0]}, {GROUPS[1][0]}, ...",
        (False, True): f"{GROUPS[0][1]}, {GROUPS[1][1]}, ...",
        (False, False): "neither",
    }
    return [names[bool(one.search(text)), bool(other.search(text))] for text in texts]


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Returns what finds any of some words, as a whole one, in capitals or not."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)


def _value(known: Any, attributes: Sequence[str], by: str) -> str:
    for attribute in attributes:
        if not hasattr(known, attribute):
            raise ValueError(f"no grouping {by!r}: {known!r:.80} has no {attribute!r}")
        known = getattr(known, attribute)
    return str(known)
