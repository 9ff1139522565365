"""The policy with its cache equals the plain model, and every learner of Stable-Baselines3 trains it unpatched."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import TRPO, MaskablePPO
from sb3_contrib.common.maskable.distributions import MaskableCategorical
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from agents.backbone import Backbone
from agents.policy import MaskableTransformerPolicy, TransformerPolicy, sample
from agents.rollout_buffer import PASS_COST, MaskableSequenceRolloutBuffer, SequenceRolloutBuffer
from agents.vec_env import GymnasiumVecEnv, make_vec_env

MODEL: dict[str, Any] = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 2}
LENGTH, VOCABULARY = 8, 11
OBSERVATION_SPACE = spaces.Dict(
    {
        "input_ids": spaces.Box(0, VOCABULARY - 1, (LENGTH,), np.int64),
        "attention_mask": spaces.Box(0, 1, (LENGTH,), np.int8),
    }
)
ACTION_SPACE = spaces.Discrete(VOCABULARY)


def make_policy(kind: Any = TransformerPolicy, **arguments: Any) -> Any:
    torch.manual_seed(0)
    policy = kind(OBSERVATION_SPACE, ACTION_SPACE, lambda _: 0.1, **{"model": MODEL, **arguments})
    for parameter in policy.parameters():
        if parameter.dim() > 1:  # large enough weights that a stale key shows
            torch.nn.init.normal_(parameter, std=0.2)
    policy.set_training_mode(False)
    return policy


def make_env(rows: int = 4, seed: int = 0) -> GymnasiumVecEnv:
    return make_vec_env("textgym/Copy-v0", n_envs=rows, seed=seed, length=3, letters=4, size=40)


def make_learner(algorithm: type[OnPolicyAlgorithm] = PPO, **arguments: Any) -> OnPolicyAlgorithm:
    maskable = algorithm is MaskablePPO
    batched = {} if algorithm is A2C else {"batch_size": 32}
    model = algorithm(
        MaskableTransformerPolicy if maskable else TransformerPolicy,
        make_env(),
        rollout_buffer_class=MaskableSequenceRolloutBuffer if maskable else SequenceRolloutBuffer,
        n_steps=16,
        gamma=1.0,
        seed=0,
        device="cpu",
        **{
            "policy_kwargs": {"model": MODEL, "attn_implementation": "eager" if algorithm is TRPO else None},
            **batched,
            **arguments,
        },
    )
    torch.nn.init.normal_(model.policy.backbone.value_head.weight)
    return model


def observe(*texts: list[int]) -> dict[str, torch.Tensor]:
    ids, mask = torch.zeros(len(texts), LENGTH, dtype=torch.long), torch.zeros(len(texts), LENGTH, dtype=torch.int8)
    for row, text in enumerate(texts):
        ids[row, : len(text)], mask[row, : len(text)] = torch.tensor(text), 1
    return {"input_ids": ids, "attention_mask": mask}


def assert_exact(policy: TransformerPolicy, obs: dict[str, torch.Tensor]) -> None:
    """`forward`, `predict` and `predict_values` with their caches equal one plain pass."""
    with torch.no_grad():
        actions, values, log_prob = policy(obs, deterministic=True)
        expected_values, expected_log_prob, _ = policy.evaluate_actions(obs, actions)
        torch.testing.assert_close(values, expected_values, rtol=0, atol=1e-5)
        torch.testing.assert_close(log_prob, expected_log_prob, rtol=0, atol=1e-5)
        torch.testing.assert_close(policy.predict_values(obs), expected_values, rtol=0, atol=1e-5)
        assert torch.equal(actions, policy.action_logits(obs).argmax(-1))
    predicted, _ = policy.predict({key: value.numpy() for key, value in obs.items()}, deterministic=True)
    assert predicted.tolist() == actions.tolist()


@pytest.mark.parametrize("algorithm", [PPO, A2C, MaskablePPO, TRPO])
def test_every_algorithm_trains_it_unpatched(algorithm: type[OnPolicyAlgorithm]) -> None:
    model = make_learner(algorithm)
    before = model.policy.parameters_to_vector()
    model.learn(128)
    after = model.policy.parameters_to_vector()
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)


@pytest.mark.parametrize("pass_cost", [0, 128])
@pytest.mark.parametrize("algorithm", [PPO, MaskablePPO])
def test_forward_and_evaluate_actions_agree_on_a_rollout(
    algorithm: type[OnPolicyAlgorithm], pass_cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PASS_COST, "cpu", pass_cost)  # texts of a minibatch in several blocks, or in one
    model = make_learner(algorithm)
    _, callback = model._setup_learn(total_timesteps=1000)
    for _ in range(2):
        model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=16)
        for samples in model.rollout_buffer.get(24):
            masks = {"action_masks": samples.action_masks} if algorithm is MaskablePPO else {}
            values, log_prob, entropy = model.policy.evaluate_actions(samples.observations, samples.actions, **masks)
            torch.testing.assert_close(values.flatten(), samples.old_values, rtol=0, atol=1e-5)
            torch.testing.assert_close(log_prob, samples.old_log_prob, rtol=0, atol=1e-5)
            distribution = model.policy.get_distribution(samples.observations, **masks)
            torch.testing.assert_close(log_prob, distribution.log_prob(samples.actions))
            torch.testing.assert_close(entropy, distribution.entropy())
            torch.testing.assert_close(model.policy.predict_values(samples.observations), values)
        model.train()  # the second rollout starts in the middle of texts, with other weights


def test_predictions_are_exact_as_texts_go_on_and_start_anew() -> None:
    policy = make_policy()
    for texts in (([1, 2], [3]), ([1, 2, 4], [3, 5]), ([1, 2, 4, 6], [7, 8, 9]), ([2], [7, 8, 9, 1])):
        assert_exact(policy, observe(*texts))


@pytest.mark.parametrize("change", ["optimizer", "another_optimizer", "in_place", "data", "load_state_dict", "dtype"])
def test_new_weights_are_noticed(change: str) -> None:
    policy = make_policy(optimizer_kwargs={"fused": True})
    obs = observe([1, 2, 3], [4, 5])
    assert_exact(policy, obs)
    if change == "optimizer":
        policy.evaluate_actions(obs, torch.tensor([1, 2]))[1].sum().backward()
        policy.optimizer.step()
    elif change == "another_optimizer":
        policy.set_training_mode(True)
        policy.evaluate_actions(obs, torch.tensor([1, 2]))[1].sum().backward()
        torch.optim.AdamW(policy.parameters(), lr=0.1, fused=True).step()
        policy.set_training_mode(False)
    elif change == "in_place":
        with torch.no_grad():
            policy.backbone.lm.transformer.h[0].attn.c_attn.weight.mul_(2)
    elif change == "data":
        for parameter in policy.parameters():
            parameter.data = 2 * parameter.data
    elif change == "load_state_dict":
        policy.load_state_dict({key: 2 * value for key, value in policy.state_dict().items()})
    else:
        policy.double()
    assert_exact(policy, observe([1, 2, 3, 6], [4, 5, 7]))


def test_clear_cache_makes_up_for_writes_that_leave_no_trace() -> None:
    policy = make_policy()
    assert_exact(policy, observe([1, 2, 3]))
    policy.backbone.lm.transformer.h[0].attn.c_attn.weight.data.mul_(2)
    policy.clear_cache()
    assert_exact(policy, observe([1, 2, 3, 4]))


class Evaluate(BaseCallback):
    """Lets the policy write in another environment at every step."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.other = make_env(rows, seed=9)
        self.obs = self.other.reset()

    def _on_step(self) -> bool:
        actions, _ = self.model.predict(self.obs, deterministic=True)
        self.obs, *_ = self.other.step(actions)
        return True


