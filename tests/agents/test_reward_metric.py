"""The metric `reward_model` says what the saved model says, in any environment and inside annotators."""

import tomllib
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import textgym
from agents.reward.metric import RewardModelMetric
from agents.reward.model import RewardModel
from agents.reward.objective import Objective
from agents.reward.training import Schedule
from textgym.tasks.copy import Copy

COPY, NAME = "textgym/Copy-v0", "reward_model"
ARGUMENTS = {"length": 4, "letters": 5, "noise": []}
TINY = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2}


@pytest.fixture(scope="module", autouse=True)
def known():
    """An installation that is older than the entry point does not know the name yet."""
    if NAME not in textgym.components("metrics"):
        textgym.register_component("metrics", NAME, "agents.reward.metric:RewardModelMetric")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of two members that learnt for a moment."""
    task = Copy(length=4, letters=5)
    rows = [{"prompt": "a b c d", "completion": "a " * n + "b", "rating": n} for n in range(3)]
    rows += [{**row, "prompt": "d c b a"} for row in rows]
    model = RewardModel(task, TINY, members=2, objective=Objective(ratings="squared"))
    model.fit(rows, generator=np.random.default_rng(0), validation_share=0.5, schedule=Schedule(max_epochs=2))
    path = tmp_path_factory.mktemp("reward_model")
    model.save(path)
    return str(path)


def test_the_project_declares_it():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["textgym.metrics"] == {NAME: f"{RewardModelMetric.__module__}:RewardModelMetric"}


TEXTS = [[3, 4, 5, 6], [7], [], [2, 3], [5, 5, 5, 2], [4, 3]]


@pytest.mark.parametrize("pessimism", [0.0, 1.5])
def test_the_metric_is_the_models_own_score_squashed(folder, pessimism):
    spec = {"name": NAME, "path": folder, "pessimism": pessimism}
    scores = textgym.score(COPY, list(range(len(TEXTS))), TEXTS, feedback=[spec], **ARGUMENTS)
    task = Copy(length=4, letters=5)
    model, prompts = RewardModel.load(folder, task), task.prompt_set("train")
    spelled = [task.vocabulary.decode(prompts.prompt_ids[i]) for i in range(len(TEXTS))]
    said = model.predict(spelled, [text[: text.index(2)] if 2 in text else text for text in TEXTS])
    expected = 1 / (1 + np.exp(-said.pessimistic(pessimism)))
    np.testing.assert_allclose(scores.signals[:, 0], expected, rtol=0, atol=1e-6)
    assert (said.deviation > 0).all()


def test_rows_agree_with_single_environments_to_six_digits(folder):
    spec = [{"name": NAME, "path": folder}]
    together = textgym.score(COPY, list(range(6)), TEXTS, feedback=spec, **ARGUMENTS).signals[:, 0]
    alone = [textgym.score(COPY, [i], [TEXTS[i]], feedback=spec, **ARGUMENTS).signals[0, 0] for i in range(6)]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_annotators_read_it_and_its_bounds_hold(folder):
    metric = {"name": NAME, "path": folder}
    feedback = [{"name": "rating", "metric": metric, "levels": 5}, {"name": "preference", "metric": metric}, metric]
    env = gymnasium.make(COPY, feedback=feedback, **ARGUMENTS)
    names = env.get_wrapper_attr("simulator").signal_names
    assert names == ["rating:reward_model", "preference:reward_model", "reward_model"]
    space = env.get_wrapper_attr("signal_space")
    np.testing.assert_array_equal((space.low, space.high), ([0, 0, 0], [1, 1, 1]))
    env.reset(seed=0)
    *_, info = env.step(2)
    assert space.contains(info["signals"])
    assert info["signals"][2] > 0
    assert "level" in info["annotation"]["rating:reward_model"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": "nowhere"}, "'nowhere' holds no reward model"),
        ({}, "needs the argument 'path'"),
        ({"path": "{folder}", "pessimism": -1.0}, "pessimism must be finite and at least 0"),
        ({"path": "{folder}", "pesimism": 1.0}, "did you mean 'pessimism'"),
    ],
)
def test_bad_specs_are_refused(folder, given, message):
    spec = {"name": NAME, **{key: folder if value == "{folder}" else value for key, value in given.items()}}
    with pytest.raises(ValueError, match=message):
        gymnasium.make(COPY, feedback=[spec], **ARGUMENTS)


def test_an_environment_with_other_tokens_is_refused(folder):
    with pytest.raises(ValueError, match="was taught with other tokens than Copy's"):
        gymnasium.make(COPY, feedback=[{"name": NAME, "path": folder}], length=4, letters=6)
