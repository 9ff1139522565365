"""Whole-text minibatches hold the rollout exactly, and PPO's update from them equals Stable-Baselines3's own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import DictRolloutBuffer
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from agents.policy import TransformerPolicy
from agents.rollout_buffer import PASS_COST, MaskableSequenceRolloutBuffer, SequenceRolloutBuffer, block_sizes
from agents.vec_env import make_vec_env

MODEL = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 2}
STEPS, ROWS, LENGTH, VOCABULARY = 12, 3, 8, 11
SPACE = spaces.Dict(
    {
        "input_ids": spaces.Box(0, VOCABULARY - 1, (LENGTH,), np.int64),
        "attention_mask": spaces.Box(0, 1, (LENGTH,), np.int8),
    }
)


def observe(texts: list[list[int]]) -> dict[str, np.ndarray[Any, Any]]:
    ids, mask = np.zeros((len(texts), LENGTH), np.int64), np.zeros((len(texts), LENGTH), np.int8)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    return {"input_ids": ids, "attention_mask": mask}


def fill(
    buffer: SequenceRolloutBuffer, rollout: list[list[list[int]]], starts: np.ndarray[Any, Any], **extra: Any
) -> None:
    """Adds a rollout in which every number tells its step and row: step + row / 10."""
    for step, texts in enumerate(rollout):
        told = step + np.arange(len(texts)) / 10
        masks = {"action_masks": extra["action_masks"][step]} if extra else {}
        actions = np.arange(len(texts)) + step
        buffer.add(
            observe(texts), actions, told, starts[step], torch.from_numpy(told), torch.from_numpy(-told), **masks
        )
    buffer.compute_returns_and_advantage(torch.zeros(len(rollout[0])), np.ones(len(rollout[0])))


def random_rollout(generator: np.random.Generator) -> tuple[list[list[list[int]]], np.ndarray[Any, Any]]:
    """Texts that grow by one or two tokens, are edited, cut back and started anew."""
    texts = [[int(row)] for row in range(1, ROWS + 1)]
    rollout, starts = [], np.ones((STEPS, ROWS), np.float32)
    for step in range(STEPS):
        rollout.append([list(text) for text in texts])
        if step + 1 == STEPS:
            break
        for row, text in enumerate(texts):
            kind = generator.integers(6)
            starts[step + 1, row] = kind == 0 or len(text) > LENGTH - 2
            if starts[step + 1, row]:
                texts[row] = generator.integers(1, VOCABULARY, 2).tolist()
            elif kind == 1:
                text[generator.integers(len(text))] = 0
            elif kind == 2:
                del text[max(1, len(text) - 1) :]
            else:
                text.extend(generator.integers(1, VOCABULARY, 1 + kind % 2).tolist())
    return rollout, starts


def make_buffer(kind: type[SequenceRolloutBuffer] = SequenceRolloutBuffer, steps: int = STEPS, rows: int = ROWS) -> Any:
    return kind(steps, SPACE, spaces.Discrete(VOCABULARY), device="cpu", gamma=1.0, n_envs=rows)


def test_segments_end_with_the_episode_and_where_an_observation_does_not_extend_the_last() -> None:
    texts = [[1, 2], [1, 2, 3], [1, 2, 3, 4, 5], [1, 9, 3, 4, 5, 6], [1, 9], [1, 9, 8], [1, 9, 8, 0], [1, 9, 8]]
    buffer = make_buffer(steps=len(texts), rows=1)
    fill(buffer, [[text] for text in texts], np.array([[1], [0], [0], [0], [0], [1], [0], [0]], np.float32))
    (samples,) = buffer.get()
    # A turn of two tokens goes on; an edit, a cut-back, an episode, and a cut-back by a token like padding do not.
    assert buffer.counts.tolist() == [3, 1, 1, 2, 1]
    (block,) = samples.observations.blocks
    whole = [[1, 2, 3, 4, 5, 0], [1, 9, 3, 4, 5, 6], [1, 9, 0, 0, 0, 0], [1, 9, 8, 0, 0, 0], [1, 9, 8, 0, 0, 0]]
    assert sorted(block.tolist()) == sorted(whole)


@pytest.mark.parametrize(
    ("widths", "pass_cost", "sizes"),
    [
        ([5], 0, [1]),
        ([3, 3, 3], 0, [3]),
        ([1, 1, 5, 5], 8, [4]),
        ([1, 1, 5, 5], 7, [2, 2]),
        ([1, 2, 9, 10, 10], 1, [2, 3]),
        ([1, 4, 9, 10], 0, [1, 1, 1, 1]),
    ],
)
def test_blocks_split_where_that_saves_more_padding_than_a_pass_costs(
    widths: list[int], pass_cost: int, sizes: list[int]
) -> None:
    assert block_sizes(np.array(widths), pass_cost).tolist() == sizes


@pytest.mark.parametrize("pass_cost", [0, 128])
@pytest.mark.parametrize("batch_size", [None, 1, 5, 10, 1000])
def test_every_token_comes_once_with_its_own_observation(
    batch_size: int | None, pass_cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PASS_COST, "cpu", pass_cost)
    buffer = make_buffer()
    rollout, starts = random_rollout(np.random.default_rng(3))
    fill(buffer, rollout, starts)
    for _ in range(2):
        seen = []
        for samples in buffer.get(batch_size):
            blocks, ends = samples.observations.blocks, samples.observations.ends
            places = [
                (block, row, end) for block in blocks for row in range(len(block)) for end in range(block.shape[1])
            ]
            for number, told in enumerate(samples.old_values.tolist()):
                step, env = int(told), round(told % 1 * 10)
                seen.append((step, env))
                block, row, end = places[ends[number]]
                assert block[row, : end + 1].tolist() == rollout[step][env]
                assert samples.actions[number] == step + env
                assert samples.old_log_prob[number] == pytest.approx(-told)
                assert samples.advantages[number] == pytest.approx(buffer.advantages[step, env])
                assert samples.returns[number] == pytest.approx(buffer.returns[step, env])
        assert sorted(seen) == [(step, env) for step in range(STEPS) for env in range(ROWS)]


@pytest.mark.parametrize("batch_size", [2, 4, 6, 9, 20, 35, 36])
def test_minibatches_have_at_least_batch_size_tokens_but_for_the_rest(batch_size: int) -> None:
    buffer = make_buffer()
    fill(buffer, *random_rollout(np.random.default_rng(4)))
    sizes = [len(samples.actions) for samples in buffer.get(batch_size)]
    longest = int(buffer.counts.max())
    assert sum(sizes) == STEPS * ROWS
    assert all(batch_size <= size < batch_size + longest for size in sizes[:-1])
    assert batch_size // 2 < sizes[-1] < batch_size + longest + batch_size // 2


def test_masks_survive_as_bits() -> None:
    buffer = make_buffer(MaskableSequenceRolloutBuffer)
    generator = np.random.default_rng(5)
    masks = generator.random((STEPS, ROWS, VOCABULARY)) < 0.5
    fill(buffer, *random_rollout(generator), action_masks=masks)
    for samples in buffer.get(6):
        for told, allowed in zip(samples.old_values.tolist(), samples.action_masks, strict=True):
            assert allowed.tolist() == masks[int(told), round(told % 1 * 10)].tolist()


class PlainTransformer(BaseFeaturesExtractor):
    """Reads every observation anew and gives the logits and the value as features."""

    def __init__(self, observation_space: spaces.Dict, policy: TransformerPolicy) -> None:
        super().__init__(observation_space, features_dim=policy.backbone.vocab_size + 1)
        self.backbone = policy.backbone

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        ids, mask = (observations[name].long() for name in ("input_ids", "attention_mask"))
        output = self.backbone.lm(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        last = (torch.arange(len(ids)), mask.sum(1) - 1)
        return torch.cat((output.logits[last], self.backbone.value_head(output.hidden_states[-1][last])), dim=1)


class Column(torch.nn.Module):
    """Passes some of the features on, as an actor or critic without weights."""

    def __init__(self, columns: slice) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, self.columns]


def make_learner() -> PPO:
    """Our policy and buffer, a whole rollout in one minibatch."""
    model = PPO(
        TransformerPolicy,
        make_vec_env("textgym/Copy-v0", n_envs=4, length=3, letters=4, size=40),
        rollout_buffer_class=SequenceRolloutBuffer,
        n_steps=16,
        batch_size=64,
        n_epochs=1,
        gamma=1.0,
        ent_coef=0.01,
        seed=0,
        device="cpu",
        policy_kwargs={"model": MODEL, "optimizer_kwargs": {"fused": False}},
    )
    torch.nn.init.normal_(model.policy.backbone.value_head.weight, std=0.1)
    return model


def make_plain_learner(ours: PPO) -> tuple[PPO, TransformerPolicy]:
    """Stable-Baselines3's own policy and buffer on a copy of the same weights; also returns who holds the copy."""
    twin = copy.deepcopy(ours.policy)
    extractor = {"features_extractor_class": PlainTransformer, "features_extractor_kwargs": {"policy": twin}}
    plain = PPO(
        "MultiInputPolicy",
        ours.get_env(),
        n_steps=16,
        batch_size=64,
        n_epochs=1,
        gamma=1.0,
        ent_coef=0.01,
        device="cpu",
        policy_kwargs={**extractor, "net_arch": [], "ortho_init": False},
    )
    assert type(plain.rollout_buffer) is DictRolloutBuffer
    plain.policy.action_net, plain.policy.value_net = Column(slice(0, -1)), Column(slice(-1, None))
    plain.policy.optimizer = torch.optim.Adam(plain.policy.parameters(), lr=3e-4, eps=1e-5)
    return plain, twin


