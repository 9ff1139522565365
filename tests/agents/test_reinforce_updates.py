"""An update of REINFORCE, of one step or of many, against a slow one: text by text, one plain pass for each."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import LinearSchedule

from agents.losses.baselines import by_group, leave_one_out, mean_and_deviation
from agents.reinforce import REINFORCE
from agents.vec_env import make_vec_env

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
         "attn_pdrop": 0.0}  # fmt: skip


def make_model(rows=4, *, group_size=1, reward="feedback", **arguments):
    env = make_vec_env("textgym/Copy-v0", n_envs=rows, seed=0, length=2, letters=3, size=9, group_size=group_size,
                       reward=reward)  # fmt: skip
    optimizer = {"optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}}
    return REINFORCE("TransformerPolicy", env, policy_kwargs={"model": SMALL, **optimizer}, seed=0, device="cpu",
                     group_size=group_size, **{"n_steps": 12, "ent_coef": 0.0, **arguments})  # fmt: skip


def written(model):
    """Lets the policy write texts that differ in length and in reward."""
    _, callback = model._setup_learn(10**6)
    callback.on_training_start({}, {})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    model.policy.clear_cache()
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
    texts = model.rollout_buffer.take()
    assert len(set(texts.mask.sum(axis=1).tolist())) > 1
    assert texts.rewards.sum(axis=1).std() > 0
    return texts


def learn_from(model, texts):
    model.rollout_buffer.take = lambda: texts
    model.train()
    del model.rollout_buffer.take
    return torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach()


def of_text(lm, texts, row):
    """The log-probabilities of all tokens before each token of a text, (T, V), and of the written ones, (T,)."""
    positions, actions = (torch.from_numpy(part[row][texts.mask[row]]) for part in (texts.positions, texts.actions))
    logits = lm(torch.from_numpy(texts.input_ids[row : row + 1])).logits[0, positions].log_softmax(-1)
    return logits, logits.gather(1, actions[:, None])[:, 0]


def slow_update(model, texts, advantages):
    """What `train` shall do, for the settings that these tests use, with the given advantages (N, T)."""
    lm, reference = model.policy.backbone.lm, model.reference.lm
    rows = range(len(texts.mask))
    with torch.no_grad():
        before = [of_text(lm, texts, row)[1] for row in rows]
        expected = [of_text(reference, texts, row)[1] for row in rows]
    torch.manual_seed(7)
    for _ in range(model.n_epochs):
        order = np.arange(len(rows)) if model.n_minibatches == 1 else torch.randperm(len(rows)).numpy()
        for part in np.array_split(order, model.n_minibatches):
            total, tokens = 0.0, 0
            for row in part:
                chosen = of_text(lm, texts, row)[1]
                advantage = torch.tensor(advantages[row][texts.mask[row]], dtype=torch.float32)
                ratio = (chosen - before[row]).exp()
                if model.clip_level == "text":  # GSPO, which knows one advantage for each text
                    ratio = (chosen - before[row]).mean().exp().expand(len(chosen))
                bounded = ratio.clamp(1 - model.clip_range, 1 + model.clip_range)
                gain = torch.minimum(ratio * advantage, bounded * advantage)
                if model.kl_coef and model.kl_in == "loss":
                    r = chosen - expected[row]
                    gain = gain - model.kl_coef * ((-r).exp() - 1 + r)
                total = total - gain.sum() / (len(chosen) if model.normalize_length == "text" else 1)
                tokens += len(chosen)
            model.policy.zero_grad()
            (total / (tokens if model.normalize_length == "token" else len(part))).backward()
            norm = torch.nn.utils.clip_grad_norm_(model.policy.parameters(), model.max_grad_norm)
            assert torch.isfinite(norm)
            with torch.no_grad():
                for parameter in model.policy.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(model.learning_rate * parameter.grad)
    return torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach()


GROUPS = {"group_size": 4, "n_steps": 24}
GRPO = {**GROUPS, "baseline": "group_normalised", "credit": "text", "normalize_length": "text"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"baseline": "none", "normalize_length": "text"},
        {"baseline": "none", "normalize_length": "token", "n_minibatches": 3},
        {"baseline": "none", "n_epochs": 3},
        {"baseline": "none", "n_epochs": 2, "n_minibatches": 3, "batch_size": 8},
        {**GRPO, "n_epochs": 3, "kl_coef": 0.5, "kl_estimator": "k3"},
        {**GRPO, "n_epochs": 3, "clip_level": "text"},
    ],
)
def test_steps_are_those_of_the_slow_update(arguments):
    arguments = {"learning_rate": 0.3, "clip_range": 0.05, **arguments}
    fast, slow = make_model(**arguments), make_model(**arguments)
    texts = written(fast)
    slow.policy.load_state_dict(fast.policy.state_dict())
    slow.reference.load_state_dict(fast.reference.state_dict())
    returns = texts.rewards[:, ::-1].cumsum(axis=1)[:, ::-1]
    if fast.credit == "text":
        groups = returns[:, 0].reshape(-1, 4)
        centred = groups - groups.mean(axis=1, keepdims=True)
        returns = np.broadcast_to((centred / (groups.std(axis=1, keepdims=True) + 1e-8)).reshape(-1, 1), returns.shape)
    logged = []
    fast._log = lambda texts, sums, norm: logged.append(sums)
    torch.manual_seed(7)
    start = torch.nn.utils.parameters_to_vector(fast.policy.parameters()).detach()
    learned = learn_from(fast, texts)
    torch.testing.assert_close(learned, slow_update(slow, texts, returns), atol=2e-5, rtol=1e-4)
    assert (learned - start).abs().max() > 0.01
    steps = fast.n_epochs * fast.n_minibatches
    assert fast._n_updates == steps
    assert (logged[0][4] > 0) == (steps > 1)  # the clip held something back


def test_a_divergence_in_the_reward_is_paid_token_by_token():
    model = make_model(kl_coef=0.3, kl_in="reward", kl_estimator="k3", baseline="none")
    texts = written(model)
    update = model.prepare(texts)
    for row in range(len(texts.mask)):
        with torch.no_grad():
            own, other = (of_text(lm, texts, row)[1] for lm in (model.policy.backbone.lm, model.reference.lm))
        ratio = (own - other).numpy()
        penalties = np.exp(-ratio) - 1 + ratio
        paid = texts.rewards[row][texts.mask[row]] - 0.3 * penalties
        np.testing.assert_allclose(update.targets[row][texts.mask[row]], paid[::-1].cumsum()[::-1], atol=1e-5)
        np.testing.assert_allclose(update.penalties[row][texts.mask[row]], penalties, atol=1e-5)
    assert update.penalties.max() > 0.1


def test_the_credit_of_a_token_is_what_comes_after_it_or_all_of_its_text():
    for credit, expected in (("to_go", [1.25, 1.0, 0.5]), ("text", [1.25, 1.25, 1.25])):
        model = make_model(credit=credit, baseline="none")
        texts = written(model)
        row = int(texts.mask.sum(axis=1).argmax())
        texts.rewards[row] = [0.25, 0.5, 0.5]
        np.testing.assert_allclose(model.prepare(texts).targets[row], expected)


def test_leave_one_out_is_dr_grpo_but_for_a_constant():
    generator = np.random.default_rng(0)
    groups = by_group(generator.random((12, 3)), np.ones((12, 3), bool), 4)
    observed = np.ones((3, 4), bool)
    mean, _ = mean_and_deviation(groups, observed)
    np.testing.assert_allclose(groups - mean, (groups - leave_one_out(groups, observed)) * (1 - 1 / 4))


def test_a_schedule_moves_alpha():
    model = make_model(alpha=LinearSchedule(1.0, 0.0, 1.0), baseline="none", reward="gold")
    texts = written(model)
    for progress in (1.0, 0.25):
        model._current_progress_remaining = progress
        targets = texts.rewards[:, ::-1].cumsum(axis=1)[:, ::-1] + progress * texts.feedback
        np.testing.assert_allclose(model.prepare(texts).targets, targets * texts.mask)
    assert texts.feedback.any()


@pytest.mark.parametrize("kl_in", ["loss", "reward"])
def test_a_target_moves_the_coefficient_after_each_update(kl_in, tmp_path):
    model = make_model(learning_rate=1.0, kl_coef=0.5, kl_in=kl_in, kl_target=0.3, kl_horizon=100.0)
    expected, seen = [0.5], []

    def log(texts, sums, norm):
        seen.append(sums[3] / len(texts.mask))  # nats per text
        error = np.clip((seen[-1] - 0.3) / 0.3, -0.2, 0.2)
        assert model.kl_weight == pytest.approx(expected[-1])
        expected.append(expected[-1] * (1 + error * len(texts.mask) / 100))

    model._log = log
    model.learn(4 * 12 * 8)
    assert len(seen) == 8
    assert abs(seen[0]) < 1e-5  # the reference is the policy itself
    assert max(seen) > 0.3
    del model._log
    model.save(tmp_path / "model")
    assert REINFORCE.load(tmp_path / "model").kl_weight == model.kl_weight == pytest.approx(expected[-1])
    assert model.kl_coef == 0.5


@pytest.mark.parametrize("normalize_length", ["none", "text", "token"])
def test_what_is_logged_counts_each_token_once(normalize_length):
    """A fresh policy is nearly uniform, and its own reference, however the sums of the loss are divided."""
    model = make_model(normalize_length=normalize_length, kl_coef=0.1, learning_rate=1e-9)
    model.set_logger(configure(format_strings=[]))
    model.logger.dump = lambda step=0: None  # which would forget the values
    model.learn(12 * 8)
    logged = model.logger.name_to_value
    assert logged["train/entropy"] == pytest.approx(np.log(model.action_space.n), rel=0.02)
    assert abs(logged["train/kl"]) < 1e-5
