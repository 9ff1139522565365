"""What `evaluate` takes for a policy, and how each chooses its tokens."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy

from agents.best_of_n import BestOfN
from agents.reference import ReferencePolicy
from textgym.simulator import Simulator
from textgym.types import IntArray
from textgym.vector_env import TextVectorEnv

Observations = dict[str, np.ndarray[Any, Any]]
ActionFunction = Callable[[Observations], np.ndarray[Any, Any]]


class Predictor(Protocol):
    """Whatever answers as an algorithm of Stable-Baselines3 does."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        """Returns actions, (n,), for observations, (n, L) each, and a state, which is not used."""


Policy = BaseAlgorithm | BasePolicy | Predictor | ActionFunction | BestOfN | Literal["random", "reference"]


def check_spaces(policy: Any, env: TextVectorEnv) -> None:
    """Raises a ValueError if an SB3 policy was made for other observations or tokens."""
    if isinstance(policy, BaseAlgorithm | BasePolicy):
        for made_for, found in (
            (policy.observation_space, env.single_observation_space),
            (policy.action_space, env.single_action_space),
        ):
            if made_for != found:
                raise ValueError(f"the policy was made for {made_for}, but the environment has {found}")


def chooser(policy: Any, simulator: Simulator, samples: IntArray, seed: int, deterministic: bool) -> ActionFunction:
    """Returns how a policy, but a `BestOfN`, chooses the next token in each row of a simulator.

    Args:
        policy: the policy.
        simulator: where it writes.
        samples: the prompts that it will meet, (n,).
        seed: the seed of the random policy.
        deterministic: whether an SB3 policy writes its likeliest token.

    Raises:
        ValueError: if it is no policy, or is to write a reference that does not exist.
    """
    if policy == "reference":
        return ReferencePolicy(simulator, samples)
    if policy == "random":
        generator = np.random.default_rng(seed)

        def choose_at_random(observations: Observations) -> IntArray:
            allowed = simulator.allowed_tokens()
            actions: IntArray = (generator.random(allowed.shape) * allowed).argmax(axis=1)
            return actions

        return choose_at_random
    answer: Callable[..., Any] | None = getattr(policy, "predict", None)
    if answer is None:
        if not callable(policy):
            raise ValueError(
                'policy must be "random", "reference", a BestOfN, a function, or have predict as in SB3, '
                f"got {policy!r}"
            )
        choose: ActionFunction = policy
        return choose
    masked = takes_masks(policy)

    def predict(observations: Observations) -> IntArray:
        masks = {"action_masks": simulator.allowed_tokens()} if masked else {}
        answered = answer(observations, deterministic=deterministic, **masks)
        if not isinstance(answered, tuple) or len(answered) != 2:
            raise ValueError(f"predict must return actions (n,) and a state, got {type(answered).__name__}")
        actions: IntArray = answered[0]
        return actions

    return predict


def takes_masks(policy: Any) -> bool:
    """Whether a policy predicts under a mask of allowed tokens."""
    return "action_masks" in inspect.signature(getattr(policy, "predict", policy)).parameters


@contextmanager
def own_randomness(seed: int, policy: Any) -> Iterator[None]:
    """Seeds torch's and NumPy's global generators, and puts them, and the policy's mode, back as they were."""
    network = policy.policy if isinstance(policy, BaseAlgorithm) else policy
    training = network.training if isinstance(network, BasePolicy) else False
    state = np.random.get_state()  # noqa: NPY002 - a policy may draw from the global generator
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
            if isinstance(network, BasePolicy):
                network.set_training_mode(training)
