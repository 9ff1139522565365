"""Rounds: a policy learns from its own texts what no fixed data taught it, within its budget."""

import numpy as np
import pytest
from stable_baselines3.common.utils import LinearSchedule

from agents.cloning import Cloning
from agents.contrastive import Contrastive
from agents.policy import TransformerPolicy
from agents.preference import DPO
from agents.rounds import learn_in_rounds
from tests.copying import SMALL, copy_env, gold
from textgym.dataset.comparisons import best_texts, compare_scores

SETTINGS = {"policy_kwargs": SMALL, "seed": 0, "validation_share": 0.0, "learning_rate": 3e-3}


@pytest.mark.parametrize(
    ("learner", "arguments", "read"),
    [
        (DPO, {"reference": "data"}, compare_scores),
        (Contrastive, {}, compare_scores),
        (Cloning, {}, best_texts),
    ],
)
def test_a_fresh_policy_learns_to_copy_from_its_own_texts(learner, arguments, read):
    env = copy_env(n_envs=32, group_size=4)
    model = learner(TransformerPolicy, env, **SETTINGS, **arguments)
    before = gold(model)
    learn_in_rounds(model, env.envs, 5_000, texts_per_round=128, read=read)
    assert before < 0.25
    assert gold(model) > before + 0.2


def test_rounds_stop_at_the_budget_repeat_and_differ_from_each_other():
    told = []
    for _ in range(2):
        env = copy_env(group_size=4)
        model = DPO(TransformerPolicy, env, **SETTINGS)
        rounds = []
        written = learn_in_rounds(
            model,
            env.envs,
            300,
            texts_per_round=32,
            passes=1.5,
            read=compare_scores,
            seed=4,
            on_round=lambda tokens, texts, rounds=rounds: rounds.append((tokens, list(texts))),
        )
        assert written == rounds[-1][0] >= 300 > rounds[-2][0]
        counts = [sum(len(text.completion_ids) for text in texts) for _, texts in rounds]
        assert np.cumsum(counts).tolist() == [tokens for tokens, _ in rounds]
        told.append((rounds, model.num_timesteps))
    assert told[0] == told[1]
    prompts = [[text.sample for text in texts] for _, texts in told[0][0]]
    assert prompts[0] != prompts[1]


def test_data_are_read_as_often_as_passes_say():
    env = copy_env(group_size=4)
    model = Cloning(TransformerPolicy, env, **{**SETTINGS, "batch_size": 4})
    learn_in_rounds(model, env.envs, 1, texts_per_round=32, passes=3, read=best_texts)
    assert model.num_timesteps == 3 * model.lessons.learnt.sum()


def test_texts_that_are_all_alike_teach_nothing_and_are_passed_over():
    env = copy_env(group_size=4)
    model = DPO(TransformerPolicy, env, **SETTINGS)
    assert learn_in_rounds(model, env.envs, 50, texts_per_round=16, read=lambda texts: []) >= 50
    assert model.num_timesteps == 0


def test_schedules_go_down_once_over_all_rounds_and_the_first_that_teaches_begins_them():
    env = copy_env(group_size=4)
    settings = {**SETTINGS, "learning_rate": LinearSchedule(1e-3, 0.0, end_fraction=1.0), "batch_size": 8}
    model, rates, begun = DPO(TransformerPolicy, env, **settings), [], []
    step, renew = model._update, model._renew_reference
    model._update = lambda *told: (step(*told), rates.append(model.policy.optimizer.param_groups[0]["lr"]))
    model._renew_reference = lambda changes: (renew(changes), begun.append(changes))
    rounds = iter([lambda texts: [], *[compare_scores] * 9])
    learn_in_rounds(model, env.envs, 1500, texts_per_round=64, read=lambda texts: next(rounds)(texts))
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 1e-3  # of the first round nothing was learnt
    assert rates[-1] < 1e-4
    assert [change for change in begun if change] == [True]  # the reference is the policy where learning begins


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"texts_per_round": 0}, {"passes": 0.0}])
def test_wrong_numbers_are_refused(wrong):
    env = copy_env()
    arguments = {"tokens": 100, **wrong}
    with pytest.raises(ValueError, match="must be at least 1 and passes positive, got"):
        learn_in_rounds(DPO(TransformerPolicy, env, **SETTINGS), env.envs, **arguments)
