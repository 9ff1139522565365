"""Evaluation sees the same prompts and the same chance for every policy, and leaves no trace."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from benchmarks import evaluation
from benchmarks.evaluation import evaluate
from benchmarks.policies import Observations

ENV_ID = "textgym/Copy-v0"
NOISY: dict[str, Any] = {"noise": [{"name": "gaussian", "sigma": 0.3}]}


def copy_prompt(observations: Observations) -> np.ndarray[Any, Any]:
    """The optimal policy of Copy: repeat the prompt, then end."""
    ids, lengths = observations["input_ids"], observations["attention_mask"].sum(axis=1)
    prompts = (ids == 1).argmax(axis=1)
    written = lengths - prompts - 1
    letters = ids[np.arange(len(ids)), np.minimum(written, prompts)]
    return np.where(written < prompts, letters, 2)


def test_the_optimal_policy_earns_the_optimum() -> None:
    found = evaluate(copy_prompt, ENV_ID, episodes=50)
    assert found.returns["gold_return"] == pytest.approx(np.ones(50))
    assert found.written == found.prompts == found.references
    assert found.intervals["clean_return"].low == pytest.approx(1.0)
    assert [len(tokens) for tokens in found.texts.tokens] == [6] * 50


def test_returns_are_those_of_the_environment() -> None:
    found = evaluate(copy_prompt, ENV_ID, episodes=3, seed=5, **NOISY)
    for i, seed in enumerate(evaluation.row_seeds(5, 3)):
        env = gymnasium.make(ENV_ID, split="test", **NOISY)
        observation, _ = env.reset(seed=seed, options={"sample": i})
        done, info = False, {}
        while not done:
            batch = {name: value[None] for name, value in observation.items()}
            observation, _, done, _, info = env.step(copy_prompt(batch)[0])
        for name, values in found.returns.items():
            assert values[i] == info[name]


def test_the_batch_size_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(copy_prompt, ENV_ID, episodes=40, **NOISY)
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 7)
    parts = evaluate(copy_prompt, ENV_ID, episodes=40, **NOISY)
    for name, values in whole.returns.items():
        np.testing.assert_array_equal(values, parts.returns[name])
    assert whole.written == parts.written


def test_the_noise_does_not_touch_the_clean_return() -> None:
    quiet, noisy = (evaluate(copy_prompt, ENV_ID, episodes=64, noise=noise) for noise in ([], NOISY["noise"]))
    np.testing.assert_array_equal(quiet.returns["clean_return"], noisy.returns["clean_return"])
    np.testing.assert_array_equal(quiet.returns["observed_return"], quiet.returns["clean_return"])
    assert 0.05 < np.abs(noisy.returns["observed_return"] - noisy.returns["clean_return"]).mean() < 3


def test_random_repeats_on_its_seed_and_writes_only_allowed_tokens() -> None:
    one, same, other = (evaluate("random", ENV_ID, episodes=64, seed=seed) for seed in (1, 1, 2))
    assert one.written == same.written != other.written
    assert min(tokens.min() for tokens in one.texts.tokens) == 2


def test_global_chance_is_left_as_it_was() -> None:
    def careless(observations: Observations) -> np.ndarray[Any, Any]:
        torch.manual_seed(99)
        return np.random.randint(2, 11, len(observations["input_ids"]))  # noqa: NPY002

    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    first = evaluate(careless, ENV_ID, episodes=8)
    after = torch.rand(3).tolist(), np.random.random(3).tolist()  # noqa: NPY002
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    assert (torch.rand(3).tolist(), np.random.random(3).tolist()) == after  # noqa: NPY002
    assert evaluate(careless, ENV_ID, episodes=8).written == first.written


def test_an_sb3_policy_is_evaluated_in_both_ways() -> None:
    from benchmarks.learners import make_policy

    torch.manual_seed(0)
    policy = make_policy(ENV_ID, {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2})
    policy.set_training_mode(True)
    drawn, again = (evaluate(policy, ENV_ID, episodes=32, seed=4) for _ in range(2))
    likeliest = evaluate(policy, ENV_ID, episodes=32, seed=4, deterministic=True)
    assert drawn.written == again.written != likeliest.written
    assert policy.training
    with pytest.raises(ValueError, match="the policy was made for"):
        evaluate(policy, ENV_ID, episodes=2, letters=3)


def test_by_default_all_prompts_of_a_small_split_are_used() -> None:
    assert len(evaluate("random", "textgym/Chain-v0").written) == 32
    assert len(evaluate("random", "textgym/Chain-v0", episodes=8).written) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"episodes": 129}, "the test split has 128 prompts, got episodes=129"),
        ({"split": "best"}, "split must be one of"),
        ({"policy": "greedy", "episodes": 8}, "policy must be"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(**{"policy": copy_prompt, "env_id": ENV_ID, **arguments})
