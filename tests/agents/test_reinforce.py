"""Laws of REINFORCE: its gradient is the exact one, and everything that Stable-Baselines3 promises works."""

import itertools
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env

import textgym
from agents.losses.baselines import MovingAverage, by_group, leave_one_out, mean_and_deviation, returns_to_go
from agents.reinforce import REINFORCE
from agents.text_buffer import TextBuffer
from textgym.metrics.base import Metric
from textgym.noise.base import Noise
from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.vocabulary import WordVocabulary

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
         "attn_pdrop": 0.0}  # fmt: skip
COPY = {"length": 2, "letters": 3, "size": 9, "render_mode": None}
END = 2


def make_model(env_id="textgym/Copy-v0", *, rows=1, env_arguments=COPY, autocast=None, **arguments):
    env = make_vec_env(env_id, n_envs=rows, seed=0, env_kwargs=env_arguments)
    policy_kwargs = {"model": SMALL, "autocast": autocast}
    return REINFORCE("TransformerPolicy", env, policy_kwargs=policy_kwargs, seed=0, device="cpu", **arguments)


# --- the parts, worked by hand


def test_returns_to_go():
    rewards = np.array([[1.0, 2.0, 4.0], [8.0, 0.0, 0.0]])
    np.testing.assert_array_equal(returns_to_go(rewards, 1.0), [[7, 6, 4], [8, 0, 0]])
    np.testing.assert_array_equal(returns_to_go(rewards, 0.5), [[3, 4, 4], [8, 0, 0]])


def test_leave_one_out_is_the_mean_of_the_others_who_hold_their_last_target():
    targets = np.array(
        [[6.0, 3.0, 1.0], [4.0, 2.0, 0.0], [8.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]]
    )
    mask = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0], [1, 0, 0]], bool)
    expected = [[6, 5, 5], [7, 5.5, 4.5], [5, 2.5, 1.5], [1.5, 1.5, 1.5], [2, 2, 2], [0.5, 0.5, 0.5]]
    groups = by_group(targets, mask, 3)
    np.testing.assert_array_equal(leave_one_out(groups, np.ones((2, 3), bool)).reshape(6, 3), expected)


def test_texts_about_which_nothing_is_known_are_left_out_of_a_group():
    groups = np.array([[[6.0], [2.0], [1.0]], [[5.0], [7.0], [9.0]]])
    observed = np.array([[True, True, False], [False, True, False]])
    np.testing.assert_array_equal(leave_one_out(groups, observed)[:, :, 0], [[2, 6, 4], [7, 7, 7]])
    mean, deviation = mean_and_deviation(groups, observed)
    np.testing.assert_array_equal(mean.ravel(), [4, 7])
    np.testing.assert_array_equal(deviation.ravel(), [2, 0])


def test_normalised_groups_undo_an_affine_correction():
    """Whatever shifts and scales all rewards alike leaves the advantages of GRPO as they are."""
    generator = np.random.default_rng(0)
    groups, observed = generator.integers(2, size=(50, 8, 1)).astype(float), np.ones((50, 8), bool)
    mean, deviation = mean_and_deviation(groups, observed)
    corrected = (groups - 0.1) / (1 - 0.1 - 0.3)
    new_mean, new_deviation = mean_and_deviation(corrected, observed)
    mixed = deviation.ravel() > 0
    before, after = (groups - mean)[mixed] / deviation[mixed], (corrected - new_mean)[mixed] / new_deviation[mixed]
    np.testing.assert_allclose(before, after, atol=1e-12)
    assert mixed.sum() > 40


def test_a_moving_average_starts_as_a_mean_and_forgets_at_its_rate():
    average = MovingAverage(rate=0.4)
    average.update(np.array([[2.0, 1.0], [4.0, 0.0]]), np.array([[True, True], [True, False]]))
    np.testing.assert_allclose(average.get(4), [3, 1, 0, 0])
    average.update(np.array([[5.0]]), np.array([[True]]))
    np.testing.assert_allclose(average.get(4), [4, 1, 0, 0])
    average.update(np.array([[9.0, 6.0]]), np.array([[True, True]]))
    np.testing.assert_allclose(average.get(4), [0.6 * 4 + 0.4 * 9, 3.5, 0, 0])


