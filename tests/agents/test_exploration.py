"""Exploration: the proposal is what it says, hints are what annotators show, and learners correct for both."""

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_vec_env as make_sb3_vec_env
from stable_baselines3.common.utils import LinearSchedule

from agents.exploration import MASKED_LOGIT, Exploration, Proposal
from agents.policy import MaskableTransformerPolicy, TransformerPolicy
from agents.reinforce import REINFORCE
from agents.rollout_buffer import MaskableSequenceRolloutBuffer, SequenceRolloutBuffer
from agents.vec_env import make_vec_env
from tests.laws import random_actions

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
         "attn_pdrop": 0.0}  # fmt: skip
SHOWS = [{"name": "gold", "weight": 1.0}, {"name": "demonstration", "weight": 0.0, "lapse": 0.3, "readings": 2}]


def lock(rows, **arguments):
    return make_vec_env("textgym/Lock-v0", n_envs=rows, seed=0, feedback=SHOWS, reward="gold", **arguments)


def reinforce(rows=16, env=None, **arguments):
    return REINFORCE(
        "TransformerPolicy", env or lock(rows), policy_kwargs={"model": SMALL}, seed=0, n_steps=9, **arguments
    )


def test_a_proposal_worked_by_hand():
    logits = torch.tensor([[1.0, 3.0, MASKED_LOGIT], [1.0, 3.0, MASKED_LOGIT]]).double().log().nan_to_num(MASKED_LOGIT)
    half = Proposal(temperature=0.5)(logits)  # 1 : 9
    torch.testing.assert_close(half, torch.tensor([[0.1, 0.9, 0.0]] * 2).double())
    # Of three annotators of the first row one says 0, one says 1, and the third says 2, which is not allowed; nobody
    # has a hint about the second row.
    led = Proposal(guidance=0.4, hints=lambda: np.array([[0, 1, 2], [-1, -1, -1]]))(logits)
    torch.testing.assert_close(led, torch.tensor([[0.6 / 4 + 0.2, 1.8 / 4 + 0.2, 0], [0.25, 0.75, 0]]).double())


@pytest.mark.parametrize("env_id", ["textgym/Lock-v0", "textgym/Copy-v0", "textgym/Docstring-v0"])
def test_hints_are_what_annotators_then_show(env_id):
    arguments = {"feedback": ["token_match", *SHOWS], "noise": []}
    vector = gymnasium.make_vec(env_id, num_envs=3, vectorization_mode="vector_entry_point", **arguments)
    single = gymnasium.make(env_id, **arguments)
    vector.reset(seed=[4, 5, 6]), single.reset(seed=5)
    actions = np.stack([random_actions(single, 60, seed) for seed in range(3)], axis=1)
    shown = 0
    for action in actions:
        hints, waiting = vector.unwrapped.hints(), ~vector.unwrapped.simulator.running
        assert hints.shape == (3, 2)
        assert (hints[waiting] == -1).all()
        if not waiting[1]:
            np.testing.assert_array_equal(single.get_wrapper_attr("hints")(), hints[1])
            if single.step(action[1])[2]:
                single.reset()
        annotation = vector.step(action)[4].get("annotation")  # None where all rows were waiting
        assert (annotation is None) == waiting.all()
        if annotation is not None:
            token = annotation["demonstration:token_match"]["token"]
            np.testing.assert_array_equal(token[~waiting], hints[~waiting])
        shown += (~waiting).sum()
    assert shown > 60


def test_hints_need_an_annotator_who_can_show_and_no_budget():
    env = gymnasium.make("textgym/Copy-v0", feedback=["gold"])
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r'such as \{"name": "demonstration", "weight": 0\}'):
        env.unwrapped.hints()
    env = gymnasium.make("textgym/Copy-v0", feedback=SHOWS, feedback_budget=10)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="feedback_budget gives none"):
        env.unwrapped.hints()
    with pytest.raises(ValueError, match="no annotator of this environment can show"):
        reinforce(env=make_vec_env("textgym/Copy-v0", n_envs=2), guidance=0.5).learn(18)


def test_importance_weights_are_the_ratios_of_policy_and_proposal():
    """Against both distributions computed prefix by prefix without cache or buffer."""
    for importance in ("token", "text"):
        model = reinforce(temperature=2.0, guidance=0.3, importance=importance, max_importance=1e6)
        _, callback = model._setup_learn(10**6)
        callback.on_training_start({}, {})
        model.collect_rollouts(model.env, callback, model.rollout_buffer, 9)
        texts = model.rollout_buffer.take()
        weights = model.prepare(texts).importance
        expected = np.zeros(weights.shape)
        lm = model.policy.backbone.lm
        for row, column in np.argwhere(texts.mask):
            prefix = torch.from_numpy(texts.input_ids[row, : texts.positions[row, column] + 1])[None]
            with torch.no_grad():
                log_prob = lm(prefix).logits[0, -1].log_softmax(-1)[texts.actions[row, column]]
            expected[row, column] = log_prob - texts.log_probs[row, column]
        if importance == "text":
            product = np.exp(expected.sum(axis=1, keepdims=True))
            assert weights[:, 0].mean() == pytest.approx(1.0)
            np.testing.assert_allclose(weights, np.broadcast_to(product / product.mean(), weights.shape), rtol=1e-4)
        else:
            np.testing.assert_allclose(weights[texts.mask], np.exp(expected[texts.mask]), rtol=1e-4)
        assert weights.std() > 0.1


