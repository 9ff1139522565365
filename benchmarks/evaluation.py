"""`evaluate`: what a policy's texts are worth, on the same prompts and against the same chance for every policy."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy

from benchmarks.statistics import Interval, paired_bootstrap
from textgym import row_seeds
from textgym.simulator import Simulator
from textgym.types import FloatArray, IntArray
from textgym.vector_env import TextVectorEnv

BATCH_SIZE = 256
RETURNS = ("gold_return", "clean_return", "observed_return")

Observations = dict[str, np.ndarray[Any, Any]]
ActionFunction = Callable[[Observations], np.ndarray[Any, Any]]


class Predictor(Protocol):
    """Whatever answers as an SB3 algorithm does."""

    def predict(self, observation: Any, *, deterministic: bool) -> tuple[Any, Any]:
        """Returns actions, (n,), for observations, (n, L) each, and a state, which is not used."""


Policy = BaseAlgorithm | BasePolicy | Predictor | ActionFunction | Literal["random"]


@dataclass(frozen=True)
class Texts:
    """n finished texts and what they earned.

    Attributes:
        samples: (n,) the number of each text's prompt in the prompt set.
        tokens: the n texts as the agent wrote them, each (length,), with the end token where there is one.
        signals: (n, k) the noiseless metric values, summed over the text.
        gold_return: (n,) the task's own score, in [0, 1].
        clean_return: (n,) the feedback without noise.
        observed_return: (n,) the feedback with noise.
    """

    samples: IntArray
    tokens: list[IntArray]
    signals: FloatArray
    gold_return: FloatArray
    clean_return: FloatArray
    observed_return: FloatArray


@dataclass(frozen=True)
class Evaluation:
    """What a policy's texts on one split are worth.

    Attributes:
        env_id: the environment.
        split: the split.
        fingerprint: the corpus' fingerprint; only evaluations with the same one compare.
        texts: the texts; text i answers prompt i of the split.
        prompts: the prompts as text.
        references: the references as text, empty where there is none.
        written: what the policy wrote, as text.
        seed: the seed of all chance, from which the intervals are drawn too.
    """

    env_id: str
    split: str
    fingerprint: str
    texts: Texts
    prompts: list[str]
    references: list[str]
    written: list[str]
    seed: int

    @property
    def returns(self) -> dict[str, FloatArray]:
        """The gold, clean and observed return of each text, (n,) each."""
        return {name: getattr(self.texts, name) for name in RETURNS}

    @property
    def intervals(self) -> dict[str, Interval]:
        """The mean of each return with its 95 % bootstrap interval over prompts."""
        generator = np.random.default_rng(self.seed)
        return {name: paired_bootstrap(values[None], generator=generator) for name, values in self.returns.items()}


def evaluate(
    policy: Policy,
    env_id: str,
    *,
    split: str = "test",
    episodes: int = 256,
    seed: int = 0,
    deterministic: bool = False,
    **env_kwargs: Any,
) -> Evaluation:
    """Lets a policy write one text for each of the first prompts of a split.

    Every policy meets the same prompts and, on one seed, the same noise. Torch's and NumPy's global generators are
    left as they were.

    Args:
        policy: an SB3 algorithm or policy, or whatever has their `predict`; `"random"`, uniform over the allowed
            tokens; or a function from a batch of observations, (n, L) each, to actions (n,). It is shown finished
            texts too: what it answers there is not used.
        env_id: the environment.
        split: the split whose prompts are used.
        episodes: how many prompts, at most the size of the split.
        seed: the seed of the policy's chance and of the feedback's noise.
        deterministic: what `predict` gets: whether it is to write its likeliest token instead of a drawn one.
        **env_kwargs: further arguments of the environment.

    Raises:
        ValueError: if there are fewer prompts than episodes, or the policy is for other observations or tokens.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    env = make_env(env_id, num_rows=min(episodes, BATCH_SIZE), split=split, **env_kwargs)
    _check_spaces(policy, env)
    simulator = env.simulator
    prompt_set, vocabulary = simulator.prompt_set, simulator.vocabulary
    if episodes > len(prompt_set):
        raise ValueError(f"the {split} split has {len(prompt_set)} prompts, got episodes={episodes}")
    with _own_randomness(seed, policy):
        texts = write(simulator, _chooser(policy, simulator, seed, deterministic), np.arange(episodes), seed)
    prompts = zip(prompt_set.prompt_ids[:episodes], prompt_set.prompt_lengths, strict=False)
    references = zip(prompt_set.reference_ids[:episodes], prompt_set.reference_lengths, strict=False)
    return Evaluation(
        env_id=env_id,
        split=split,
        fingerprint=simulator.task.fingerprint,
        texts=texts,
        prompts=[vocabulary.decode(ids[:length].tolist()) for ids, length in prompts],
        references=[simulator.task.decode_text(ids[:length].tolist()) for ids, length in references],
        written=[simulator.task.decode_text(tokens) for tokens in texts.tokens],
        seed=seed,
    )


