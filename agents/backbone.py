"""A causal language model of transformers with a value head: from a config, a folder or a name."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from agents.kv_cache import SlotCache
from textgym.registration import suggestion

DEFAULT_CONFIG = {
    "model_type": "gpt2",
    "n_layer": 2,
    "n_embd": 128,
    "n_head": 4,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
    "resid_pdrop": 0.0,
}
"""The model of a policy that names none: about half a million parameters."""

ModelSource = PretrainedConfig | Mapping[str, Any] | str | Path | None
"""A config, a config as plain data with `model_type`, a local folder, a hub name, or None for `DEFAULT_CONFIG`."""

VALUE_HEAD_FILE = "value_head.safetensors"


class Backbone(nn.Module):
    """A language model whose last hidden state gives the next token's logits and the value of the text so far.

    The language model always stays in evaluation mode, also inside `train()`: dropout would make the first
    importance ratio of PPO differ from 1. The value head of a fresh model is zero, so its first value is 0 everywhere.

    Args:
        model: where the model comes from. One made from a config has fresh weights, drawn from torch's global
            generator, and takes its vocabulary and, where it has too few, its positions from the environment. One
            from a folder or the hub must have at least as many; its surplus tokens are dropped.
        vocab_size: V, the number of tokens of the environment.
        context_length: L, the longest text in tokens.
        pad_token_id: the token that fills unused places; goes to the generation config that is saved with the model.
        attn_implementation: `"sdpa"` or `"eager"`; None leaves the choice to transformers. sb3-contrib's TRPO needs
            `"eager"`, because it differentiates twice.
        autocast: `"bfloat16"` computes the language model in that dtype, with weights in float32; None in float32.

    Raises:
        ValueError: if the model's vocabulary or context is too small, an argument is unknown, or the architecture's
            cached decoding is not exact here.
    """

    def __init__(
        self,
        model: ModelSource = None,
        *,
        vocab_size: int,
        context_length: int,
        pad_token_id: int = 0,
        attn_implementation: str | None = None,
        autocast: str | None = None,
    ) -> None:
        super().__init__()
        if autocast not in (None, "bfloat16"):
            raise ValueError(f"autocast must be None or 'bfloat16', got {autocast!r}")
        self.vocab_size = vocab_size
        self.context_length = context_length
        self.autocast = False
        options: dict[str, Any] = {"dtype": torch.float32}
        if attn_implementation:
            options["attn_implementation"] = attn_implementation
        if isinstance(model, str | Path):
            try:
                self.lm = AutoModelForCausalLM.from_pretrained(model, **options)
            except OSError as error:
                raise ValueError(
                    f"there is no model {str(model)!r}, neither a folder nor a name on the hub. If a learner is loaded "
                    "that began with this folder, say where it is now: "
                    f'load(..., custom_objects={{"policy_kwargs": {{"model": FOLDER}}}}) ({error})'
                ) from error
        else:
            config = _fitting_config(DEFAULT_CONFIG if model is None else model, vocab_size, context_length)
            self.lm = AutoModelForCausalLM.from_config(config, **options)
        # A config with a padding token makes some models search every batch for it, to warn about missing masks.
        self.lm.config.pad_token_id = None
        self.lm.generation_config.pad_token_id = pad_token_id
        config = self.lm.config.get_text_config()
        positions = getattr(config, "max_position_embeddings", None) or context_length
        if config.vocab_size < vocab_size or positions < context_length:
            raise ValueError(
                f"the model {model!r} has {config.vocab_size} tokens and {positions} positions, but the environment "
                f"needs {vocab_size} and {context_length}: choose another model, or train one from its config"
            )
        if config.vocab_size > vocab_size:
            self.lm.resize_token_embeddings(vocab_size)
        self.cache_argument = cache_argument(self.lm.base_model)
        self.soft_cap: float | None = getattr(config, "final_logit_softcapping", None)
        self.value_head = nn.Linear(config.hidden_size, 1)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        if isinstance(model, str | Path) and (file := Path(model) / VALUE_HEAD_FILE).is_file():
            self.value_head.load_state_dict(load_file(file))
        self.train(False)
        _check_exactness(self)
        self.autocast = autocast is not None

    def sibling(self, model: ModelSource) -> Backbone:
        """Returns another model for the same environment, on the same device and computed in the same way."""
        return Backbone(
            model,
            vocab_size=self.vocab_size,
            context_length=self.context_length,
            pad_token_id=self.lm.generation_config.pad_token_id,
            attn_implementation=self.lm.config._attn_implementation,
            autocast="bfloat16" if self.autocast else None,
        ).to(self.value_head.weight.device)

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode)
        self.lm.eval()
        return self

    def hidden(
        self,
        input_ids: torch.Tensor,
        *,
        attention_mask: torch.Tensor | dict[str, torch.Tensor] | None = None,
        position_ids: torch.Tensor | None = None,
        cache: SlotCache | None = None,
    ) -> torch.Tensor:
        """Returns the last hidden states, (B, T, D), of right-padded texts.

        Args:
            input_ids: (B, T) tokens; padding may be any token, since no token sees what comes after it.
            attention_mask: an additive (B, 1, T, slots) mask, or one for each type of layer; None is causal.
            position_ids: (B, T) positions; None counts from 0.
            cache: where the keys and values of earlier tokens lie.
        """
        with self._autocast(input_ids):
            output = self.lm.base_model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                use_cache=cache is not None,
                **{self.cache_argument: cache},
            )
        hidden: torch.Tensor = output.last_hidden_state
        if hidden.requires_grad and self.lm.config._attn_implementation != "eager":
            hidden.register_hook(_refuse_second_derivatives)  # torch would fail later, and not say why
        return hidden

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Returns the logits of the next token, (..., V) in float32, from hidden states (..., D)."""
        with self._autocast(hidden):
            logits: torch.Tensor = self.lm.get_output_embeddings()(hidden)
        logits = logits.float()
        return logits if self.soft_cap is None else self.soft_cap * torch.tanh(logits / self.soft_cap)

    def values(self, hidden: torch.Tensor) -> torch.Tensor:
        """Returns the values, (...,) in float32, from hidden states (..., D)."""
        values: torch.Tensor = self.value_head(hidden.to(self.value_head.weight.dtype))
        return values.squeeze(-1).float()

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes the language model in transformers' own format and the value head beside it.

        Giving the folder as `model` restores both.
        """
        self.lm.save_pretrained(folder)
        save_file(self.value_head.state_dict(), Path(folder) / VALUE_HEAD_FILE)

    def _autocast(self, tensor: torch.Tensor) -> AbstractContextManager[Any]:
        return torch.autocast(tensor.device.type, torch.bfloat16, enabled=self.autocast)


def cache_argument(model: nn.Module) -> str:
    """Returns what a model's `forward` calls its cache: transformers 5.24 renamed it, model by model."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _refuse_second_derivatives(_: torch.Tensor) -> None:
    """Raises an error in a backward pass that is itself recorded for a gradient."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "an algorithm that differentiates twice, such as TRPO, needs "
            "policy_kwargs={'attn_implementation': 'eager'}: fused attention has no second derivative"
        )


def _fitting_config(
    source: PretrainedConfig | Mapping[str, Any], vocab_size: int, context_length: int
) -> PretrainedConfig:
    """Returns a copy of a config with the environment's vocabulary and at least its number of positions."""
    if isinstance(source, PretrainedConfig):
        config = copy.deepcopy(source)
    elif isinstance(source, Mapping) and "model_type" in source:
        _check_keys(source)
        config = AutoConfig.for_model(**source)
    else:
        raise ValueError(
            "model must be a transformers config, a mapping with 'model_type', a folder, a hub name or None, "
            f"got {source!r}"
        )
    config.vocab_size = vocab_size
    config.max_position_embeddings = max(getattr(config, "max_position_embeddings", 0), context_length)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config, name, None)
    return config


