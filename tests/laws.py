"""What the laws share: playing an environment, comparing runs to the last bit."""

import numpy as np


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
