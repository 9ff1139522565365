"""Incremental decoding for rows that start, end and change at different times: a slot of the cache is a position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import PretrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin

if TYPE_CHECKING:
    from agents.backbone import Backbone

SUPPORTED_LAYERS = ("full_attention", "sliding_attention")


class SlotLayer(CacheLayerMixin):
    """Keys and values of one layer, (N, H, L, D) each: those of the token at position p of row i lie in `[i, :, p]`."""

    is_sliding = False  # a window is only a mask here, nothing is dropped

    def __init__(self, cache: SlotCache) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        # Zeros, because a masked slot still enters the sum with weight 0, and 0 times NaN is NaN.
        self.keys, self.values = (
            states.new_zeros(self.cache.num_rows, states.shape[1], self.cache.length, states.shape[3])
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes new keys and values, (R, H, W, D); returns all that the rows' tokens may look at, (R, H, slots, D)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        rows, positions, slots = self.cache.rows, self.cache.positions, self.cache.slots
        self.keys[rows[:, None], :, positions] = key_states.transpose(1, 2)
        self.values[rows[:, None], :, positions] = value_states.transpose(1, 2)
        if slots == 0:
            return key_states, value_states
        if len(rows) == self.cache.num_rows:
            return self.keys[:, :, :slots], self.values[:, :, :slots]
        return self.keys[rows, :, :slots], self.values[rows, :, :slots]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Returns how many slots a causal pass over `query_length` first tokens sees, and the first of them."""
        return query_length, 0

    def get_seq_length(self) -> int:
        """Returns 0: rows differ in length, so positions are always given explicitly."""
        return 0

    def get_max_length(self) -> int:
        """Returns L."""
        return self.cache.length


class SlotCache(Cache):
    """The keys and values of N texts, and a copy of the tokens that they belong to.

    Correctness rests on comparing tokens: whatever a row's new text is, the slots of the longest prefix that it shares
    with the cached text are right and the rest is computed again. So resets, appended turns, edits and cut-backs need
    no signal. Only a change of the model's parameters does: drop the cache then.

    Args:
        backbone: the model.
        num_rows: N, how many texts go on at once.
    """

    def __init__(self, backbone: Backbone, num_rows: int) -> None:
        self.backbone = backbone
        self.num_rows, self.length = num_rows, backbone.context_length
        config = backbone.lm.config.get_text_config()
        self.layer_types = layer_types(config)
        self.window: int = getattr(config, "sliding_window", None) or self.length
        super().__init__(layers=[SlotLayer(self) for _ in self.layer_types])
        device, self.dtype = backbone.value_head.weight.device, backbone.lm.dtype
        self.places = torch.arange(self.length, device=device)
        self.all_rows = torch.arange(num_rows, device=device)
        self.ids = torch.zeros(num_rows, self.length, dtype=torch.long, device=device)
        self.lengths = torch.zeros(num_rows, dtype=torch.long, device=device)
        self.rows = self.positions = self.all_rows
        self.slots = 0

    @torch.no_grad()
    def step(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Returns the last hidden state of each row's last token, (N, D), computing only what is not cached.

        Args:
            ids: (N, T) the texts, right padded, T at most L.
            lengths: (N,) their lengths, 1 to T.
        """
        width = ids.shape[1]
        shared = torch.where(ids == self.ids[:, :width], width, self.places[:width]).amin(1)  # first mismatch, (N,)
        last = lengths - 1
        start = torch.minimum(torch.minimum(shared, self.lengths), last)
        missing = last - start  # tokens to catch up with before the last one
        slots, work = torch.stack((lengths.amax(), missing.amax())).tolist()
        self.lengths.zero_()  # an interrupted step leaves nothing to trust
        if work:
            fresh = start == 0
            self._catch_up((fresh & (missing > 0)).nonzero()[:, 0], ids, start, missing, slots=0)
            self._catch_up((~fresh & (missing > 0)).nonzero()[:, 0], ids, start, missing, slots=slots)
        hidden = self._extend(self.all_rows, ids, last[:, None], slots)[:, -1]
        self.ids[:, :width] = ids
        self.lengths.copy_(lengths)
        return hidden

    def _catch_up(
        self, rows: torch.Tensor, ids: torch.Tensor, start: torch.Tensor, missing: torch.Tensor, slots: int
    ) -> None:
        """Computes the missing tokens of some rows, (R,), but their last; `slots` is 0 for rows that have none yet."""
        if len(rows):
            ahead = self.places[: int(missing[rows].amax())]
            # Beyond a row's last token this writes into slots that nobody looks at before they are written again.
            positions = torch.clamp(start[rows, None] + ahead, max=ids.shape[1] - 1)
            self._extend(rows, ids, positions, slots)

    def _extend(self, rows: torch.Tensor, ids: torch.Tensor, positions: torch.Tensor, slots: int) -> torch.Tensor:
        """Runs the tokens of some rows, (R,), at their positions, (R, W); returns their hidden states, (R, W, D)."""
        self.rows, self.positions, self.slots = rows, positions, slots
        tokens = ids[rows[:, None], positions]
        return self.backbone.hidden(
            tokens, attention_mask=self._mask(positions, slots) if slots else None, position_ids=positions, cache=self
        )

    def _mask(self, positions: torch.Tensor, slots: int) -> torch.Tensor | dict[str, torch.Tensor]:
        """Returns the additive masks, (R, 1, W, slots), that let a token see the slots up to its own position."""
        back = positions[:, None, :, None] - self.places[:slots]  # how far back a slot lies
        masks = {}
        for kind in dict.fromkeys(self.layer_types):
            hidden = back < 0
            if kind == "sliding_attention":
                hidden |= back >= self.window
            masks[kind] = torch.zeros_like(hidden, dtype=self.dtype).masked_fill_(hidden, torch.finfo(self.dtype).min)
        return masks if len(masks) > 1 else next(iter(masks.values()))


def layer_types(config: PretrainedConfig) -> list[str]:
    """Returns the type of attention of each layer.

    Raises:
        ValueError: if a layer is of a type whose state is not one key and value for each position.
    """
    kind = "sliding_attention" if getattr(config, "sliding_window", None) else "full_attention"
    types = list(getattr(config, "layer_types", None) or [kind] * config.num_hidden_layers)
    if unknown := set(types) - set(SUPPORTED_LAYERS):
        raise ValueError(
            f"cached decoding supports layers of type {', '.join(SUPPORTED_LAYERS)}, "
            f"but {config.model_type} has {', '.join(sorted(unknown))}"
        )
    return types
