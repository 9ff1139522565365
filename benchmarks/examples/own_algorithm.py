"""An algorithm of one's own in the benchmark: `--algorithm benchmarks.examples.own_algorithm:make`.

The cross-entropy method on single tokens: after each batch of texts, a table of one probability for each place and
token moves towards the texts that were paid best. It reads no prompt.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class CrossEntropy:
    """Draws the t-th token of a text from the t-th row of a table.

    Args:
        env: a VecEnv of Stable-Baselines3, or what has its `reset` and `step`.
        seed: the seed of the tokens that are drawn.
        elite: the share of the texts that the table moves towards.
        pace: how far it moves, in [0, 1].
    """

    def __init__(self, env: Any, seed: int, elite: float = 0.2, pace: float = 0.3) -> None:
        self.env, self.elite, self.pace = env, elite, pace
        self.generator = np.random.default_rng(seed)
        space = env.observation_space["input_ids"]
        self.table = np.full((space.shape[0], env.action_space.n), 1 / env.action_space.n)  # (L, V)

    def predict(self, observation: Any, deterministic: bool = False) -> tuple[Any, None]:
        """Returns the next token of each text, (n,), by how many the observation already has."""
        chances = self.table[observation["attention_mask"].sum(axis=1)]  # (n, V)
        if deterministic:
            return chances.argmax(axis=1), None
        drawn = self.generator.random((len(chances), 1)) < chances.cumsum(axis=1) / chances.sum(axis=1, keepdims=True)
        return drawn.argmax(axis=1), None

    def learn(self, total_timesteps: int, callback: Any = None) -> CrossEntropy:
        """Writes about `total_timesteps` tokens."""
        observation = self.env.reset()
        texts: list[list[tuple[int, int]]] = [[] for _ in range(self.env.num_envs)]  # places and tokens of each row
        finished: list[tuple[float, list[tuple[int, int]]]] = []
        returns = np.zeros(self.env.num_envs)
        for _ in range(0, total_timesteps, self.env.num_envs):
            places = observation["attention_mask"].sum(axis=1)
            actions, _ = self.predict(observation)
            observation, rewards, dones, _ = self.env.step(actions)
            returns += rewards
            for row, (place, action) in enumerate(zip(places.tolist(), actions.tolist(), strict=True)):
                texts[row].append((place, action))
                if dones[row]:
                    finished.append((returns[row], texts[row]))
                    texts[row], returns[row] = [], 0.0
            if len(finished) >= 4 * self.env.num_envs:
                self._move(finished)
                finished = []
        return self

    def _move(self, finished: list[tuple[float, list[tuple[int, int]]]]) -> None:
        best = sorted(finished, key=lambda text: -text[0])[: max(1, int(self.elite * len(finished)))]
        counts = np.zeros_like(self.table)
        for place, token in (pair for _, text in best for pair in text):
            counts[place, token] += 1
        seen = counts.sum(axis=1) > 0
        share = counts[seen] / counts[seen].sum(axis=1, keepdims=True)
        self.table[seen] += self.pace * (share - self.table[seen])


def make(env: Any, seed: int, policy_kwargs: Any, **settings: Any) -> CrossEntropy:
    """Returns the algorithm for some rows of an environment."""
    return CrossEntropy(env, seed, **settings)
