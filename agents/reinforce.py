"""Token-level REINFORCE with feedback, as a Stable-Baselines3 algorithm: baselines, advantages, update."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import FloatSchedule, LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents.backbone import ModelSource
from agents.losses.baselines import (
    MovingAverage,
    by_group,
    leave_one_out,
    mean_and_deviation,
    normalised,
    returns_to_go,
)
from agents.losses.divergences import ESTIMATORS, Estimator, Place, adapted, full, sampled
from agents.losses.importance import Level, clipped, importance_weights, ratios
from agents.policy import TransformerPolicy
from agents.text_algorithm import TextAlgorithm
from agents.text_buffer import Texts
from agents.text_scoring import next_token_log_probs, of_written, written_log_probs
from textgym.correction.base import Correction
from textgym.feedback import Feedback
from textgym.types import FloatArray, IntArray

Credit = Literal["to_go", "text"]
Baseline = Literal["none", "moving_average", "value", "leave_one_out", "group_normalised"]
FeedbackTerm = Literal["immediate", "to_go"]
LengthNorm = Literal["none", "text", "token"]


class Update(NamedTuple):
    """What the steps of one update have in common; arrays are (N, T), 0 in padding.

    Attributes:
        texts: the N texts.
        advantages: w_t (Q_t + alpha f_t - b_t).
        targets: Q_t + alpha f_t.
        importance: w_t, 0 in texts about which nothing was observed.
        weights: how much each token counts in a sum over texts.
        before: the log-probabilities of the tokens before the first step; None where there is only one step.
        penalties: the divergences that the rewards hold; None where the loss holds them.
    """

    texts: Texts
    advantages: FloatArray
    targets: FloatArray
    importance: FloatArray
    weights: FloatArray
    before: FloatArray | None
    penalties: FloatArray | None


class REINFORCE(TextAlgorithm):
    """Monte-Carlo policy gradient on the tokens of whole texts (Williams 1992).

    It ascends, over N texts, 1/N sum_texts sum_t of

        grad log pi(a_t | s_t) (Q_t + alpha f_t - b_t) + grad (ent_coef H_t - kl_coef KL_t)

    where Q_t is the return to go of the reward that the environment pays, f_t is `info["corrected_reward"]`, b_t is a
    baseline that does not depend on a_t, H_t is the entropy of pi(. | s_t) and KL_t its divergence from the reference.
    Sums over tokens are divided by the number of texts, not of tokens, which would favour short texts.

    How texts are collected, and what becomes of those that a rollout cuts off: see `TextAlgorithm`.

    By default an update is one step of the optimizer. With more, by `n_epochs` or `n_minibatches`, the first term
    becomes the clipped surrogate of PPO, grad min(rho_t A_t, clip(rho_t) A_t), where A_t is the advantage as it was
    before the first step and rho_t = pi(a_t | s_t) / pi_before(a_t | s_t); see `agents.losses.importance`.

    Tokens may be drawn from a proposal q instead of pi, for exploration: flatter or sharper than pi (`temperature`), or
    led by the hints of annotators (`guidance`); see `agents.exploration`. Then every advantage is weighed by
    importance, w_t = pi(a_t | s_t) / q(a_t | s_t), or the product of these over the text, which is the exact
    correction; the weights are cut at `max_importance`, and those of texts are divided by their mean over the update's.

    Where the environment pays feedback, a text about which nothing was observed teaches nothing of it: it has no
    advantage, is left out of the baselines, and is not shown to the value head.

    Known by other names:

    - RLOO (Kool, van Hoof, Welling 2019; Ahmadian et al. 2024): `baseline="leave_one_out"`, `credit="text"`, and in
      RLHF `kl_in="reward"`.
    - GRPO (Shao et al. 2024): `baseline="group_normalised"`, `credit="text"`, `normalize_length="text"`, several steps
      and, with a reference, `kl_estimator="k3"`.
    - Dr. GRPO (Liu et al. 2025): `baseline="leave_one_out"`, `credit="text"`. DAPO's loss (Yu et al. 2025):
      `normalize_length="token"`. GSPO (Zheng et al. 2025): GRPO with `clip_level="text"` and a small `clip_range`.

    Args:
        policy: `TransformerPolicy` or its name.
        env: a text environment, or several as a vector environment of Stable-Baselines3.
        learning_rate: of the policy's optimizer; a number or a function of the progress that remains, 1 to 0.
        n_steps: tokens that each row writes before an update.
        gamma: the discount of Q.
        alpha: the weight of f_t; a number or a schedule, as `learning_rate`.
        feedback_term: `"immediate"` adds f_t to Q_t, `"to_go"` its return to go, sum_{s >= t} gamma^(s - t) f_s.
        credit: what Q_t is: `"to_go"`, sum_{s >= t} gamma^(s - t) r_s; `"text"`, the return R(tau) of the whole text
            for each of its tokens. Both have the same mean gradient at gamma 1; what was paid before a token is only
            noise to it.
        baseline: `"none"`; `"moving_average"`, over updates, for each token number, and the update's other texts;
            `"value"`, the policy's value head, which learns Q_t + alpha f_t; `"leave_one_out"`, the mean of the other
            texts on the same prompt; `"group_normalised"`, the mean of all texts on the same prompt, with advantages
            divided by their deviation, which is biased in two ways: see `agents.losses.baselines`.
        group_size: how many texts share a prompt, for the last two; the environment's must be the same.
        average_rate: the weight of the newest texts in the moving average, in (0, 1]; beside an update's other texts
            it counts as 1 / average_rate texts.
        normalize_advantage: whether to shift and scale the advantages of an update to mean 0 and deviation 1.
        normalize_length: what the sums over tokens are divided by besides: `"none"`, nothing; `"text"`, the length of
            each text, so that a token of a long text counts less (GRPO); `"token"`, in place of the number of texts the
            number of all tokens of the step (DAPO).
        n_epochs: how often an update goes through its texts.
        n_minibatches: into how many parts of whole texts each time splits them, at random; one step for each.
        clip_range: eps; rho_t is clipped to [1 - eps, 1 + eps].
        clip_level: `"token"`, each token's own rho_t (PPO); `"text"`, the geometric mean over its text (GSPO).
        ent_coef: the weight of the entropy, in units of reward per nat; a number or a schedule, as `learning_rate`. The
            default falls to 0: without it, fresh policies settle on the first texts that earn something.
        temperature: of the proposal, above 0; a number or a schedule.
        guidance: the weight of annotators' hints in the proposal, in [0, 1); a number or a schedule. Let `ent_coef` be
            0 then: what a hint teaches weighs little at first, since the policy would hardly have written it, and any
            entropy term outweighs it.
        importance: `"text"`, the product of the ratios of all tokens of the text: exact, but its variance grows with
            the length; `"token"`, each token's own ratio: biased, since the rest of the text is taken as it was drawn.
        max_importance: where the weights are cut, above 0.
        kl_coef: the weight of the divergence from the reference, in units of reward per nat.
        kl_in: `"loss"`, as above; `"reward"`, which pays each token r_t - kl_coef KL_t, so that the divergence has
            returns and baselines as all reward has.
        kl_estimator: how KL_t is found: `"full"`, `"k1"`, `"k2"` or `"k3"`; see `agents.losses.divergences` for which
            go where and why. By default `"full"` in the loss and `"k1"` in the reward.
        kl_target: the divergence in nats per text to which `kl_coef` adapts itself (Ziegler et al. 2019); by default it
            stays as it is.
        kl_horizon: how many texts a full correction of `kl_coef` takes.
        reference: a folder that `Backbone.save_pretrained` wrote; by default the policy as it is when `learn` begins.
            The divergence from it is logged as `train/kl`, also where `kl_coef` is 0.
        vf_coef: the weight of the value head's squared error.
        max_grad_norm: the largest gradient norm of a step.
        batch_size: about how many tokens to score in one pass; bounds memory and does not change the update.
        others: as for every on-policy algorithm of Stable-Baselines3.

    Raises:
        ValueError: if a number is out of its range, two arguments contradict each other, or the environment does not
            group texts as `group_size` says.
    """

    def __init__(
        self,
        policy: str | type[TransformerPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 1e-3,
        n_steps: int = 16,
        gamma: float = 1.0,
        alpha: float | Schedule = 0.0,
        feedback_term: FeedbackTerm = "immediate",
        credit: Credit = "to_go",
        baseline: Baseline = "moving_average",
        group_size: int = 1,
        average_rate: float = 0.1,
        normalize_advantage: bool = False,
        normalize_length: LengthNorm = "none",
        n_epochs: int = 1,
        n_minibatches: int = 1,
        clip_range: float = 0.2,
        clip_level: Level = "token",
        ent_coef: float | Schedule = LinearSchedule(0.05, 0.0, 1.0),  # noqa: B008 - it never changes
        temperature: float | Schedule = 1.0,
        guidance: float | Schedule = 0.0,
        importance: Level = "text",
        max_importance: float = 10.0,
        kl_coef: float = 0.0,
        kl_in: Place = "loss",
        kl_estimator: Estimator | None = None,
        kl_target: float | None = None,
        kl_horizon: float = 10_000.0,
        reference: str | Path | None = None,
        vf_coef: float = 0.5,
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
        for name, value, allowed in (
            ("feedback_term", feedback_term, get_args(FeedbackTerm)),
            ("credit", credit, get_args(Credit)),
            ("baseline", baseline, get_args(Baseline)),
            ("normalize_length", normalize_length, get_args(LengthNorm)),
            ("clip_level", clip_level, get_args(Level)),
            ("importance", importance, get_args(Level)),
            ("kl_in", kl_in, get_args(Place)),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        for name, number, low in (
            ("n_epochs", n_epochs, 1),
            ("n_minibatches", n_minibatches, 1),
            ("kl_coef", kl_coef, 0),
            ("kl_horizon", kl_horizon, 1),
        ):
            if callable(number) or not number >= low:
                raise ValueError(f"{name} must be at least {low}, got {number}")
        for name, number in (("max_importance", max_importance), ("clip_range", clip_range)):
            if callable(number) or not number > 0:
                raise ValueError(f"{name} must be positive, got {number}")
        if not 0.0 < average_rate <= 1.0:
            raise ValueError(f"average_rate must be in (0, 1], got {average_rate}")
        if (baseline in ("leave_one_out", "group_normalised")) != (group_size > 1):
            raise ValueError(
                "leave_one_out and group_normalised, and only they, need a group_size of at least 2, "
                f"got {baseline!r} and {group_size}"
            )
        kl_estimator = kl_estimator or ESTIMATORS[kl_in][0]
        if kl_estimator not in ESTIMATORS[kl_in]:
            raise ValueError(
                f"kl_estimator in the {kl_in} must be one of {', '.join(ESTIMATORS[kl_in])}, got {kl_estimator!r}, "
                "whose gradient is not that of the divergence there: see agents.losses.divergences"
            )
        if kl_target is not None and not (kl_target > 0 and kl_coef > 0):
            raise ValueError(
                f"kl_target and the kl_coef it starts from must be positive, got {kl_target} and {kl_coef}"
            )
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
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            batch_size=batch_size,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
        )
        self.alpha, self.feedback_term, self.credit = alpha, feedback_term, credit
        self.baseline, self.moving_average = baseline, MovingAverage(average_rate)
        self.normalize_advantage, self.normalize_length = normalize_advantage, normalize_length
        self.n_epochs, self.n_minibatches = n_epochs, n_minibatches
        self.clip_range, self.clip_level = clip_range, clip_level
        self.importance, self.max_importance = importance, max_importance
        self.kl_coef, self.kl_in, self.kl_estimator = kl_coef, kl_in, kl_estimator
        self.kl_weight = kl_coef  # which adapts itself where there is a kl_target
        self.kl_target, self.kl_horizon = kl_target, kl_horizon
        self.reference_source: ModelSource = reference
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        super()._setup_model()
        backbone = self.policy.backbone
        if self.reference_source is None:
            self.reference = copy.deepcopy(backbone)
        else:
            self.reference = backbone.sibling(self.reference_source)
            self.reference_source = self.reference.lm.config  # a saved learner has its weights, and needs no folder

    def _check_env(self, env: VecEnv) -> None:
        super()._check_env(env)
        simulator = env.get_attr("simulator", 0)[0]
        if self.alpha and simulator.reward_kind != "gold":
            warnings.warn(
                f"the environment pays reward={simulator.reward_kind!r}, which contains the feedback f_t already, and "
                f'alpha={self.alpha} adds it once more: make the environment with reward="gold" or set alpha=0',
                stacklevel=5,
            )
        affine = [type(part).__name__ for part in _last_correctors(simulator.feedback) if part.affine]
        once = not simulator.feedback.every_step  # else a shift counts once for each token, and texts differ in length
        if affine and once and self._pays_feedback and self.baseline == "group_normalised":
            warnings.warn(
                f"{affine[0]} shifts and scales every reading alike, and advantages that are normalised within a group "
                "undo that: the correction changes nothing here",
                stacklevel=5,
            )

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        tb_log_name: str = "run",
        progress_bar: bool = False,
    ) -> tuple[int, BaseCallback]:
        if reset_num_timesteps and self.reference_source is None:
            self.reference.load_state_dict(self.policy.backbone.state_dict())
        return super()._setup_learn(total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar)

    def train(self) -> None:
        """Learns from the texts that are finished; does nothing if none is."""
        self.policy.set_training_mode(True)  # which forgets what is cached, so that all rollouts begin alike
        texts = self.rollout_buffer.take()
        if texts is None:
            return
        self._update_learning_rate(self.policy.optimizer)
        update = self.prepare(texts)
        sums, norms = np.zeros(5), []
        for _ in range(self.n_epochs):
            for part in texts.minibatches(self.n_minibatches):
                self.policy.optimizer.zero_grad()
                divisor = texts.mask[part].sum() if self.normalize_length == "token" else len(part)
                for rows in texts.batches(self.batch_size, part):
                    loss, terms = self.loss(update, rows)
                    (loss / divisor).backward()
                    sums += terms.tolist()
                norms.append(float(torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)))
                self.policy.optimizer.step()
                self._n_updates += 1
        sums /= self.n_epochs
        if update.penalties is not None:
            sums[3] = update.penalties.sum()
        self._log(texts, sums, float(np.mean(norms)))
        if self.kl_target is not None:
            self.kl_weight = adapted(
                self.kl_weight,
                divergence=float(sums[3]) / len(texts.mask),
                target=self.kl_target,
                texts=len(texts.mask),
                horizon=self.kl_horizon,
            )

    def prepare(self, texts: Texts) -> Update:
        """Returns what the steps of an update on some texts have in common."""
        before = penalties = None
        several = self.n_epochs * self.n_minibatches > 1
        if several or self._off_policy or self.kl_in == "reward":
            before = written_log_probs(self.policy.backbone, texts, self.batch_size)
        if self.kl_in == "reward":
            assert before is not None
            log_ratios = before - written_log_probs(self.reference, texts, self.batch_size)
            penalties = sampled(self.kl_estimator, torch.from_numpy(log_ratios)).numpy()
            texts = replace(texts, rewards=texts.rewards - self.kl_weight * penalties)
        weights = np.ones(texts.mask.shape)
        if self._off_policy:
            assert before is not None
            weights = importance_weights(before - texts.log_probs, texts.mask, self.importance, self.max_importance)
        advantages, targets = self.advantages(texts, weights)
        counts = texts.mask / texts.mask.sum(axis=1, keepdims=True) if self.normalize_length == "text" else texts.mask
        return Update(
            texts,
            advantages,
            targets,
            importance=weights * texts.observed[:, None],
            weights=counts.astype(float),
            before=before if several else None,
            penalties=penalties,
        )

    def advantages(self, texts: Texts, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Returns w_t (Q_t + alpha f_t - b_t) and the target Q_t + alpha f_t of each token; (N, T), zero in padding.

        Args:
            texts: the texts.
            weights: (N, T) how much each token counts, w_t.
        """
        targets = returns_to_go(texts.rewards, self.gamma)
        if self.credit == "text":
            targets[:] = targets[:, :1]
        feedback = texts.feedback if self.feedback_term == "immediate" else returns_to_go(texts.feedback, self.gamma)
        targets += FloatSchedule(self.alpha)(self._current_progress_remaining) * feedback
        used, scale = texts.mask & texts.observed[:, None], np.ones(1)
        if self.baseline == "moving_average":
            counted = used * weights
            baselines = self.moving_average.baselines(targets, counted)
            self.moving_average.update(targets, counted)
        elif self.group_size > 1:
            groups = by_group(targets, texts.mask, self.group_size)
            observed = texts.observed.reshape(-1, self.group_size)
            baselines = leave_one_out(groups, observed)
            if self.baseline == "group_normalised":
                mean, deviation = mean_and_deviation(groups, observed)
                baselines = np.broadcast_to(mean, groups.shape)
                scale = np.broadcast_to(deviation, groups.shape).reshape(targets.shape) + 1e-8
            baselines = baselines.reshape(targets.shape)
        else:
            baselines = texts.values if self.baseline == "value" else np.zeros_like(targets)
        advantages = (targets - baselines) / scale
        advantages = normalised(advantages, used, weights) if self.normalize_advantage else weights * advantages
        return advantages * used, targets * texts.mask

    def loss(self, update: Update, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the loss of some texts, summed over their M tokens, and of what it is made.

        Args:
            update: the texts and their advantages.
            rows: (b,) which of the texts.

        Returns:
            The loss, and without gradient (5,): the sums of policy loss and value loss as they are in it; those of
            entropy and divergence, in nats, in which each token counts once; and the number of tokens whose gradient
            was clipped.
        """
        texts = update.texts
        log_probs, hidden = next_token_log_probs(self.policy.backbone, texts, rows)  # (M, V), (M, D)
        chosen, probs = of_written(log_probs, texts, rows), log_probs.exp()
        advantage, target, importance, weight = (
            torch.from_numpy(part[rows][texts.mask[rows]]).to(self.device, torch.float32)  # (M,)
            for part in (update.advantages, update.targets, update.importance, update.weights)
        )
        objective, held = chosen * advantage, torch.zeros(1, device=self.device)
        if update.before is not None:
            before = torch.from_numpy(update.before[rows][texts.mask[rows]]).to(self.device, torch.float32)
            text = torch.from_numpy(np.nonzero(texts.mask[rows])[0]).to(self.device)
            objective, held = clipped(ratios(chosen - before, text, self.clip_level), advantage, self.clip_range)
        policy_loss = -(weight * objective).sum()
        value_loss = (weight * (self.policy.backbone.values(hidden) - target).square() * importance).sum()
        entropies = -(probs * log_probs).sum(dim=-1)
        loss = policy_loss - self.ent_coef * (weight * entropies).sum()
        divergences = torch.zeros_like(entropies)
        if self.kl_in == "loss":
            with torch.no_grad():
                reference, _ = next_token_log_probs(self.reference, texts, rows)
            with torch.set_grad_enabled(self.kl_weight > 0):  # else it is told, and no more
                if self.kl_estimator == "full":
                    divergences = full(probs, log_probs, reference)
                else:
                    divergences = sampled(self.kl_estimator, chosen - of_written(reference, texts, rows))
            loss = loss + self.kl_weight * (weight * divergences).sum()
        if self.baseline == "value":
            loss = loss + self.vf_coef * value_loss
        sums = policy_loss, value_loss, entropies.sum(), divergences.sum(), held.sum()
        return loss, torch.stack(sums).detach()

    def _log(self, texts: Texts, sums: FloatArray, gradient_norm: float) -> None:
        tokens, count = float(texts.mask.sum()), len(texts.mask)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        values = {"texts": count, "policy_loss": sums[0] / count, "gradient_norm": gradient_norm}
        values |= {"entropy": sums[2] / tokens, "kl": sums[3] / tokens}  # nats per token
        if self.baseline == "value":
            values["value_loss"] = sums[1] / count
        if self.kl_target is not None:
            values["kl_coef"] = self.kl_weight
        if callable(self.alpha):
            values["alpha"] = self.alpha(self._current_progress_remaining)
        if self.n_epochs * self.n_minibatches > 1:
            values["clip_fraction"] = sums[4] / tokens
        for name, value in values.items():
            self.logger.record(f"train/{name}", float(value))

    def training_state(self) -> dict[str, Any]:
        own = {"moving_average": self.moving_average.training_state(), "kl_weight": self.kl_weight}
        return {**super().training_state(), **own}

    def set_training_state(self, state: dict[str, Any]) -> None:
        super().set_training_state(state)
        self.moving_average.set_training_state(state["moving_average"])
        self.kl_weight = state["kl_weight"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", "policy.optimizer", "reference"], []

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "reference"]


def _last_correctors(feedback: Feedback) -> list[Correction]:
    """Returns the correctors that nothing is added behind: those of the sum, and of a signal that is all there is."""
    correctors = list(feedback.channels.correction)
    if len(feedback.signals) == 1 and not feedback.channels.noise:
        correctors += feedback.signals[0].channels.correction
    return correctors