def _check_keys(source: Mapping[str, Any]) -> None:
    """Raises a ValueError for a key that is all but one of a config's: transformers takes any key, and ignores it."""
    config = AutoConfig.for_model(source["model_type"])
    known = {*config.to_dict(), *config.attribute_map}
    for key in source:
        if not hasattr(config, key) and (meant := suggestion(key, known, likeness=0.8)):
            raise ValueError(f"a {source['model_type']} has no {key!r}{meant}")


@torch.no_grad()
def _check_exactness(backbone: Backbone) -> None:
    """Raises a ValueError where our head or our cache disagrees with the model's own forward pass on short texts."""
    name = type(backbone.lm).__name__
    if getattr(backbone.lm, "_is_stateful", False) or backbone.lm.base_model is backbone.lm:
        raise ValueError(f"{name} is not supported: it is no transformer with one key and value for each position")
    device = backbone.value_head.weight.device
    length = min(4, backbone.context_length)
    ids = torch.arange(2 * length, device=device).view(2, length) % backbone.vocab_size
    try:
        cache = SlotCache(backbone, num_rows=2)
        steps = [cache.step(ids, torch.tensor([n, max(1, n - 1)], device=device)) for n in range(1, length + 1)]
        cached = backbone.logits(steps[-1])
        own = backbone.lm(input_ids=ids).logits.float()
    except Exception as error:
        raise ValueError(f"{name} is not supported: its cached decoding fails ({error})") from error
    expected = torch.stack((own[0, -1], own[1, max(0, length - 2)]))
    worst = float((cached - expected).abs().max())
    if not worst <= 1e-3 * float(expected.abs().max()):
        raise ValueError(f"{name} is not supported: its cached logits differ by {worst:.2g} from its forward pass")