def test_weighted_texts_tell_the_return_of_the_policy_and_not_that_of_the_proposal():
    """Of a fresh policy, which writes nearly at random, led by a demonstrator who knows the lock."""
    model = reinforce(rows=512, guidance=0.6, max_importance=1e6)
    _, callback = model._setup_learn(10**6)
    callback.on_training_start({}, {})
    for _ in range(4):
        model.collect_rollouts(model.env, callback, model.rollout_buffer, 9)
    texts = model.rollout_buffer.take()
    gold, weights = texts.rewards.sum(axis=1), model.prepare(texts).importance[:, 0]
    with torch.no_grad():
        prompt = texts.input_ids[:1, : texts.positions[0, 0] + 1]
        combination = model.env.get_attr("simulator", 0)[0].task.combination
        ids = torch.from_numpy(np.concatenate([prompt, combination[None]], axis=1))
        logits = model.policy.backbone.lm(ids).logits[0, -4:-1].log_softmax(-1)
    truth = float(logits[range(3), combination].sum().exp())
    error = (weights * (gold - truth)).std() / np.sqrt(len(gold))
    assert abs(np.average(gold, weights=weights) - truth) < 5 * error + 0.2 * truth  # other prompts, other logits
    assert gold.mean() > 10 * truth


def test_without_a_proposal_nothing_is_weighed():
    model = reinforce()
    _, callback = model._setup_learn(10**6)
    callback.on_training_start({}, {})
    model.collect_rollouts(model.env, callback, model.rollout_buffer, 9)
    assert (model.prepare(model.rollout_buffer.take()).importance == 1).all()


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_sb3_keeps_the_log_probabilities_of_the_proposal(algorithm):
    model = algorithm(
        TransformerPolicy, lock(8), rollout_buffer_class=SequenceRolloutBuffer, n_steps=6, gamma=1.0,
        policy_kwargs={"model": SMALL}, seed=0,
    )  # fmt: skip
    seen = []
    train = model.train

    def watch():
        (batch,) = model.rollout_buffer.get()
        with torch.no_grad():
            _, log_probs, _ = model.policy.evaluate_actions(batch.observations, batch.actions.flatten())
        seen.append((log_probs - batch.old_log_prob).exp().numpy())
        model.rollout_buffer.generator_ready = False
        train()

    model.train = watch
    model.learn(8 * 6 * 2, Exploration(guidance=LinearSchedule(0.5, 0.0, 1.0), ent_coef=LinearSchedule(0.1, 0.0, 1.0)))
    assert seen[0].max() == pytest.approx(2.0, abs=1e-3)  # a token that nobody showed: 1 / (1 - guidance)
    assert seen[0].min() < 0.6
    assert seen[1].max() == pytest.approx(1 / 0.75, abs=1e-3)
    assert model.ent_coef == pytest.approx(0.05)
    assert model.policy.proposal is None


def test_maskable_ppo_is_never_led_to_what_is_not_allowed():
    env = make_vec_env("textgym/Vocabulary-v0", n_envs=32, seed=0, feedback=[{**SHOWS[1], "lapse": 0.5, "beta": 0.0}])
    model = MaskablePPO(
        MaskableTransformerPolicy, env, rollout_buffer_class=MaskableSequenceRolloutBuffer, n_steps=16, gamma=1.0,
        policy_kwargs={"model": SMALL}, seed=0,
    )  # fmt: skip
    model.learn(32 * 16, Exploration(guidance=0.5, temperature=3.0))
    masks = np.unpackbits(model.rollout_buffer.packed_masks, axis=2, count=model.rollout_buffer.mask_dims)
    # As the buffer has been packed by now, actions and masks are compared as they lie.
    actions = model.rollout_buffer.actions.reshape(16, 32).astype(int)
    assert np.take_along_axis(masks, actions[:, :, None], axis=2).all()


def test_single_environments_of_sb3_give_hints_too():
    env = make_sb3_vec_env("textgym/Lock-v0", n_envs=3, env_kwargs={"feedback": SHOWS, "render_mode": None})
    model = reinforce(env=env, guidance=0.5).learn(3 * 9 * 2)
    assert model.policy.proposal is None


def test_it_goes_on_after_loading(tmp_path):
    model = reinforce(guidance=LinearSchedule(0.5, 0.0, 1.0), ent_coef=LinearSchedule(0.02, 0.01, 1.0)).learn(16 * 9)
    model.save(tmp_path / "model")
    loaded = REINFORCE.load(tmp_path / "model", env=lock(16)).learn(16 * 9 * 2)
    assert loaded.ent_coef == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"guidance": 1.0}, r"guidance in \[0, 1\), got 1.0 and 1.0"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"temperature": LinearSchedule(1.0, -1.0, 0.2)}, "temperature must be above 0"),
        ({"importance": "words"}, "importance must be one of text, token, got 'words'"),
        ({"max_importance": 0.0}, "max_importance must be positive, got 0.0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        reinforce(**arguments).learn(16 * 9 * 3)


@pytest.mark.slow
def test_hints_open_a_lock_that_chance_does_not():
    """Six letters deep: one of 15,625 random texts is right."""
    found = {}
    for guidance in (0.0, 0.6):
        model = REINFORCE(
            "TransformerPolicy", lock(64, depth=6), n_steps=16, learning_rate=3e-3, seed=0,
            guidance=guidance and LinearSchedule(guidance, 0.0, 1.0), ent_coef=0.0,
            policy_kwargs={"model": {**SMALL, "n_embd": 64}},
        )  # fmt: skip
        model.learn(64 * 16 * 40)
        env = lock(64, depth=6)
        observations, gold = env.reset(), []
        for _ in range(6):
            observations, _, dones, infos = env.step(model.predict(observations)[0])
            gold += [info["gold_return"] for info, done in zip(infos, dones, strict=True) if done]
        found[guidance] = np.mean(gold)
    assert found[0.0] < 0.01
    assert found[0.6] > 0.5
