"""Laws of self-training: its update is maximum likelihood on what it kept, and it believes its judge."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import LinearSchedule

from agents.policy import TransformerPolicy
from agents.self_training import SelfTraining
from agents.vec_env import make_vec_env

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
         "attn_pdrop": 0.0}  # fmt: skip
COPY = {"length": 2, "letters": 3, "size": 9}


def make_model(rows=8, env_arguments=None, **arguments):
    given = {**COPY, "group_size": arguments.get("group_size", 1), **(env_arguments or {})}
    env = make_vec_env("textgym/Copy-v0", n_envs=rows, seed=0, **given)
    arguments = {"policy_kwargs": {"model": SMALL}, "n_steps": 12, "n_epochs": 2, "n_minibatches": 1, **arguments}
    return SelfTraining("TransformerPolicy", env, seed=0, device="cpu", **arguments)


class Record(BaseCallback):
    """Keeps what the logger was told of each rollout and of the update before it."""

    def __init__(self):
        super().__init__()
        self.records = []

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        self.records.append(dict(self.logger.name_to_value))


def negative_log_likelihood(lm, input_ids, start, length):
    """Of the tokens of one text from `start` to `length`, by a plain pass."""
    logits = lm(input_ids[None, :length]).logits[0, start - 1 : length - 1].log_softmax(-1)
    return -logits.gather(1, input_ids[start:length, None]).sum()


@pytest.mark.parametrize(
    "arguments",
    [
        {"keep": "best", "fraction": 0.25},
        {"keep": "best", "fraction": 0.5, "group_size": 4, "n_steps": 24, "batch_size": 10},
        {"keep": "threshold", "threshold": 0.5, "n_epochs": 1},
        {"keep": "weighted", "weight_temperature": 0.3, "reference_coef": 0.7},
        {"keep": "weighted", "weight_temperature": 0.3, "n_minibatches": 3},
    ],
)
def test_an_update_is_maximum_likelihood_on_what_is_kept(arguments):
    sgd = {"model": SMALL, "optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}}
    fast, slow = (make_model(policy_kwargs=sgd, learning_rate=0.3, **arguments) for _ in range(2))
    slow.policy.load_state_dict(fast.policy.state_dict())
    _, callback = fast._setup_learn(10**6)
    callback.on_training_start({}, {})
    fast.collect_rollouts(fast.env, callback, fast.rollout_buffer, fast.n_steps)
    texts = fast.rollout_buffer.take()
    fast.rollout_buffer.take = lambda: texts
    torch.manual_seed(5)
    fast.train()

    returns = texts.rewards.sum(axis=1)
    if fast.keep == "weighted":
        weights = np.exp(returns / 0.3)
    elif fast.keep == "threshold":
        weights = returns >= 0.5
    else:
        groups = returns.reshape(-1, 4) if fast.group_size == 4 else returns[None]
        count = int(np.ceil(fast.fraction * groups.shape[1]))
        last = np.sort(groups, axis=1)[:, -count, None]
        alike = (groups == last).sum(axis=1, keepdims=True)
        weights = np.where(groups == last, (count - (groups > last).sum(axis=1, keepdims=True)) / alike, groups > last)
        weights = weights.ravel()
    kept = np.flatnonzero(weights)
    assert fast.keep == "weighted" or 0 < len(kept) < len(weights)
    lm = slow.policy.backbone.lm
    torch.manual_seed(5)
    for _ in range(fast.n_epochs):
        order = kept if fast.n_minibatches == 1 else kept[torch.randperm(len(kept)).numpy()]
        for part in np.array_split(order, fast.n_minibatches):
            loss = 0.0
            for row in part:
                last = int(texts.positions[row].max())
                ids = torch.tensor([*texts.input_ids[row, : last + 1], texts.actions[row][texts.mask[row]][-1]])
                share = float(weights[row] / weights[part].sum())
                loss = loss + share * negative_log_likelihood(lm, ids, int(texts.positions[row, 0]) + 1, last + 2)
            if fast.reference_coef:
                references = fast.references
                for i in torch.randint(len(references.lengths), (len(part),)).tolist():
                    start, length = int(references.prompt_lengths[i]), int(references.lengths[i])
                    loss = loss + 0.7 / len(part) * negative_log_likelihood(lm, references.tokens[i], start, length)
            slow.policy.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(slow.policy.parameters(), slow.max_grad_norm)
            slow.policy.optimizer.param_groups[0]["lr"] = 0.3
            slow.policy.optimizer.step()
    learned, expected = (torch.nn.utils.parameters_to_vector(each.policy.parameters()) for each in (fast, slow))
    torch.testing.assert_close(learned, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("keep", ["best", "threshold", "weighted"])
def test_it_learns(keep):
    record = Record()
    rising = LinearSchedule(0.3, 1.0, 1.0)
    model = make_model(rows=32, keep=keep, learning_rate=1e-2, threshold=rising, weight_temperature=0.2)
    model.learn(32 * 12 * 20, record)
    gold = [each["rollout/gold_return"] for each in record.records]
    assert np.mean(gold[-3:]) > np.mean(gold[:3]) + 0.3


def test_texts_about_which_nothing_was_observed_are_no_examples():
    noise = {"noise": [{"name": "dropout", "seen": 0.5}], "feedback": ["exact_match"]}
    for keep in ("best", "threshold", "weighted"):
        model = make_model(rows=32, keep=keep, fraction=1.0, threshold=-1.0, env_arguments=noise)
        _, callback = model._setup_learn(10**6)
        callback.on_training_start({}, {})
        model.collect_rollouts(model.env, callback, model.rollout_buffer, 12)
        texts = model.rollout_buffer.take()
        assert 0 < texts.observed.mean() < 1
        np.testing.assert_array_equal(model.weights(texts) > 0, texts.observed)


def test_where_nothing_is_kept_nothing_is_learnt():
    model = make_model(keep="threshold", threshold=2.0)
    before = torch.nn.utils.parameters_to_vector(model.policy.parameters()).clone()
    model.learn(8 * 12 * 2)
    assert torch.equal(before, torch.nn.utils.parameters_to_vector(model.policy.parameters()))


def test_a_loaded_model_acts_and_learns_like_the_saved_one(tmp_path):
    model = make_model(reference_coef=0.5, keep="weighted").learn(8 * 12 * 3)
    model.save(tmp_path / "model.zip")
    loaded = SelfTraining.load(tmp_path / "model.zip", env=make_vec_env("textgym/Copy-v0", n_envs=8, **COPY))
    env = make_vec_env("textgym/Copy-v0", n_envs=8, seed=3, **COPY)
    observations = env.reset()
    for _ in range(6):
        actions, _ = model.predict(observations, deterministic=True)
        np.testing.assert_array_equal(actions, loaded.predict(observations, deterministic=True)[0])
        observations, *_ = env.step(actions)
    weights = []
    for each in (model, loaded):
        each.set_env(make_vec_env("textgym/Copy-v0", n_envs=8, seed=5, **COPY))
        torch.manual_seed(0)
        each.learn(8 * 12 * 2, reset_num_timesteps=False)
        weights.append(torch.nn.utils.parameters_to_vector(each.policy.parameters()))
    torch.testing.assert_close(*weights, atol=0, rtol=0)


def test_tensorboard_and_progress_bar(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    judge = {"feedback": [{"name": "self_feedback", "metric": "rouge_l", "kappa": 0.5}]}
    model = make_model(tensorboard_log=str(tmp_path), reference_coef=0.1, env_arguments=judge)
    model.learn(8 * 12 * 2, progress_bar=True)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "SelfTraining_1"
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    names = {"rollout/clean_return", "rollout/observed_return", "rollout/gold_return", "rollout/self_preference"}
    names |= {"rollout/judge_error", "train/kept", "train/kept_return", "train/loss", "train/reference_loss"}
    assert names <= set(events.Tags()["scalars"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"keep": "worst"}, "keep must be one of best, threshold, weighted, got 'worst'"),
        ({"fraction": 0.0}, r"fraction must be in \(0, 1\], got 0.0"),
        ({"weight_temperature": 0.0}, "weight_temperature must be positive and reference_coef at least 0, got 0.0"),
        ({"n_epochs": 0}, "n_epochs and n_minibatches must be at least 1, got 0 and 1"),
        ({"group_size": 2, "env_arguments": {"group_size": 3}}, "the environment's is 3"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_model(**wrong)


def taught_by_its_own_judge(folder, seed, kappa):
    """What self-training gains in observed, clean and gold return, and the self-preference that it logs at first.

    The judge is the policy as it was before learning, with habits of its own: by chance, and likely.
    """
    letters = {"length": 3, "letters": 8, "size": 64}
    space = make_vec_env("textgym/Copy-v0", **letters)
    torch.manual_seed(seed)
    untied = {**SMALL, "tie_word_embeddings": False}
    habits = TransformerPolicy(space.observation_space, space.action_space, lambda _: 0.0, model=untied)
    with torch.no_grad():
        habits.backbone.lm.lm_head.weight.mul_(25.0)
    habits.backbone.save_pretrained(folder)
    judge = {"name": "self_feedback", "metric": "rouge_l", "kappa": kappa}
    judge["model"] = {"name": "causal_lm", "path": str(folder)}
    start = {"env_arguments": {**letters, "feedback": [judge]}, "policy_kwargs": {"model": str(folder)}}
    record = Record()
    model = make_model(rows=32, learning_rate=1e-2, n_epochs=4, n_minibatches=2, **start)
    model.learn(32 * 12 * 25, record)
    names = ("rollout/observed_return", "rollout/clean_return", "rollout/gold_return")
    returns = np.array([[each[name] for name in names] for each in record.records])
    return *(returns[-3:].mean(axis=0) - returns[0]), record.records[0].get("rollout/self_preference", 0.0)


@pytest.mark.slow
def test_a_judge_that_likes_itself_pays_more_and_more_for_what_is_hardly_better(tmp_path):
    runs = [[taught_by_its_own_judge(tmp_path, seed, kappa) for seed in range(6)] for kappa in (0.0, 2.0)]
    (_, fair_clean, fair_gold, fair_preference), (paid, clean, gold, preference) = np.mean(runs, axis=1)
    assert fair_gold > 0.15
    assert fair_preference == 0.0
    assert preference > 0.5
    assert paid > max(0.8, 2 * fair_clean)
    assert clean < fair_clean / 10
    assert gold < fair_gold / 3