@pytest.mark.parametrize("rows", [1, 4])
def test_evaluation_in_the_middle_of_a_rollout_changes_nothing(rows: int) -> None:
    learned = [make_learner().learn(128, callback).policy.parameters_to_vector() for callback in (None, Evaluate(rows))]
    assert np.array_equal(learned[0], learned[1])


def test_saving_and_loading_gives_the_same_actions(tmp_path: Path) -> None:
    model = make_learner().learn(64)
    obs = model.env.reset()
    expected, _ = model.predict(obs, deterministic=True)
    model.save(tmp_path / "model.zip")
    model.policy.save(tmp_path / "policy.pt")
    for loaded in (
        PPO.load(tmp_path / "model.zip", device="cpu"),
        TransformerPolicy.load(tmp_path / "policy.pt", device="cpu"),
    ):
        assert loaded.predict(obs, deterministic=True)[0].tolist() == expected.tolist()
        policy = loaded.policy if isinstance(loaded, PPO) else loaded
        assert np.array_equal(policy.parameters_to_vector(), model.policy.parameters_to_vector())


def test_a_saved_policy_needs_no_folder_of_a_pretrained_model(tmp_path: Path) -> None:
    Backbone(MODEL, vocab_size=VOCABULARY + 5, context_length=LENGTH).save_pretrained(tmp_path / "pretrained")
    policy = make_policy(model=str(tmp_path / "pretrained"))
    policy.save(tmp_path / "policy.pt")
    (tmp_path / "pretrained").rename(tmp_path / "elsewhere")
    loaded = TransformerPolicy.load(tmp_path / "policy.pt", device="cpu")
    assert np.array_equal(loaded.parameters_to_vector(), policy.parameters_to_vector())


