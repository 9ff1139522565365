"""What tests share: playing an environment, comparing runs to the last bit, texts and references of a task."""

import numpy as np

from textgym.transition import Transition
from textgym.vector_env import TextVectorEnv


def play(env, actions, **reset):
    """Returns everything that an environment says from a reset on over a run of actions; see `go_on`."""
    return [env.reset(**reset), *go_on(env, actions)]


def go_on(env, actions):
    """Returns everything that an environment says over a run of actions, with resets where a text ends."""
    said = []
    for action in actions:
        said.append(env.step(action))
        if said[-1][2]:
            said.append(env.reset())
    return said


def assert_same(one, other):
    """Asserts that two nests of dicts, tuples, lists and arrays are equal to the last bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        np.testing.assert_array_equal(one, other)


def random_actions(env, count, seed=0):
    """Writable tokens, with the end token often enough that some texts stop early."""
    generator = np.random.default_rng(seed)
    writable = np.flatnonzero(env.unwrapped.simulator.vocabulary.writable)
    actions = generator.choice(writable, size=count)
    actions[generator.random(count) < 0.05] = 2
    return actions


def row_of(info, row):
    """Returns the info of one row of a vector environment in the form of a single environment."""
    own = {}
    for key, value in info.items():
        if not key.startswith("_") and info[f"_{key}"][row]:
            own[key] = row_of(value, row) if isinstance(value, dict) else value[row]
    return own


def transition_of(task, samples, texts, split="test", budget=1):
    """The record of finished texts, lists of token ids, in at least so many places."""
    n, width = len(texts), max(budget, *map(len, texts))
    text_ids = np.zeros((n, width), np.int64)
    for row, text in enumerate(texts):
        text_ids[row, : len(text)] = text
    lengths = np.array([len(text) for text in texts])
    return Transition.before(task.prompt_set(split), np.array(samples)).with_texts(text_ids, lengths)


def references_of(task, split):
    """The token ids of a split's references."""
    prompts = task.prompt_set(split)
    return [ids[:n].tolist() for ids, n in zip(prompts.reference_ids, prompts.reference_lengths, strict=True)]


def assert_allowed_and_full_gold(task, split):
    """Asserts that the masks of a task, a spec, allow all references of a split, and that each has a gold of 1."""
    env = TextVectorEnv(1, task, split=split)
    prompts = env.simulator.prompt_set
    count, end = len(prompts), env.simulator.vocabulary.end_id
    env = TextVectorEnv(count, task, split=split, autoreset_mode="Disabled", feedback=["gold"])
    env.reset(seed=0, options={"sample": np.arange(count)})
    gold = np.zeros(count)
    ended = np.pad(prompts.reference_ids, ((0, 0), (0, 1)))
    ended[np.arange(count), prompts.reference_lengths] = end
    for tokens in ended.T.astype(np.int64):
        running = env.simulator.running
        assert env.simulator.allowed_tokens()[np.arange(count), tokens][running].all()
        gold += env.simulator.step(tokens).info["gold_reward"]
    np.testing.assert_array_equal(gold, 1.0)
