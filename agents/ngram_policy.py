"""NgramPolicy: a linear softmax over hashed n-grams of the text so far, the classic baseline without a transformer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from safetensors.torch import load_file, save_file
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

MODEL_TYPE = "ngram"
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
DEFAULT_CONFIG = {"order": 2, "distance": 16, "buckets": 4096}
ANYWHERE = -1

_FACTOR = 6364136223846793005  # of Knuth's MMIX generator; products wrap around


class NgramFeatures(BaseFeaturesExtractor):
    """The n-grams of the text so far, prompt and all, hashed into a vector of length 1.

    Every n-gram of up to `order` tokens counts twice: as one that is anywhere in the text, and, if it ends at most
    `distance` tokens before the end, as one at that distance. Each adds 1 or -1 to one of the buckets, both hashes of
    the n-gram, so that collisions cancel on the average (Weinberger et al. 2009, "Feature hashing for large scale
    multitask learning"). It has no parameters.

    Args:
        observation_space: Dict of `input_ids` and `attention_mask`, (L,) each.
        order: the most tokens of an n-gram, at least 1.
        distance: how far back from the end places are told apart, at least 0.
        buckets: how many numbers the vector has, D, at least 1.

    Raises:
        ValueError: if a number is out of its range.
    """

    def __init__(self, observation_space: spaces.Space[Any], order: int, distance: int, buckets: int) -> None:
        for name, value, low in (("order", order, 1), ("distance", distance, 0), ("buckets", buckets, 1)):
            if value < low:
                raise ValueError(f"{name} must be at least {low}, got {value}")
        super().__init__(observation_space, features_dim=buckets)
        self.order, self.distance = order, distance

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        """Returns the features, (B, D), of observations (B, L) each."""
        ids, mask = observations["input_ids"].long(), observations["attention_mask"].bool()
        lengths = mask.sum(dim=1, keepdim=True)
        width = int(lengths.max())
        ids, mask = ids[:, :width], mask[:, :width]
        back = lengths - 1 - torch.arange(width, device=ids.device)  # (B, W) how far each place is from the end
        features = torch.zeros(len(ids), self.features_dim, device=ids.device)
        grams, used = torch.zeros_like(ids), mask
        for order in range(1, self.order + 1):
            grams = grams * _FACTOR + ids + 1  # the n-gram that ends at each place
            self._count(features, grams, torch.full_like(back, ANYWHERE), order, used)
            self._count(features, grams, back, order, used & (back <= self.distance))
            grams = torch.roll(grams, 1, dims=1)  # what comes before each place
            used = mask & (torch.arange(width, device=ids.device) >= order)
        return nn.functional.normalize(features, dim=1)

    def _count(
        self, features: torch.Tensor, grams: torch.Tensor, places: torch.Tensor, order: int, used: torch.Tensor
    ) -> None:
        hashes = _mixed(_mixed(grams + order) + places)
        signs = (hashes & 1) * 2 - 1
        features.scatter_add_(1, (hashes >> 1).remainder(self.features_dim), (signs * used).float())


def _mixed(numbers: torch.Tensor) -> torch.Tensor:
    """Returns whole numbers whose bits all depend on all bits of the given ones; a round of xor, shift and multiply."""
    for shift in (30, 27):
        numbers = (numbers ^ (numbers >> shift)) * _FACTOR
    return numbers ^ (numbers >> 31)


class NgramPolicy(ActorCriticPolicy):
    """Actor and critic that are linear in `NgramFeatures`: pi(a | s) = softmax(W x(s) + b)_a, V(s) = u x(s) + c.

    Any algorithm of Stable-Baselines3 for an `ActorCriticPolicy` trains it, with that library's own buffer. All weights
    begin at zero, so the first texts are uniformly random.

    Args:
        observation_space: Dict of `input_ids` and `attention_mask`, right padded.
        action_space: Discrete(V), the next token.
        lr_schedule: the learning rate as a function of the remaining progress.
        use_sde: must be False; Stable-Baselines3 always passes it.
        model: the arguments of `NgramFeatures` but the space, as a mapping with `"model_type": "ngram"`; a folder that
            `save_pretrained` wrote; or None for `DEFAULT_CONFIG`.
        optimizer_class: the optimizer.
        optimizer_kwargs: its arguments but the learning rate.

    Raises:
        ValueError: if the model is none of these, or its weights are for another number of tokens.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        use_sde: bool = False,
        model: Mapping[str, Any] | str | Path | None = None,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if use_sde:
            raise ValueError("use_sde must be False: state-dependent exploration is for continuous actions")
        self.config = _config(model)
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=[],
            ortho_init=False,
            features_extractor_class=NgramFeatures,
            features_extractor_kwargs=self.config,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
        )
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
        if isinstance(model, str | Path):
            weights = load_file(Path(model) / WEIGHTS_FILE)
            tokens, own = len(weights["action_net.bias"]), len(self.state_dict()["action_net.bias"])
            if tokens != own:
                raise ValueError(f"the model in {model} is for {tokens} tokens, but the environment has {own}")
            self.load_state_dict(weights)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes `config.json` and `model.safetensors`; giving the folder as `model` restores both."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_FILE).write_text(json.dumps({"model_type": MODEL_TYPE, **self.config}, indent=1))
        save_file(self.state_dict(), folder / WEIGHTS_FILE)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "model": {"model_type": MODEL_TYPE, **self.config},  # the saved weights make it whole
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
        }


def is_ngram_model(model: Any) -> bool:
    """Says whether a folder or a configuration is one of an `NgramPolicy`."""
    if isinstance(model, Mapping):
        return model.get("model_type") == MODEL_TYPE
    if not isinstance(model, str | Path):
        return False
    file = Path(model) / CONFIG_FILE
    return file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("model_type") == MODEL_TYPE


def _config(model: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    if model is None:
        return dict(DEFAULT_CONFIG)
    if not is_ngram_model(model):
        raise ValueError(
            f'model must be a mapping with "model_type": "ngram", a folder of an NgramPolicy or None, got {model!r}'
        )
    given = model if isinstance(model, Mapping) else json.loads((Path(model) / CONFIG_FILE).read_text(encoding="utf-8"))
    config = {name: value for name, value in given.items() if name != "model_type"}
    unknown = sorted(config.keys() - DEFAULT_CONFIG.keys())
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)} in the model: known are {', '.join(DEFAULT_CONFIG)}")
    return {**DEFAULT_CONFIG, **config}