def test_a_text_is_compared_with_the_average_and_the_other_texts_of_its_update():
    average = MovingAverage(rate=0.5)
    targets, used = np.array([[3.0, 1.0], [4.0, 0.0], [8.0, 0.0]]), np.array([[1, 1], [1, 0], [1, 0]])
    np.testing.assert_allclose(average.baselines(targets, used), [[6, 0], [5.5, 1], [3.5, 1]])  # nothing is known yet
    average.update(np.array([[2.0, 4.0]]), np.array([[True, True]]))
    expected = [[(4 + 12) / 4, 4], [(4 + 11) / 4, 3], [(4 + 7) / 4, 3]]  # it counts as two texts
    np.testing.assert_allclose(average.baselines(targets, used), expected)
    others = targets + np.array([[100.0], [0.0], [0.0]])
    np.testing.assert_allclose(average.baselines(others, used)[0], expected[0])  # whatever its own target is


def test_a_policy_that_fails_all_at_once_is_not_pushed_down_for_long():
    average = MovingAverage(rate=0.1)
    average.update(np.ones((1, 1)), np.ones((1, 1)))
    assert average.baselines(np.zeros((91, 1)), np.ones((91, 1))) == pytest.approx(0.1)


@pytest.mark.parametrize("group_size", [1, 3])
def test_texts_do_not_depend_on_where_rollouts_end(group_size):
    env = make_vec_env("textgym/Copy-v0", n_envs=4, seed=1, env_kwargs={**COPY, "group_size": group_size})
    buffers = [
        TextBuffer(1, env.observation_space, env.action_space, n_envs=4, group_size=group_size) for _ in range(2)
    ]
    generator, taken, expected = np.random.default_rng(0), [], [[] for _ in range(4)]
    observations, unfinished = env.reset(), [[] for _ in range(4)]
    for step in range(60):
        actions, feedback, values = generator.integers(0, 6, 4), generator.random(4), generator.random(4)
        new, rewards, dones, _ = env.step(actions)
        for buffer in buffers:
            buffer.add(observations, actions, rewards, feedback, values, np.zeros(4), np.ones_like(dones), dones)
        for row in range(4):
            unfinished[row].append((actions[row], rewards[row], feedback[row], values[row]))
            if dones[row]:
                expected[row].append((observations["input_ids"][row].tolist(), unfinished[row]))
                unfinished[row] = []
        observations = new
        if step % 7 == 6:
            taken.append(buffers[0].take())
    taken.append(buffers[0].take())
    at_once = buffers[1].take()
    assert buffers[1].take() is None

    def as_set(texts):
        return {
            (tuple(ids), *(tuple(part[mask]) for part in parts))
            for ids, mask, *parts in zip(
                texts.input_ids, texts.mask, texts.actions, texts.rewards, texts.feedback, texts.values, strict=True
            )
        }

    whole = [row[: len(row) // group_size * group_size] for row in expected]
    assert as_set(at_once) == {(tuple(ids), *zip(*steps, strict=True)) for row in whole for ids, steps in row}
    assert set.union(*(as_set(texts) for texts in taken if texts is not None)) == as_set(at_once)
    prompts = [tuple(ids[: start + 1]) for ids, (start, *_) in zip(at_once.input_ids, at_once.positions, strict=True)]
    assert all(len(set(prompts[i : i + group_size])) == 1 for i in range(0, len(prompts), group_size))


def test_a_group_that_a_reset_cuts_off_is_dropped():
    env = make_vec_env("textgym/Copy-v0", n_envs=1, seed=1, env_kwargs={**COPY, "group_size": 2})
    buffer = TextBuffer(1, env.observation_space, env.action_space, group_size=2)
    zeros, done, observations = np.zeros(1), np.ones(1, bool), env.reset()
    other = {**observations, "input_ids": observations["input_ids"] + 1}
    for observation, action in ((other, 5), (observations, 3), (observations, 4)):
        buffer.add(observation, np.array([action]), zeros, zeros, zeros, zeros, np.ones_like(done), done)
    assert buffer.take().actions.tolist() == [[3], [4]]


# --- the gradient


class TwoTokens(Task):
    """One prompt, one word, at most two tokens: thirteen texts in all."""

    vocabulary = WordVocabulary(["a"])
    max_new_tokens = 2

    def make_prompt_set(self, split):
        return PromptSet.from_tokens([[3] * (1 + SPLITS.index(split))], [[]], self.vocabulary)

    def gold(self, transition):
        return transition.text_ids[:, 0] * (transition.text_lengths > 0) / 4 + (transition.actions == END) / 8


class Tabled(Metric):
    """Any token is worth something, and it matters when it is written."""

    timing = "step"
    table = np.array([[0.1, 0.9, 0.3, 0.5], [0.7, 0.2, 0.0, 1.0]])

    def score(self, transition):
        return self.table[transition.steps, transition.actions]


TEXTS = [(END,), *itertools.product((0, 1, 3), range(4))]


def reward_and_feedback(text, kind):
    """What the environment pays for each token, and f_t."""
    feedback = Tabled.table[range(len(text)), text]
    gold = np.zeros(len(text))
    gold[-1] = (text[0] if text != (END,) else 0) / 4 + (text[-1] == END) / 8
    return (feedback if kind == "feedback" else gold), feedback


@pytest.fixture
def two_tokens():
    textgym.register_component("tasks", "two_tokens", TwoTokens)
    textgym.register_component("metrics", "tabled", Tabled)
    return {"task": "two_tokens", "feedback": [{"name": "tabled", "weight": 1.0}]}


def begin(model):
    """Begins to learn and returns the callbacks that a rollout needs."""
    _, callback = model._setup_learn(10**6)
    callback.on_training_start({}, {})
    return callback


def gradient_of(model):
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.policy.parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients])


