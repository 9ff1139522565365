"""Laws of all learners from data: what a timestep is, that runs repeat and go on exactly, and what is held out."""

import io
import json

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from agents.callbacks import StopOnNonFinite
from agents.checkpoint import Checkpoints, load_checkpoint
from agents.cloning import Cloning
from agents.contrastive import Contrastive
from agents.policy import TransformerPolicy
from agents.preference import DPO
from tests.copying import COPY, SMALL, copy_env, random_texts
from textgym.dataset.comparisons import compare_scores

TEXTS = random_texts(64, group_size=4)
DATA = {
    Cloning: [{"prompt": "a b c", "completion": "a b c"}] * 10
    + [{"prompt": f"{letter} a", "completion": f"{letter} a"} for letter in "abcd"] * 5,
    DPO: compare_scores(TEXTS),
    Contrastive: compare_scores(TEXTS),
}
LEARNERS = pytest.mark.parametrize("learner", DATA)


def make(learner, seed=3, **arguments):
    return learner(
        TransformerPolicy, copy_env(), DATA[learner], policy_kwargs=SMALL, seed=seed, batch_size=8, **arguments
    )


def weights(model):
    return torch.cat([part.detach().flatten() for part in model.policy.parameters()])


class Watch(BaseCallback):
    """Keeps the batches, and stops after some of them."""

    def __init__(self, most=10**9):
        super().__init__()
        self.batches, self.most = [], most

    def _on_step(self):
        self.batches.append(self.locals["batch"].tolist())
        return len(self.batches) < self.most


@LEARNERS
def test_a_timestep_is_a_token_that_is_learnt_from(learner):
    model, watch = make(learner), Watch()
    model.learn(200, callback=watch)
    counts = [int(model.lessons.learnt[batch].sum()) for batch in watch.batches]
    assert model.num_timesteps == sum(counts) >= 200 > sum(counts[:-1])
    assert model._n_updates == len(counts)


CHANGED = {
    Cloning: [{"batch_size": 4}, {"learning_rate": 0.5}],
    DPO: [{"loss": "conservative", "flip_rate": 0.1}, {"seed": 4}, {"beta": 0.2}],
    Contrastive: [{"seed": 4}],
}


@pytest.mark.parametrize(("learner", "changed"), [(one, changed) for one in CHANGED for changed in CHANGED[one]])
def test_a_checkpoint_of_other_arguments_is_refused_by_their_names(learner, changed, tmp_path):
    make(learner).learn(50, callback=Checkpoints(tmp_path))
    other = learner(
        TransformerPolicy, copy_env(), DATA[learner], policy_kwargs=SMALL, **{"seed": 3, "batch_size": 8, **changed}
    )
    with pytest.raises(ValueError, match=f"arguments.{next(iter(changed))} was"):
        load_checkpoint(other, tmp_path)


