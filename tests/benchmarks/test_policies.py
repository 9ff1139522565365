"""What learners are compared with: the best of n, the references, and what chooses between texts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import textgym
from agents.best_of_n import BestOfN
from benchmarks.evaluation import evaluate, make_env
from benchmarks.learners import make_policy
from benchmarks.policies import Observations
from benchmarks.replay import replay

COPY, BANDIT = "textgym/Copy-v0", "textgym/Bandit-v0"
SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2}
NOISY: dict[str, Any] = {"noise": [{"name": "gaussian", "sigma": 0.3}]}


@pytest.fixture(scope="module")
def policy() -> Any:
    torch.manual_seed(0)
    return make_policy(COPY, SMALL)


@pytest.mark.parametrize("by", ["observed", "log_prob", "exact_match"])
def test_the_best_of_one_is_the_policy(policy: Any, by: str) -> None:
    alone, best = (evaluate(one, COPY, episodes=40, seed=3, **NOISY) for one in (policy, BestOfN(policy, 1, by)))
    assert best.written == alone.written
    for name, values in alone.returns.items():
        np.testing.assert_array_equal(best.returns[name], values)


def test_the_first_of_n_is_the_policy_and_the_best_is_at_least_as_good(policy: Any) -> None:
    alone, best = (evaluate(one, COPY, episodes=64, **NOISY) for one in (policy, BestOfN(policy, 8)))
    assert (best.returns["observed_return"] >= alone.returns["observed_return"]).all()
    assert best.texts.samples.tolist() == list(range(64))
    same = [one == other for one, other in zip(best.written, alone.written, strict=True)]
    assert 0 < sum(same) < 32  # about one in eight is the policy's first
    assert best.returns["observed_return"].mean() > best.returns["clean_return"].mean() + 0.1  # who wins was lucky


@pytest.mark.parametrize("n", [2, 4, 16])
def test_the_expected_maximum_is_that_of_order_statistics(n: int) -> None:
    """Of the nine texts of Bandit, k - 1 are worth less than the k-th: P(max <= k-th) = (k / 9)^n."""
    worth = np.sort([0.0, *((np.arange(8) + 1) / 8) ** 2])
    chances = np.diff((np.arange(10) / 9) ** n)
    expected, deviation = worth @ chances, math.sqrt(worth**2 @ chances - (worth @ chances) ** 2)
    episodes = len(make_env(BANDIT, num_rows=1, split="train").simulator.prompt_set)
    found = [
        evaluate(BestOfN("random", n), BANDIT, split="train", episodes=episodes, seed=seed).returns["gold_return"]
        for seed in range(8)
    ]
    error = deviation / math.sqrt(8 * episodes)
    assert error < 0.02
    assert np.mean(found) == pytest.approx(expected, abs=4 * error)


def test_a_metric_and_the_log_probability_choose_by_what_they_say(policy: Any) -> None:
    drawn = evaluate(BestOfN(policy, 6, {"name": "length", "target": 1}), COPY, episodes=50)
    likely, alone = evaluate(BestOfN(policy, 6, "log_prob"), COPY, episodes=50), evaluate(policy, COPY, episodes=50)

    def lengths(found: Any) -> float:
        return float(np.mean([len(tokens) for tokens in found.texts.tokens]))

    assert lengths(drawn) < lengths(alone)
    assert lengths(likely) < lengths(alone)  # fresh weights: each token more makes a text less likely
    gold = evaluate(BestOfN("random", 6, "gold"), COPY, episodes=50).returns["gold_return"].mean()
    assert gold > evaluate("random", COPY, episodes=50).returns["gold_return"].mean() + 0.05


def test_the_bound_by_hand() -> None:
    assert BestOfN("random", 1).kl_bound == 0.0
    assert BestOfN("random", 4).kl_bound == pytest.approx(math.log(4) - 0.75)
    assert BestOfN("random", 3).best(np.array([[0.0, 2.0], [1.0, 2.0], [1.0, 0.0]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BestOfN("random", 0), "n must be at least 1, got 0"),
        (lambda: BestOfN(BestOfN("random", 2), 2), "must not be a BestOfN itself"),
        (lambda: evaluate(BestOfN("random", 2, "log_prob"), COPY, episodes=4), "knows its log_prob, got 'random'"),
        (lambda: evaluate(BestOfN("random", 2, "rogue_l"), COPY, episodes=4), "rogue_l"),
    ],
)
def test_bad_input_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("env_id", textgym.env_ids())
def test_references_get_full_gold(env_id: str) -> None:
    prompts = make_env(env_id, num_rows=1, split="test").simulator.prompt_set
    found = evaluate("reference", env_id, episodes=min(64, len(prompts)))
    assert found.returns["gold_return"] == pytest.approx(np.ones(len(found.written)))
    assert found.written == found.references


def test_a_prompt_without_a_reference_is_named() -> None:
    own = {"size": 999}  # a task of its own, since tasks are shared
    prompts = make_env(COPY, num_rows=1, split="test", **own).simulator.prompt_set
    lengths = prompts.reference_lengths.copy()
    lengths[5] = 0
    object.__setattr__(prompts, "reference_lengths", lengths)
    with pytest.raises(ValueError, match="sample 5 of the test split has no reference"):
        evaluate("reference", COPY, episodes=16, **own)
    assert len(evaluate("reference", COPY, episodes=5, **own).written) == 5


@pytest.mark.parametrize("env_id", [COPY, "textgym/Dialogue-v0"])
def test_a_replay_sees_and_pays_what_was_seen_and_paid(env_id: str) -> None:
    found = evaluate("random", env_id, episodes=40, seed=2)
    simulator = make_env(env_id, num_rows=16, split="test").simulator
    played = replay(simulator, found.texts.tokens, found.texts.samples, 2, masked=True)
    np.testing.assert_allclose(played.rewards.sum(axis=1), found.returns["clean_return"], atol=1e-12)
    prompts = simulator.prompt_set
    assert played.allowed is not None
    for i, tokens in enumerate(found.texts.tokens):
        length = prompts.prompt_lengths[i]
        assert played.mask[i].sum() == len(tokens)
        assert played.input_ids[i, :length].tolist() == prompts.prompt_ids[i, :length].tolist()
        assert played.positions[i, 0] == length - 1
        seen = played.input_ids[i, played.positions[i, 1 : len(tokens)]]
        spoken = seen == 1  # after an answer, what stands before a token is the separator
        assert (spoken | (seen == tokens[:-1])).all()
        assert spoken.any() == (env_id != COPY and bool((tokens[:-1] == 2).any()))
        bits = np.unpackbits(played.allowed[i, : len(tokens)], axis=1, count=len(simulator.vocabulary))
        assert bits[np.arange(len(tokens)), tokens].all()


def test_a_replay_hears_the_answers_that_were_given() -> None:
    generator, seen = np.random.default_rng(0), []

    def chatter(observations: Observations) -> np.ndarray[Any, Any]:
        seen.append(observations["input_ids"])
        count = len(observations["input_ids"])
        return np.where(generator.random(count) < 0.3, 2, generator.integers(3, 100, count))

    found = evaluate(chatter, "textgym/Dialogue-v0", episodes=40, seed=2)
    simulator = make_env("textgym/Dialogue-v0", num_rows=16, split="test").simulator
    played = replay(simulator, found.texts.tokens, found.texts.samples, 2)
    assert max(np.count_nonzero(tokens == 2) for tokens in found.texts.tokens) >= 3
    for i, tokens in enumerate(found.texts.tokens):
        assert played.input_ids[i].tolist() == seen[len(tokens) - 1][i].tolist()
