"""chrF: the F-score of character n-grams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.ngram_matches import clipped_matches
from textgym.metrics.parts.references import batches, fits_memory, once_per_prompt_set
from textgym.tasks.base import PromptSet, Task
from textgym.transition import Transition, once_per_transition
from textgym.types import FloatArray, IntArray, KeyArray, TokenArray
from textgym.vocabulary import Vocabulary

_ORDER = 6


@dataclass(frozen=True)
class _References:
    """The characters of S references.

    Attributes:
        symbol: (highest code point + 2,) the number of each character, 1 to A - 1, and 0 for one in no reference.
        places: (W, S A) where each symbol stands in each reference, as bits, see `clipped_matches`.
        counts: (S, A) how often each symbol stands in each reference; never, for symbol 0.
        lengths: (S,) the characters of each reference.
    """

    symbol: IntArray
    places: KeyArray
    counts: IntArray
    lengths: IntArray


@once_per_prompt_set
def _all_references(prompt_set: PromptSet, vocabulary: Vocabulary) -> _References:
    return _references(prompt_set.reference_ids, prompt_set.reference_lengths, vocabulary)


def _references(ids: TokenArray, id_lengths: TokenArray, vocabulary: Vocabulary) -> _References:
    codes, lengths = vocabulary.characters(ids, id_lengths)
    known = np.unique(codes)
    symbol = np.zeros(int(known.max(initial=0)) + 2, np.int64)
    symbol[known] = np.arange(1, len(known) + 1)
    sample = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    words, symbols = max(1, -(-int(lengths.max()) // 64)), len(known) + 1
    places = np.zeros((words, len(lengths) * symbols), np.uint64)
    bit = np.uint64(1) << (place % 64).astype(np.uint64)
    cell = sample * symbols + symbol[codes]
    np.bitwise_or.at(places, (place // 64, cell), bit)
    counts = np.bincount(cell, minlength=len(lengths) * symbols).reshape(-1, symbols)
    return _References(symbol, places, counts, lengths)


class ChrF(Metric):
    """The F-score of character n-grams, n from 1 to 6, whitespace left out.

    Popovic 2015, "chrF: character n-gram F-score for automatic MT evaluation", with precision and recall averaged
    over the n that both texts are long enough for, as in sacrebleu, whose value divided by 100 this is.

    Args:
        task: the task whose texts are scored.
        beta: how many times as much recall weighs as precision, above 0. At 2, sacrebleu's default, made for
            translations of about the right length, long random texts outscore short sensible ones; at 1 they don't.
    """

    def __init__(self, task: Task, beta: float = 2.0) -> None:
        super().__init__(task)
        if not 0 < beta < np.inf:
            raise ValueError(f"beta must be positive and finite, got {beta}")
        self.beta = beta

    def score(self, transition: Transition) -> FloatArray:
        precision, recall = _agreement(transition, self.task.vocabulary)
        weighted = self.beta**2 * precision + recall
        score: FloatArray = (1 + self.beta**2) * precision * recall / np.where(weighted > 0, weighted, 1.0)
        return score


@once_per_transition
def _agreement(transition: Transition, vocabulary: Vocabulary) -> FloatArray:
    """Returns the precision and the recall of n texts, (2, n)."""
    ids, lengths, samples = transition.text_ids, transition.text_lengths, transition.samples
    if fits_memory(transition.prompt_set):
        references = _all_references(transition.prompt_set, vocabulary)
    else:
        references = _references(transition.reference_ids, transition.reference_lengths, vocabulary)
        samples = np.arange(len(samples))
    parts = [
        _precision_and_recall(references, *vocabulary.characters(ids[batch], lengths[batch]), samples[batch])
        for batch in batches(len(transition))
    ]
    return np.concatenate(parts, axis=1)


def _precision_and_recall(references: _References, codes: IntArray, lengths: IntArray, samples: IntArray) -> FloatArray:
    """Returns both for n texts, (2, n), of `lengths` (n,) characters, whose code points follow each other."""
    symbols = references.symbol[np.minimum(codes, len(references.symbol) - 1)]
    wanted_once, size = references.counts[samples], references.counts.shape[1]
    text = np.repeat(np.arange(len(lengths)), lengths)
    written_once = np.bincount(text * size + symbols, minlength=wanted_once.size).reshape(wanted_once.shape)
    words = max(1, -(-int(references.lengths[samples].max()) // 64))
    places = references.places[:words].take(samples[text] * size + symbols, axis=1)
    matches = clipped_matches(places, lengths, _ORDER, shortest=2)
    matches[0] = np.minimum(written_once, wanted_once).sum(axis=1)  # single characters are many, and counted faster
    order = np.arange(_ORDER)[:, None]
    written = np.maximum(lengths - order, 0)  # (order, n) n-grams of each text
    wanted = np.maximum(references.lengths[samples] - order, 0)
    counted = np.maximum(((written > 0) & (wanted > 0)).sum(axis=0), 1)
    precision = (matches / np.maximum(written, 1)).sum(axis=0) / counted
    recall = (matches / np.maximum(wanted, 1)).sum(axis=0) / counted
    return np.stack([precision, recall])
