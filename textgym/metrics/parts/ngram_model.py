"""An n-gram language model with Kneser-Ney smoothing, which scores batches of texts without a loop over tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from textgym.metrics.parts.hash_table import HashTable
from textgym.metrics.parts.references import batches
from textgym.tasks.base import PromptSet, Task
from textgym.transition import Transition, once_per_transition
from textgym.types import FloatArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary


class NgramModel:
    """Interpolated Kneser-Ney (Chen and Goodman 1999, "An empirical study of smoothing techniques", section 2.7).

    For a token w after the tokens h,

        p(w | h) = max(c(hw) - D, 0) / c(h.) + D N(h.) / c(h.) p(w | h'),

    where c counts occurrences at the highest order, and below it the different tokens seen in front of an n-gram
    (occurrences again at the start of a text, where nothing stands in front); c(h.) is its sum over w, N(h.) the number
    of different tokens seen after h, h' is h without its first token, and a single token falls back on the uniform
    distribution over `vocabulary.writable`. Each order has its discount `D = (n1 + 1/2) / (n1 + 2 n2 + 1)`, with n1
    and n2 the numbers of n-grams that have c = 1 and c = 2: Ney's estimate, kept inside (0, 1) for small corpora.

    Args:
        prompt_set: the texts to learn from are its references.
        vocabulary: its tokens; a text starts after the separator and is closed by the end token.
        order: the length of the longest n-grams, at least 1.

    Raises:
        ValueError: if the order is below 1 or no sample has a reference.
    """

    def __init__(self, prompt_set: PromptSet, vocabulary: Vocabulary, order: int = 3) -> None:
        if order < 1:
            raise ValueError(f"order must be at least 1, got {order}")
        if not prompt_set.reference_lengths.any():
            raise ValueError("an n-gram model learns from references, and this task has none")
        self.vocabulary, self.order = vocabulary, order
        stream, starts = self._stream(prompt_set.reference_ids, prompt_set.reference_lengths)
        levels = _count(stream, starts, len(vocabulary), order)
        self._longer = HashTable(np.concatenate([level.keys for level in levels]), first=len(vocabulary))
        probability, backoff = _estimate(levels, vocabulary)
        single = probability[: len(vocabulary)]
        np.maximum(single, single[vocabulary.writable].min(), out=single)  # padding and separators may be in a text
        self._log_probability = np.log(probability)
        self._log_backoff = np.log(np.append(backoff, 1.0))  # the last entry is that of node -1, never seen

    def mean_log_probability(self, ids: IntArray | TokenArray, lengths: IntArray | TokenArray) -> FloatArray:
        """Returns the mean of log p over the tokens of each text and its end, (n,); see `log_probabilities`."""
        totals = [
            np.add.reduceat(*self.log_probabilities(ids[batch], lengths[batch])) for batch in batches(len(lengths))
        ]
        mean: FloatArray = np.concatenate(totals) / (lengths + 1)
        return mean

    def log_probabilities(
        self, ids: IntArray | TokenArray, lengths: IntArray | TokenArray
    ) -> tuple[FloatArray, IntArray]:
        """Scores the tokens of n right-padded texts, (n, T) of which (n,) are in use, and their ends.

        Returns:
            log p of all texts, one after the other, each opening with a 0 for its separator; and where each starts.
        """
        stream, starts = self._stream(ids, lengths)
        node: IntArray = stream  # the n-gram that ends at each place, -1 for one never seen
        result: FloatArray = self._log_probability[node]
        for _ in range(2, self.order + 1):
            context = node[:-1]
            result[1:] += self._log_backoff[context]
            after_known = np.flatnonzero(context >= 0)  # what follows an n-gram never seen was never seen either
            longer = self._longer.find(context[after_known] * len(self.vocabulary) + stream[1:][after_known])
            ends, longer = after_known[longer >= 0] + 1, longer[longer >= 0]
            result[ends] = self._log_probability[longer]
            node = np.full(len(stream), -1)
            node[ends] = longer
        result[starts] = 0.0
        return result, starts

    def _stream(self, ids: IntArray | TokenArray, lengths: IntArray | TokenArray) -> tuple[IntArray, IntArray]:
        """Returns all texts in one row, each between its separator and its end token, and where each starts."""
        framed = np.empty((len(ids), ids.shape[1] + 2), np.int64)
        framed[:, 0], framed[:, 1:-1] = self.vocabulary.separator_id, ids
        framed[np.arange(len(ids)), lengths + 1] = self.vocabulary.end_id
        used = np.arange(framed.shape[1]) < lengths[:, None] + 2
        return framed[used], np.cumsum(lengths + 2, dtype=np.int64) - (lengths + 2)


@lru_cache(maxsize=8)
def ngram_model(task: Task, order: int) -> NgramModel:
    """Returns the model of a task's train split."""
    return NgramModel(task.prompt_set("train"), task.vocabulary, order)


@once_per_transition
def mean_log_probability(transition: Transition, model: NgramModel) -> FloatArray:
    """Returns the mean of log p over the tokens of each text and its end, (n,)."""
    return model.mean_log_probability(transition.text_ids, transition.text_lengths)


@dataclass(frozen=True)
class _Level:
    """The G n-grams of one length. They are nodes of a tree: token w is node w, and longer ones are counted on.

    Attributes:
        first: the node of the first of them.
        context: (G,) the node of the n-gram without its last token.
        suffix: (G,) the node of the n-gram without its first token.
        keys: (G,) `context * V + last token`.
        count: (G,) c, as in the formula of `NgramModel`.
    """

    first: int
    context: IntArray
    suffix: IntArray
    keys: IntArray
    count: IntArray


def _count(stream: IntArray, starts: IntArray, size: int, order: int) -> list[_Level]:
    place = np.arange(len(stream)) - np.repeat(starts, np.diff(starts, append=len(stream)))
    nothing = np.empty(0, np.int64)
    tokens = np.bincount(stream[place > 0], minlength=size)
    levels = [_Level(first=0, context=nothing, suffix=nothing, keys=nothing, count=tokens)]
    opening = np.zeros(size, np.bool_)  # which n-grams of the last level open a text
    node = stream  # the n-gram that ends at each place
    for n in range(2, order + 1):
        ends = np.flatnonzero(place >= n - 1)
        keys, at, gram, count = np.unique(
            node[ends - 1] * size + stream[ends], return_index=True, return_inverse=True, return_counts=True
        )
        last, first, suffix = levels[-1], levels[-1].first + len(levels[-1].count), node[ends[at]]
        in_front = np.bincount(suffix - last.first, minlength=len(last.count))
        levels[-1] = replace(last, count=np.where(opening, last.count, in_front))
        levels.append(_Level(first=first, context=node[ends[at] - 1], suffix=suffix, keys=keys, count=count))
        opening = place[ends[at]] == n - 1
        node = np.full(len(stream), -1)
        node[ends] = first + gram
    return levels


def _estimate(levels: list[_Level], vocabulary: Vocabulary) -> tuple[FloatArray, FloatArray]:
    """Returns p of every node, (M,), and the weight that it gives, as a context, to shorter ones, (M,)."""
    nodes = levels[-1].first + len(levels[-1].count)
    probability, backoff = np.empty(nodes), np.ones(nodes)
    for level in levels:
        once, twice = np.count_nonzero(level.count == 1), np.count_nonzero(level.count == 2)
        discount = (once + 0.5) / (once + 2 * twice + 1)
        kept = np.maximum(level.count - discount, 0.0)
        if level is levels[0]:
            weight = discount * np.count_nonzero(level.count) / level.count.sum()
            uniform = vocabulary.writable / np.count_nonzero(vocabulary.writable)
            probability[: len(kept)] = kept / level.count.sum() + weight * uniform
        else:
            total = np.bincount(level.context, weights=level.count, minlength=nodes)
            contexts = np.flatnonzero(total)
            backoff[contexts] = discount * np.bincount(level.context, minlength=nodes)[contexts] / total[contexts]
            probability[level.first : level.first + len(kept)] = (
                kept / total[level.context] + backoff[level.context] * probability[level.suffix]
            )
    return probability, backoff
