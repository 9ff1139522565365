"""Cached decoding equals the plain forward pass, whatever happens to the texts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig

from agents.backbone import Backbone
from agents.kv_cache import SlotCache, layer_types

VOCABULARY, LENGTH, ROWS = 29, 20, 5
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
GROUPED = {**SIZES, "num_key_value_heads": 2}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gpt2": {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4},
    "gpt2_eager": {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 4, "attn_implementation": "eager"},
    "llama": {"model_type": "llama", **GROUPED},
    "qwen2": {"model_type": "qwen2", **GROUPED},
    "gpt_neox": {"model_type": "gpt_neox", **SIZES},
    "opt": {"model_type": "opt", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 48}
    | {"word_embed_proj_dim": 32},
    "mistral_sliding": {"model_type": "mistral", "sliding_window": 4, **GROUPED},
    "qwen2_mixed": {
        "model_type": "qwen2",
        "use_sliding_window": True,
        "sliding_window": 4,
        "max_window_layers": 1,
        **GROUPED,
    },
    "gemma3_mixed": {"model_type": "gemma3_text", "head_dim": 8, "sliding_window": 4, **GROUPED}
    | {"layer_types": ["sliding_attention", "full_attention"]},
}


def make_backbone(name: str) -> Backbone:
    torch.manual_seed(0)
    backbone = Backbone(ARCHITECTURES[name], vocab_size=VOCABULARY, context_length=LENGTH)
    for parameter in backbone.parameters():
        if parameter.dim() > 1:  # large enough weights that a wrong key shows in the logits
            torch.nn.init.normal_(parameter, std=0.2)
    return backbone


def batch(texts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.zeros(len(texts), LENGTH, dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    return ids, torch.tensor([len(text) for text in texts])


@torch.no_grad()
def plain_logits(backbone: Backbone, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The model's own forward pass over the whole texts, (N, V)."""
    attention_mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    return backbone.lm(input_ids=ids, attention_mask=attention_mask).logits[torch.arange(len(ids)), lengths - 1]


def changed(text: list[int], generator: torch.Generator) -> list[int]:
    """A reset, a turn of several tokens, an edit, a cut-back, or most often one more token."""

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=generator))

    new = [draw(0, VOCABULARY) for _ in range(6)]
    kind = draw(0, 10)
    if kind == 0 or len(text) == LENGTH:
        return new[: draw(1, 7)]
    if kind == 1:
        return (text + new)[:LENGTH]
    if kind == 2:
        place = draw(0, len(text))
        return [*text[:place], (text[place] + 1) % VOCABULARY, *text[place + 1 :]]
    if kind == 3:
        return text[: draw(1, len(text) + 1)]
    return [*text, new[0]]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_cached_logits_equal_uncached(name: str) -> None:
    backbone, generator = make_backbone(name), torch.Generator().manual_seed(1)
    cache = SlotCache(backbone, ROWS)
    texts = [[row + 1] * (row + 1) for row in range(ROWS)]
    for _ in range(30):
        ids, lengths = batch(texts)
        cached = backbone.logits(cache.step(ids, lengths))
        torch.testing.assert_close(cached, plain_logits(backbone, ids, lengths), rtol=0, atol=1e-5)
        texts = [changed(text, generator) for text in texts]


def test_only_missing_tokens_are_computed() -> None:
    backbone = make_backbone("gpt2")
    cache = SlotCache(backbone, 2)
    seen: list[int] = []
    backbone.lm.base_model.wte.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].numel()))
    for texts, expected in (
        ([[1, 2, 3], [4, 5, 6]], [2 * 2, 2]),  # two prompts, then the last tokens
        ([[1, 2, 3, 7], [4, 5, 6, 8]], [2]),  # one more token each
        ([[1, 2, 3, 7, 9], [4, 5]], [2]),  # a cut-back costs nothing more
        ([[1, 2, 3, 7, 9, 1], [3, 3, 3]], [2, 2]),  # a new text in one row
        ([[1, 2, 3, 7, 9, 1, 1, 1, 1], [3, 3, 3, 5]], [2, 2]),  # a turn of three tokens in one row
    ):
        seen.clear()
        cache.step(*batch(texts))
        assert seen == expected


def test_the_cache_keeps_a_copy_of_the_tokens() -> None:
    backbone = make_backbone("gpt2")
    cache = SlotCache(backbone, 1)
    ids, lengths = batch([[1, 2, 3]])
    cache.step(ids, lengths)
    ids[0, 1] = 9  # an environment that writes into the array it has handed out
    cached = backbone.logits(cache.step(ids, lengths))
    torch.testing.assert_close(cached, plain_logits(backbone, ids, lengths), rtol=0, atol=1e-5)


def test_an_interrupted_step_leaves_nothing_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = make_backbone("gpt2")
    cache = SlotCache(backbone, 1)
    cache.step(*batch([[1, 2, 3, 4]]))
    with monkeypatch.context() as patch:
        patch.setattr(backbone.lm.base_model.ln_f, "forward", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cache.step(*batch([[5, 6, 7, 8]]))
    ids, lengths = batch([[1, 2, 3, 4]])
    cached = backbone.logits(cache.step(ids, lengths))
    torch.testing.assert_close(cached, plain_logits(backbone, ids, lengths), rtol=0, atol=1e-5)


def test_layers_without_a_key_for_each_position_are_refused() -> None:
    config = AutoConfig.for_model("llama", num_hidden_layers=2)
    assert layer_types(config) == ["full_attention", "full_attention"]
    config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(ValueError, match="llama has linear_attention"):
        layer_types(config)
