"""The adapter shows the same episodes as Stable-Baselines3's own vector environment does."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

import textgym
from agents.policy import TransformerPolicy
from agents.rollout_buffer import SequenceRolloutBuffer
from agents.vec_env import GymnasiumVecEnv, make_vec_env

ENV_ID, ROWS = "textgym/Copy-v0", 3
TASK: dict[str, Any] = {"length": 3, "letters": 4, "size": 40, "noise": [{"name": "gaussian", "sigma": 0.3}]}
MODEL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2}


def make_env() -> gymnasium.Env[Any, Any]:
    return gymnasium.make(ENV_ID, **TASK)


def make_dummy(seed: int) -> DummyVecEnv:
    """Stable-Baselines3's own, with our row seeds."""
    env = DummyVecEnv([make_env] * ROWS)
    env._seeds = textgym.row_seeds(seed, ROWS)
    return env


def assert_same_info(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        if key == "episode":
            assert (ours[key]["r"], ours[key]["l"]) == (pytest.approx(value["r"], abs=1e-6), value["l"])
        elif isinstance(value, dict):
            assert_same_info(ours[key], value)
        else:
            assert np.array_equal(ours[key], value), key


def assert_same_steps(ours: VecEnv, theirs: VecEnv, steps: int, num_actions: int) -> int:
    """Steps both with the same actions and returns how many episodes ended."""
    generator, ended = np.random.default_rng(0), 0
    assert_same_info(dict(ours.reset()), dict(theirs.reset()))  # type: ignore[call-overload]
    for _ in range(steps):
        actions = generator.integers(1, num_actions, ROWS)
        (observation, rewards, dones, infos), expected = ours.step(actions), theirs.step(actions)
        assert_same_info(dict(observation), dict(expected[0]))  # type: ignore[call-overload]
        assert rewards.dtype == expected[1].dtype == np.float32
        assert np.array_equal(rewards, expected[1])
        assert np.array_equal(dones, expected[2])
        for row in range(ROWS):
            theirs_info = dict(expected[3][row])
            if not dones[row]:
                assert theirs_info.pop("TimeLimit.truncated") is False
            assert_same_info(infos[row], theirs_info)
            assert_same_info(ours.reset_infos[row], theirs.unwrapped.reset_infos[row])
        ended += int(dones.sum())
    return ended


def test_rows_equal_those_of_stable_baselines3() -> None:
    ours, theirs = make_vec_env(ENV_ID, ROWS, seed=5, **TASK), VecMonitor(make_dummy(5))
    assert assert_same_steps(ours, theirs, steps=30, num_actions=7) > 10


def test_truncation_by_a_time_limit_is_told_apart() -> None:
    def make_limited() -> gymnasium.Env[Any, Any]:
        return TimeLimit(make_env(), max_episode_steps=2)

    ours = GymnasiumVecEnv(SyncVectorEnv([make_limited] * ROWS, autoreset_mode=AutoresetMode.SAME_STEP))
    theirs = DummyVecEnv([make_limited] * ROWS)
    ours._seeds = theirs._seeds = textgym.row_seeds(1, ROWS)
    assert assert_same_steps(ours, VecMonitor(theirs), steps=12, num_actions=7) > 10
    ours.reset()
    ours.step(np.full(ROWS, 4))
    *_, infos = ours.step(np.full(ROWS, 4))
    assert [info["TimeLimit.truncated"] for info in infos] == [True] * ROWS


def test_learning_is_the_same_in_both() -> None:
    learned = []
    for env in (make_vec_env(ENV_ID, ROWS, seed=7, **TASK), make_dummy(7)):
        torch.manual_seed(0)
        model = PPO(TransformerPolicy, env, rollout_buffer_class=SequenceRolloutBuffer, n_steps=16, batch_size=24,
                    n_epochs=2, gamma=1.0, policy_kwargs={"model": MODEL}, device="cpu")  # fmt: skip
        learned.append(model.learn(96).policy.parameters_to_vector())
    assert np.array_equal(learned[0], learned[1])


def test_row_seeds_do_not_overlap_between_neighbours() -> None:
    env = make_vec_env(ENV_ID, ROWS, **TASK)
    assert env.seed(4) == textgym.row_seeds(4, ROWS)
    assert len({*env.seed(4), *env.seed(5)}) == 2 * ROWS


def test_options_pick_the_sample_of_each_row() -> None:
    env = make_vec_env(ENV_ID, ROWS, seed=0, **TASK)
    env.set_options([{"sample": 4}, {"sample": 1}, {"sample": 2}])
    env.reset()
    assert [info["sample"] for info in env.reset_infos] == [4, 1, 2]
    env.reset()
    assert [info["sample"] for info in env.reset_infos] != [4, 1, 2]  # options hold for one reset
    env.set_options([{"sample": 4}, {}, {}])
    with pytest.raises(ValueError, match="all rows must have the same options"):
        env.reset()


def test_action_masks_reach_the_rows() -> None:
    env = make_vec_env(ENV_ID, ROWS, seed=0, **TASK)
    env.reset()
    assert is_masking_supported(env)
    assert np.array_equal(get_action_masks(env), env.envs.unwrapped.action_masks())
    assert get_action_masks(env).shape == (ROWS, env.action_space.n)  # type: ignore[attr-defined]


def test_it_keeps_the_record_of_a_monitor_and_refuses_row_attributes() -> None:
    env = make_vec_env(ENV_ID, ROWS, seed=0, **TASK)
    assert env.env_is_wrapped(Monitor) == [True] * ROWS
    assert env.env_is_wrapped(TimeLimit) == [False] * ROWS
    with pytest.raises(AttributeError, match="cannot set 'sigma'"):
        env.set_attr("sigma", 1.0)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_other_autoreset_modes_are_refused(mode: AutoresetMode) -> None:
    envs = gymnasium.make_vec(
        ENV_ID, num_envs=ROWS, vectorization_mode="vector_entry_point", autoreset_mode=mode, **TASK
    )
    with pytest.raises(ValueError, match=f"autoreset_mode must be SAME_STEP, got {mode}"):
        GymnasiumVecEnv(envs)
