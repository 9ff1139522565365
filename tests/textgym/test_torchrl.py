"""TorchRL takes our environments as they are, one at a time and as a vector; `pip install "textgym[torchrl]"`."""

import gymnasium
import numpy as np
import pytest

import textgym  # noqa: F401 - registers the environments

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("env_id", ["textgym/Copy-v0", "textgym/Translate-v0", "textgym/Dialogue-v0"])
def test_specs_hold_and_rewards_are_those_of_gymnasium(env_id):
    from torchrl.envs import GymEnv, check_env_specs

    env = GymEnv(env_id, categorical_action_encoding=True)
    check_env_specs(env, seed=0)
    samples = {"sample": 3}
    rollout = env.rollout(200, auto_reset=False, tensordict=env.reset(seed=5, options=samples))
    plain = gymnasium.make(env_id)
    plain.reset(seed=5, options=samples)
    rewards = []
    for action in rollout["action"].tolist():
        observation, reward, terminated, _, _ = plain.step(action)
        rewards.append(reward)
    assert terminated
    assert bool(rollout["next", "done"][-1])
    np.testing.assert_allclose(rollout["next", "reward"][:, 0].numpy(), rewards, rtol=1e-6)
    for name, value in observation.items():
        np.testing.assert_array_equal(rollout["next", name][-1].numpy(), value)


def test_what_is_clean_and_gold_is_read_from_info():
    from torchrl.envs import GymWrapper, check_env_specs

    env = GymWrapper(gymnasium.make("textgym/Copy-v0", reward="gold")).auto_register_info_dict()
    check_env_specs(env, seed=0)
    rollout = env.rollout(50)
    np.testing.assert_allclose(rollout["next", "gold_reward"].numpy(), rollout["next", "reward"][:, 0].numpy())
    assert rollout["next", "signals"].shape == (len(rollout), 1)


def test_a_vector_environment_is_taken():
    from torchrl.envs import GymWrapper, check_env_specs

    kind = {"vectorization_mode": "vector_entry_point", "autoreset_mode": "Disabled"}  # as TorchRL prefers
    env = GymWrapper(gymnasium.make_vec("textgym/Copy-v0", num_envs=4, **kind))
    check_env_specs(env, seed=0)
    rollout = env.rollout(20, break_when_any_done=False)
    assert rollout.shape == (4, 20)
    assert rollout["next", "done"].any(1).all()
