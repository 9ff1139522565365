"""Out of memory is told with what to lower; every other error passes as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from agents.memory import explained_memory_errors
from agents.policy import TransformerPolicy
from agents.vec_env import make_vec_env

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2}
TOO_MUCH = 2**50


@pytest.fixture(scope="module")
def model() -> Any:
    env = make_vec_env("textgym/Copy-v0", n_envs=2)
    return PPO(TransformerPolicy, env, n_steps=4, batch_size=8, policy_kwargs={"model": SMALL}, device="cpu")


@pytest.mark.parametrize(
    ("allocate", "original"),
    [
        (lambda: np.zeros(TOO_MUCH), MemoryError),
        (lambda: torch.zeros(TOO_MUCH), RuntimeError),
        (
            lambda: _raise(torch.OutOfMemoryError("CUDA out of memory")),
            torch.OutOfMemoryError,
        ),
    ],
)
def test_an_allocation_that_fails_says_what_to_lower(model: Any, allocate: Any, original: type[Exception]) -> None:
    parameters = sum(weights.numel() for weights in model.policy.parameters())
    message = (
        rf"out of memory on cpu: lower one of batch_size=8, n_steps=4, n_envs=2 .* {parameters:,} weights.*autocast"
    )
    with pytest.raises(MemoryError, match=message) as caught, explained_memory_errors(model):
        allocate()
    assert isinstance(caught.value.__cause__, original)


def test_other_errors_pass_as_they_are(model: Any) -> None:
    error = RuntimeError("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes do not match") as caught, explained_memory_errors(model):
        _raise(error)
    assert caught.value is error


def _raise(error: Exception) -> None:
    raise error
