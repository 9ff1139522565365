"""Credit: advantages by hand, gradient norms against autograd, and where credit goes on Chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.ngram_policy import NgramPolicy
from agents.token_scores import PlayedTexts, token_scores
from benchmarks.credit import Estimator, credit
from benchmarks.evaluation import evaluate, make_env
from benchmarks.learners import LEARNERS, make_policy
from benchmarks.replay import replay
from benchmarks.report.records import Problem, Report, Sample, ScoredText
from benchmarks.report.texts_section import texts_section
from benchmarks.samples import score_samples
from benchmarks.statistics import correlation

COPY, CHAIN = "textgym/Copy-v0", "textgym/Chain-v0"
SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "tie_word_embeddings": False}
CAPPED = {
    "model_type": "gemma2", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8,
    "num_attention_heads": 2, "num_key_value_heads": 1, "final_logit_softcapping": 0.5, "tie_word_embeddings": False,
}  # fmt: skip
REWARDS = np.array([[0.0, 1.0, 2.0], [4.0, 0.0, 0.0]])
VALUES = np.array([[1.0, 2.0, 3.0], [2.0, 0.0, 0.0]])
MASK = np.array([[True, True, True], [True, False, False]])


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (Estimator("monte_carlo", baseline="none"), [[3, 3, 2], [4, 0, 0]]),
        (Estimator("monte_carlo", baseline="none", gamma=0.5), [[1, 2, 2], [4, 0, 0]]),
        (Estimator("monte_carlo", baseline="none", whole=True), [[3, 3, 3], [4, 0, 0]]),
        (Estimator("monte_carlo", baseline="value"), [[2, 1, -1], [2, 0, 0]]),
        (Estimator("monte_carlo", baseline="others"), [[-1, -1, -2], [1, 0, 0]]),  # the short text holds its 4
        (Estimator("gae", gae_lambda=0.0), [[1, 2, -1], [2, 0, 0]]),
        (Estimator("gae", gae_lambda=0.5), [[1.75, 1.5, -1], [2, 0, 0]]),
        (Estimator("gae", gae_lambda=1.0), [[2, 1, -1], [2, 0, 0]]),
        (Estimator("gae", gae_lambda=1.0, gamma=0.5), [[0, 0, -1], [2, 0, 0]]),
    ],
)
def test_advantages_by_hand(estimator: Estimator, expected: list[list[float]]) -> None:
    np.testing.assert_allclose(estimator.advantages(REWARDS, VALUES, MASK), expected)


def fresh(env_id: str, model: dict[str, Any]) -> Any:
    """A policy with fresh weights."""
    if model["model_type"] != "ngram":
        return make_policy(env_id, model)
    env = make_env(env_id, num_rows=1)
    return NgramPolicy(env.single_observation_space, env.single_action_space, lambda _: 0.0, model=model)


def played_texts(policy: Any, *, masked: bool = False) -> PlayedTexts:
    found = evaluate(policy, COPY, episodes=5, seed=1)
    simulator = make_env(COPY, num_rows=3, split="test").simulator
    return replay(simulator, found.texts.tokens, found.texts.samples, 1, masked=masked)


@pytest.mark.parametrize("model", [SMALL, CAPPED, {"model_type": "ngram", "buckets": 64}])
def test_scores_are_those_of_autograd(model: dict[str, Any]) -> None:
    torch.manual_seed(0)
    policy = fresh(COPY, model)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    texts = played_texts(policy)
    found = token_scores(policy, texts, batch_size=20)
    weight = policy.action_net.weight if "ngram" in model.values() else policy.backbone.lm.lm_head.weight
    for i, t in np.argwhere(texts.mask):
        length = texts.positions[i, t] + 1
        ids = torch.zeros(1, texts.input_ids.shape[1], dtype=torch.int64)
        ids[0, :length] = torch.from_numpy(texts.input_ids[i, :length])
        observation = {"input_ids": ids, "attention_mask": (torch.arange(ids.shape[1]) < length)[None].long()}
        values, log_prob, _ = policy.evaluate_actions(observation, torch.tensor([texts.actions[i, t]]))
        (gradient,) = torch.autograd.grad(log_prob.sum(), weight)
        assert found.log_probs[i, t] == pytest.approx(log_prob.item(), abs=1e-5)
        assert found.values[i, t] == pytest.approx(values.item(), abs=1e-5)
        assert found.gradient_norms[i, t] == pytest.approx(float(gradient.norm()), rel=1e-4, abs=1e-6)
    for part in found:
        assert not part[~texts.mask].any()


def test_a_mask_is_heeded() -> None:
    torch.manual_seed(0)
    policy = make_policy(COPY, SMALL)
    texts = played_texts("random", masked=True)
    assert texts.allowed is not None
    found, blind = token_scores(policy, texts), token_scores(policy, played_texts("random"))
    assert (found.log_probs > blind.log_probs)[texts.mask].all()  # two of eleven tokens are not allowed
    only = np.zeros((*texts.mask.shape, 16), np.bool_)
    np.put_along_axis(only, texts.actions[:, :, None], True, axis=2)
    alone = PlayedTexts(**{**vars(texts), "allowed": np.packbits(only, axis=2)})
    np.testing.assert_allclose(token_scores(policy, alone).gradient_norms, 0.0, atol=1e-6)


def test_credit_is_advantage_times_norm_and_goes_where_the_values_jump() -> None:
    """On Chain all is earned by the first token. A critic that knows it credits that one, the bare return all alike."""
    torch.manual_seed(0)
    policy = fresh(CHAIN, {"model_type": "ngram", "order": 1, "buckets": 2**14})
    found = evaluate(policy, CHAIN, episodes=32)
    simulator = make_env(CHAIN, num_rows=32, split="test").simulator
    played = replay(simulator, found.texts.tokens, found.texts.samples, 0)
    norms = token_scores(policy, played).gradient_norms
    gold = found.returns["gold_return"]
    bare = credit(policy, found, Estimator("monte_carlo", baseline="none"))
    np.testing.assert_allclose(np.array(bare), gold[:, None] * norms)
    known = np.full(played.mask.shape, gold[:, None])
    known[:, 0] = gold.mean()  # what a perfect critic expects: at first the mean, then what came of it
    advantages = Estimator("gae", gae_lambda=0.0).advantages(played.rewards, known, played.mask)
    np.testing.assert_allclose(advantages[:, 0], gold - gold.mean())
    np.testing.assert_allclose(advantages[:, 1:], 0.0, atol=1e-12)
    earned = [1.0, *[0.0] * 7]
    lucky = int(np.flatnonzero(gold)[0])
    assert correlation(earned, advantages[lucky] * norms[lucky]) == pytest.approx(1.0)
    assert correlation(earned, bare[lucky]) is None  # all tokens alike


def test_samples_tell_the_credit_of_their_policy(tmp_path: Path) -> None:
    torch.manual_seed(0)
    policy = make_policy(COPY, SMALL)
    found = evaluate(policy, COPY, episodes=12)
    estimator = Estimator("monte_carlo")
    plain, told = score_samples(found, 4), score_samples(found, 4, policy, estimator)
    credits_of_all = credit(policy, found, estimator)
    for before, after in zip(plain, told, strict=True):
        assert {**before, **{name: after[name] for name in after.keys() - before.keys()}} == after
        assert after["estimator"] == "return to go, less the mean of other texts"
        assert [*after["credited"], *after["credited_end"]] == credits_of_all[after["sample"]].tolist()
        assert len(after["credited"]) == len(after["tokens"]) == len(after["earned"])


def test_the_page_shows_both_lines_and_does_without_the_second() -> None:
    text = {"tokens": ["a", "b"], "earned": [1.0, 0.0], "signals": {}, "empty": 0.0, "clean_return": 1.0}
    old = ScoredText(policy="PPO", gold_return=1.0, **text)
    new = ScoredText(
        policy="PPO", gold_return=1.0, credited=[-2.0, 0.5], credited_end=[0.25], estimator="GAE, lambda 1", **text
    )

    def page_of(text: ScoredText) -> str:
        problem = Problem("Copy", samples=[Sample("p", "r", [text])])
        section = texts_section(Report("title", "", [text.policy], [problem]))
        assert section is not None
        return section.html()

    before, after = page_of(old), page_of(new)
    assert "credited" not in before
    assert 'class="down" style="--v:100%" title="credited \N{MINUS SIGN}2">a</s>' in after
    assert "credit by GAE, lambda 1: correlation \N{MINUS SIGN}1.00, end token +0.25" in after


def test_estimators_are_those_of_the_learners() -> None:
    from agents.vec_env import make_vec_env

    env = make_vec_env(COPY, n_envs=2, length=2)
    kwargs = {"policy_kwargs": {"model": SMALL}, "n_steps": 8}
    ppo = LEARNERS["ppo"](env=env, gae_lambda=0.7, gamma=0.9, batch_size=16, **kwargs)
    assert Estimator.of(ppo) == Estimator("gae", gae_lambda=0.7, gamma=0.9)
    for baseline, expected in (("none", "none"), ("value", "value"), ("moving_average", "others")):
        learner = LEARNERS["reinforce"](env=env, baseline=baseline, **kwargs)
        assert Estimator.of(learner) == Estimator("monte_carlo", baseline=expected, gamma=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Estimator("td"), "method must be one of gae, monte_carlo, got 'td'"),
        (lambda: Estimator(baseline="mean"), "baseline must be one of none, others, value, got 'mean'"),
        (lambda: Estimator(gae_lambda=2), r"must be in \[0, 1\], got 2 and 1.0"),
        (lambda: token_scores("random", played_texts("random")), "must be a transformer's or an NgramPolicy, got str"),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
