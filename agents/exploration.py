"""Exploration: what a learner draws its tokens from while it learns, and how that changes as it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import Schedule

from agents.state.description import describe, differences
from textgym.types import IntArray

MASKED_LOGIT = -1e8
"""The logit of a token that is not allowed; sb3-contrib's value."""


@dataclass(frozen=True)
class Proposal:
    """What tokens are drawn from in place of the policy pi: a flatter or sharper one, and the annotators' hints,

        q(a | s) = (1 - guidance) pi(a | s)^(1 / temperature) / Z + guidance h(a | s),

    where h(a | s) is the share of the annotators with a hint who would write a, among the tokens that are allowed.
    Where nobody has one, the first part is all there is. The mixture is defensive in the sense of Hesterberg 1995,
    "Weighted average importance sampling and defensive mixture distributions": at temperature 1 no token weighs more
    than pi / q = 1 / (1 - guidance).

    Args:
        temperature: above 0; 1 is the policy itself.
        guidance: the weight of the hints, in [0, 1).
        hints: returns the tokens that the annotators of each row would write next, (N, m), -1 for none.
    """

    temperature: float = 1.0
    guidance: float = 0.0
    hints: Callable[[], IntArray] | None = None

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Returns q, (N, V), from the policy's logits, (N, V)."""
        allowed = logits > MASKED_LOGIT
        flattened = (logits / self.temperature).masked_fill(~allowed, MASKED_LOGIT)
        tempered = torch.softmax(flattened, dim=-1) * allowed
        if not self.guidance or self.hints is None:
            return tempered
        tokens = torch.from_numpy(np.asarray(self.hints(), np.int64)).to(logits.device)
        shown = torch.zeros_like(logits)
        shown.scatter_add_(1, tokens.clamp(min=0), (tokens >= 0).to(logits.dtype))
        shown *= allowed
        count = shown.sum(dim=1, keepdim=True)
        weight = self.guidance * (count > 0)
        return (1 - weight) * tempered + weight * shown / count.clamp(min=1)


class Exploration(BaseCallback):
    """Schedules how any on-policy algorithm with a policy of ours explores; each argument a number or a schedule.

    A schedule is a function of the progress that remains, 1 to 0, such as Stable-Baselines3's `LinearSchedule`. The
    log-probability that the algorithm keeps of a token is that of the proposal which it was drawn from, so PPO's ratio
    is pi / q, token by token: importance correction and clipping are PPO's own. `REINFORCE` takes the same arguments
    itself, and corrects as its `importance` says. What is evaluated, or asked by `predict`, is always the policy.

    Args:
        ent_coef: the weight of the entropy in the loss; None leaves the algorithm's own.
        temperature: of the proposal, above 0.
        guidance: the weight of annotators' hints in the proposal, in [0, 1). The environment's feedback must have an
            annotator who can show what to write next: `{"name": "demonstration"}`, with `"weight": 0` if its answers
            shall not be paid.

    Raises:
        ValueError: when learning begins, if a number is out of its range, guidance has nobody to ask, or the policy
            draws from no proposal.
    """

    def __init__(
        self,
        *,
        ent_coef: float | Schedule | None = None,
        temperature: float | Schedule = 1.0,
        guidance: float | Schedule = 0.0,
    ) -> None:
        super().__init__()
        self.ent_coef, self.temperature, self.guidance = ent_coef, temperature, guidance

    @property
    def off_policy(self) -> bool:
        """Whether tokens are ever drawn from anything but the policy."""
        return self.temperature != 1.0 or self.guidance != 0.0

    def _on_training_start(self) -> None:
        if self.off_policy and not hasattr(self._policy, "proposal"):
            raise ValueError(
                f"{type(self._policy).__name__} draws from no proposal: leave temperature and guidance out"
            )
        if self.guidance != 0.0:
            self._hints()

    def _on_rollout_start(self) -> None:
        self._set(self.model._current_progress_remaining)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.off_policy:
            self._policy.proposal = None

    def _on_training_end(self) -> None:
        self._on_rollout_end()  # which is not called where a callback stops in the middle of a rollout

    @property
    def _policy(self) -> Any:
        return self.model.policy

    def _set(self, progress_remaining: float) -> None:
        """Sets the weight of the entropy and the proposal, and logs what differs from plain sampling."""
        if self.ent_coef is not None:
            self.model.ent_coef = _at(self.ent_coef, progress_remaining)  # type: ignore[attr-defined]
            self.logger.record("train/ent_coef", self.model.ent_coef)  # type: ignore[attr-defined]
        if not self.off_policy:
            return
        temperature, guidance = (_at(part, progress_remaining) for part in (self.temperature, self.guidance))
        if not temperature > 0 or not 0 <= guidance < 1:
            raise ValueError(f"temperature must be above 0 and guidance in [0, 1), got {temperature} and {guidance}")
        self._policy.proposal = Proposal(temperature, guidance, self._hints)
        self.logger.record("train/temperature", temperature)
        self.logger.record("train/guidance", guidance)

    def training_state(self) -> dict[str, Any]:
        """Returns the schedules as plain data: nothing else is kept, but a run must not go on with others."""
        return describe({name: getattr(self, name) for name in ("ent_coef", "temperature", "guidance")})  # type: ignore[no-any-return]

    def set_training_state(self, state: dict[str, Any]) -> None:
        if wrong := list(differences(state, self.training_state())):
            raise ValueError(f"the run explored in another way: {'; '.join(wrong)}")

    def _hints(self) -> IntArray:
        return np.stack(self.training_env.env_method("hints"))


def _at(value: float | Schedule, progress_remaining: float) -> float:
    return float(value(progress_remaining) if callable(value) else value)
