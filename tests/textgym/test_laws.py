"""Laws that every registered environment obeys; a new id is covered without a change here."""

import json
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import textgym
from tests.laws import assert_same, go_on, play, random_actions, row_of

IDS = textgym.env_ids()
MODES = list(AutoresetMode)
EVERY_STEP = (
    "signals", "observed_signals", "observed_mask",
    "clean_reward", "observed_reward", "corrected_reward", "gold_reward",
)  # fmt: skip
RATING = {"name": "rating", "metric": "rouge_l", "levels": 5, "spread": 0.2, "readings": 3}
NOISY = {
    "feedback": [{"name": "token_match", "weight": 0.5}, {**RATING, "noise": [{"name": "gaussian", "sigma": 0.1}]}],
    "noise": [{"name": "gaussian", "sigma": 0.3}],
}


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_check_env(env_id):
    check_env(gymnasium.make(env_id).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_two_seeded_runs_are_equal(env_id):
    env, twin = gymnasium.make(env_id, **NOISY), gymnasium.make(env_id, **NOISY)
    actions = random_actions(env, 100)
    run = play(env, actions, seed=7)
    assert_same(run, play(twin, actions, seed=7))
    rewards = [step[1] for step in run if len(step) == 5]
    other = [step[1] for step in play(twin, actions, seed=8) if len(step) == 5]
    assert rewards != other


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", IDS)
def test_vector_row_equals_single_env_in_every_autoreset_mode(env_id, mode):
    seeds = [5, 0, 2**80, 31]
    env = gymnasium.make_vec(
        env_id, num_envs=4, vectorization_mode="vector_entry_point", autoreset_mode=mode.value, **NOISY
    )
    actions = np.stack([random_actions(env, 90, seed) for seed in range(4)], axis=1)
    single = [gymnasium.make(env_id, **NOISY) for _ in seeds]
    observations, info = env.reset(seed=seeds)
    running = [True] * 4
    for row, alone in enumerate(single):
        assert_same(alone.reset(seed=seeds[row]), ({k: v[row] for k, v in observations.items()}, row_of(info, row)))
    for action in actions:
        observations, rewards, terminated, truncated, info = env.step(action)
        for row, alone in enumerate(single):
            seen = {name: value[row] for name, value in observations.items()}
            if not running[row]:
                expected = (*alone.reset(), 0.0, False)
                assert_same(expected, (seen, row_of(info, row), rewards[row], terminated[row]))
                running[row] = True
                continue
            last = alone.step(int(action[row]))
            assert_same(last[1:4], (rewards[row], terminated[row], truncated[row]))
            own = row_of(info, row)
            if mode is AutoresetMode.SAME_STEP and terminated[row]:
                assert_same((last[0], last[4]), (own.pop("final_obs"), own.pop("final_info")))
                assert_same(alone.reset(), (seen, own))
            else:
                assert_same((last[0], last[4]), (seen, own))
                running[row] = not terminated[row]
        if mode is AutoresetMode.DISABLED and terminated.any():
            observations, info = env.reset(options={"reset_mask": terminated})
            for row in np.flatnonzero(terminated):
                expected = ({k: v[row] for k, v in observations.items()}, row_of(info, row))
                assert_same(single[row].reset(), expected)
                running[row] = True


@pytest.mark.parametrize("env_id", IDS)
def test_rows_do_not_depend_on_how_many_there_are(env_id):
    few, many = (
        gymnasium.make_vec(env_id, num_envs=n, vectorization_mode="vector_entry_point", **NOISY) for n in (2, 7)
    )
    actions = np.stack([random_actions(few, 60, seed) for seed in range(7)], axis=1)
    few.reset(seed=3), many.reset(seed=3)
    for action in actions:
        left, right = few.step(action[:2]), many.step(action)
        assert_same(left[0], {key: value[:2] for key, value in right[0].items()})
        assert_same(left[1:4], tuple(part[:2] for part in right[1:4]))


@pytest.mark.parametrize("env_id", IDS)
def test_spec_goes_to_json_and_back(env_id):
    env = gymnasium.make(env_id, split="validation", group_size=2, **NOISY)
    copy = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    json.loads(env.spec.to_json())
    actions = random_actions(env, 50)
    assert_same(play(env, actions, seed=1), play(copy, actions, seed=1))


@pytest.mark.parametrize("env_id", IDS)
def test_pickled_and_restored_environments_go_on_alike(env_id):
    env = gymnasium.make(env_id, **NOISY)
    actions = random_actions(env, 80)
    play(env, actions[:37], seed=2)
    pickled = pickle.loads(pickle.dumps(env))
    restored = gymnasium.make(env_id, **NOISY)
    restored.reset(seed=99)
    restored.unwrapped.set_state(env.unwrapped.get_state())
    rest = go_on(env, actions[37:])
    for twin in (pickled, restored):
        assert_same(rest, go_on(twin, actions[37:]))
    assert_same(env.reset(), pickled.reset())


@pytest.mark.parametrize("env_id", IDS)
def test_pickled_vector_environment_goes_on_alike(env_id):
    env = gymnasium.make_vec(env_id, num_envs=3, vectorization_mode="vector_entry_point", **NOISY)
    actions = np.stack([random_actions(env, 60, seed) for seed in range(3)], axis=1)
    env.reset(seed=4)
    for action in actions[:30]:
        env.step(action)
    twin = pickle.loads(pickle.dumps(env))
    for action in actions[30:]:
        assert_same(env.step(action), twin.step(action))


@pytest.mark.parametrize("env_id", IDS)
def test_info_is_complete_bounded_and_adds_up(env_id):
    env = gymnasium.make(env_id)
    weights = env.unwrapped.simulator.feedback.fusion.base_weights
    returns = np.zeros(3)
    for _, reward, terminated, truncated, info in (
        said for said in play(env, random_actions(env, 200), seed=0) if len(said) == 5
    ):
        assert set(EVERY_STEP) <= info.keys()
        assert env.unwrapped.signal_space.contains(info["signals"])
        assert info["clean_reward"] == pytest.approx(info["signals"] @ weights)
        assert reward == info["corrected_reward"]
        assert 0 <= info["gold_reward"] <= 1
        assert not truncated
        assert all(np.isfinite(info[key]).all() for key in EVERY_STEP)
        assert not info["observed_signals"][~info["observed_mask"]].any()
        returns += info["clean_reward"], info["observed_reward"], info["gold_reward"]
        if terminated:
            ended = info["clean_return"], info["observed_return"], info["gold_return"]
            np.testing.assert_allclose(returns, ended, atol=1e-12)
            assert info["finish_reason"] in ("stop", "length")
            returns[:] = 0


@pytest.mark.parametrize("env_id", IDS)
def test_what_is_returned_is_fresh(env_id):
    env = gymnasium.make_vec(env_id, num_envs=3, vectorization_mode="vector_entry_point")
    twin = gymnasium.make_vec(env_id, num_envs=3, vectorization_mode="vector_entry_point")
    actions = np.stack([random_actions(env, 80, seed) for seed in range(3)], axis=1)
    assert_same(env.reset(seed=0), twin.reset(seed=0))
    for action in actions:
        said = env.step(action)
        assert_same(said, twin.step(action))
        for part in (*said[0].values(), *said[1:4], *said[4].values()):
            if isinstance(part, np.ndarray) and part.dtype != object:
                part[...] = 0  # spoiling what was handed out must not reach the environment


@pytest.mark.parametrize("env_id", IDS)
def test_the_three_rewards(env_id):
    actions = random_actions(gymnasium.make(env_id), 60)
    runs = {
        kind: [said for said in play(gymnasium.make(env_id, reward=kind), actions, seed=0) if len(said) == 5]
        for kind in ("feedback", "gold", "sum")
    }
    for feedback, gold, both in zip(*runs.values(), strict=True):
        assert feedback[1] == feedback[4]["corrected_reward"]
        assert gold[1] == gold[4]["gold_reward"]
        assert both[1] == feedback[1] + gold[1]


@pytest.mark.parametrize("env_id", IDS)
def test_group_size_repeats_the_prompt(env_id):
    env = gymnasium.make(env_id, group_size=3)
    samples = [env.reset(seed=1)[1]["sample"], *(env.reset()[1]["sample"] for _ in range(8))]
    assert samples[0:3] == [samples[0]] * 3
    assert samples[3:6] == [samples[3]] * 3
    assert len(set(samples)) == 3


@pytest.mark.parametrize("env_id", IDS)
def test_the_reference_gets_full_gold_and_the_masks_allow_it(env_id):
    env = gymnasium.make(env_id, split="test")
    simulator = env.unwrapped.simulator
    for sample in range(0, len(simulator.prompt_set), max(1, len(simulator.prompt_set) // 20)):
        env.reset(seed=0, options={"sample": sample})
        length = simulator.prompt_set.reference_lengths[sample]
        tokens = [*simulator.prompt_set.reference_ids[sample, :length], simulator.vocabulary.end_id]
        for token in tokens[: simulator.max_new_tokens]:  # a reference that uses up the budget needs no end token
            assert env.get_wrapper_attr("action_masks")()[token]
            *_, info = env.step(token)
        assert info["gold_return"] == pytest.approx(1.0)


@pytest.mark.parametrize("env_id", IDS)
def test_splits_share_spaces_but_no_prompt_with_its_reference(env_id):
    envs = {split: gymnasium.make(env_id, split=split) for split in ("train", "validation", "test")}
    assert len({str(env.observation_space) for env in envs.values()}) == 1
    pairs = []
    for env in envs.values():
        prompts = env.unwrapped.simulator.prompt_set
        rows = zip(prompts.prompt_ids.tolist(), prompts.reference_ids.tolist(), strict=True)
        pairs.append({(tuple(filter(None, prompt)), tuple(filter(None, reference))) for prompt, reference in rows})
    assert not pairs[0] & pairs[1]
    assert not pairs[0] & pairs[2]
    assert not pairs[1] & pairs[2]


@pytest.mark.parametrize("env_id", IDS)
def test_task_is_documented(env_id):
    documentation = type(gymnasium.make(env_id).unwrapped.simulator.task).__doc__
    assert "Example" in documentation
    assert "Args:" in documentation
    assert "Version history" in documentation
