"""NgramPolicy: its features are the n-grams, it is saved and restored exactly, and it learns by feedback alone."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, PPO

from agents.exploration import Exploration
from agents.ngram_policy import NgramFeatures, NgramPolicy, is_ngram_model
from agents.vec_env import make_vec_env
from benchmarks.learners import saved_policy
from benchmarks.results import RunFolder
from benchmarks.training import train

LENGTH = 12
SPACE = spaces.Dict(
    {"input_ids": spaces.Box(0, 9, (LENGTH,), np.int64), "attention_mask": spaces.Box(0, 1, (LENGTH,), np.int8)}
)


def observation(*texts):
    ids, mask = np.zeros((2, len(texts), LENGTH), np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}


def spelled_out(text, order, distance):
    """The n-grams of a text, those with their distance from the end among them."""
    found = []
    for size in range(1, order + 1):
        for end in range(size, len(text) + 1):
            gram = tuple(text[end - size : end])
            found.append((size, gram, None))
            if len(text) - end <= distance:
                found.append((size, gram, len(text) - end))
    return found


@pytest.mark.parametrize(("order", "distance"), [(1, 0), (2, 3), (3, 16)])
def test_features_count_the_ngrams(order, distance):
    """With so many buckets nothing collides, and so texts have as much in common as n-grams."""
    features = NgramFeatures(SPACE, order=order, distance=distance, buckets=2**20)
    texts = [(3, 4, 5, 1, 3), (3, 4, 5, 1, 3, 4), (5, 4, 3), (3, 3, 3, 3), (7,)]
    found = features(observation(*texts))
    counted = [{} for _ in texts]
    for counts, text in zip(counted, texts, strict=True):
        for gram in spelled_out(text, order, distance):
            counts[gram] = counts.get(gram, 0) + 1
    norms = [np.sqrt(sum(count**2 for count in counts.values())) for counts in counted]
    for i, one in enumerate(counted):
        for j, other in enumerate(counted):
            shared = sum(one[gram] * other.get(gram, 0) for gram in one) / (norms[i] * norms[j])
            assert float(found[i] @ found[j]) == pytest.approx(shared, abs=1e-5)


def test_padding_and_the_rest_of_a_batch_change_nothing():
    features = NgramFeatures(SPACE, order=2, distance=4, buckets=64)
    together = observation((3, 4), (5, 6, 7, 8, 9, 3, 4, 5), (9,))
    spoilt = {**together, "input_ids": torch.where(together["attention_mask"] == 1, together["input_ids"], 7)}
    alone = torch.cat([features(observation(text)) for text in ((3, 4), (5, 6, 7, 8, 9, 3, 4, 5), (9,))])
    torch.testing.assert_close(features(together), alone)
    torch.testing.assert_close(features(spoilt), alone)


def test_buckets_and_signs_are_spread_evenly():
    features = NgramFeatures(SPACE, order=1, distance=0, buckets=16)
    wide = spaces.Dict({"input_ids": spaces.Box(0, 10**4, (2,), np.int64), "attention_mask": SPACE["attention_mask"]})
    features = NgramFeatures(wide, order=1, distance=0, buckets=16)
    ids = torch.arange(10_000)[:, None].expand(-1, 2)
    found = features({"input_ids": ids, "attention_mask": torch.tensor([[1, 0]]).expand(10_000, 2)})
    used = (found != 0).float().mean(dim=0) * 10_000  # two of sixteen buckets for each token, fewer where both meet
    assert 1000 < used.min() < used.max() < 1350
    assert abs(found.sum(dim=0)).max() < 200


def test_a_fresh_policy_is_uniform_and_expects_nothing():
    env = make_vec_env("textgym/Copy-v0", n_envs=2, seed=0)
    policy = NgramPolicy(env.observation_space, env.action_space, lambda _: 0.0)
    observations, _ = policy.obs_to_tensor(env.reset())
    assert policy.get_distribution(observations).distribution.probs.detach().numpy() == pytest.approx(1 / 11)
    assert not policy.predict_values(observations).any()


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_saved_and_loaded_it_is_the_same(algorithm, tmp_path):
    env = make_vec_env("textgym/Copy-v0", n_envs=4, seed=0, length=2)
    model = algorithm(NgramPolicy, env, n_steps=8, seed=0, policy_kwargs={"model": {"model_type": "ngram", "order": 1}})
    model.learn(64)
    model.save(tmp_path / "whole")
    model.policy.save_pretrained(tmp_path / "folder")
    observations = env.reset()
    expected = model.policy.state_dict()
    loaded = algorithm.load(tmp_path / "whole", env=env)
    restored = saved_policy("textgym/Copy-v0", tmp_path / "folder", length=2)
    for policy in (loaded.policy, restored):
        assert policy.config["order"] == 1
        assert policy.state_dict().keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in policy.state_dict().items())
        answers = policy.predict(observations, deterministic=True)[0]
        np.testing.assert_array_equal(answers, model.predict(observations, deterministic=True)[0])
    loaded.learn(32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": {"model_type": "gpt2"}}, 'must be a mapping with "model_type": "ngram"'),
        ({"model": "nowhere"}, "a folder of an NgramPolicy or None, got 'nowhere'"),
        ({"model": {"model_type": "ngram", "ordr": 2}}, "unknown ordr in the model: known are order"),
        ({"model": {"model_type": "ngram", "order": 0}}, "order must be at least 1, got 0"),
        ({"use_sde": True}, "use_sde must be False"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        NgramPolicy(SPACE, spaces.Discrete(10), lambda _: 0.0, **arguments)


def test_a_model_of_other_tokens_and_a_proposal_are_refused(tmp_path):
    NgramPolicy(SPACE, spaces.Discrete(10), lambda _: 0.0).save_pretrained(tmp_path)
    assert is_ngram_model(tmp_path)
    with pytest.raises(ValueError, match="is for 10 tokens, but the environment has 11"):
        NgramPolicy(SPACE, spaces.Discrete(11), lambda _: 0.0, model=tmp_path)
    model = PPO(NgramPolicy, make_vec_env("textgym/Copy-v0", n_envs=2, length=2), n_steps=8, batch_size=16)
    with pytest.raises(ValueError, match="NgramPolicy draws from no proposal"):
        model.learn(16, Exploration(temperature=2.0))


@pytest.mark.parametrize(("env_id", "random", "bar"), [("textgym/Copy-v0", 0.15, 0.7), ("textgym/Chain-v0", 0.2, 0.7)])
def test_it_learns_by_feedback_alone(env_id, random, bar, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start({})
    env_kwargs = {"length": 3, "letters": 4} if env_id == "textgym/Copy-v0" else {"length": 4}
    train(
        folder, learner="ngram_ppo", env_id=env_id, tokens=12_288, rows=64, seed=0, model=None, env_kwargs=env_kwargs
    )  # fmt: skip
    gold = [record["gold_return"] for record in folder.metrics() if "gold_return" in record]
    assert gold[0] < random + 0.1
    assert gold[-1] > bar
