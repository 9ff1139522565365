"""TransformerPolicy and MaskableTransformerPolicy: two thin faces of one cached language-model policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule

from agents.backbone import Backbone, ModelSource
from agents.exploration import MASKED_LOGIT, Proposal
from agents.kv_cache import SlotCache
from agents.rollout_buffer import PackedTexts

Observations = PyTorchObs | PackedTexts
ActionMasks = np.ndarray[Any, Any] | torch.Tensor | None


class TransformerCore(BasePolicy):
    """A language model as actor and critic: the logits of the next token, and the value of the text so far.

    `forward`, `predict` and, without gradient, `predict_values` decode with a cache and give what the plain forward
    pass gives; see `SlotCache` for why they always may. `forward` and `predict` have a cache each, so evaluation does
    not disturb a rollout. `evaluate_actions` and all else that has a gradient make a causal pass over the whole texts.
    While `proposal` is set, `forward` draws from it and returns log-probabilities under it; see `Exploration`.

    Args:
        observation_space: Dict of `input_ids` and `attention_mask`, right padded, of texts with at least one token.
        action_space: Discrete(V), the next token.
        lr_schedule: the learning rate as a function of the remaining progress.
        use_sde: must be False; Stable-Baselines3 always passes it.
        model: where the language model comes from; see `Backbone`, as for the next two.
        attn_implementation: None, `"sdpa"` or `"eager"`.
        autocast: None or `"bfloat16"`.
        optimizer_class: the optimizer.
        optimizer_kwargs: its arguments but the learning rate; unless given, Adam and AdamW get `eps` 1e-5 and `fused`.

    Raises:
        ValueError: if a space is not that of a text environment, or the model does not fit.
    """

    action_dist: Any

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        use_sde: bool = False,
        model: ModelSource = None,
        attn_implementation: str | None = None,
        autocast: str | None = None,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if use_sde:
            raise ValueError("use_sde must be False: state-dependent exploration is for continuous actions")
        self._backbone_arguments: dict[str, Any] = {
            **_text_sizes(observation_space, action_space),
            "model": model,
            "attn_implementation": attn_implementation,
            "autocast": autocast,
        }
        if optimizer_class in (torch.optim.Adam, torch.optim.AdamW):
            optimizer_kwargs = {"eps": 1e-5, "fused": True, **(optimizer_kwargs or {})}
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
        )

    def _build(self, lr_schedule: Schedule) -> None:
        self.backbone = Backbone(**self._backbone_arguments)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]
        self._caches: dict[str, SlotCache] = {}
        self._weights: list[tuple[int, int]] = []
        self.proposal: Proposal | None = None
        self.optimizer.register_step_post_hook(lambda *_: self.clear_cache())

    def forward(
        self, obs: Observations, deterministic: bool = False, action_masks: ActionMasks = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns actions (N,), values (N, 1) and the actions' log-probabilities (N,) at the ends of N texts."""
        hidden = self._last_hidden(obs, cache="rollout")
        logits = self._masked_logits(hidden, action_masks)
        probabilities = torch.softmax(logits, dim=-1) if self.proposal is None else self.proposal(logits)
        actions = probabilities.argmax(-1) if deterministic else sample(probabilities)
        log_prob = probabilities.gather(1, actions[:, None])[:, 0].log()
        return actions, self.backbone.values(hidden)[:, None], log_prob

    def evaluate_actions(
        self, obs: Observations, actions: torch.Tensor, action_masks: ActionMasks = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns values (M, 1), log-probabilities (M,) of the actions (M,), and entropies (M,), with gradient."""
        hidden = self._hidden(obs)
        log_probs = torch.log_softmax(self._masked_logits(hidden, action_masks), dim=-1)
        log_prob = log_probs.gather(1, actions.long().view(-1, 1))[:, 0]
        entropy = -(log_probs.exp() * log_probs).sum(-1)
        return self.backbone.values(hidden)[:, None], log_prob, entropy

    def action_logits(self, obs: Observations) -> torch.Tensor:
        """Returns the logits of the next token, (M, V), with gradient, for what `evaluate_actions` takes."""
        return self.backbone.logits(self._hidden(obs))

    def get_distribution(self, obs: Observations, action_masks: ActionMasks = None) -> Any:
        """Returns the distribution of the next token of M texts, with gradient."""
        distribution = self.action_dist.proba_distribution(action_logits=self.action_logits(obs))
        if action_masks is not None:
            distribution.apply_masking(action_masks)
        return distribution

    def predict_values(self, obs: Observations) -> torch.Tensor:
        """Returns the values of M texts, (M, 1), with gradient where torch records one."""
        cache = self._caches.get("rollout")
        cached = cache is not None and isinstance(obs, dict) and cache.num_rows == len(obs["input_ids"])
        hidden = self._last_hidden(obs, cache="rollout") if cached else self._hidden(obs)
        return self.backbone.values(hidden)[:, None]

    def clear_cache(self) -> None:
        """Forgets all cached keys and values; only needed after writing into the weights' storage by hand."""
        self._caches.clear()

    def train(self, mode: bool = True) -> TransformerCore:
        if mode:
            self.clear_cache()
        super().train(mode)
        return self

    def _predict(
        self, observation: Observations, deterministic: bool = False, action_masks: ActionMasks = None
    ) -> torch.Tensor:
        hidden = self._last_hidden(observation, cache="predict")
        logits = self._masked_logits(hidden, action_masks)
        return logits.argmax(-1) if deterministic else sample(torch.softmax(logits, dim=-1))

    def _masked_logits(self, hidden: torch.Tensor, action_masks: ActionMasks) -> torch.Tensor:
        logits = self.backbone.logits(hidden)
        if action_masks is None:
            return logits
        allowed = torch.as_tensor(action_masks, dtype=torch.bool, device=logits.device).view(logits.shape)
        return logits.masked_fill(~allowed, MASKED_LOGIT)

    def _hidden(self, obs: Observations) -> torch.Tensor:
        """Returns the hidden states at the ends of M observations, (M, D), by one causal pass over each text."""
        if isinstance(obs, PackedTexts):
            blocks, ends = obs.blocks, obs.ends
        elif isinstance(obs, dict):
            lengths = obs["attention_mask"].sum(-1)
            width = int(lengths.amax())
            blocks = (obs["input_ids"][:, :width],)
            ends = torch.arange(len(lengths), device=lengths.device) * width + lengths - 1
        else:
            raise TypeError(
                f"observations must be a dict of input_ids and attention_mask, or PackedTexts, got {type(obs).__name__}"
            )
        hidden = [self.backbone.hidden(block).flatten(0, 1) for block in blocks]
        return (hidden[0] if len(hidden) == 1 else torch.cat(hidden)).index_select(0, ends)

    def _last_hidden(self, obs: Observations, cache: str) -> torch.Tensor:
        """Returns the hidden states at the ends of N texts, (N, D): from a cache, unless a gradient is wanted."""
        if torch.is_grad_enabled() or not isinstance(obs, dict):
            return self._hidden(obs)
        # A change in place raises a parameter's version, a new tensor has a new address; fused optimizers do neither,
        # but have our hook.
        weights = [(parameter.data_ptr(), parameter._version) for parameter in self.parameters()]
        if weights != self._weights:
            self.clear_cache()
            self._weights = weights
        ids, lengths = obs["input_ids"], obs["attention_mask"].sum(-1)
        if ids.is_floating_point():
            raise ValueError(
                "observations must be token ids as the environment gives them, got numbers: leave out wrappers that "
                "change them, such as VecNormalize without norm_obs=False"
            )
        if cache not in self._caches or self._caches[cache].num_rows != len(ids):
            self._caches[cache] = SlotCache(self.backbone, len(ids))
        return self._caches[cache].step(ids, lengths)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "model": self.backbone.lm.config,  # the saved weights make it whole, wherever the model came from
            "attn_implementation": self._backbone_arguments["attn_implementation"],
            "autocast": self._backbone_arguments["autocast"],
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
        }

    def without_folder(self, policy_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns arguments that make a policy of this shape, so that a saved learner needs no folder of a model."""
        return {**policy_kwargs, "model": self.backbone.lm.config}

    def _apply(self, fn: Any, recurse: bool = True) -> TransformerCore:
        self.clear_cache()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_caches": {}, "_weights": [], "proposal": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.optimizer.register_step_post_hook(lambda *_: self.clear_cache())


class TransformerPolicy(TransformerCore, ActorCriticPolicy):
    __doc__ = TransformerCore.__doc__


class MaskableTransformerPolicy(TransformerCore, MaskableActorCriticPolicy):
    __doc__ = TransformerCore.__doc__


def sample(probabilities: torch.Tensor) -> torch.Tensor:
    """Draws one token for each row of (N, V) probabilities by inverting the distribution function.

    One uniform number a row; a token of probability zero is never drawn.

    Raises:
        FloatingPointError: if a probability is not finite.
    """
    cumulative = probabilities.double().cumsum(-1)
    if not torch.isfinite(cumulative[:, -1]).all():
        raise FloatingPointError(
            "the policy's probabilities are not finite: its weights are broken, as by a learning rate that is too high"
        )
    uniform = 1.0 - torch.rand(len(cumulative), 1, dtype=torch.float64, device=cumulative.device)  # in (0, 1]
    return torch.searchsorted(cumulative, uniform * cumulative[:, -1:])[:, 0]


def _text_sizes(observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> dict[str, int]:
    """Returns V and L; raises a ValueError if the spaces are not those of a text environment."""
    parts = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {}
    if parts.keys() != {"input_ids", "attention_mask"} or not isinstance(action_space, spaces.Discrete):
        raise ValueError(
            "the environment must have a Dict observation of input_ids and attention_mask and a Discrete action, "
            f"got {observation_space} and {action_space}"
        )
    return {"vocab_size": int(action_space.n), "context_length": spaces.utils.flatdim(parts["input_ids"])}
