"""`evaluate`: what a policy's texts are worth, on the same prompts and against the same chance for every policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy

from agents.best_of_n import LOG_PROB, OBSERVED, BestOfN
from agents.token_scores import token_scores
from benchmarks.policies import ActionFunction, Policy, check_spaces, chooser, own_randomness, takes_masks
from benchmarks.replay import replay
from benchmarks.statistics import Interval, paired_bootstrap
from textgym import row_seeds
from textgym.simulator import Simulator
from textgym.types import FloatArray, IntArray
from textgym.vector_env import TextVectorEnv

BATCH_SIZE = 256
EPISODES = 256
"""On how many prompts a policy is judged, where a split has as many and nothing else is said."""
RETURNS = ("gold_return", "clean_return", "observed_return")


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

    def part(self, numbers: IntArray) -> Texts:
        """Returns some of the texts, by their numbers (m,)."""
        return Texts(
            samples=self.samples[numbers],
            tokens=[self.tokens[number] for number in numbers],
            signals=self.signals[numbers],
            **{name: getattr(self, name)[numbers] for name in RETURNS},
        )


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
    episodes: int | None = None,
    seed: int = 0,
    deterministic: bool = False,
    **env_kwargs: Any,
) -> Evaluation:
    """Lets a policy write one text for each of the first prompts of a split.

    Every policy meets the same prompts and, on one seed, the same noise. Torch's and NumPy's global generators are
    left as they were.

    Args:
        policy: an SB3 algorithm or policy, or whatever has their `predict`; `"random"`, uniform over the allowed
            tokens; `"reference"`, which writes the references; a `BestOfN` of any of these; or a function from a batch
            of observations, (n, L) each, to actions (n,). It is shown finished texts too: what it answers there is not
            used.
        env_id: the environment.
        split: the split whose prompts are used.
        episodes: how many prompts, at most the size of the split; by default `EPISODES`, or all where there are fewer.
        seed: the seed of the policy's chance and of the feedback's noise.
        deterministic: what `predict` gets: whether it is to write its likeliest token instead of a drawn one.
        **env_kwargs: further arguments of the environment.

    Raises:
        ValueError: if there are fewer prompts than episodes, the policy is for other observations or tokens, or it is
            to write references where a prompt has none.
    """
    if episodes is None:
        episodes = min(EPISODES, len(make_env(env_id, num_rows=1, split=split, **env_kwargs).simulator.prompt_set))
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    env = make_env(env_id, num_rows=min(episodes, BATCH_SIZE), split=split, **env_kwargs)
    drawing, draws = (policy.policy, policy.n) if isinstance(policy, BestOfN) else (policy, 1)
    if draws > 1 and deterministic:
        raise ValueError(f"the best of {draws} texts must be drawn: with deterministic=True all are the same")
    check_spaces(drawing, env)
    simulator = env.simulator
    prompt_set, vocabulary = simulator.prompt_set, simulator.vocabulary
    if episodes > len(prompt_set):
        raise ValueError(f"the {split} split has {len(prompt_set)} prompts, got episodes={episodes}")
    samples = np.tile(np.arange(episodes), draws)  # the first texts are those of the policy alone
    with own_randomness(seed, drawing):
        texts = write(simulator, chooser(drawing, simulator, samples, seed, deterministic), samples, seed)
    if isinstance(policy, BestOfN):
        scores = _scores(policy, texts, simulator, env_id, seed, split=split, **env_kwargs).reshape(draws, episodes)
        texts = texts.part(policy.best(scores) * episodes + np.arange(episodes))
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


def _scores(
    policy: BestOfN, texts: Texts, simulator: Simulator, env_id: str, seed: int, **env_kwargs: Any
) -> FloatArray:
    """Returns by what the best of some texts is chosen, (n,)."""
    if policy.by == OBSERVED:
        return texts.observed_return
    if policy.by == LOG_PROB:
        network = policy.policy.policy if isinstance(policy.policy, BaseAlgorithm) else policy.policy
        if not isinstance(network, BasePolicy):
            raise ValueError(f"only a policy of Stable-Baselines3 knows its log_prob, got {network!r}")
        played = replay(simulator, texts.tokens, texts.samples, seed, masked=takes_masks(network))
        log_probs: FloatArray = token_scores(network, played).log_probs.sum(axis=1)
        return log_probs
    alone: dict[str, Any] = {"feedback": [policy.by], "fusion": "fixed", "noise": [], "correction": []}
    alone |= {"feedback_budget": None, "group_size": 1}
    judge = make_env(env_id, num_rows=simulator.num_rows, **{**env_kwargs, **alone}).simulator
    played = replay(judge, texts.tokens, texts.samples, seed, paid=("observed_reward",))
    rewards: FloatArray = played.rewards.sum(axis=1)
    return rewards
