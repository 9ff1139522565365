"""SequenceRolloutBuffer: groups a rollout into texts, so that one causal pass scores all tokens of a text."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer, MaskableRolloutBufferSamples
from stable_baselines3.common.buffers import DictRolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples

IntArray = NDArray[np.int64]


PASS_COST = {"cpu": 128, "cuda": 8192}
"""How many tokens of padding a pass of its own must save before texts are split into blocks, by type of device."""


@dataclass(frozen=True)
class PackedTexts:
    """M observations, each a prefix of one of S whole texts.

    A slice of them, as TRPO takes with `sub_sampling_factor`, has fewer observations of the same texts.

    Attributes:
        blocks: (S_b, T_b) the texts, right padded, those of similar length together.
        ends: (M,) where the observations end: the places of their last tokens among the tokens of all blocks in a row.
    """

    blocks: tuple[torch.Tensor, ...]
    ends: torch.Tensor

    def __getitem__(self, chosen: slice) -> PackedTexts:
        return PackedTexts(self.blocks, self.ends[chosen])


class SequenceRolloutBuffer(DictRolloutBuffer):
    """A drop-in `rollout_buffer_class` whose minibatches are whole segments.

    A segment is what one environment wrote of one text in this rollout. It ends where an episode ends, and where an
    observation does not extend the one before, so its observations are all prefixes of its last one. `observations` of
    a minibatch are `PackedTexts`; all other fields are (M,), one element for each token, in the same order.

    `batch_size` counts tokens: a minibatch takes segments, in random order, until it has at least `batch_size` tokens.
    What remains at the end is a minibatch of its own if it has more than half of `batch_size`, and otherwise joins the
    one before. Cutting segments to hit `batch_size` exactly would encode their prefixes twice.

    The random order comes from torch's global generator, which Stable-Baselines3 seeds.
    """

    def reset(self) -> None:
        DictRolloutBuffer.reset(self)  # not that of the maskable buffer, which keeps a float for every token of V
        del self.observations["attention_mask"]
        self.lengths = np.zeros((self.buffer_size, self.n_envs), np.int64)

    def add(  # type: ignore[override]
        self, obs: dict[str, np.ndarray[Any, Any]], *args: Any, **kwargs: Any
    ) -> None:
        """Adds one step of all environments; see Stable-Baselines3."""
        self.lengths[self.pos] = obs["attention_mask"].sum(axis=1)
        super().add(obs, *args, **kwargs)

    def get(self, batch_size: int | None = None) -> Generator[Any, None, None]:
        """Yields all tokens once, in minibatches of about `batch_size` tokens, or in one where it is None.

        The rollout is packed at the first call after it; what is written into the buffer later is not seen.
        """
        assert self.full, "the rollout is not complete"
        if not self.generator_ready:
            self._pack()
            self.generator_ready = True
        for segments in self._minibatches(batch_size or self.lengths.size):
            chosen = segments[np.argsort(self.widths[segments], kind="stable")]
            counts, sizes = self.counts[chosen], block_sizes(self.widths[chosen], PASS_COST.get(self.device.type, 8192))
            ends = sizes.cumsum()
            padded = np.repeat(self.widths[chosen[ends - 1]], sizes)  # (S,) the width of each text's block
            tokens = np.arange(counts.sum()) + np.repeat(self.offsets[chosen] - counts.cumsum() + counts, counts)
            index = np.repeat(padded.cumsum() - padded, counts) + self.positions[tokens]
            index_there, tokens_there = torch.from_numpy(np.stack((index, tokens))).to(self.device)
            texts = self.texts[torch.from_numpy(chosen).to(self.device)]
            blocks = tuple(
                block[:, :width]
                for block, width in zip(torch.split(texts, sizes.tolist()), padded[ends - 1].tolist(), strict=True)
            )
            yield self._samples(PackedTexts(blocks, index_there), tokens_there, tokens)

    def _pack(self) -> None:
        """Finds the segments; all token arrays are ordered by environment, then step, so a segment is a range."""
        ids = self.observations["input_ids"]  # (steps, N, L)
        compared = np.arange(ids.shape[2]) < self.lengths[:-1, :, None]
        starts = np.ones(self.lengths.shape, np.bool_)
        starts[1:] = self.episode_starts[1:] != 0
        starts[1:] |= self.lengths[1:] < self.lengths[:-1]
        starts[1:] |= ((ids[1:] != ids[:-1]) & compared).any(axis=2)
        self.offsets = np.flatnonzero(starts.T)  # (S,) where segments start
        self.counts = np.diff(self.offsets, append=starts.size)  # (S,) their numbers of tokens
        self.positions = self.lengths.T.ravel() - 1  # (steps * N,) of the last token of each observation
        last = self.offsets + self.counts - 1
        self.widths = self.positions[last] + 1
        env, step = np.divmod(last, self.buffer_size)
        self.texts = torch.from_numpy(ids[step, env]).to(self.device)  # (S, L)
        self.tokens = [
            torch.from_numpy(array.reshape(self.buffer_size, self.n_envs).T.flatten()).to(self.device)
            for array in (self.actions, self.values, self.log_probs, self.advantages, self.returns)
        ]

    def _minibatches(self, batch_size: int) -> Iterator[IntArray]:
        """Yields the numbers of the segments of each minibatch."""
        order = torch.randperm(len(self.counts)).numpy()
        filled = self.counts[order].cumsum()
        first = done = 0
        while first < len(order):
            stop = int(np.searchsorted(filled, done + batch_size)) + 1
            if filled[-1] - filled[min(stop, len(order)) - 1] <= batch_size // 2:
                stop = len(order)
            yield order[first:stop]
            first, done = stop, int(filled[min(stop, len(order)) - 1])

    def _samples(self, observations: PackedTexts, tokens: torch.Tensor, token_numbers: IntArray) -> Any:
        return RolloutBufferSamples(observations, *(array[tokens] for array in self.tokens))  # type: ignore[arg-type]


def block_sizes(widths: IntArray, pass_cost: int) -> IntArray:
    """Splits texts, sorted by width, where that saves more padding than a pass of its own costs.

    Args:
        widths: (S,) the widths, rising.
        pass_cost: in tokens.

    Returns:
        (B,) how many texts each block has.
    """
    saved = np.arange(1, len(widths)) * (widths[-1] - widths[:-1])  # by a split after the first, the second, ...
    if len(saved) == 0 or saved.max() <= pass_cost:
        return np.array([len(widths)])
    at = int(saved.argmax()) + 1
    return np.concatenate((block_sizes(widths[:at], pass_cost), block_sizes(widths[at:], pass_cost)))


class MaskableSequenceRolloutBuffer(SequenceRolloutBuffer, MaskableDictRolloutBuffer):
    """The same with action masks, for sb3-contrib's MaskablePPO; a mask takes one bit for each token of V."""

    def reset(self) -> None:
        assert isinstance(self.action_space, spaces.Discrete)
        self.mask_dims = int(self.action_space.n)
        bytes_each = (self.mask_dims + 7) // 8
        self.packed_masks = np.full((self.buffer_size, self.n_envs, bytes_each), 255, np.uint8)
        super().reset()

    def add(self, *args: Any, action_masks: np.ndarray[Any, Any] | None = None, **kwargs: Any) -> None:
        """Adds one step of all environments.

        Args:
            *args: as without masks.
            action_masks: (N, V) bool, the tokens that were allowed; None for all.
            **kwargs: as without masks.
        """
        if action_masks is not None:
            allowed = action_masks.reshape(self.n_envs, self.mask_dims).astype(np.bool_, copy=False)
            self.packed_masks[self.pos] = np.packbits(allowed, axis=1)
        super().add(*args, **kwargs)

    def _samples(self, observations: PackedTexts, tokens: torch.Tensor, token_numbers: IntArray) -> Any:
        env, step = np.divmod(token_numbers, self.buffer_size)
        allowed = np.unpackbits(self.packed_masks[step, env], axis=1, count=self.mask_dims).view(np.bool_)
        fields = super()._samples(observations, tokens, token_numbers)
        return MaskableRolloutBufferSamples._make((*fields, torch.from_numpy(allowed).to(self.device)))
