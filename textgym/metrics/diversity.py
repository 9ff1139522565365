"""Diversity: a text that repeats neither itself nor the texts before it."""

from __future__ import annotations

import numpy as np

from textgym.component import Arrays
from textgym.metrics.base import Metric
from textgym.metrics.parts.references import batches
from textgym.metrics.parts.self_bleu import multi_reference_bleu
from textgym.metrics.repetition import distinct_share
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, IntArray


class Diversity(Metric):
    """The share of the text's n-grams that are distinct, times one minus its BLEU with the texts before it.

    The first factor is distinct-n of Li et al. 2016, "A diversity-promoting objective function for neural conversation
    models", within the text. The second is Self-BLEU of Zhu et al. 2018, "Texygen: a benchmarking platform for text
    generation models": BLEU (order 4) with other generated texts as the references. Here these are the ones for the
    same prompt among the row's last `memory` texts, so `group_size` above 1 is needed for there to be any; without any,
    the factor is 1. As a product, either kind of repetition alone makes the score small: a copy of a text before scores
    0. An empty text scores 0. BLEU looks at no more than the task's `max_new_tokens` of each text. Texts that an
    annotator compares with are measured by the same ones: `against="previous"` is among them itself, and scores 0.

    Args:
        task: the task whose texts are scored.
        memory: how many of the row's texts are kept, at least 1.
        n: the number of tokens in the n-grams of distinct-n, at least 1, with `vocabulary size ** n` below 2 ** 62.
    """

    def __init__(self, task: Task, memory: int = 4, n: int = 2) -> None:
        super().__init__(task)
        self.memory, self.n, self._size = memory, n, len(task.vocabulary)
        if not isinstance(memory, int) or memory < 1:
            raise ValueError(f"memory must be a whole number of at least 1, got {memory}")
        if not isinstance(n, int) or not 1 <= n < 62 or self._size**n >= 2**62:
            raise ValueError(f"n must be a whole number from 1, with {self._size} ** n below 2 ** 62, got n={n}")

    def row_state(self, readings: int, annotators: int) -> Arrays:
        """Returns the last texts, (memory, T), their lengths and prompts, (memory,), and how many were written, ()."""
        return {
            "texts": np.zeros((self.memory, self.task.max_new_tokens), np.int32),
            "lengths": np.zeros(self.memory, np.int32),
            "samples": np.full(self.memory, -1, np.int32),
            "written": np.zeros((), np.int64),
        }

    def score(self, transition: Transition) -> FloatArray:
        diversity = distinct_share(transition, self.n, self._size).copy()
        diversity[transition.text_lengths == 0] = 0.0
        same_prompt = self.state["samples"][transition.rows] == transition.samples[:, None]  # (n, memory)
        compared = np.flatnonzero(same_prompt.any(axis=1))
        for batch in batches(len(compared)):
            some = compared[batch]
            texts = transition.text_ids[some], transition.text_lengths[some], transition.rows[some]
            diversity[some] *= 1.0 - self._self_bleu(*texts, same_prompt[some])
        return diversity

    def remember(self, transition: Transition, scores: FloatArray) -> None:
        rows, longest = transition.rows, self.task.max_new_tokens
        slot = self.state["written"][rows] % self.memory
        ids = transition.text_ids[:, :longest]
        self.state["texts"][rows, slot, : ids.shape[1]] = ids
        self.state["lengths"][rows, slot] = np.minimum(transition.text_lengths, longest)
        self.state["samples"][rows, slot] = transition.samples
        self.state["written"][rows] += 1

    def _self_bleu(self, ids: IntArray, lengths: IntArray, rows: IntArray, given: BoolArray) -> FloatArray:
        """Returns the BLEU of n texts of some rows with those of the rows' own that are given, (n, memory); (n,)."""
        longest = self.task.max_new_tokens
        ids, lengths = ids[:, :longest], np.minimum(lengths, longest)
        slots = np.argsort(~given, axis=1, kind="stable")[:, : np.count_nonzero(given, axis=1).max()]  # the given ones
        references, reference_lengths = (self.state[name][rows[:, None], slots] for name in ("texts", "lengths"))
        return multi_reference_bleu(
            ids, lengths, references, reference_lengths, np.take_along_axis(given, slots, axis=1)
        )
