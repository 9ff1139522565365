"""TextAlgorithm: what the learners of whole texts share, from collecting the texts to saving the learner."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from agents.callbacks import ReturnsCallback, StopOnNonFinite
from agents.exploration import Exploration
from agents.policy import TransformerPolicy
from agents.text_buffer import TextBuffer


class TextAlgorithm(OnPolicyAlgorithm):
    """Writes texts, `n_steps` tokens in each row, and calls `train`, which learns from those that are finished.

    A text that the end of a rollout cuts off is carried into the next one, and so is an unfinished group; what was
    written before is then from a policy some updates older, so let `n_steps` be at least as long as a text or a group.
    Both endings of a text count as its end, so nothing is bootstrapped.

    Where the environment pays feedback, `train` can tell texts about which nothing was observed from those that were
    worth 0.

    A leaf writes `train`, which takes texts by `rollout_buffer.take`.

    Args:
        policy: `TransformerPolicy` or its name.
        env: a text environment, or several as a vector environment of Stable-Baselines3.
        learning_rate: of the policy's optimizer; a number or a function of the progress that remains, 1 to 0.
        n_steps: tokens that each row writes before an update.
        gamma: the discount of returns.
        group_size: how many texts share a prompt and are learnt from together; the environment's must be the same,
            unless it is 1.
        ent_coef: the weight of the entropy; a number or a schedule, as `learning_rate`.
        temperature: of what tokens are drawn from, above 0; a number or a schedule; see `agents.exploration`.
        guidance: the weight of annotators' hints in it, in [0, 1); a number or a schedule.
        vf_coef: the weight of the value head's squared error.
        max_grad_norm: the largest gradient norm of a step.
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
        *,
        learning_rate: float | Schedule,
        n_steps: int,
        gamma: float,
        group_size: int,
        ent_coef: float | Schedule,
        temperature: float | Schedule,
        guidance: float | Schedule,
        vf_coef: float,
        max_grad_norm: float,
        batch_size: int,
        stats_window_size: int,
        tensorboard_log: str | None,
        policy_kwargs: dict[str, Any] | None,
        verbose: int,
        seed: int | None,
        device: torch.device | str,
    ) -> None:
        for name, number in (("n_steps", n_steps), ("batch_size", batch_size), ("group_size", group_size)):
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        if not 0.0 <= gamma <= 1.0:
            raise ValueError(f"gamma must be in [0, 1], got {gamma}")
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
        self.group_size = group_size
        self.batch_size = batch_size
        self.exploration = {"ent_coef": ent_coef, "temperature": temperature, "guidance": guidance}
        self._n_updates = 0

    @abstractmethod
    def train(self) -> None:
        """Learns from the texts that are finished; does nothing if none is."""

    def _setup_model(self) -> None:
        super()._setup_model()
        if not isinstance(self.policy, TransformerPolicy):
            raise ValueError(f"{type(self).__name__} learns a TransformerPolicy, got {type(self.policy).__name__}")
        self.policy_kwargs = self.policy.without_folder(self.policy_kwargs)
        if self.env is not None:
            self._check_env(self.env)

    def _check_env(self, env: VecEnv) -> None:
        simulator = env.get_attr("simulator", 0)[0]
        if self.group_size > 1 and simulator.group_size != self.group_size:
            raise ValueError(
                f"group_size is {self.group_size}, but the environment's is {simulator.group_size}: make both the same"
            )
        self._pays_feedback = simulator.reward_kind == "feedback"

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
        return super()._setup_learn(total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar)

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        others = callback if isinstance(callback, list) else [callback]
        others = [other if isinstance(other, BaseCallback) else ConvertCallback(other) for other in others]
        exploration = Exploration(**self.exploration)
        self._off_policy = exploration.off_policy
        return super()._init_callback([ReturnsCallback(), exploration, *others, StopOnNonFinite()], progress_bar)

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str = "",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Learns from `total_timesteps` tokens; see Stable-Baselines3. The log is named after the class by default."""
        name = tb_log_name or type(self).__name__
        return super().learn(total_timesteps, callback, log_interval, name, reset_num_timesteps, progress_bar)

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
            feedback = np.array([info["corrected_reward"] for info in infos])
            seen = (rewards != 0) | [not self._pays_feedback or info["observed_mask"].any() for info in infos]
            # Before a callback may stop: learning that goes on later goes on in the middle of these texts.
            rollout_buffer.add(observations, actions, rewards, feedback, values, log_probs, seen, dones)  # type: ignore[arg-type]
            self._update_info_buffer(infos, dones)
            callback.update_locals(locals())
            if not callback.on_step():
                return False
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def training_state(self) -> dict[str, Any]:
        """Returns what it holds beside Stable-Baselines3's attributes, for a checkpoint between two rollouts."""
        return {"texts": self.rollout_buffer.training_state()}

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Restores what `training_state` returned."""
        self.rollout_buffer.set_training_state(state["texts"])
