"""Laws of the warm start: what it counts, what it keeps, and that it repeats."""

import math

import gymnasium
import numpy as np
import pytest
import torch

import textgym  # noqa: F401  (registers the environments)
from agents.data.texts import Texts, token_losses
from agents.policy import TransformerPolicy
from agents.supervised import warm_start
from textgym.tasks.base import PromptSet
from textgym.tasks.making import make_task

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 32, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
         "attn_pdrop": 0.0}  # fmt: skip
COPY = {"length": 3, "letters": 3, "size": 27}


def make_policy(seed=0, **arguments):
    env = gymnasium.make("textgym/Copy-v0", **{**COPY, **arguments})
    torch.manual_seed(seed)
    return TransformerPolicy(env.observation_space, env.action_space, lambda _: 1e-3, model=SMALL)


@pytest.fixture
def texts():
    vocabulary = make_task("copy", **COPY).vocabulary
    prompts, references = [[3], [4, 5], [3, 3]], [[3, 4], [5, 4, 3, 4], []]
    prompt_set = PromptSet.from_tokens(prompts, references, vocabulary)
    return Texts.of(prompt_set, end_id=2, pad_id=0, max_new_tokens=4)


def test_texts_join_prompt_reference_and_end_within_the_budget(texts):
    assert texts.tokens.tolist() == [[3, 1, 3, 4, 2, 0, 0], [4, 5, 1, 5, 4, 3, 4]]
    assert texts.prompt_lengths.tolist() == [2, 3]
    assert texts.lengths.tolist() == [5, 7]


@pytest.mark.parametrize("with_prompt", [False, True])
def test_token_losses_are_those_of_a_pass_over_one_text_at_a_time(texts, with_prompt):
    backbone = make_policy(length=4, size=81).backbone
    losses, of_reference = token_losses(backbone, texts, np.array([0, 1]), with_prompt=with_prompt)
    expected, expected_of_reference = [], []
    for tokens, start, end in zip(texts.tokens, texts.prompt_lengths, texts.lengths, strict=True):
        log_probs = backbone.lm(tokens[None, :end]).logits[0].log_softmax(-1)
        for place in range(1 if with_prompt else start, end):
            expected.append(-log_probs[place - 1, tokens[place]].item())
            expected_of_reference.append(place >= start)
    np.testing.assert_allclose(losses.tolist(), expected, rtol=1e-5)
    assert of_reference.tolist() == expected_of_reference


def test_batches_hold_every_text_once_and_pad_little():
    generator = np.random.default_rng(0)
    lengths = generator.integers(2, 60, 1000)
    texts = Texts(torch.zeros(1000, 60, dtype=torch.long), np.ones(1000, np.int64), lengths)
    batches = list(texts.batches(16, generator))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    assert [len(batch) for batch in batches].count(16) == 62
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded < 1.1 * lengths.sum()
    assert np.abs(np.diff([lengths[batch].mean() for batch in batches])).mean() > 10  # short and long ones take turns


def test_a_warm_start_learns_to_copy_unseen_prompts_and_leaves_the_best_weights():
    policy = make_policy()
    task = make_task("copy", **COPY)
    record = warm_start(
        policy, task, generator=np.random.default_rng(0), learning_rate=1e-2, batch_size=8, max_epochs=40
    )
    assert record.validation_perplexities[0] == pytest.approx(len(task.vocabulary), rel=0.2)
    assert record.perplexity == min(record.validation_perplexities) < 1.7
    assert len(record.train_perplexities) == len(record.validation_perplexities) - 1
    validation = Texts.of(task.prompt_set("validation"), end_id=2, pad_id=0, max_new_tokens=task.max_new_tokens)
    losses, _ = token_losses(policy.backbone, validation, np.arange(len(validation.lengths)), with_prompt=False)
    assert math.exp(losses.mean().item()) == pytest.approx(record.perplexity, rel=1e-4)


def test_learning_stops_when_perplexity_no_longer_falls():
    settings = {"learning_rate": 0.3, "batch_size": 4, "warmup_steps": 1, "max_epochs": 30}
    record = warm_start(
        make_policy(), make_task("copy", **COPY), generator=np.random.default_rng(0), patience=3, **settings
    )
    assert len(record.validation_perplexities) == record.best_epoch + 1 + 3 < 31


def test_a_warm_start_that_diverges_puts_the_best_weights_back():
    policy, task = make_policy(), make_task("copy", **COPY)
    before = {name: weights.clone() for name, weights in policy.backbone.state_dict().items()}
    record = warm_start(
        policy, task, generator=np.random.default_rng(0), learning_rate=100.0, warmup_steps=1, max_epochs=3, patience=3
    )
    assert record.best_epoch == 0
    assert max(record.validation_perplexities) > 1e6
    assert all(torch.equal(weights, before[name]) for name, weights in policy.backbone.state_dict().items())


def test_a_warm_start_repeats_and_draws_from_its_generator_only():
    task = make_task("copy", **COPY)
    records = []
    for _ in range(2):
        policy = make_policy()
        torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        records.append(warm_start(policy, task, generator=np.random.default_rng(7), max_epochs=2, prompt_weight=0.5))
        assert torch.equal(torch_state, torch.random.get_rng_state())
        assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert records[0] == records[1]


def test_the_policy_decodes_with_the_new_weights():
    policy = make_policy()
    env = gymnasium.make("textgym/Copy-v0", **COPY)
    observation = {name: value[None] for name, value in env.reset(seed=0)[0].items()}
    policy.predict(observation, deterministic=True)  # fills the cache with the old weights
    task = make_task("copy", **COPY)
    warm_start(policy, task, generator=np.random.default_rng(0), learning_rate=1e-2, max_epochs=5, batch_size=8)
    tensors = {name: torch.from_numpy(value) for name, value in observation.items()}
    with torch.no_grad():
        _, _, cached = policy(tensors, deterministic=True)
        plain = policy.action_logits(tensors).log_softmax(-1).amax(-1)
    torch.testing.assert_close(cached, plain)


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0.0}, {"batch_size": 0}, {"patience": 0}, {"prompt_weight": -1.0}, {"max_epochs": 0}]
)
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.*got"):
        warm_start(make_policy(), make_task("copy", **COPY), generator=np.random.default_rng(0), **wrong)


def test_prompts_without_references_are_refused():
    prompt_set = PromptSet.from_tokens([[3]], [[]], make_task("copy", **COPY).vocabulary)
    with pytest.raises(ValueError, match="needs references"):
        Texts.of(prompt_set, end_id=2, pad_id=0, max_new_tokens=3)