def test_a_learner_whose_folder_has_moved_says_how_to_load_it(tmp_path: Path) -> None:
    Backbone(MODEL, vocab_size=VOCABULARY, context_length=LENGTH).save_pretrained(tmp_path / "pretrained")
    model = PPO(TransformerPolicy, make_env(), policy_kwargs={"model": str(tmp_path / "pretrained")}, device="cpu")
    model.save(tmp_path / "model.zip")
    moved = (tmp_path / "pretrained").rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"there is no model .*/pretrained', .* custom_objects="):
        PPO.load(tmp_path / "model.zip", device="cpu")
    loaded = PPO.load(tmp_path / "model.zip", device="cpu", custom_objects={"policy_kwargs": {"model": str(moved)}})
    assert np.array_equal(loaded.policy.parameters_to_vector(), model.policy.parameters_to_vector())


def test_a_loaded_learner_goes_on_exactly(tmp_path: Path) -> None:
    model = make_learner().learn(64)
    model.save(tmp_path / "model.zip")
    learned = []
    for learner in (model, PPO.load(tmp_path / "model.zip", env=make_env(), device="cpu")):
        learner.set_env(make_env(seed=3))
        torch.manual_seed(1)
        learned.append(learner.learn(64).policy.parameters_to_vector())
    assert np.array_equal(learned[0], learned[1])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy))])
def test_a_copy_has_its_own_cache(copied: Any) -> None:
    policy = make_policy()
    assert_exact(policy, observe([1, 2, 3]))
    twin = copied(policy)
    assert_exact(twin, observe([1, 2, 3, 4]))
    twin.evaluate_actions(observe([1, 2]), torch.tensor([1]))[1].sum().backward()
    twin.optimizer.step()
    assert_exact(twin, observe([1, 2, 3, 4, 5]))
    assert_exact(policy, observe([1, 2, 3, 4]))


def test_copies_and_moves_leave_the_cached_keys_behind() -> None:
    policy = make_policy()
    size = len(pickle.dumps(policy))
    assert_exact(policy, observe([1, 2, 3]))
    assert len(pickle.dumps(policy)) == size
    policy.double()
    assert not policy._caches  # else a model that moves to a GPU would hold them in both memories


def test_bfloat16_autocast_is_close_and_gives_float32() -> None:
    policy = make_policy(autocast="bfloat16")
    plain = make_policy()
    for texts in (([1, 2, 3], [4, 5]), ([1, 2, 3, 6], [7])):
        obs = observe(*texts)
        with torch.no_grad():
            actions, values, log_prob = policy(obs)
            expected = plain.evaluate_actions(obs, actions)
        assert values.dtype == log_prob.dtype == torch.float32
        torch.testing.assert_close(log_prob, expected[1], rtol=0.05, atol=0.1)
        torch.testing.assert_close(values, expected[0], rtol=0.05, atol=0.1)


def test_masked_tokens_are_never_written_and_masking_is_that_of_sb3_contrib() -> None:
    policy = make_policy(MaskableTransformerPolicy)
    masks = torch.rand(64, VOCABULARY, generator=torch.Generator().manual_seed(2)) < 0.3
    masks[:, 0] = True
    obs = observe(*([row % VOCABULARY, 1] for row in range(64)))
    reference = MaskableCategorical(logits=policy.action_logits(obs).detach(), masks=masks)
    for deterministic in (False, True):
        with torch.no_grad():
            actions, _, log_prob = policy(obs, deterministic, action_masks=masks.numpy())
        predicted, _ = policy.predict({key: value.numpy() for key, value in obs.items()}, action_masks=masks.numpy())
        assert masks.gather(1, actions[:, None]).all()
        assert masks.gather(1, torch.from_numpy(predicted)[:, None]).all()
        torch.testing.assert_close(log_prob, reference.log_prob(actions))
    _, log_prob, entropy = policy.evaluate_actions(obs, actions, action_masks=masks)
    torch.testing.assert_close(log_prob, reference.log_prob(actions))
    torch.testing.assert_close(entropy, reference.entropy())