@LEARNERS
def test_a_checkpoint_of_other_data_is_refused(learner, tmp_path):
    make(learner).learn(50, callback=Checkpoints(tmp_path))
    load_checkpoint(make(learner), tmp_path)
    other = make(learner)
    other.set_data(DATA[learner][: len(DATA[learner]) // 2])
    with pytest.raises(ValueError, match="the data are not those that the checkpoint's run learnt from"):
        load_checkpoint(other, tmp_path)


def test_a_pass_reads_everything_once_and_the_next_in_another_order():
    model, watch = make(Cloning, validation_share=0.0), Watch()
    model.learn(2 * int(model.lessons.learnt.sum()), callback=watch)
    one, two = (np.concatenate(part).tolist() for part in (watch.batches[:4], watch.batches[4:]))
    assert sorted(one) == sorted(two) == list(range(30))
    assert one != two


@LEARNERS
def test_the_seed_decides_everything_and_nothing_else_does(learner):
    one, again, other = (make(learner, seed=seed) for seed in (3, 3, 4))
    for model in (one, again, other):
        torch.manual_seed(int(torch.randint(99, ())))
        np.random.seed(model.num_timesteps)  # noqa: NPY002
        model.learn(150)
    assert torch.equal(weights(one), weights(again))
    assert not torch.equal(weights(one), weights(other))


@LEARNERS
def test_a_saved_model_goes_on_as_if_it_had_not_been_saved(learner):
    whole, part = make(learner), make(learner)
    whole.learn(10**9, callback=Watch(9))
    part.learn(10**9, callback=Watch(4))
    file = io.BytesIO()
    part.save(file)
    file.seek(0)
    loaded = learner.load(file, env=copy_env(), data=DATA[learner])
    assert torch.equal(weights(loaded), weights(part))
    loaded.learn(10**9, callback=Watch(5), reset_num_timesteps=False)
    assert torch.equal(weights(loaded), weights(whole))
    assert loaded.num_timesteps == whole.num_timesteps


@LEARNERS
def test_training_state_taken_up_in_another_model_goes_on_alike(learner):
    model, rest, same = make(learner, validation_share=0.0), Watch(9), Watch(9)
    model.learn(10**9, callback=Watch(3))
    state, parameters = stored(model.training_state()), stored(model.get_parameters())
    assert json.loads(json.dumps(state["passes"])) == state["passes"]
    model.learn(10**9, callback=rest, reset_num_timesteps=False)
    other = make(learner, seed=99, validation_share=0.0)
    other.set_parameters(parameters)
    other.set_training_state(state)
    other.learn(10**9, callback=same, reset_num_timesteps=False)
    assert same.batches == rest.batches
    assert torch.equal(weights(other), weights(model))


def stored(state):
    """What comes back from a file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_what_is_held_out_shares_no_prompt_with_what_is_learnt():
    model = make(DPO, validation_share=0.3)
    learnt, held_out = (set(part.prompts) for part in (model.lessons, model.held_out))
    assert not learnt & held_out
    assert len(held_out) == int(0.3 * len(learnt | held_out)) > 1
    assert len(model.lessons) + len(model.held_out) == len(DATA[DPO])


@LEARNERS
def test_logs_have_losses_and_what_is_held_out(learner, tmp_path):
    model = make(learner, validation_share=0.3)
    model.set_logger(configure(str(tmp_path), ["json"]))
    model.learn(600, log_interval=2, callback=[StopOnNonFinite()])
    lines = [json.loads(line) for line in (tmp_path / "progress.json").read_text().splitlines()]
    assert [line["time/total_timesteps"] for line in lines] == sorted(line["time/total_timesteps"] for line in lines)
    assert all("train/loss" in line and 0 <= line["train/accuracy"] <= 1 for line in lines[:-1])
    assert lines[-1]["time/total_timesteps"] == model.num_timesteps
    assert lines[-1]["validation/loss"] == pytest.approx(model.validate()["loss"])
    assert lines[0]["train/learning_rate"] == 1e-3


@LEARNERS
def test_validation_is_a_mean_that_does_not_depend_on_the_batches(learner):
    model = make(learner, validation_share=0.5)
    means = model.validate()
    model.batch_size = 3
    assert model.validate() == pytest.approx(means, rel=1e-4, abs=1e-6)
    assert len(means) > 1


def test_a_progress_bar_counts_tokens(capsys):
    model = make(Cloning)
    model.learn(100, progress_bar=True)
    assert f"{model.num_timesteps}/100" in capsys.readouterr().err


def test_a_schedule_moves_the_learning_rate():
    model, rates, learnt = make(Cloning, learning_rate=lambda left: left), [], [0]

    class Rates(BaseCallback):
        def _on_step(self):
            rates.append(self.model.policy.optimizer.param_groups[0]["lr"])
            learnt.append(self.num_timesteps)
            return True

    model.learn(100, callback=Rates())
    assert rates == pytest.approx([1 - tokens / 100 for tokens in learnt[:-1]])
    assert len(rates) > 3


def test_a_loss_that_is_no_number_stops_before_it_breaks_the_weights():
    model = make(Cloning)
    with torch.no_grad():
        model.policy.backbone.lm.get_output_embeddings().weight[3, 0] = float("nan")
    before = weights(model)
    with pytest.raises(FloatingPointError, match="the loss became nan: lower the learning_rate"):
        model.learn(100)
    torch.testing.assert_close(weights(model), before, rtol=0, atol=0, equal_nan=True)


def test_a_single_environment_will_do_and_a_model_without_data_predicts():
    env = gymnasium.make("textgym/Copy-v0", **COPY)
    model = Cloning("TransformerPolicy", env, policy_kwargs=SMALL, seed=0)
    observation, _ = env.reset(seed=0)
    assert env.action_space.contains(int(model.predict(observation)[0]))
    with pytest.raises(ValueError, match="there are no data to learn from: pass data, to load too, or call set_data"):
        model.learn(10)
    model.set_data(DATA[Cloning])
    model.learn(10)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1 and validation_share in"),
        ({"validation_share": 1.0}, "got 8 and 1.0"),
    ],
)
def test_wrong_numbers_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        Cloning(TransformerPolicy, copy_env(), policy_kwargs=SMALL, **{"batch_size": 8, **arguments})


def test_a_wrong_name_is_refused():
    with pytest.raises(TypeError, match="bach_size"):
        Cloning(TransformerPolicy, copy_env(), bach_size=4)
