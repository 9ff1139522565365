"""TorchRL takes our environments as they are, one at a time and as a vector."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import textgym  # noqa: F401 - registers the environments

pytestmark = pytest.mark.slow

ENV_IDS = ["textgym/Copy-v0", "textgym/Translate-v0", "textgym/Dialogue-v0"]


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_specs_hold_and_rewards_are_those_of_gymnasium(env_id):
    from torchrl.envs import GymEnv, check_env_specs

    env = GymEnv(env_id)
    check_env_specs(env, seed=0)
    env.set_seed(5)
    rollout = env.rollout(200)
    plain = gymnasium.make(env_id)
    plain.reset(seed=5)
    rewards = []
    for action in rollout["action"].argmax(-1).tolist():
        observation, reward, terminated, _, _ = plain.step(action)
        rewards.append(reward)
    assert terminated
    assert bool(rollout["next", "done"][-1])
    np.testing.assert_allclose(rollout["next", "reward"][:, 0].numpy(), rewards, rtol=1e-6)
    for name, value in observation.items():
        np.testing.assert_array_equal(rollout["next", name][-1].numpy(), value)


def test_what_is_clean_and_gold_is_read_from_info():
    from torchrl.envs import GymWrapper, check_env_specs, default_info_dict_reader

    env = GymWrapper(gymnasium.make("textgym/Copy-v0"))
    env.set_info_dict_reader(default_info_dict_reader(["clean_reward", "gold_reward", "gold_return"]))
    check_env_specs(env, seed=0)
    rollout = env.rollout(50)
    assert rollout["next", "gold_return"][-1] == rollout["next", "gold_reward"].sum()


def test_a_vector_environment_is_taken():
    from torchrl.envs import GymWrapper, check_env_specs

    env = GymWrapper(gymnasium.make_vec("textgym/Copy-v0", num_envs=4, vectorization_mode="vector_entry_point"))
    check_env_specs(env, seed=0)
    rollout = env.rollout(20, break_when_any_done=False)
    assert rollout.shape == (4, 20)
    assert rollout["next", "done"].any(1).all()
