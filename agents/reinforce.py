"""Token-level REINFORCE with feedback, as a Stable-Baselines3 algorithm: rollout, baselines, update."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import LinearSchedule, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from agents.backbone import Backbone
from agents.baselines import MovingAverage, by_group, leave_one_out, mean_and_deviation, returns_to_go
from agents.callbacks import ReturnsCallback
from agents.exploration import Exploration
from agents.policy import TransformerPolicy
from agents.text_buffer import TextBuffer, Texts
from textgym.correction.base import Correction
from textgym.feedback import Feedback
from textgym.types import FloatArray, IntArray

Baseline = Literal["none", "moving_average", "value", "leave_one_out", "group_normalised"]
FeedbackTerm = Literal["immediate", "to_go"]
Importance = Literal["text", "token"]


class REINFORCE(OnPolicyAlgorithm):
    """Monte-Carlo policy gradient on the tokens of whole texts (Williams 1992), one step of the optimizer per rollout.

    It ascends, over N texts, 1/N sum_texts sum_t of

        grad log pi(a_t | s_t) (Q_t + alpha f_t - b_t) + grad (ent_coef H_t - kl_coef KL_t)

    where Q_t is the return to go of the reward that the environment pays, f_t is `info["corrected_reward"]`, b_t is a
    baseline that does not depend on a_t, H_t is the entropy of pi(. | s_t) and KL_t its divergence from the reference.
    Sums over tokens are divided by the number of texts, not of tokens, which would favour short texts.

    A text that the end of a rollout cuts off is carried into the next one, and so is an unfinished group; what was
    written before is then from a policy some updates older, so let `n_steps` be at least as long as a text or a group.
    Both endings of a text count as its end, so nothing is bootstrapped.

    Tokens may be drawn from a proposal q instead of pi, for exploration: flatter or sharper than pi (`temperature`), or
    led by the hints of annotators (`guidance`); see `agents.exploration`. Then every advantage is weighed by
    importance, rho_t = pi(a_t | s_t) / q(a_t | s_t), or the product of these over the text, which is the exact
    correction; the weights are cut at `max_importance` and divided by their mean over the update's texts.

    Where the environment pays feedback, a text about which nothing was observed teaches nothing of it: it has no
    advantage, is left out of the baselines, and is not shown to the value head.

    Args:
        policy: `TransformerPolicy` or its name.
        env: a text environment, or several as a vector environment of Stable-Baselines3.
        learning_rate: of the policy's optimizer; a number or a function of the progress that remains, 1 to 0.
        n_steps: tokens that each row writes before an update.
        gamma: the discount of Q.
        alpha: the weight of f_t.
        feedback_term: `"immediate"` adds f_t to Q_t, `"to_go"` its return to go, sum_{s >= t} gamma^(s - t) f_s.
        baseline: `"none"`; `"moving_average"`, over updates, for each token number; `"value"`, the policy's value head,
            which learns Q_t + alpha f_t; `"leave_one_out"`, the mean of the other texts on the same prompt;
            `"group_normalised"`, the mean of all texts on the same prompt, with advantages divided by their deviation.
        group_size: how many texts share a prompt, for the last two; the environment's must be the same.
        average_rate: the weight of the newest texts in the moving average, in (0, 1].
        normalize_advantage: whether to shift and scale the advantages of an update to mean 0 and deviation 1.
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
        reference: a folder that `Backbone.save_pretrained` wrote; by default the policy as it is when `learn` begins.
        vf_coef: the weight of the value head's squared error.
        max_grad_norm: the largest gradient norm of an update.
        batch_size: about how many tokens to score in one pass; bounds memory and does not change the update.
        others: as for every on-policy algorithm of Stable-Baselines3.

    Raises:
        ValueError: if a number is out of its range, or the environment does not group texts as `group_size` says.
    """

    policy_aliases: ClassVar[dict[str, type[Any]]] = {"TransformerPolicy": TransformerPolicy}
    policy: TransformerPolicy
    rollout_buffer: TextBuffer

    def __init__(
        self,
        policy: str | type[TransformerPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 1e-3,
        n_steps: int = 16,
        gamma: float = 1.0,
        alpha: float = 0.0,
        feedback_term: FeedbackTerm = "immediate",
        baseline: Baseline = "moving_average",
        group_size: int = 1,
        average_rate: float = 0.1,
        normalize_advantage: bool = False,
        ent_coef: float | Schedule = LinearSchedule(0.05, 0.0, 1.0),  # noqa: B008 - it never changes
        temperature: float | Schedule = 1.0,
        guidance: float | Schedule = 0.0,
        importance: Importance = "text",
        max_importance: float = 10.0,
        kl_coef: float = 0.0,
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
            ("baseline", baseline, get_args(Baseline)),
            ("feedback_term", feedback_term, get_args(FeedbackTerm)),
            ("importance", importance, get_args(Importance)),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        for name, number, low in (("n_steps", n_steps, 1), ("batch_size", batch_size, 1), ("kl_coef", kl_coef, 0)):
            if number < low:
                raise ValueError(f"{name} must be at least {low}, got {number}")
        if not 0.0 <= gamma <= 1.0 or not 0.0 < average_rate <= 1.0:
            raise ValueError(f"gamma must be in [0, 1] and average_rate in (0, 1], got {gamma} and {average_rate}")
        if max_importance <= 0:
            raise ValueError(f"max_importance must be positive, got {max_importance}")
        if (baseline in ("leave_one_out", "group_normalised")) != (group_size > 1):
            raise ValueError(
                "leave_one_out and group_normalised, and only they, need a group_size of at least 2, "
                f"got {baseline!r} and {group_size}"
            )
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=gamma,
            gae_lambda=1.0,
            ent_coef=ent_coef(1.0) if callable(ent_coef) else ent_coef,
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            rollout_buffer_class=TextBuffer,
            rollout_buffer_kwargs={"group_size": group_size},
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
            supported_action_spaces=(spaces.Discrete,),
            _init_setup_model=False,
        )
        self.alpha, self.feedback_term = alpha, feedback_term
        self.baseline, self.group_size = baseline, group_size
        self.moving_average = MovingAverage(average_rate)
        self.normalize_advantage = normalize_advantage
        self.exploration = {"ent_coef": ent_coef, "temperature": temperature, "guidance": guidance}
        self.importance, self.max_importance = importance, max_importance
        self.kl_coef, self.reference_folder = kl_coef, reference
        self.batch_size = batch_size
        self._n_updates = 0
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        super()._setup_model()
        if not isinstance(self.policy, TransformerPolicy):
            raise ValueError(f"REINFORCE learns a TransformerPolicy, got {type(self.policy).__name__}")
        backbone = self.policy.backbone
        if self.reference_folder is None:
            self.reference = copy.deepcopy(backbone)
        else:
            self.reference = Backbone(
                self.reference_folder, vocab_size=backbone.vocab_size, context_length=backbone.context_length
            ).to(self.device)
        if self.env is not None:
            self._check_env(self.env)

    def _check_env(self, env: VecEnv) -> None:
        simulator = env.get_attr("simulator", 0)[0]
        if self.group_size > 1 and simulator.group_size != self.group_size:
            raise ValueError(
                f"group_size is {self.group_size}, but the environment's is {simulator.group_size}: make both the same"
            )
        if self.alpha and simulator.reward_kind != "gold":
            warnings.warn(
                f"the environment pays reward={simulator.reward_kind!r}, which contains the feedback f_t already, and "
                f'alpha={self.alpha} adds it once more: make the environment with reward="gold" or set alpha=0',
                stacklevel=4,
            )

        self._pays_feedback = simulator.reward_kind == "feedback"
        affine = [type(part).__name__ for part in _last_correctors(simulator.feedback) if part.affine]
        once = not simulator.feedback.every_step  # else a shift counts once for each token, and texts differ in length
        if affine and once and self._pays_feedback and self.baseline == "group_normalised":
            warnings.warn(
                f"{affine[0]} shifts and scales every reading alike, and advantages that are normalised within a group "
                "undo that: the correction changes nothing here",
                stacklevel=4,
            )

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        super().set_env(env, force_reset)
        assert self.env is not None
        self._check_env(self.env)

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        tb_log_name: str = "run",
        progress_bar: bool = False,
    ) -> tuple[int, BaseCallback]:
        if reset_num_timesteps or self._last_obs is None:
            self.rollout_buffer.reset()
        if reset_num_timesteps and self.reference_folder is None:
            self.reference.load_state_dict(self.policy.backbone.state_dict())
        return super()._setup_learn(total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar)

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        others = callback if isinstance(callback, list) else [callback]
        others = [other if isinstance(other, BaseCallback) else ConvertCallback(other) for other in others]
        exploration = Exploration(**self.exploration)
        self._off_policy = exploration.off_policy
        return super()._init_callback([ReturnsCallback(), exploration, *others], progress_bar)

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Writes `n_rollout_steps` tokens in every row; returns False if a callback stops learning."""
        assert isinstance(rollout_buffer, TextBuffer)
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        for _ in range(n_rollout_steps):
            observations = self._last_obs
            with torch.no_grad():
                drawn = self.policy(obs_as_tensor(observations, self.device))  # type: ignore[arg-type]
            actions, values, log_probs = (part.flatten().cpu().numpy() for part in drawn)
            self._last_obs, rewards, dones, infos = env.step(actions)  # type: ignore[assignment]
            self._last_episode_starts = dones
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            feedback = np.array([info["corrected_reward"] for info in infos] if self.alpha else np.zeros(env.num_envs))
            seen = (rewards != 0) | [not self._pays_feedback or info["observed_mask"].any() for info in infos]
            rollout_buffer.add(observations, actions, rewards, feedback, values, log_probs, seen, dones)  # type: ignore[arg-type]
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def importance_weights(self, texts: Texts) -> FloatArray:
        """Returns how much each token counts, (N, T): what `importance` says, or 1 where there is no proposal."""
        if not self._off_policy:
            return np.ones(texts.mask.shape)
        log_ratios = np.zeros(texts.mask.shape)
        for rows in _batches(texts, self.batch_size):
            mask = torch.from_numpy(texts.mask[rows]).to(self.device)
            with torch.no_grad():
                chosen = self._score(texts, rows, mask)[-1].cpu().numpy()
            part = np.zeros(mask.shape)
            part[texts.mask[rows]] = chosen
            log_ratios[rows] = part
        log_ratios = (log_ratios - texts.log_probs) * texts.mask
        if self.importance == "token":
            return np.exp(np.minimum(log_ratios, np.log(self.max_importance)))
        product = np.exp(np.minimum(log_ratios.sum(axis=1, keepdims=True), np.log(self.max_importance)))
        weights: FloatArray = np.broadcast_to(product / product.mean(), texts.mask.shape)
        return weights

    def advantages(self, texts: Texts, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Returns w_t (Q_t + alpha f_t - b_t) and the target Q_t + alpha f_t of each token; (N, T), zero in padding.

        Args:
            texts: the texts.
            weights: (N, T) how much each token counts, w_t.
        """
        targets = returns_to_go(texts.rewards, self.gamma)
        feedback = texts.feedback if self.feedback_term == "immediate" else returns_to_go(texts.feedback, self.gamma)
        targets += self.alpha * feedback
        used, scale = texts.mask & texts.observed[:, None], np.ones(1)
        if self.baseline == "moving_average":
            baselines = np.broadcast_to(self.moving_average.get(targets.shape[1]), targets.shape)
            self.moving_average.update(targets, used * weights)  # the old average: the new one depends on these actions
        elif self.group_size > 1:
            groups, observed = (
                by_group(targets, texts.mask, self.group_size),
                texts.observed.reshape(-1, self.group_size),
            )
            baselines = leave_one_out(groups, observed)
            if self.baseline == "group_normalised":
                baselines, scale = (
                    np.broadcast_to(part, groups.shape) for part in mean_and_deviation(groups, observed)
                )
                scale = scale.reshape(targets.shape) + 1e-8
            baselines = baselines.reshape(targets.shape)
        else:
            baselines = texts.values if self.baseline == "value" else np.zeros_like(targets)
        advantages = (targets - baselines) / scale
        if self.normalize_advantage and used.any():
            advantages = weights * (advantages - np.average(advantages[used], weights=weights[used]))
            advantages /= advantages[used].std() + 1e-8
        else:
            advantages = weights * advantages
        return advantages * used, targets * texts.mask

    def train(self) -> None:
        """Takes one step of the optimizer on the texts that are finished; does nothing if none is."""
        self.policy.set_training_mode(True)  # which forgets what is cached, so that all rollouts begin alike
        texts = self.rollout_buffer.take()
        if texts is None:
            return
        self._update_learning_rate(self.policy.optimizer)
        weights = self.importance_weights(texts)
        advantages, targets = self.advantages(texts, weights)
        self.policy.optimizer.zero_grad()
        sums = np.zeros(4)  # policy loss, value loss, entropy, divergence
        for rows in _batches(texts, self.batch_size):
            mask = torch.from_numpy(texts.mask[rows]).to(self.device)  # (b, T)
            log_probs, reference, values, chosen = self._score(texts, rows, mask)  # (M, V) twice, (M,) twice
            advantage, target, seen = (
                torch.from_numpy(part[rows]).to(self.device, torch.float32)[mask]
                for part in (advantages, targets, weights * texts.observed[:, None])
            )
            probs = log_probs.exp()
            policy_loss = -(chosen * advantage).sum()
            value_loss = ((values - target).square() * seen).sum()
            entropy = -(probs * log_probs).sum()
            divergence = (probs * (log_probs - reference)).sum()
            loss = policy_loss - self.ent_coef * entropy + self.kl_coef * divergence
            if self.baseline == "value":
                loss = loss + self.vf_coef * value_loss
            (loss / len(texts.mask)).backward()
            sums += torch.stack([policy_loss, value_loss, entropy, divergence]).tolist()
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()
        self._n_updates += 1
        self._log(texts, sums, float(norm))

    def _score(
        self, texts: Texts, rows: IntArray, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scores the M tokens of some texts in one causal pass.

        Returns:
            The log-probabilities of the policy and of the reference, (M, V), and the values and the log-probability of
            the token that was written, (M,).
        """
        positions, actions = (torch.from_numpy(part[rows]).to(self.device) for part in (texts.positions, texts.actions))
        input_ids = torch.from_numpy(texts.input_ids[rows]).to(self.device)[:, : int(positions.max()) + 1]  # (b, W)
        text = torch.arange(len(rows), device=self.device)[:, None].expand_as(positions)[mask]  # (M,)
        backbone = self.policy.backbone
        hidden = backbone.hidden(input_ids)[text, positions[mask]]  # (M, D)
        log_probs = backbone.logits(hidden).log_softmax(dim=-1)
        with torch.no_grad():
            expected = self.reference.hidden(input_ids)[text, positions[mask]]
            reference = self.reference.logits(expected).log_softmax(dim=-1)
        chosen = log_probs.gather(1, actions[mask][:, None]).squeeze(1)
        return log_probs, reference, backbone.values(hidden), chosen

    def _log(self, texts: Texts, sums: FloatArray, gradient_norm: float) -> None:
        policy_loss, value_loss, entropy, divergence = sums.tolist()
        tokens = float(texts.mask.sum())
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/texts", len(texts.mask))
        self.logger.record("train/policy_loss", policy_loss / len(texts.mask))
        if self.baseline == "value":
            self.logger.record("train/value_loss", value_loss / len(texts.mask))
        self.logger.record("train/entropy", entropy / tokens)  # nats per token
        self.logger.record("train/kl", divergence / tokens)  # nats per token
        self.logger.record("train/gradient_norm", gradient_norm)

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str = "REINFORCE",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        return super().learn(total_timesteps, callback, log_interval, tb_log_name, reset_num_timesteps, progress_bar)

    def training_state(self) -> dict[str, Any]:
        """Returns what it holds beside Stable-Baselines3's attributes, for a checkpoint between two rollouts."""
        return {
            "texts": self.rollout_buffer.training_state(),
            "moving_average": self.moving_average.training_state(),
        }

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restores what `training_state` returned."""
        self.rollout_buffer.set_training_state(state["texts"])
        self.moving_average.set_training_state(state["moving_average"])

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


def _batches(texts: Texts, batch_size: int) -> Iterator[IntArray]:
    """Yields every text once, in batches (b,) of similar length and of about `batch_size` places."""
    lengths = texts.positions.max(axis=1) + 1
    order = np.argsort(lengths, kind="stable")
    texts_per_batch = max(1, batch_size // int(lengths.max()))
    for start in range(0, len(order), texts_per_batch):
        yield order[start : start + texts_per_batch]
