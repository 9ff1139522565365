"""Laws of the callbacks: their means are those of the finished texts, and a broken loss stops learning."""

import json
import math

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

import textgym  # noqa: F401  (registers the environments)
from agents.callbacks import ReturnsCallback, SelfPreferenceCallback, StopOnNonFinite

COPY = {"length": 2, "letters": 3, "size": 9, "render_mode": None, "noise": [{"name": "gaussian", "sigma": 0.5}]}


def make_model(algorithm=PPO, **arguments):
    env = make_vec_env("textgym/Copy-v0", n_envs=3, seed=0, env_kwargs=COPY)
    return algorithm("MultiInputPolicy", env, n_steps=7, seed=0, device="cpu", **arguments)


class Witness(BaseCallback):
    """Keeps each rollout's finished texts as the environment told of them."""

    def __init__(self):
        super().__init__()
        self.rollouts = []

    def _on_rollout_start(self):
        self.rollouts.append([])

    def _on_step(self):
        for info in self.locals["infos"]:
            if "episode" in info:
                self.rollouts[-1].append(
                    (info["clean_return"], info["observed_return"], info["gold_return"], info["episode"]["l"])
                )
        return True


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_records_are_the_means_of_the_texts_that_a_rollout_finished(algorithm):
    records, witness = [], Witness()
    arguments = {"batch_size": 21, "n_epochs": 1} if algorithm is PPO else {}
    model = make_model(algorithm, **arguments)
    model.learn(42, [witness, ReturnsCallback(records.append)])
    model.learn(21, [witness, ReturnsCallback(records.append)], reset_num_timesteps=True)
    told = [record for record in records if "texts" in record]
    assert [record["timesteps"] for record in told] == [21, 42, 21]
    for record, texts in zip(told, witness.rollouts, strict=True):
        assert record["texts"] == len(texts) > 0
        means = [record[name] for name in ("clean_return", "observed_return", "gold_return", "text_length")]
        np.testing.assert_allclose(means, np.mean(texts, axis=0))
    assert told[0]["clean_return"] != told[0]["observed_return"]


def test_records_are_plain_numbers_and_end_with_the_last_update():
    records = []
    make_model(n_epochs=1, batch_size=21).learn(42, ReturnsCallback(records.append))
    assert json.loads(json.dumps(records)) == records
    assert "train/loss" not in records[0]
    assert "train/loss" in records[1]
    assert "texts" not in records[-1]
    assert "train/loss" in records[-1]


def test_lengths_go_on_when_learning_goes_on():
    records, witness = [], Witness()
    callback = ReturnsCallback(records.append)
    model = make_model(n_epochs=1, batch_size=21)
    for first in (True, False):
        model.learn(21, [witness, callback], reset_num_timesteps=first)
    lengths = [record["text_length"] for record in records if "texts" in record]
    np.testing.assert_allclose(lengths, [np.mean([text[3] for text in texts]) for texts in witness.rollouts])


def test_tensorboard_gets_the_returns(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    make_model(n_epochs=1, batch_size=21, tensorboard_log=str(tmp_path)).learn(42, ReturnsCallback())
    (folder,) = tmp_path.iterdir()
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    for name in ("clean_return", "observed_return", "gold_return", "text_length"):
        assert [event.step for event in events.Scalars(f"rollout/{name}")] == [21, 42]


def test_other_environments_are_refused():
    model = PPO("MlpPolicy", gymnasium.make("CartPole-v1"), n_steps=64, batch_size=64, device="cpu")
    with pytest.raises(ValueError, match="clean_return"):
        model.learn(64, ReturnsCallback())


def test_learning_goes_on_while_losses_are_finite():
    model = make_model(n_epochs=1, batch_size=21)
    model.learn(42, StopOnNonFinite())
    assert model.num_timesteps == 42


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_loss_that_is_not_finite_stops_learning_at_once(iterations):
    class Breaks(PPO):
        def train(self):
            super().train()
            self.logger.record("train/value_loss", math.nan)

    env = make_vec_env("textgym/Copy-v0", n_envs=3, seed=0, env_kwargs=COPY)
    model = Breaks("MultiInputPolicy", env, n_steps=7, batch_size=21, n_epochs=1, seed=0, device="cpu")
    with pytest.raises(FloatingPointError, match=r"train/value_loss became nan after 21 timesteps"):
        model.learn(21 * iterations, StopOnNonFinite())
    assert model.num_timesteps == 21


class Mirror(BaseCallback):
    """Keeps of each finished text the judge's error and the mean log-probability of its tokens."""

    def __init__(self):
        super().__init__()
        self.texts, self.logged, self.written = [], [], [[], [], []]

    def _on_step(self):
        for row, log_prob in enumerate(np.asarray(self.locals["log_probs"]).ravel()):
            self.written[row].append(float(log_prob))
            if self.locals["dones"][row]:
                info = self.locals["infos"][row]
                self.texts.append((info["observed_return"] - info["clean_return"], np.mean(self.written[row])))
                self.written[row] = []
        return True

    def _on_rollout_end(self):
        self.logged.append((dict(self.logger.name_to_value), np.array(self.texts)))
        self.texts = []


def test_self_preference_is_the_correlation_of_errors_and_log_probabilities():
    mirror = Mirror()
    model = make_model(n_epochs=1, batch_size=21)
    model.learn(63, [SelfPreferenceCallback(), mirror])
    assert len(mirror.logged) == 3
    for logged, texts in mirror.logged:
        assert logged["rollout/judge_error"] == pytest.approx(texts[:, 0].mean())
        assert logged["rollout/self_preference"] == pytest.approx(np.corrcoef(texts.T)[0, 1])
