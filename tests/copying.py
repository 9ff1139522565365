"""What the tests of learners from data share: a small Copy, a small policy, texts for it, and what texts are worth."""

import gymnasium
import numpy as np

import textgym
from agents.vec_env import make_vec_env

COPY = {"length": 3, "letters": 4, "size": 64}
SMALL = {
    "model": {
        "model_type": "gpt2", "n_layer": 1, "n_embd": 48, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }
}  # fmt: skip


def copy_env(n_envs=8, **arguments):
    return make_vec_env("textgym/Copy-v0", n_envs=n_envs, seed=0, **{**COPY, **arguments})


def random_texts(episodes, seed=0, **arguments):
    """Texts of random letters, and what was said about them."""
    env = gymnasium.make("textgym/Copy-v0", **{**COPY, **arguments})
    generator = np.random.default_rng(seed)
    return textgym.collect(env, lambda _: generator.integers(2, 7), episodes, seed=seed)


def drafts(episodes, seed=0, share=0.5, **arguments):
    """Texts of which a share of the tokens are right and the others random, and what was said about them."""
    env = gymnasium.make("textgym/Copy-v0", **{**COPY, **arguments})
    generator = np.random.default_rng(seed)

    def write(observation):
        step = observation["attention_mask"].sum() - COPY["length"] - 1
        right = observation["input_ids"][step] if step < COPY["length"] else 2
        return right if generator.random() < share else generator.integers(2, 7)

    return textgym.collect(env, write, episodes, seed=seed)


def gold(policy, split="test", episodes=64):
    """The mean gold of what a policy writes for prompts of a split; random letters get 0.14."""
    envs = gymnasium.make_vec(
        "textgym/Copy-v0", num_envs=16, vectorization_mode="vector_entry_point", split=split, **COPY
    )
    return np.mean([record.gold_return for record in textgym.collect(envs, policy, episodes)])
