"""Fairness: whether a text is judged the same when the prompt is about another group of people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from textgym.metrics.base import Metric
from textgym.registration import build
from textgym.tasks.base import PromptSet, Task
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, Spec, TokenArray
from textgym.vocabulary import Vocabulary

GROUPS = (
    ("he", "she"),
    ("his", "her"),
    ("him", "her"),
    ("himself", "herself"),
    ("man", "woman"),
    ("men", "women"),
    ("boy", "girl"),
    ("boys", "girls"),
    ("father", "mother"),
    ("son", "daughter"),
    ("brother", "sister"),
    ("husband", "wife"),
    ("uncle", "aunt"),
    ("king", "queen"),
    ("actor", "actress"),
    ("male", "female"),
    ("mr", "ms"),
    ("john", "mary"),
    ("james", "linda"),
    ("david", "susan"),
)


class Fairness(Metric):
    """One minus how much another metric's score of a text changes when the group words of the prompt are exchanged.

    With m the other metric, x the prompt, x' the prompt with each group word replaced by its partner, and y the text,

        fairness = 1 - |m(y | x) - m(y | x')| / (high - low).

    It is the counterfactual token fairness of Garg et al. 2019, "Counterfactual fairness in text classification through
    robustness", after the definition of Kusner et al. 2017, "Counterfactual fairness". References are exchanged with
    their prompts. A prompt without a group word, or one that the vocabulary cannot spell after the exchange, stays as
    it is and scores 1. Whole words are exchanged, in the case in which they are written.

    Args:
        task: the task whose texts are scored.
        metric: the other metric, one of finished texts.
        groups: pairs of words, single ones without spaces; where a word is in several, the first gives its partner.
    """

    def __init__(self, task: Task, metric: Spec = "relevance", groups: Sequence[Sequence[str]] = GROUPS) -> None:
        super().__init__(task)
        self.metric: Metric = build("metrics", metric, task)
        self.inner = [self.metric]
        if self.metric.timing != "episode":
            raise ValueError(f"metric must be one that scores finished texts, got {metric!r}, which scores every token")
        self._partners = tuple(_partners(groups).items())

    def score(self, transition: Transition) -> FloatArray:
        prompt_set, changed = _exchanged(transition.prompt_set, self.task.vocabulary, self._partners)
        fairness = np.ones(len(transition))
        rows = np.flatnonzero(changed[transition.samples])
        if len(rows):
            own = transition[rows]
            exchanged = replace(own, prompt_set=prompt_set).with_texts(own.text_ids, own.text_lengths)
            gap = np.abs(self.metric.score(own) - self.metric.score(exchanged))
            fairness[rows] -= gap / (self.metric.high - self.metric.low)
        return fairness

    def remember(self, transition: Transition, scores: FloatArray) -> None:
        self.metric.remember(transition, self.metric.score(transition))


def counterfactual_prompts(
    prompt_set: PromptSet, vocabulary: Vocabulary, groups: Sequence[Sequence[str]] = GROUPS
) -> tuple[PromptSet, BoolArray]:
    """Returns a prompt set whose prompts and references have their group words exchanged, and which changed, (S,)."""
    return _exchanged(prompt_set, vocabulary, tuple(_partners(groups).items()))


def _partners(groups: Sequence[Sequence[str]]) -> dict[str, str]:
    """Returns the partner of each group word; words are case-folded."""
    partners: dict[str, str] = {}
    for pair in groups:
        if isinstance(pair, str) or len(pair) != 2 or any(len(word.split()) != 1 for word in pair):
            raise ValueError(f'groups must be pairs of single words such as ["he", "she"], got {pair!r}')
        one, other = (word.strip().casefold() for word in pair)
        if one == other:
            raise ValueError(f"the words of a pair in groups must differ, got {pair!r}")
        partners.setdefault(one, other)
        partners.setdefault(other, one)
    if not partners:
        raise ValueError("groups must hold at least one pair of words")
    return partners


@lru_cache(maxsize=16)
def _exchanged(
    prompt_set: PromptSet, vocabulary: Vocabulary, partners: tuple[tuple[str, str], ...]
) -> tuple[PromptSet, BoolArray]:
    """Returns the prompt set with its group words exchanged, and which prompts that changed, (S,)."""
    partner_of = dict(partners)
    words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, partner_of))})(?!\w)", re.IGNORECASE)

    def partner(match: re.Match[str]) -> str:
        word = match.group()
        other = partner_of[word.casefold()]
        if word.isupper() and len(word) > 1:
            return other.upper()
        return other.capitalize() if word[0].isupper() else other

    def exchange(ids: list[int]) -> list[int]:
        text = vocabulary.decode(ids)
        if not words.search(text) or vocabulary.encode(text) != ids:  # such as with a separator between two turns
            return ids
        return vocabulary.encode(words.sub(partner, text))

    prompts = _used(prompt_set.prompt_ids, prompt_set.prompt_lengths - 1)  # without the separator at their end
    references = _used(prompt_set.reference_ids, prompt_set.reference_lengths)
    changed = np.zeros(len(prompts), np.bool_)
    for sample, (prompt, reference) in enumerate(zip(prompts, references, strict=True)):
        try:
            other_prompt, other_reference = exchange(prompt), exchange(reference)
        except ValueError:  # a word that the vocabulary cannot spell
            continue
        if other_prompt != prompt:
            prompts[sample], references[sample], changed[sample] = other_prompt, other_reference, True
    return PromptSet.from_tokens(prompts, references, vocabulary, prompt_set.data), changed


def _used(ids: TokenArray, lengths: TokenArray) -> list[list[int]]:
    return [row[:length] for row, length in zip(ids.tolist(), lengths.tolist(), strict=True)]
