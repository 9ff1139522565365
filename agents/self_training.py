"""Self-training: write, be judged, keep what was judged good, learn to write that again."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents.callbacks import SelfPreferenceCallback
from agents.data.texts import Texts as References
from agents.data.texts import token_losses
from agents.losses.baselines import returns_to_go
from agents.losses.selection import best_weights, effective_share, softmax_weights
from agents.policy import TransformerPolicy
from agents.text_algorithm import TextAlgorithm
from agents.text_buffer import Texts
from agents.text_scoring import next_token_log_probs, of_written
from textgym.types import FloatArray

Keep = Literal["best", "threshold", "weighted"]


class SelfTraining(TextAlgorithm):
    """Maximum likelihood on the policy's own texts, chosen or weighed by the feedback of the environment.

    An update goes `n_epochs` times through the texts of a rollout and ascends

        sum_i w_i log pi(text_i | prompt_i) / sum_i w_i + ent_coef H
            + reference_coef mean log pi(reference | prompt)

    where H is the mean entropy per text, and w_i comes from what each text was paid (`keep`):

    - `"best"`: 1 for the best `fraction` of each group, else 0; what is equally good shares the last places. Expert
      iteration (Anthony, Tian, Barber 2017); with one of K texts it is RAFT (Dong et al. 2023).
    - `"threshold"`: 1 for what was paid at least `threshold`, else 0. STaR (Zelikman et al. 2022) keeps what is right;
      ReST (Gulcehre et al. 2023) raises the threshold as it goes on, for which there are schedules.
    - `"weighted"`: exp(return / weight_temperature), scaled to a mean of 1 in each group: reward-weighted regression
      (Peters, Schaal 2007).

    A group is the texts on one prompt, where `group_size` is above 1, or all texts of the update. Texts about which
    nothing was observed are left out.

    The loop believes its judge, and so each rollout logs what the judge paid beside what it was worth,
    `rollout/observed_return`, `clean_return` and `gold_return`, and how far its errors go with what the policy itself
    finds likely, `rollout/self_preference`; see `SelfPreferenceCallback`.

    Tokens may be drawn from a proposal instead of the policy; what is kept of it is learnt as it is, as of an expert.

    Args:
        policy: `TransformerPolicy` or its name.
        env: a text environment, or several as a vector environment of Stable-Baselines3.
        learning_rate: of the policy's optimizer; a number or a function of the progress that remains, 1 to 0.
        n_steps: tokens that each row writes before an update.
        gamma: the discount of returns.
        group_size: how many texts share a prompt; the environment's must be the same, unless it is 1.
        keep: `"best"`, `"threshold"` or `"weighted"`.
        fraction: of each group that is kept, in (0, 1].
        threshold: the least return that is kept; a number or a schedule, as `learning_rate`.
        weight_temperature: in units of return, above 0; the lower, the more the best count.
        n_epochs: how often an update goes through what it kept.
        n_minibatches: into how many parts each time splits it, at random; one step of the optimizer for each.
        reference_coef: the weight of the task's own references, which keep the loop from collapsing onto itself; each
            step draws as many as it has texts.
        ent_coef: the weight of the entropy, in nats per text; a number or a schedule.
        temperature: of what tokens are drawn from, above 0; a number or a schedule.
        guidance: the weight of annotators' hints in it, in [0, 1); a number or a schedule.
        max_grad_norm: the largest gradient norm of a step.
        batch_size: about how many tokens to score in one pass; bounds memory and does not change the update.
        others: as for every on-policy algorithm of Stable-Baselines3.

    Raises:
        ValueError: if a number is out of its range, the environment does not group texts as `group_size` says, or
            `reference_coef` is above 0 and the task has no references.
    """

    def __init__(
        self,
        policy: str | type[TransformerPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 1e-3,
        n_steps: int = 16,
        gamma: float = 1.0,
        group_size: int = 1,
        keep: Keep = "best",
        fraction: float = 0.25,
        threshold: float | Schedule = 1.0,
        weight_temperature: float = 0.1,
        n_epochs: int = 4,
        n_minibatches: int = 2,
        reference_coef: float = 0.0,
        ent_coef: float | Schedule = 0.0,
        temperature: float | Schedule = 1.0,
        guidance: float | Schedule = 0.0,
        max_grad_norm: float = 1.0,
        batch_size: int = 4096,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        if keep not in get_args(Keep):
            raise ValueError(f"keep must be one of {', '.join(get_args(Keep))}, got {keep!r}")
        if not 0.0 < fraction <= 1.0:
            raise ValueError(f"fraction must be in (0, 1], got {fraction}")
        if not weight_temperature > 0.0 or not reference_coef >= 0.0:
            given = f"got {weight_temperature} and {reference_coef}"
            raise ValueError(f"weight_temperature must be positive and reference_coef at least 0, {given}")
        if n_epochs < 1 or n_minibatches < 1:
            raise ValueError(f"n_epochs and n_minibatches must be at least 1, got {n_epochs} and {n_minibatches}")
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=gamma,
            group_size=group_size,
            ent_coef=ent_coef,
            temperature=temperature,
            guidance=guidance,
            vf_coef=0.0,
            max_grad_norm=max_grad_norm,
            batch_size=batch_size,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
        )
        self.keep, self.fraction, self.threshold = keep, fraction, threshold
        self.weight_temperature = weight_temperature
        self.n_epochs, self.n_minibatches = n_epochs, n_minibatches
        self.reference_coef = reference_coef
        if _init_setup_model:
            self._setup_model()

    def _check_env(self, env: VecEnv) -> None:
        super()._check_env(env)
        if self.reference_coef > 0:
            simulator = env.get_attr("simulator", 0)[0]
            generator = np.random.default_rng(self.seed)
            budget = simulator.max_new_tokens
            self.references = References.of_task(simulator.task, "train", max_new_tokens=budget, generator=generator)

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        others = callback if isinstance(callback, list) else [callback]
        return super()._init_callback([SelfPreferenceCallback(), *others], progress_bar)

    def train(self) -> None:
        """Learns from those of the finished texts that are kept; does nothing if none is."""
        self.policy.set_training_mode(True)  # which forgets what is cached, so that all rollouts begin alike
        texts = self.rollout_buffer.take()
        if texts is None:
            return
        weights = self.weights(texts)
        self.logger.record("train/kept", effective_share(weights))  # the share of the texts that counts
        kept = np.flatnonzero(weights)
        if not len(kept):
            return
        texts, weights = texts.only(kept), weights[kept]
        self.logger.record("train/kept_return", float(np.average(texts.rewards.sum(axis=1), weights=weights)))
        self._update_learning_rate(self.policy.optimizer)
        sums = np.zeros(3)  # negative log-likelihood and entropy per text, loss of the references
        for _ in range(self.n_epochs):
            for part in texts.minibatches(self.n_minibatches):
                self.policy.optimizer.zero_grad()
                for rows in texts.batches(self.batch_size, part):
                    each = weights[rows].repeat(texts.mask[rows].sum(axis=1))  # (M,)
                    weight = torch.from_numpy(each).to(self.device, torch.float32)
                    log_probs, _ = next_token_log_probs(self.policy.backbone, texts, rows)  # (M, V)
                    loss = -(of_written(log_probs, texts, rows) * weight).sum() / weights[part].sum()
                    entropy = -(log_probs.exp() * log_probs).sum() / len(part)
                    (loss - self.ent_coef * entropy).backward()
                    sums[:2] += loss.item(), entropy.item()
                if self.reference_coef > 0:
                    sums[2] += self._learn_references(len(part))
                norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
                self._n_updates += 1
        steps = self.n_epochs * min(self.n_minibatches, len(texts.mask))
        tokens_per_text = texts.mask.sum() / len(texts.mask)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/texts", len(texts.mask))
        self.logger.record("train/loss", float(sums[0] / steps))  # nats per text
        self.logger.record("train/entropy", float(sums[1] / steps / tokens_per_text))  # nats per token
        if self.reference_coef > 0:
            self.logger.record("train/reference_loss", float(sums[2] / steps))  # nats per token
        self.logger.record("train/gradient_norm", float(norm))

    def weights(self, texts: Texts) -> FloatArray:
        """Returns how much each text counts as an example, (N,)."""
        returns = returns_to_go(texts.rewards, self.gamma)[:, 0]
        if self.keep == "threshold":
            threshold = FloatSchedule(self.threshold)(self._current_progress_remaining)
            return (texts.observed & (returns >= threshold)).astype(float)
        shape = (-1, self.group_size) if self.group_size > 1 else (1, -1)
        groups, observed = returns.reshape(shape), texts.observed.reshape(shape)
        if self.keep == "best":
            return best_weights(groups, observed, self.fraction).ravel()
        return softmax_weights(groups, observed, self.weight_temperature).ravel()

    def _learn_references(self, count: int) -> float:
        """Adds the gradient of some references, drawn at random, and returns their loss in nats per token."""
        chosen = torch.randint(len(self.references.lengths), (count,)).numpy()
        at_a_time = max(1, self.batch_size // int(self.references.lengths[chosen].max()))
        passes = [chosen[start : start + at_a_time] for start in range(0, count, at_a_time)]
        total, tokens = 0.0, 0
        for rows in passes:
            losses, _ = token_losses(self.policy.backbone, self.references, rows, with_prompt=False)
            (self.reference_coef * losses.sum() / count).backward()
            total, tokens = total + float(losses.detach().sum()), tokens + len(losses)
        return total / tokens

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "references"]
