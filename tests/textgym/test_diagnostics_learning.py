"""Bandit, Copy, Reverse, Chain, Lock, Vocabulary and Horizon: what is said to be known of them, against brute force."""

import inspect
import itertools

import gymnasium
import numpy as np
import pytest

from textgym.registration import load_component
from textgym.tasks.making import make_task

NAMES = ("bandit", "chain", "copy", "horizon", "lock", "reverse", "vocabulary")
SMALL = {
    "bandit": {"arms": 3},
    "chain": {"length": 4, "letters": 2},
    "copy": {"length": 3, "letters": 2},
    "horizon": {"length": 4, "letters": 2},
    "lock": {"depth": 4, "letters": 2},
    "reverse": {"length": 3, "letters": 2},
    "vocabulary": {"tokens": 33},
}
BUDGETS = [(name, budget) for name in NAMES for budget in ((1, 2) if name == "vocabulary" else (1, 2, 3, 4, 5))]


def rows_of(name, num_envs, **arguments):
    env_id = f"textgym/{name.capitalize()}-v0"
    return gymnasium.make_vec(env_id, num_envs=num_envs, vectorization_mode="vector_entry_point", **arguments)


def gold_of_every_text(name, alphabet, budget, sample, **arguments):
    """Forces all sequences of some tokens through an environment; returns their gold in the order of `product`."""
    texts = np.array(list(itertools.product(alphabet, repeat=budget)))
    env = rows_of(name, len(texts), max_new_tokens=budget, **arguments)
    env.reset(seed=0, options={"sample": sample})
    gold, over = np.zeros(len(texts)), np.zeros(len(texts), np.bool_)
    for action in texts.T:  # a text that is over starts again, and what it does then does not count
        terminated, info = env.step(action)[2::2]
        ends = terminated & ~over
        if ends.any():
            gold[ends] = info["gold_return"][ends]
        over |= terminated
    assert over.all()
    return gold


@pytest.mark.parametrize("name", NAMES)
def test_returns_equal_brute_force_over_all_texts(name):
    task = make_task(name, **SMALL[name])
    writable = np.flatnonzero(task.vocabulary.writable)
    for sample in (0, 1):
        gold = gold_of_every_text(name, writable, task.max_new_tokens, sample, **SMALL[name])
        assert gold.max() == task.optimal_return
        assert gold.mean() == pytest.approx(task.random_return, rel=1e-12)


