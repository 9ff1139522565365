"""Texts that begin and end at different times, collected token by token until they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer

from textgym.types import BoolArray, FloatArray, IntArray


class Text(NamedTuple):
    """One finished text of T tokens in an observation of L.

    Attributes:
        input_ids: (L,) what the agent saw before it wrote the last token.
        prompt_length: how many of them it saw before it wrote the first.
        tokens: (7, T) for each token the place that it was written after, the token itself, its reward, its feedback,
            the value that the policy expected, its log-probability, and 1 where it was paid something observed.
    """

    input_ids: IntArray
    prompt_length: int
    tokens: FloatArray


@dataclass(frozen=True)
class Texts:
    """N finished texts of at most T tokens, right padded with zeros; those of a group are neighbours.

    Attributes:
        input_ids: (N, L) what the agent saw before it wrote the last token.
        positions: (N, T) the place in `input_ids` that each token was written after.
        actions: (N, T) the tokens.
        rewards: (N, T) what the environment paid for each.
        feedback: (N, T) f_t, the feedback on each.
        values: (N, T) the return that the policy expected before each.
        log_probs: (N, T) the log-probability of each under what it was drawn from.
        mask: (N, T) which places are in use.
        observed: (N,) about which texts anything was observed; nothing is known of the others' quality.
    """

    input_ids: IntArray
    positions: IntArray
    actions: IntArray
    rewards: FloatArray
    feedback: FloatArray
    values: FloatArray
    log_probs: FloatArray
    mask: BoolArray
    observed: BoolArray

    def only(self, rows: IntArray) -> Texts:
        """Returns the texts of some numbers, (n,)."""
        return Texts(**{name: part[rows] for name, part in vars(self).items()})

    def minibatches(self, count: int) -> Iterator[IntArray]:
        """Splits the texts into at most `count` parts of about as many, (b,) each: at random, unless there is only one.

        The random order comes from torch's global generator, which Stable-Baselines3 seeds.
        """
        n = len(self.mask)
        order = np.arange(n) if count == 1 else torch.randperm(n).numpy()
        yield from np.array_split(order, min(n, count))

    def batches(self, batch_size: int, chosen: IntArray | None = None) -> Iterator[IntArray]:
        """Yields texts once each, in batches (b,) of similar length and of about `batch_size` places.

        Args:
            batch_size: how many places; a text of more is a batch of its own.
            chosen: (n,) which texts; by default all.
        """
        lengths = self.positions.max(axis=1) + 1
        chosen = np.arange(len(lengths)) if chosen is None else chosen
        for rows in batches_of_similar_length(lengths[chosen], batch_size):
            yield chosen[rows]


def batches_of_similar_length(lengths: IntArray, batch_size: int) -> Iterator[IntArray]:
    """Yields the numbers of all texts of some lengths, (n,), in batches of about `batch_size` places, (b,) each."""
    order = np.argsort(lengths, kind="stable")
    texts_per_batch = max(1, batch_size // int(lengths.max()))
    for start in range(0, len(order), texts_per_batch):
        yield order[start : start + texts_per_batch]


class TextBuffer(RolloutBuffer):
    """Collects texts that begin and end at different times; a text cut off by the end of a rollout is carried on.

    Args:
        group_size: how many texts in a row share a prompt; they are handed out together.
        others: what every rollout buffer of Stable-Baselines3 takes.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        gae_lambda: float = 1.0,
        gamma: float = 1.0,
        n_envs: int = 1,
        group_size: int = 1,
    ) -> None:
        self.group_size = group_size
        super().__init__(buffer_size, observation_space, action_space, device, gae_lambda, gamma, n_envs)

    def reset(self) -> None:
        """Forgets all texts, the unfinished ones too."""
        (context_length,) = self.observation_space["input_ids"].shape  # type: ignore[index]
        self._written = np.zeros((7, self.n_envs, context_length))
        self._counts = np.zeros(self.n_envs, np.int64)
        self._groups: list[list[Text]] = [[] for _ in range(self.n_envs)]
        self._finished: list[Text] = []

    def add(  # type: ignore[override]
        self,
        observations: dict[str, np.ndarray[Any, Any]],
        actions: IntArray,
        rewards: FloatArray,
        feedback: FloatArray,
        values: FloatArray,
        log_probs: FloatArray,
        observed: BoolArray,
        dones: BoolArray,
    ) -> None:
        """Adds one token for each row, (n,): what was seen before it, and what came of it."""
        lengths = observations["attention_mask"].sum(axis=1, dtype=np.int64)
        rows = np.arange(self.n_envs)
        self._written[:, rows, self._counts] = lengths - 1, actions, rewards, feedback, values, log_probs, observed
        self._counts += 1
        for row in np.flatnonzero(dones):
            tokens = self._written[:, row, : self._counts[row]].copy()
            text = Text(observations["input_ids"][row].copy(), int(tokens[0, 0]) + 1, tokens)
            self._counts[row] = 0
            group = self._groups[row]
            if group and not _same_prompt(group[0], text):
                group.clear()  # the row was reset in the middle of a group
            group.append(text)
            if len(group) == self.group_size:
                self._finished += group
                group.clear()

    def take(self) -> Texts | None:
        """Hands out the finished texts of complete groups and forgets them; None if there are none."""
        if not self._finished:
            return None
        counts = np.array([text.tokens.shape[1] for text in self._finished])
        mask = np.arange(counts.max()) < counts[:, None]
        tokens = np.zeros((7, *mask.shape))
        tokens[:, mask] = np.concatenate([text.tokens for text in self._finished], axis=1)
        positions, actions = tokens[:2].astype(np.int64)
        rewards, feedback, values, log_probs, observed = tokens[2:]
        input_ids = np.stack([text.input_ids for text in self._finished])
        self._finished.clear()
        return Texts(input_ids, positions, actions, rewards, feedback, values, log_probs, mask, observed.any(axis=1))

    def training_state(self) -> dict[str, Any]:
        """Returns the texts under way and those that wait for the rest of their group, as arrays."""
        waiting = [(row, text) for row, group in enumerate(self._groups) for text in group]
        waiting += [(-1, text) for text in self._finished]
        texts = [text for _, text in waiting]
        return {
            "written": self._written.copy(),
            "counts": self._counts.copy(),
            "rows": np.array([row for row, _ in waiting], np.int64),
            "input_ids": np.array([text.input_ids for text in texts], np.int64),
            "prompt_lengths": np.array([text.prompt_length for text in texts], np.int64),
            "lengths": np.array([text.tokens.shape[1] for text in texts], np.int64),
            "tokens": np.concatenate([np.zeros((7, 0)), *(text.tokens for text in texts)], axis=1),
        }

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restores what `training_state` returned."""
        self.reset()
        self._written[:], self._counts[:] = state["written"], state["counts"]
        tokens = np.split(state["tokens"], state["lengths"].cumsum()[:-1], axis=1)
        for number, row in enumerate(state["rows"].tolist()):
            text = Text(state["input_ids"][number], int(state["prompt_lengths"][number]), tokens[number])
            (self._finished if row < 0 else self._groups[row]).append(text)


def _same_prompt(one: Text, other: Text) -> bool:
    length = one.prompt_length
    return length == other.prompt_length and np.array_equal(one.input_ids[:length], other.input_ids[:length])