def test_sampling_follows_the_probabilities() -> None:
    torch.manual_seed(3)
    probabilities, draws = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.15, 0.05, 0.0]), 40_000
    counts = sample(probabilities.expand(draws, -1)).bincount(minlength=7)
    deviation = (counts - draws * probabilities) / (draws * probabilities * (1 - probabilities)).sqrt().clamp(min=1e-9)
    assert deviation.abs().max() < 4


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2.0**-53])
def test_the_ends_of_the_unit_interval_never_draw_a_token_of_probability_zero(
    uniform: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *size, **options: torch.full(size, uniform, dtype=torch.float64))
    third = 1 / 3
    assert sample(torch.tensor([[0.0, third, third, third, 0.0]])).item() == (3 if uniform == 0 else 1)


def test_rare_tokens_keep_their_share_beside_a_likely_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rare = 2.0**-30  # float32 cannot tell 1 from 1 - 2**-30
    probabilities = torch.full((1, 65), rare)
    probabilities[0, 0] = 1.0
    total = 1 + 64 * rare
    monkeypatch.setattr(
        torch, "rand", lambda *size, **options: torch.full(size, 21.5 * rare / total, dtype=torch.float64)
    )
    assert sample(probabilities).item() == 64 - 21


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="use_sde must be False"):
        make_policy(use_sde=True)
    with pytest.raises(ValueError, match="must have a Dict observation of input_ids and attention_mask"):
        TransformerPolicy(spaces.Box(0, 1, (3,)), ACTION_SPACE, lambda _: 0.1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'modle'"):
        make_policy(modle=None)


def test_normalised_observations_are_refused() -> None:
    env = VecNormalize(make_vec_env("textgym/Copy-v0", n_envs=4))
    with pytest.raises(ValueError, match=r"must be token ids .* VecNormalize without norm_obs=False"):
        PPO(TransformerPolicy, env, n_steps=8, batch_size=8, policy_kwargs={"model": MODEL}).learn(32)


def test_a_thinned_rollout_has_every_nth_observation() -> None:
    model = make_learner(TRPO, sub_sampling_factor=3)
    _, callback = model._setup_learn(total_timesteps=1000)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=16)
    (batch,) = model.rollout_buffer.get()
    with torch.no_grad():
        thinned = model.policy.action_logits(batch.observations[::3])
        assert torch.equal(thinned, model.policy.action_logits(batch.observations)[::3])
    before = model.policy.parameters_to_vector()
    model.train()
    assert not np.array_equal(before, model.policy.parameters_to_vector())


def test_an_algorithm_that_differentiates_twice_is_told_what_it_needs() -> None:
    with pytest.raises(RuntimeError, match=r"TRPO, needs policy_kwargs=\{'attn_implementation': 'eager'\}"):
        make_learner(TRPO, policy_kwargs={"model": MODEL}).learn(64)


@pytest.mark.gpu
@pytest.mark.parametrize("autocast", [None, "bfloat16"])
def test_it_learns_on_cuda(autocast: str | None) -> None:
    model = PPO(
        TransformerPolicy,
        make_env(),
        rollout_buffer_class=SequenceRolloutBuffer,
        n_steps=16,
        batch_size=32,
        gamma=1.0,
        seed=0,
        device="cuda",
        policy_kwargs={"model": MODEL, "autocast": autocast},
    ).learn(128)
    assert {parameter.device.type for parameter in model.policy.parameters()} == {"cuda"}
    assert np.isfinite(model.policy.parameters_to_vector()).all()


@pytest.mark.gpu
def test_cached_equals_uncached_on_cuda() -> None:
    policy = make_policy().cuda()
    for texts in (([1, 2], [3]), ([1, 2, 4], [3, 5]), ([1, 2, 4, 6], [7, 8, 9]), ([2], [7, 8, 9, 1])):
        obs = {key: value.cuda() for key, value in observe(*texts).items()}
        with torch.no_grad():
            actions, values, log_prob = policy(obs)
            expected_values, expected_log_prob, _ = policy.evaluate_actions(obs, actions)
        torch.testing.assert_close(values, expected_values, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(log_prob, expected_log_prob, rtol=1e-3, atol=1e-3)
