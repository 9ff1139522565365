"""Every registered environment passes Stable-Baselines3's own check."""

import gymnasium
import pytest
from stable_baselines3.common.env_checker import check_env

import textgym


@pytest.mark.parametrize("env_id", textgym.env_ids())
@pytest.mark.filterwarnings("error")
def test_stable_baselines3_check_env(env_id):
    check_env(gymnasium.make(env_id, disable_env_checker=True).unwrapped)