def hand_over(rollout: SequenceRolloutBuffer, other: DictRolloutBuffer) -> None:
    """Puts the rollout of one buffer into another."""
    for name in ("actions", "values", "log_probs", "advantages", "returns"):
        setattr(other, name, getattr(rollout, name).copy())
    ids = rollout.observations["input_ids"]
    mask = np.arange(ids.shape[2]) < rollout.lengths[:, :, None]
    other.observations = {"input_ids": ids.copy(), "attention_mask": mask.astype(np.int8)}
    other.full, other.generator_ready = True, False


def test_full_batch_updates_equal_those_of_stable_baselines3() -> None:
    ours = make_learner()
    plain, twin = make_plain_learner(ours)
    _, callback = ours._setup_learn(total_timesteps=1000)
    plain.set_logger(ours.logger)
    for _ in range(3):
        ours.collect_rollouts(ours.env, callback, ours.rollout_buffer, n_rollout_steps=16)
        hand_over(ours.rollout_buffer, plain.rollout_buffer)
        losses = []
        for learner in (ours, plain):
            learner.train()
            losses.append({key: value for key, value in ours.logger.name_to_value.items() if key.startswith("train/")})
        assert losses[0]["train/value_loss"] > 1e-3
        assert losses[0] == {key: pytest.approx(value, abs=1e-6) for key, value in losses[1].items()}
    for (name, parameter), other in zip(ours.policy.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(parameter, other, rtol=0, atol=1e-5, msg=name)