@pytest.mark.parametrize(("name", "budget"), BUDGETS)
def test_action_values_equal_brute_force(name, budget, monkeypatch):
    """Of all states that can be reached by any tokens, also such as may not be written, and after another text."""
    size = len(make_task(name, **SMALL[name]).vocabulary)
    if name == "chain":
        arguments, tokens = {"length": budget, "letters": 2}, range(size)
    elif name == "vocabulary":
        arguments, tokens = SMALL[name], range(size)
    else:
        arguments, tokens = SMALL[name], [0, *range(2, size)] if budget < 5 else range(2, size)
    sample = 1
    gold = gold_of_every_text(name, tokens, budget, sample, **arguments)
    gold = gold.reshape((len(tokens),) * budget)
    for written in range(budget):
        prefixes = list(itertools.product(range(len(tokens)), repeat=written))
        if name != "chain":
            prefixes = [prefix for prefix in prefixes if 2 not in [tokens[place] for place in prefix]]
        env = rows_of(name, len(prefixes), max_new_tokens=budget, **arguments)
        env.reset(seed=0, options={"sample": sample})
        reference = env.unwrapped.simulator.prompt_set.reference_ids[sample]
        for step in range(budget):
            old = reference[step] if step < len(reference) else 2
            env.step(np.where(np.arange(len(prefixes)) % 2, old, 0))  # what it leaves behind must not matter
        env.reset(options={"sample": sample})
        for step in range(written):
            env.step(np.array([tokens[prefix[step]] for prefix in prefixes]))
        with monkeypatch.context() as patch:
            patch.setattr(env.unwrapped.simulator.task, "allowed_tokens", env.unwrapped.simulator.task.action_values)
            values = env.unwrapped.action_masks()[:, list(tokens)]
        best = gold.max(axis=tuple(range(written + 1, budget)))
        np.testing.assert_allclose(values, [best[prefix] for prefix in prefixes], atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_text_is_worth_nothing_whatever_stands_behind_it(name, monkeypatch):
    env = rows_of(name, 3).unwrapped
    env.reset(seed=0)
    simulator, seen = env.simulator, []
    monkeypatch.setattr(simulator.task, "allowed_tokens", lambda texts: seen.append(texts) or np.ones((3, 1), np.bool_))
    env.action_masks()
    reference = seen[0].reference_ids
    full = seen[0].with_texts(reference, seen[0].reference_lengths)
    empty = seen[0].with_texts(reference, np.zeros(3, np.int64))
    np.testing.assert_array_equal(simulator.task.gold(full), 1.0)
    np.testing.assert_array_equal(simulator.task.gold(empty), 0.0)


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
@pytest.mark.parametrize("name", NAMES)
def test_random_tokens_earn_the_random_return(name, difficulty):
    """The mean gold of 20,000 texts of random writable tokens is within five standard errors."""
    rows, each = 1000, 20
    env = rows_of(name, rows, difficulty=difficulty, autoreset_mode="SameStep", feedback=["gold"])
    env = env.unwrapped
    task, generator = env.simulator.task, np.random.default_rng(0)
    writable = np.flatnonzero(task.vocabulary.writable)
    env.reset(seed=1)
    gold, texts = np.zeros((rows, each)), np.zeros(rows, np.int64)
    while texts.min() < each:
        _, _, terminated, _, info = env.step(generator.choice(writable, rows))
        ended = np.flatnonzero(terminated & (texts < each))
        if len(ended):
            gold[ended, texts[ended]] = info["final_info"]["gold_return"][ended]
            texts[ended] += 1
    # A gold of 0 or 1 has the variance p (1 - p), which the sample tells badly where 1 is rare.
    p = task.random_return
    deviation = np.sqrt(p * (1 - p)) if set(np.unique(gold)) <= {0.0, 1.0} else gold.std()
    assert abs(gold.mean() - p) <= 5 * deviation / np.sqrt(gold.size)


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_spelled_and_rise_in_difficulty(name):
    made = load_component("tasks", name)
    assert list(made.presets) == ["easy", "medium", "hard"]
    defaults = {key: p.default for key, p in inspect.signature(made).parameters.items()}
    assert made.presets["easy"].items() <= defaults.items()
    tasks = [make_task(name, difficulty) for difficulty in made.presets]
    swept = [getattr(task, made.swept, len(task.vocabulary)) for task in tasks]
    assert swept == [preset[made.swept] for preset in made.presets.values()]
    assert swept == sorted(set(swept))
    returns = [task.random_return for task in tasks]
    assert returns == sorted(returns, reverse=True)


@pytest.mark.parametrize("name", ["chain", "vocabulary"])
def test_every_key_is_in_every_split(name):
    task = make_task(name)
    keys = [set(task.prompt_set(split).reference_ids[:, 0].tolist()) for split in ("train", "validation", "test")]
    assert keys[0] == keys[1] == keys[2]
    assert len(keys[0]) == {"chain": 4, "vocabulary": 16}[name]


def test_a_chain_is_paid_at_its_end_whatever_is_written_after_the_first_token():
    env = gymnasium.make("textgym/Chain-v0", length=5)
    for first, paid in ((1.0, 1.0), (0.0, 0.0)):
        observation, _ = env.reset(seed=3)
        right = int(observation["input_ids"][0])
        rewards = []
        for token in (right if first else 2, 2, 0, 2, 1):
            *_, reward, terminated, _, info = env.step(token)
            rewards.append(reward)
            assert terminated == (len(rewards) == 5)
        assert rewards == [0, 0, 0, 0, paid]
        assert info["finish_reason"] == "length"


def test_the_worth_of_arms_is_the_square_of_their_rank():
    task = make_task("bandit", arms=4)
    np.testing.assert_allclose(np.sort(task.worth), [0, 0, 0, 1 / 16, 4 / 16, 9 / 16, 1])
    others = [make_task("bandit", arms=4, instance=instance).worth.tolist() for instance in range(6)]
    assert len({tuple(worth) for worth in others}) > 1
    assert len({tuple(make_task("lock", instance=instance).combination) for instance in range(6)}) > 1


def test_reverse_and_horizon_spell_their_references():
    for name, spell in (("reverse", lambda prompt: prompt[::-1]), ("horizon", lambda prompt: (prompt * 3)[:8])):
        prompt_set = make_task(name).prompt_set("test")
        for prompt, reference in zip(prompt_set.prompt_ids[:, :-1].tolist(), prompt_set.reference_ids, strict=True):
            assert spell(prompt) == reference.tolist()


@pytest.mark.parametrize("name", ["copy", "horizon", "reverse"])
def test_dense_feedback_adds_up_to_gold(name):
    env = rows_of(name, 64)
    env.reset(seed=0)
    generator, ended = np.random.default_rng(1), 0
    for _ in range(40):
        terminated, info = env.step(generator.integers(2, 6, 64))[2::2]
        ended += terminated.sum()
        if terminated.any():
            np.testing.assert_allclose(info["clean_return"], info["gold_return"], atol=1e-12)
    assert ended > 64


@pytest.mark.parametrize("tokens", [32, 4096])
def test_masks_of_vocabulary_allow_the_words_of_the_prompt_and_the_end(tokens):
    env = rows_of("vocabulary", 50, tokens=tokens)
    observation, _ = env.reset(seed=0)
    for prompt, mask in zip(observation["input_ids"][:, :4], env.unwrapped.action_masks(), strict=True):
        assert set(np.flatnonzero(mask)) == {2, *prompt.tolist()}


def test_masks_are_fresh_although_they_are_not_copied_twice():
    for name in ("vocabulary", "copy"):  # one makes an array, the other shows a read-only one
        env = rows_of(name, 2).unwrapped
        env.reset(seed=0)
        mask = env.action_masks()
        before = mask.copy()
        mask[...] = False
        np.testing.assert_array_equal(env.action_masks(), before)
    made = np.ones((2, 11), np.bool_)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(env.simulator.task, "allowed_tokens", lambda transition: made)
        assert env.action_masks() is made
        patch.setattr(env.simulator.task, "allowed_tokens", lambda transition: made[:])
        assert not np.shares_memory(env.action_masks(), made)


def test_words_of_vocabulary_are_16_at_every_size_and_spread_over_it():
    for tokens in (32, 1024):
        task = make_task("vocabulary", tokens=tokens)
        assert len(task.vocabulary) == tokens
        gaps = np.diff([*task.used.tolist(), tokens])
        assert len(gaps) == 16
        assert gaps.max() - gaps.min() <= 1
        assert set(task.prompt_set("train").prompt_ids[:, :-1].ravel().tolist()) == set(task.used.tolist())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("bandit", {"arms": 1}, "arms must be 2 to 4,096, got 1"),
        ("bandit", {"instance": -1}, "instance must be at least 0, got -1"),
        ("chain", {"length": 0}, "length must be at least 1, got 0"),
        ("chain", {"letters": 27}, "letters must be 2 to 26, got 27"),
        ("horizon", {"length": 0}, "length must be at least 1, got 0"),
        ("horizon", {"letters": 1}, "letters must be 2 to 26, got 1"),
        ("lock", {"depth": 0}, "depth must be at least 1, got 0"),
        ("lock", {"instance": -1}, "instance must be at least 0, got -1"),
        ("lock", {"letters": 1}, "letters must be 2 to 26, got 1"),
        ("reverse", {"length": 0}, "length must be at least 1, got 0"),
        ("reverse", {"size": 2}, "size must be at least 3, one prompt for each split, got 2"),
        ("reverse", {"letters": 99}, "letters must be 2 to 26, got 99"),
        ("vocabulary", {"tokens": 31}, "tokens must be 32 to 65,536, got 31"),
        ("vocabulary", {"tokens": 65_537}, "tokens must be 32 to 65,536, got 65537"),
    ],
)
def test_arguments_are_checked(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_task(name, **arguments)