def make_env(env_id: str, *, num_rows: int, **env_kwargs: Any) -> TextVectorEnv:
    """Returns a text environment whose simulator lets a row rest when its text is finished."""
    env = gymnasium.make_vec(
        env_id, num_envs=num_rows, vectorization_mode="vector_entry_point", autoreset_mode="Disabled", **env_kwargs
    )
    assert isinstance(env, TextVectorEnv)
    return env


def write(simulator: Simulator, choose: ActionFunction, samples: IntArray, seed: int) -> Texts:
    """Writes one text for each sample, as many at a time as the simulator has rows.

    Args:
        simulator: its rows are seeded anew, text i with the i-th of `row_seeds(seed, n)`, so that the size of a batch
            changes nothing.
        choose: from observations of all rows to actions.
        samples: (n,) the prompts.
        seed: the seed of the feedback's noise.
    """
    n, rows = len(samples), np.arange(simulator.num_rows)
    seeds = row_seeds(seed, n)
    returns = {name: np.zeros(n) for name in RETURNS}
    signals = np.zeros((n, len(simulator.signal_names)))
    tokens: list[IntArray] = []
    for first in range(0, n, len(rows)):
        part = slice(first, min(first + len(rows), n))
        used = rows[: part.stop - first]
        simulator.running[:] = False
        simulator.reseed(used, seeds[part])
        simulator.start(used, samples[part])
        while simulator.running.any():
            result = simulator.step(simulator.check_actions(choose(simulator.observation())))
            signals[part] += result.info["signals"][used]
            ended = np.flatnonzero(result.terminated)
            for name in RETURNS if len(ended) else ():
                returns[name][first + ended] = result.final[name][ended]
        tokens += [simulator.text_ids[row, : simulator.steps[row]].copy() for row in used]
    return Texts(samples=samples, tokens=tokens, signals=signals, **returns)


def _check_spaces(policy: Policy, env: TextVectorEnv) -> None:
    """Raises a ValueError if an SB3 policy was made for other observations or tokens."""
    if isinstance(policy, BaseAlgorithm | BasePolicy):
        for made_for, found in (
            (policy.observation_space, env.single_observation_space),
            (policy.action_space, env.single_action_space),
        ):
            if made_for != found:
                raise ValueError(f"the policy was made for {made_for}, but the environment has {found}")


def _chooser(policy: Policy, simulator: Simulator, seed: int, deterministic: bool) -> ActionFunction:
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
            raise ValueError(f'policy must be "random", a function, or have predict as in SB3, got {policy!r}')
        return policy
    masked = "action_masks" in inspect.signature(answer).parameters

    def predict(observations: Observations) -> IntArray:
        masks = {"action_masks": simulator.allowed_tokens()} if masked else {}
        answered = answer(observations, deterministic=deterministic, **masks)
        if not isinstance(answered, tuple) or len(answered) != 2:
            raise ValueError(f"predict must return actions (n,) and a state, got {type(answered).__name__}")
        actions: IntArray = answered[0]
        return actions

    return predict


@contextmanager
def _own_randomness(seed: int, policy: Policy) -> Iterator[None]:
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
