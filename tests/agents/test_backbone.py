"""A backbone fits its environment, is restored exactly, and refuses what it cannot decode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config

from agents.backbone import Backbone

SMALL: dict[str, Any] = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2}
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
GROUPED = {"num_key_value_heads": 1, "head_dim": 8}
IDS = torch.tensor([[3, 1, 4, 1], [2, 7, 1, 8]])


def make(model: Any = SMALL, *, vocab_size: int = 11, context_length: int = 12, **arguments: Any) -> Backbone:
    torch.manual_seed(0)
    return Backbone(model, vocab_size=vocab_size, context_length=context_length, **arguments)


@pytest.mark.parametrize(
    "model", [None, SMALL, GPT2Config(n_layer=1, n_embd=16, n_head=2)], ids=["default", "dict", "config"]
)
def test_a_fresh_model_takes_its_sizes_from_the_environment(model: Any) -> None:
    backbone = make(model, vocab_size=17, context_length=1500)
    assert backbone.lm.config.vocab_size == 17
    assert backbone.lm.config.max_position_embeddings == 1500
    assert backbone.logits(backbone.hidden(IDS)).shape == (2, 4, 17)
    assert backbone.values(backbone.hidden(IDS)).shape == (2, 4)


def test_the_given_config_is_not_changed() -> None:
    config = GPT2Config(n_layer=1, n_embd=16, n_head=2)
    make(config)
    assert config.vocab_size == 50257


def test_a_saved_folder_restores_both_parts(tmp_path: Path) -> None:
    backbone = make()
    torch.nn.init.normal_(backbone.value_head.weight)
    torch.nn.init.normal_(backbone.value_head.bias)
    backbone.save_pretrained(tmp_path)
    restored = make(tmp_path)
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(restored.state_dict()[name], tensor), name
    own = AutoModelForCausalLM.from_pretrained(tmp_path)(IDS).logits
    torch.testing.assert_close(restored.logits(restored.hidden(IDS)), own)


def test_surplus_tokens_of_a_pretrained_model_are_dropped(tmp_path: Path) -> None:
    large = make(vocab_size=16)
    large.save_pretrained(tmp_path)
    small = make(tmp_path, vocab_size=11)
    expected = large.logits(large.hidden(IDS))[..., :11]
    torch.testing.assert_close(small.logits(small.hidden(IDS)), expected)


@pytest.mark.parametrize("sizes", [{"vocab_size": 12}, {"context_length": 2000}])
def test_a_pretrained_model_that_is_too_small_is_refused(tmp_path: Path, sizes: dict[str, int]) -> None:
    make().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"has 11 tokens and 1024 positions.*choose another model"):
        make(tmp_path, **sizes)


def test_the_language_model_stays_in_evaluation_mode() -> None:
    backbone = make({**SMALL, "resid_pdrop": 0.9}).train()
    assert backbone.training
    assert torch.equal(backbone.hidden(IDS), backbone.hidden(IDS))


def test_soft_capped_logits_equal_the_models_own() -> None:
    model = {"model_type": "gemma2", "final_logit_softcapping": 0.1, "attn_implementation": "eager", **SIZES, **GROUPED}
    backbone = make(model)
    torch.testing.assert_close(backbone.logits(backbone.hidden(IDS)), backbone.lm(IDS).logits)
    assert backbone.logits(backbone.hidden(IDS)).abs().max() < 0.1


def test_bfloat16_autocast_keeps_weights_and_outputs_in_float32() -> None:
    plain, autocast = make(), make(autocast="bfloat16")
    hidden = autocast.hidden(IDS)
    logits, values = autocast.logits(hidden), autocast.values(hidden)
    assert {logits.dtype, values.dtype, *(weight.dtype for weight in autocast.parameters())} == {torch.float32}
    expected = plain.logits(plain.hidden(IDS))
    assert not torch.equal(logits, expected)
    torch.testing.assert_close(logits, expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"model_type": "mamba", "hidden_size": 16, "num_hidden_layers": 1}, "no transformer with one key"),
        ({"model_type": "bloom", "hidden_size": 16, "n_layer": 1, "n_head": 2}, "BloomForCausalLM is not supported"),
        ({"model_type": "granite", "logits_scaling": 3.0, **SIZES}, "GraniteForCausalLM is not supported.*differ by"),
        ({"n_layer": 1}, "mapping with 'model_type'"),
        ({"model_type": "gpt2", "n_layers": 1}, r"a gpt2 has no 'n_layers' \(did you mean 'n_layer'\?\)"),
    ],
    ids=["state_space", "alibi", "scaled_logits", "no_model_type", "misspelt"],
)
def test_what_cannot_be_decoded_exactly_is_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(model)


def test_an_unknown_autocast_is_refused() -> None:
    with pytest.raises(ValueError, match=r"autocast must be None or 'bfloat16', got 'int8'"):
        make(autocast="int8")