def sampled_gradient(model, callback, texts):
    """The gradient of one update in which the policy wrote the given texts, one after the other."""
    script = iter([token for text in texts for token in text])
    forward = type(model.policy).forward

    def scripted(observations, deterministic=False):
        _, values, log_probs = forward(model.policy, observations)
        return torch.tensor([next(script)]), values, log_probs

    model.policy.forward = scripted
    model.collect_rollouts(model.env, callback, model.rollout_buffer, sum(map(len, texts)))
    del model.policy.forward
    model.train()
    return gradient_of(model)


def hold(average, values):
    """Makes a moving average stay where it is."""
    average.averages, average.updates, average.rate = np.array(values), np.full(2, 2**60), 1e-18


def exact_gradient(model, kind):
    """Minus the gradient of the objective, by enumeration of all texts with plain passes of the language model."""
    objective = torch.zeros(())
    prompt = [3, 1]
    for text in TEXTS:
        ids = torch.tensor([[*prompt, *text]])
        states = slice(len(prompt) - 1, -1)
        logits = model.policy.backbone.lm(ids).logits[0, states].log_softmax(-1)  # (T, V)
        with torch.no_grad():
            reference = model.reference.lm(ids).logits[0, states].log_softmax(-1)
        log_probs = logits[range(len(text)), text]
        probability = log_probs.sum().exp()
        rewards, feedback = (torch.tensor(part, dtype=torch.float32) for part in reward_and_feedback(text, kind))
        objective = objective + probability * rewards.sum()
        if model.kl_in == "reward":
            objective = objective - probability * model.kl_coef * (log_probs - reference[range(len(text)), text]).sum()
        if model.feedback_term == "to_go":
            objective = objective + probability * model.alpha * feedback.sum()
            target = (rewards + model.alpha * feedback).flip(0).cumsum(0).flip(0)
        else:
            objective = objective + probability.detach() * model.alpha * (feedback * log_probs).sum()
            target = rewards.flip(0).cumsum(0).flip(0) + model.alpha * feedback
        entropy = -(logits.exp() * logits).sum()
        divergence = (logits.exp() * (logits - reference)).sum() * (model.kl_in == "loss")
        if model.kl_estimator == "k3":
            divergence = (reference.exp() * (reference - logits)).sum()
        objective = objective + probability.detach() * (model.ent_coef * entropy - model.kl_coef * divergence)
        if model.baseline == "value":
            values = model.policy.backbone.values(model.policy.backbone.hidden(ids))[0, states]
            objective = objective - probability.detach() * model.vf_coef * (values - target).square().sum()
    model.policy.zero_grad()
    (-objective).backward()
    return gradient_of(model)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("feedback", {"baseline": "none"}),
        ("gold", {"baseline": "none", "alpha": 0.7, "feedback_term": "immediate"}),
        ("gold", {"baseline": "moving_average", "alpha": 0.7, "feedback_term": "to_go"}),
        ("feedback", {"baseline": "moving_average", "ent_coef": 0.3, "kl_coef": 0.2}),
        ("gold", {"baseline": "value", "alpha": 0.7, "vf_coef": 0.4}),
        ("feedback", {"baseline": "leave_one_out", "group_size": 2}),
        ("gold", {"baseline": "leave_one_out", "group_size": 2, "alpha": 0.7, "ent_coef": 0.3}),
        ("feedback", {"baseline": "leave_one_out", "group_size": 2, "credit": "text"}),
        ("feedback", {"baseline": "moving_average", "kl_coef": 0.2, "kl_estimator": "k2"}),
        ("feedback", {"baseline": "moving_average", "kl_coef": 0.2, "kl_estimator": "k3"}),
        ("feedback", {"baseline": "moving_average", "kl_coef": 0.2, "kl_in": "reward"}),
        ("gold", {"baseline": "leave_one_out", "group_size": 2, "credit": "text", "kl_coef": 0.2, "kl_in": "reward"}),
    ],
)
def test_the_expected_gradient_is_exact(two_tokens, kind, arguments):
    group_size = arguments.get("group_size", 1)
    env_arguments = {**two_tokens, "reward": kind, "group_size": group_size}
    model = make_model(env_arguments=env_arguments, learning_rate=0.0, max_grad_norm=1e9, **arguments)
    callback = begin(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    model.policy.clear_cache()
    hold(model.moving_average, [0.35, 0.15])
    with torch.no_grad():
        lm = model.policy.backbone.lm
        log_probs = {text: lm(torch.tensor([[3, 1, *text]])).logits[0, 1:-1].log_softmax(-1) for text in TEXTS}
        probability = {text: value[range(len(text)), text].sum().exp() for text, value in log_probs.items()}
    assert sum(probability.values()) == pytest.approx(1.0, abs=1e-5)
    expected = sum(
        np.prod([probability[text] for text in texts]) * sampled_gradient(model, callback, texts)
        for texts in itertools.product(TEXTS, repeat=group_size)
    )
    exact = exact_gradient(model, kind)
    assert exact.abs().max() > 0.01
    torch.testing.assert_close(expected, exact, atol=2e-6, rtol=1e-4)


def test_a_baseline_lowers_the_variance_of_the_gradient(two_tokens):
    spread = {}
    for baseline in ("none", "moving_average"):
        model = make_model(env_arguments=two_tokens, learning_rate=0.0, max_grad_norm=1e9, baseline=baseline)
        callback = begin(model)
        for text in TEXTS:  # the average of all texts, which are about equally likely before learning
            sampled_gradient(model, callback, [text])
        hold(model.moving_average, model.moving_average.averages)
        spread[baseline] = torch.stack([sampled_gradient(model, callback, [text]) for text in TEXTS]).var(dim=0).sum()
    assert spread["moving_average"] < 0.6 * spread["none"]


def test_batch_size_changes_only_memory():
    weights = []
    for batch_size in (1, 10**6):
        model = make_model(rows=3, n_steps=20, batch_size=batch_size, baseline="value").learn(180)
        weights.append(torch.nn.utils.parameters_to_vector(model.policy.parameters()))
    torch.testing.assert_close(*weights, atol=1e-4, rtol=1e-3)


def test_normalized_advantages_have_mean_0_and_deviation_1():
    model = make_model(rows=3, n_steps=20, normalize_advantage=True, baseline="none")
    model.collect_rollouts(model.env, begin(model), model.rollout_buffer, 20)
    texts = model.rollout_buffer.take()
    advantages = model.prepare(texts).advantages
    assert advantages[texts.mask].mean() == pytest.approx(0.0, abs=1e-12)
    assert advantages[texts.mask].std() == pytest.approx(1.0, rel=1e-6)
    assert not advantages[~texts.mask].any()


# --- learning


class LoseAll(Noise):
    """Loses every reading."""

    def apply(self, values, address):
        return np.full_like(values, np.nan)

    def mean(self, values):
        return values

    def variance(self, values):
        return np.zeros_like(values)


def test_texts_about_which_nothing_was_observed_teach_nothing():
    lost = [{"name": "dropout", "seen": 0.5}]
    model = make_model(rows=32, n_steps=6, env_arguments={**COPY, "noise": lost, "feedback": ["exact_match"]})
    seen = []
    train = model.advantages

    def watch(texts, weights):
        seen.append((texts, *train(texts, weights)))
        return seen[-1][1:]

    model.advantages = watch
    model.learn(32 * 6 * 2)
    texts, advantages, _ = seen[-1]
    assert 0 < texts.observed.mean() < 1
    model.moving_average.averages[:] = 0.5  # so that a text of which 0 was observed would have an advantage
    advantages, _ = train(texts, np.ones(texts.mask.shape))
    assert not advantages[~texts.observed].any()
    assert advantages[texts.observed].any()


def test_the_value_head_is_not_shown_texts_about_which_nothing_was_observed():
    textgym.register_component("noise", "lose_all", LoseAll)
    arguments = {**COPY, "noise": ["lose_all"], "feedback": ["exact_match"]}
    model = make_model(rows=8, n_steps=6, env_arguments=arguments, baseline="value", ent_coef=0.0)
    with torch.no_grad():
        for parameter in model.policy.backbone.parameters():
            parameter.add_(0.1)  # so that it does not expect 0 already
    before = torch.nn.utils.parameters_to_vector(model.policy.parameters()).clone()
    model.learn(8 * 6)
    assert model._n_updates == 1
    torch.testing.assert_close(torch.nn.utils.parameters_to_vector(model.policy.parameters()), before, atol=0, rtol=0)


def test_an_affine_correction_under_normalised_groups_warns():
    flipped = {"name": "asymmetric", "false_positive_rate": 0.1, "false_negative_rate": 0.3}
    correction = [{"name": "surrogate", "oracle": True}]
    signal = {"name": "exact_match", "noise": [flipped], "correction": correction}
    arguments = {**COPY, "feedback": [signal], "group_size": 4}
    with pytest.warns(UserWarning, match="the correction changes nothing here"):
        make_model(env_arguments=arguments, baseline="group_normalised", group_size=4)
    affine = {"feedback": ["exact_match"], "noise": [{"name": "affine", "scale": 0.5}], "correction": correction}
    with pytest.warns(UserWarning, match="the correction changes nothing here"):
        make_model(env_arguments={**arguments, **affine}, baseline="group_normalised", group_size=4)
    reversing = {**affine, "noise": [{"name": "affine", "scale": -0.5}]}
    changed = (  # it changes something where it is not of all that is paid, once for each text, and in one direction
        {"feedback": [signal, "brevity"]},
        {"noise": [{"name": "gaussian", "sigma": 0.1}]},
        {"reward": "sum"},
        {"reward": "gold"},
        {**affine, "feedback": ["token_match"]},
        reversing,
    )
    for other in changed:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*the correction changes nothing here")
            make_model(env_arguments={**arguments, **other}, baseline="group_normalised", group_size=4)


@pytest.mark.parametrize("baseline", ["moving_average", "value", "leave_one_out", "group_normalised"])
def test_it_learns(baseline):
    groups = {"group_size": 4} if baseline in ("leave_one_out", "group_normalised") else {}
    returns = []

    class Record(REINFORCE):
        def _log(self, texts, *others):
            returns.append(texts.rewards.sum(axis=1).mean())
            super()._log(texts, *others)

    env = make_vec_env("textgym/Copy-v0", n_envs=16, seed=0, env_kwargs={**COPY, **groups})
    model = Record("TransformerPolicy", env, policy_kwargs={"model": SMALL}, baseline=baseline, seed=0,
                   learning_rate=1e-2, n_steps=16, ent_coef=0.0, **groups)  # fmt: skip
    model.learn(16 * 16 * 40)
    assert np.mean(returns[-5:]) > np.mean(returns[:3]) + 0.3


def test_divergence_is_from_the_policy_at_the_start_and_holds_it_back():
    divergences = {}
    for kl_coef in (0.0, 10.0):
        model = make_model(rows=8, n_steps=16, learning_rate=1e-2, kl_coef=kl_coef)
        start = {name: value.clone() for name, value in model.policy.backbone.state_dict().items()}
        seen = []
        model._log = lambda texts, sums, norm, seen=seen: seen.append(sums[3] / texts.mask.sum())
        model.learn(8 * 16 * 20)
        assert seen[0] == pytest.approx(0.0, abs=1e-6)
        assert all(torch.equal(start[name], value) for name, value in model.reference.state_dict().items())
        divergences[kl_coef] = seen[-1]
    assert 0 <= divergences[10.0] < 0.2 * divergences[0.0]


def test_learning_anew_forgets_unfinished_texts_and_takes_a_new_reference():
    model = make_model(rows=5, n_steps=8).learn(40)
    assert model.rollout_buffer._counts.any()
    before = {name: value.clone() for name, value in model.policy.backbone.state_dict().items()}
    model.learn(40, reset_num_timesteps=False)
    assert not torch.equal(before["lm.lm_head.weight"], model.reference.lm.lm_head.weight)
    model.collect_rollouts(model.env, begin(model), model.rollout_buffer, 8)
    for name, value in model.policy.backbone.state_dict().items():
        assert torch.equal(value, model.reference.state_dict()[name])
    texts = model.rollout_buffer.take()
    separator = 1
    assert (texts.input_ids[np.arange(len(texts.mask)), texts.positions[:, 0]] == separator).all()
    assert (texts.mask.sum(axis=1) <= 3).all()


def test_the_reference_may_come_from_a_folder(tmp_path):
    other = make_model()
    with torch.no_grad():
        other.policy.backbone.value_head.bias.fill_(3.0)
    other.policy.backbone.save_pretrained(tmp_path)
    model = make_model(reference=tmp_path).learn(64)
    saved = other.policy.backbone.state_dict()
    assert all(torch.equal(saved[name], value) for name, value in model.reference.state_dict().items())
    wide = make_model(reference=tmp_path, autocast="bfloat16")
    assert wide.reference.autocast  # or the divergence of a policy from itself were not 0


def test_a_saved_model_needs_none_of_the_folders_that_it_began_with(tmp_path):
    make_model().policy.backbone.save_pretrained(tmp_path / "start")
    env = make_vec_env("textgym/Copy-v0", n_envs=1, seed=0, env_kwargs=COPY)
    folder = {"model": str(tmp_path / "start")}
    model = REINFORCE("TransformerPolicy", env, policy_kwargs=folder, reference=tmp_path / "start", device="cpu")
    model.learn(64)
    model.save(tmp_path / "model.zip")
    (tmp_path / "start").rename(tmp_path / "elsewhere")
    loaded = REINFORCE.load(tmp_path / "model.zip", env=env, device="cpu")
    for name in ("policy", "reference"):
        one, two = (getattr(each, name).state_dict() for each in (model, loaded))
        assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_learning_that_a_callback_stopped_goes_on_in_the_middle_of_its_texts():
    """The token at which a callback stops is kept, else two texts would be taken for one, or lack a token."""
    model = make_model(rows=3, n_steps=7)
    texts = []
    prepare = model.prepare
    model.prepare = lambda taken: texts.append(taken) or prepare(taken)
    for steps in (4, 8, 9, 40):
        until = model.num_timesteps + 3 * steps
        stop = lambda local, _, until=until: model.num_timesteps < until  # noqa: E731
        model.learn(10_000, stop, reset_num_timesteps=False)
    assert len(texts) > 3
    for taken in texts:
        whole = np.where(taken.mask, taken.positions, 0)
        starts = whole[:, :1] + np.arange(whole.shape[1])
        np.testing.assert_array_equal(whole, np.where(taken.mask, starts, 0))
        assert (taken.input_ids[np.arange(len(whole)), whole[:, 0]] == 1).all()  # each begins behind the separator
        assert (taken.mask.sum(axis=1) <= 3).all()


# --- Stable-Baselines3


@pytest.mark.parametrize("baseline", ["moving_average", "value"])
def test_a_loaded_model_acts_and_learns_like_the_saved_one(tmp_path, baseline):
    model = make_model(rows=2, n_steps=12, baseline=baseline)
    with torch.no_grad():
        model.policy.backbone.lm.lm_head.weight.mul_(1.1)
    model.learn(72)
    model.save(tmp_path / "model.zip")
    assert not torch.equal(model.reference.lm.lm_head.weight, make_model().reference.lm.lm_head.weight)
    loaded = REINFORCE.load(tmp_path / "model.zip", env=make_vec_env("textgym/Copy-v0", n_envs=2, env_kwargs=COPY))
    env = make_vec_env("textgym/Copy-v0", n_envs=8, seed=3, env_kwargs=COPY)
    observations = env.reset()
    for _ in range(6):
        actions, _ = model.predict(observations, deterministic=True)
        np.testing.assert_array_equal(actions, loaded.predict(observations, deterministic=True)[0])
        observations, *_ = env.step(actions)
    for name, value in model.reference.state_dict().items():
        assert torch.equal(value, loaded.reference.state_dict()[name])
    np.testing.assert_array_equal(model.moving_average.averages, loaded.moving_average.averages)
    weights = []
    for each in (model, loaded):
        each.set_env(make_vec_env("textgym/Copy-v0", n_envs=2, seed=5, env_kwargs=COPY))
        torch.manual_seed(0)
        each.learn(48, reset_num_timesteps=False)
        assert each.num_timesteps == 120
        weights.append(torch.nn.utils.parameters_to_vector(each.policy.parameters()))
    torch.testing.assert_close(*weights)


def test_tensorboard_and_progress_bar(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model = make_model(rows=2, n_steps=12, tensorboard_log=str(tmp_path), baseline="value")
    model.learn(72, progress_bar=True)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "REINFORCE_1"
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    names = {"rollout/clean_return", "rollout/observed_return", "rollout/gold_return"}
    names |= {"train/entropy", "train/kl", "train/policy_loss", "train/value_loss", "train/gradient_norm"}
    assert names <= set(events.Tags()["scalars"])
    first = events.Scalars("train/entropy")[0].value
    assert first == pytest.approx(np.log(6), rel=0.05)  # six tokens, about equally likely before learning


def test_a_rollout_without_a_finished_text_updates_nothing():
    model = make_model(n_steps=1)
    before = torch.nn.utils.parameters_to_vector(model.policy.parameters()).clone()
    model.collect_rollouts(model.env, begin(model), model.rollout_buffer, 1)
    model.train()
    assert torch.equal(before, torch.nn.utils.parameters_to_vector(model.policy.parameters()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"baseline": "critic"}, "none, moving_average, value, leave_one_out, group_normalised, got 'critic'"),
        ({"feedback_term": "late"}, "immediate, to_go, got 'late'"),
        ({"baseline": "leave_one_out"}, "group_size of at least 2"),
        ({"group_size": 2}, "leave_one_out"),
        ({"baseline": "leave_one_out", "group_size": 2}, "the environment's is 1"),
        ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
        ({"kl_coef": -0.1}, "kl_coef must be at least 0, got -0.1"),
        ({"gamma": 1.5}, r"gamma must be in \[0, 1\]"),
        ({"credit": "late"}, "credit must be one of to_go, text, got 'late'"),
        ({"normalize_length": "word"}, "normalize_length must be one of none, text, token, got 'word'"),
        ({"n_epochs": 0}, "n_epochs must be at least 1, got 0"),
        ({"clip_range": 0.0}, "clip_range must be positive, got 0.0"),
        ({"clip_level": "word"}, "clip_level must be one of text, token, got 'word'"),
        ({"kl_in": "advantage"}, "kl_in must be one of loss, reward, got 'advantage'"),
        ({"kl_estimator": "k1"}, "kl_estimator in the loss must be one of full, k2, k3, got 'k1'"),
        ({"kl_estimator": "full", "kl_in": "reward"}, "kl_estimator in the reward must be one of k1, k3, got 'full'"),
        ({"kl_target": 1.0}, "kl_target and the kl_coef it starts from must be positive, got 1.0 and 0.0"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_model(**wrong)


def test_it_warns_where_the_reward_contains_the_feedback():
    for reward in ("feedback", "sum"):
        with pytest.warns(UserWarning, match="contains the feedback f_t already"):
            make_model(alpha=0.5, env_arguments={**COPY, "reward": reward})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model(alpha=0.5, env_arguments={**COPY, "reward": "gold"})
        make_model(alpha=0.0)


def test_it_takes_an_env():
    env = gymnasium.make("textgym/Copy-v0", **COPY)
    model = REINFORCE("TransformerPolicy", env, policy_kwargs={"model": SMALL}, n_steps=12, seed=0).learn(24)
    assert model.num_timesteps == 24
