"""Divergence: how far a policy has moved from its reference, in nats per text, and a callback that measures it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents.backbone import Backbone
from agents.policy import TransformerCore
from benchmarks.evaluation import Texts, evaluate, make_env
from textgym.tasks.base import Task, pad
from textgym.types import FloatArray

_BATCH = 64


@torch.no_grad()
def divergence(policy: Backbone, reference: Backbone, task: Task, split: str, texts: Texts) -> FloatArray:
    """Returns `sum_t KL(pi(. | s_t) || pi_0(. | s_t))` over the states of each text, (n,) nats.

    Over texts that the policy wrote, its mean estimates `KL(pi || pi_0)` of whole texts without bias (the chain rule),
    and with less variance than the mean of `log pi - log pi_0`, since each state is summed over all tokens.

    Args:
        policy: pi.
        reference: pi_0.
        task: the task, in which nobody answers the agent.
        split: the split of the texts' prompts.
        texts: n texts that the policy wrote.

    Raises:
        ValueError: if the task answers the agent.
    """
    if task.max_reply_tokens:
        raise ValueError(f"{type(task).__name__} answers the agent: what it said is not among the texts")
    prompts = task.prompt_set(split)
    starts = prompts.prompt_lengths[texts.samples].astype(np.int64)
    rows = [
        [*prompts.prompt_ids[sample, :start].tolist(), *tokens.tolist()]
        for sample, start, tokens in zip(texts.samples, starts, texts.tokens, strict=True)
    ]
    ids, lengths = (part.astype(np.int64) for part in pad(rows, pad_id=0))
    found = np.zeros(len(rows))
    for first in range(0, len(rows), _BATCH):
        part = slice(first, first + _BATCH)
        states = np.arange(ids.shape[1] - 1)  # the state before the next token
        written = torch.from_numpy((states >= starts[part, None] - 1) & (states < lengths[part, None] - 1))
        tokens = torch.from_numpy(ids[part, :-1])
        ours, theirs = (
            model.logits(model.hidden(tokens)[written]).log_softmax(dim=-1).double() for model in (policy, reference)
        )
        by_state = torch.zeros(written.shape, dtype=torch.float64)
        by_state[written] = (ours.exp() * (ours - theirs)).sum(dim=-1)
        found[part] = by_state.sum(dim=1).numpy()
    return found


def measure(
    policy: TransformerCore,
    reference: Backbone,
    env_id: str,
    *,
    split: str,
    episodes: int,
    env_kwargs: Mapping[str, Any],
) -> dict[str, float]:
    """Returns what a policy's texts for held-out prompts are worth, and how far it is from its reference.

    Returns:
        The means over the texts of `kl` (nats per text), `proxy`, the clean return, and `gold`.
    """
    found = evaluate(policy, env_id, split=split, episodes=episodes, **env_kwargs)
    task = make_env(env_id, num_rows=1, **env_kwargs).simulator.task
    moved = divergence(policy.backbone, reference, task, split, found.texts)
    means = {"kl": moved, "proxy": found.texts.clean_return, "gold": found.texts.gold_return}
    return {name: float(values.mean()) for name, values in means.items()}


class MeasureCallback(BaseCallback):
    """Measures the policy on held-out prompts before learning, after every so many tokens, and at the end.

    Args:
        every: how many tokens are written between two measurements, at least.
        measure: takes the policy and returns plain numbers.
        on_record: takes them, with the tokens written so far as `tokens`.
    """

    def __init__(
        self,
        every: int,
        measure: Callable[[TransformerCore], dict[str, float]],
        on_record: Callable[[dict[str, float]], None],
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        self.every, self.measure, self.on_record = every, measure, on_record
        self._next = 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self._next = self.num_timesteps + self.every
            self._tell()

    def _on_training_end(self) -> None:
        self._tell()

    def _tell(self) -> None:
        assert isinstance(self.model.policy, TransformerCore)
        self.on_record({"tokens": float(self.num_timesteps), **self.measure(self.model.policy)})
