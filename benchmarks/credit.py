"""Which tokens of a text the policy's gradient credits, to be set beside what each of them earned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy

from agents.losses.baselines import by_group, leave_one_out, returns_to_go
from agents.reinforce import REINFORCE
from agents.token_scores import token_scores
from benchmarks.evaluation import Evaluation, make_env
from benchmarks.policies import takes_masks
from benchmarks.replay import replay
from textgym.types import BoolArray, FloatArray

Method = Literal["gae", "monte_carlo"]
Baseline = Literal["none", "others", "value"]
_PAID = {"feedback": ("clean_reward",), "gold": ("gold_reward",), "sum": ("clean_reward", "gold_reward")}


@dataclass(frozen=True)
class Estimator:
    """How a learner estimates the advantage of each token, A_t.

    Args:
        method: `"gae"`, PPO's: A_t = sum_l (gamma lambda)^l (r_t+l + gamma V_t+l+1 - V_t+l), V by the value head
            (Schulman et al. 2016, "High-dimensional continuous control using generalized advantage estimation",
            eq. 16); `"monte_carlo"`, REINFORCE's: A_t = sum_l gamma^l r_t+l - b_t.
        gae_lambda: lambda, in [0, 1]; of `"gae"` only.
        baseline: b_t, of `"monte_carlo"` only: `"none"`, 0; `"others"`, the mean of what the tokens of the same number
            of the other texts got, which is what a moving average comes to; or `"value"`, that of the value head.
        gamma: the discount, in [0, 1].
        whole: whether each token is held to have got the return of the whole text; of `"monte_carlo"` only.

    Raises:
        ValueError: if a name is unknown, or a number out of its range.
    """

    method: Method = "gae"
    gae_lambda: float = 0.95
    baseline: Baseline = "others"
    gamma: float = 1.0
    whole: bool = False

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("method", self.method, get_args(Method)),
            ("baseline", self.baseline, get_args(Baseline)),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        if not 0 <= self.gae_lambda <= 1 or not 0 <= self.gamma <= 1:
            raise ValueError(f"gae_lambda and gamma must be in [0, 1], got {self.gae_lambda} and {self.gamma}")

    @classmethod
    def of(cls, algorithm: BaseAlgorithm) -> Estimator | None:
        """Returns how an algorithm estimates its advantages, or None where it has none of these.

        Where REINFORCE compares the texts of a group, the other texts are taken to be those that are evaluated.
        """
        if isinstance(algorithm, REINFORCE):
            baseline = algorithm.baseline if algorithm.baseline in ("none", "value") else "others"
            whole = algorithm.credit == "text"
            return cls("monte_carlo", baseline=baseline, gamma=algorithm.gamma, whole=whole)
        if isinstance(algorithm, PPO | A2C | MaskablePPO | TRPO):
            return cls("gae", gae_lambda=algorithm.gae_lambda, gamma=algorithm.gamma)
        return None

    def __str__(self) -> str:
        if self.method == "gae":
            return f"GAE, lambda {self.gae_lambda:g}"
        less = {"none": "", "others": ", less the mean of other texts", "value": ", less the value head"}
        return f"{'return of the text' if self.whole else 'return to go'}{less[self.baseline]}"

    def advantages(self, rewards: FloatArray, values: FloatArray, mask: BoolArray) -> FloatArray:
        """Returns A_t of each token of N texts, (N, T), zero in padding.

        Args:
            rewards: (N, T) what each token was paid, zero in padding.
            values: (N, T) V(s_t), zero in padding; past the end of a text there is nothing to be expected.
            mask: (N, T) which places are in use.
        """
        if self.method == "gae":
            surprises = rewards + self.gamma * np.pad(values[:, 1:], ((0, 0), (0, 1))) - values
            return returns_to_go(surprises, self.gamma * self.gae_lambda) * mask
        targets = returns_to_go(rewards, self.gamma)
        if self.whole:
            targets = np.broadcast_to(targets[:, :1], targets.shape)
        if self.baseline == "others":
            groups = by_group(targets, mask, len(targets))
            targets = targets - leave_one_out(groups, np.ones((1, len(targets)), np.bool_))[0]
        elif self.baseline == "value":
            targets = targets - values
        return targets * mask


def credit(policy: BasePolicy, evaluation: Evaluation, estimator: Estimator, **env_kwargs: Any) -> list[FloatArray]:
    """Returns what the gradient credits each token of an evaluation's texts with, (length,) for each text.

    The credit is A_t |grad log pi(a_t | s_t)|, with the sign of the advantage and the size of the token's part in the
    policy gradient, by the weights of the output layer; see `agents.token_scores`. Rewards are those that the
    environment pays, feedback or gold or both, without noise: what is seen is the estimator's doing, not the noise's. A
    token of which the policy is sure has a gradient near 0, and so hardly any credit, whatever it earned.

    Args:
        policy: what wrote the texts.
        evaluation: the texts.
        estimator: of the advantages.
        **env_kwargs: the environment's further arguments, as they were.
    """
    env = make_env(evaluation.env_id, num_rows=min(len(evaluation.written), 256), split=evaluation.split, **env_kwargs)
    texts, seed = evaluation.texts, evaluation.seed
    paid = _PAID[env.simulator.reward_kind]
    played = replay(env.simulator, texts.tokens, texts.samples, seed, paid=paid, masked=takes_masks(policy))
    scores = token_scores(policy, played)
    credited = estimator.advantages(played.rewards, scores.values, played.mask) * scores.gradient_norms
    return [own[used] for own, used in zip(credited, played.mask, strict=True)]
