"""Scoring given texts: bit for bit what an environment pays, and the reward function of TRL's trainers."""

import inspect
import pickle

import gymnasium
import numpy as np
import pytest

from textgym.random import row_seeds
from textgym.scoring import score
from textgym.trl import reward_function

COPY, DOCSTRING = "textgym/Copy-v0", "textgym/Docstring-v0"
GAUSSIAN = {"name": "gaussian", "sigma": 0.3}
ARGUMENTS = {
    "feedback": [
        "token_match",
        {"name": "rating", "metric": "rouge_l", "spread": 0.2, "readings": 2, "noise": [GAUSSIAN]},
        {"name": "comment", "metric": "rouge_l"},
    ],
    "noise": [GAUSSIAN],
    "reward": "sum",
}  # fmt: skip
EARLIER = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes?"}]
TEXTS = [[3, 4, 5, 6, 7], [3, 2], [], [9, 9, 9, 9, 9, 9], [2]]


def played(env, tokens, **reset):
    """Returns the info of every step and the rewards of a text that an agent writes."""
    env.reset(**reset)
    steps = []
    while not steps or not steps[-1][2]:
        steps.append(env.step(tokens[len(steps)] if len(steps) < len(tokens) else 2))
    return [step[4] for step in steps], sum(step[1] for step in steps)


@pytest.mark.parametrize("group_size", [1, 5])
def test_scores_are_what_an_environment_would_have_paid(group_size):
    arguments = {**ARGUMENTS, "group_size": group_size}
    if group_size > 1:
        arguments["feedback"] = [*ARGUMENTS["feedback"], {"name": "ranking", "metric": "rouge_l"}]
    samples = [3, 1, 4, 1, 5] if group_size == 1 else [3] * 5
    scores = score(COPY, samples, TEXTS, seed=7, **arguments)
    env = gymnasium.make(COPY, **arguments)
    for i, (sample, tokens) in enumerate(zip(samples, TEXTS, strict=True)):
        seed = row_seeds(7, 5)[i] if group_size == 1 else 7 if i == 0 else None
        infos, reward = played(env, tokens, seed=seed, options={"sample": sample})
        assert scores.reward[i] == pytest.approx(reward, abs=1e-12)
        np.testing.assert_allclose(scores.signals[i], sum(info["signals"] for info in infos), atol=1e-12)
        np.testing.assert_allclose(
            scores.observed_signals[i], sum(info["observed_signals"] for info in infos), atol=1e-12
        )
        np.testing.assert_array_equal(
            scores.observed_mask[i], np.any([info["observed_mask"] for info in infos], axis=0)
        )
        assert scores.clean_return[i] == infos[-1]["clean_return"]
        assert scores.observed_return[i] == infos[-1]["observed_return"]
        assert scores.gold[i] == infos[-1]["gold_return"]
        assert scores.finish_reason[i] == infos[-1]["finish_reason"]
        assert scores.annotation.keys() == infos[-1]["annotation"].keys()
        for label, fields in infos[-1]["annotation"].items():
            for name, value in fields.items():
                np.testing.assert_array_equal(scores.annotation[label][name][i], value)
    assert scores.names == env.unwrapped.simulator.signal_names


def test_texts_and_prompts_may_be_words():
    env = gymnasium.make(DOCSTRING, split="test")
    simulator = env.unwrapped.simulator
    prompts, vocabulary = simulator.prompt_set, simulator.vocabulary
    prompt = vocabulary.decode(prompts.prompt_ids[5, : prompts.prompt_lengths[5]])
    reference = prompts.reference_ids[5, : prompts.reference_lengths[5]].tolist()
    scores = score(DOCSTRING, [prompt, 5], [vocabulary.decode(reference), reference], split="test")
    np.testing.assert_array_equal(scores.gold, [1.0, 1.0])
    np.testing.assert_array_equal(scores.signals[0], scores.signals[1])


@pytest.mark.parametrize(
    ("prompts", "completions", "told"),
    [
        (["a b c d e f"], ["a"], r"'a b c d e f' is not a prompt of the train split \(did you mean '"),
        ([0], ["a b z"], "completion 0: not in the vocabulary"),
        ([0, 0], ["a", [3, 1]], "completion 1: 1 is not a token that can be written"),
        ([0, 0], ["a", [3] * 7], "completion 1 has 7 tokens, more than max_new_tokens=6"),
        ([0], ["a", "b"], "a prompt for each completion, got 1 and 2"),
        ([9999], ["a"], "a sample must be 0 to"),
        ([0, -1], ["a", "a"], "prompt 1: a sample must be 0 to [0-9]+ in the train split, or a string, got -1"),
        ([0.7], ["a"], "a sample must be .* got 0.7"),
        ([True], ["a"], "a sample must be .* got True"),
        ([None], ["a"], "a sample must be .* got None"),
        ([0], [None], "completion 0 must be a string or a list of token ids, got None"),
        ([0], [[3.5]], r"completion 0 must be .* got \[3.5\]"),
        ([0], [[-1]], "completion 0: -1 is not a token that can be written"),
        ("ab", "ab", "prompts must be a list with one entry for each text, got 'ab'"),
        (0, ["a"], "prompts must be a list with one entry for each text, got 0"),
        ([0], "a", "completions must be a list with one entry for each text, got 'a'"),
        ([], [], "at least one text"),
    ],
)
def test_what_cannot_be_scored_is_said(prompts, completions, told):
    with pytest.raises(ValueError, match=told):
        score(COPY, prompts, completions)


def test_scores_print_their_means():
    scores = score(COPY, np.array([0, 1]), [[3], np.array([4, 5])])
    mean = scores.clean_return.mean()
    printed = f"Scores(2 texts; means: clean_return {mean:.3f}, observed_return {mean:.3f}, "
    assert repr(scores).startswith(printed)
    assert f"token_match {scores.signals.mean():.3f})" in repr(scores)


def test_groups_must_be_whole_and_long_texts_can_be_cut():
    with pytest.raises(ValueError, match="runs of 2 for the same prompt"):
        score(COPY, [0, 1], ["a", "a"], group_size=2)
    with pytest.raises(ValueError, match="runs of 2 for the same prompt"):
        score(COPY, [0, 0, 1], ["a", "a", "a"], group_size=2)
    with pytest.raises(ValueError, match="group_size must be at least 1, got 0"):
        score(COPY, [0], ["a"], group_size=0)
    cut = score(COPY, [0], [[3] * 9], truncate=True)
    np.testing.assert_array_equal(cut.signals, score(COPY, [0], [[3] * 6]).signals)
    assert cut.finish_reason.tolist() == ["length"]


def test_nobody_asked_is_told_apart():
    comment = {"name": "comment", "metric": "rouge_l"}
    budget = {"amount": 100, "share": 0.5}
    scores = score(COPY, range(20), ["a"] * 20, feedback=[comment], feedback_budget=budget)
    asked = scores.observed_mask[:, 0]
    assert 0 < asked.sum() < 20
    assert [text[0] is not None for text in scores.annotation["comment:rouge_l"]["comment"]] == asked.tolist()


def test_a_reward_function_goes_on_from_call_to_call():
    """Five texts in two rows, in two calls: rows 0 and 1 write in turn, each with a chance of its own."""
    noise = {"noise": [GAUSSIAN]}
    reward = reward_function(COPY, num_rows=2, seed=4, **noise)
    prompts = [row["prompt"] for row in reward.prompts()[:5]]
    paid = [*reward(prompts[:3], ["a"] * 3), *reward(prompts[3:], ["b"] * 2)]
    envs = [gymnasium.make(COPY, **noise) for _ in range(2)]
    begun = set()
    for number, (row, text) in enumerate(zip([0, 1, 0, 0, 1], "aaabb", strict=True)):
        tokens = envs[row].unwrapped.simulator.vocabulary.encode(text)
        seed = None if row in begun else row_seeds(4, 2)[row]
        begun.add(row)
        assert paid[number] == pytest.approx(
            played(envs[row], tokens, seed=seed, options={"sample": number})[1], abs=1e-12
        )


def test_a_reward_function_is_called_as_trl_calls_it():
    """With `prompts`, `completions`, `completion_ids`, the data set's columns and the trainer's own, all by keyword."""
    reward = reward_function(COPY)
    assert reward.__name__ == "Copy-v0"
    assert any(p.kind is p.VAR_KEYWORD for p in inspect.signature(reward).parameters.values())
    rows = reward.prompts()[:2]
    trainer = {
        "completion_ids": [[3], [4]],
        "trainer_state": None,
        "log_extra": print,
        "log_metric": print,
        "level": [1, 2],
    }
    told = [row["prompt"].split()[0] for row in rows]
    paid = reward(prompts=[row["prompt"] for row in rows], completions=told, **trainer)
    assert paid == [pytest.approx(1 / 6), pytest.approx(1 / 6)]
    assert all(type(value) is float for value in paid)

    talk = [[*EARLIER, *row["prompt"]] for row in reward.prompts(conversational=True)[:2]]
    answers = [[{"role": "assistant", "content": word}] for word in told]
    assert reward(prompts=talk, completions=answers, **trainer) == paid
    assert reward(prompts=["?", "?"], completions=told, sample=[row["sample"] for row in rows]) == paid
    in_parts = [[{"role": "assistant", "content": [{"type": "text", "text": word}]}] for word in told]
    assert reward(prompts=talk, completions=in_parts) == paid
    silent = [[{"role": "assistant", "content": None}], [{"role": "assistant", "tool_calls": []}]]
    assert reward(prompts=talk, completions=silent) == [0.0, 0.0]
    with pytest.raises(ValueError, match="a conversation with a message of the user, got"):
        reward(prompts=[EARLIER[:0]], completions=["a"])
    assert repr(reward) == "RewardFunction('textgym/Copy-v0', split='train')"
    assert pickle.loads(pickle.dumps(reward))(prompts=talk, completions=answers) == paid


def test_a_text_that_cannot_be_spelled_is_paid_what_was_said():
    prompts = [0, 0]
    assert reward_function(COPY, unspellable=-1.0)(["?"] * 2, ["ä", "a b c d e f g h a"], sample=prompts)[0] == -1.0
    assert reward_function(COPY, unspellable=None)(["?"], ["ä"], sample=[0]) == [None]
    for wrong in ("-1", True):
        with pytest.raises(ValueError, match=f"unspellable must be a number or None, got {wrong!r}"):
            reward_function(COPY, unspellable=wrong)
    with pytest.raises(ValueError, match="num_rows must be at least 1, got 0"):
        reward_function(COPY, num_rows=0)


@pytest.mark.slow
def test_grpo_trains_on_a_reward_function(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    trl = pytest.importorskip("trl")
    datasets, transformers = pytest.importorskip("datasets"), pytest.importorskip("transformers")
    reward = reward_function(DOCSTRING, group_size=2)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=reward.scorer.simulator.vocabulary._tokenizer, pad_token="<pad>", eos_token="<end>"
    )
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=128, n_embd=16, n_layer=1, n_head=2, eos_token_id=2, pad_token_id=0
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    arguments = trl.GRPOConfig(
        output_dir=str(tmp_path / "run"), max_steps=2, per_device_train_batch_size=4, num_generations=2,
        max_completion_length=16, use_cpu=True, report_to=[], logging_steps=1, save_strategy="no", disable_tqdm=True,
        bf16=False, gradient_checkpointing=False, seed=0,
    )  # fmt: skip
    trainer = trl.GRPOTrainer(
        str(tmp_path / "model"),
        reward_funcs=reward,
        args=arguments,
        train_dataset=datasets.Dataset.from_list(reward.prompts()[:16]),
    )
    trainer.train()
    logged = [
        line["rewards/Docstring-v0/mean"] for line in trainer.state.log_history if "rewards/Docstring-v0/mean" in line
    ]
    assert len(logged) == 2
    assert all(-2 < value < 3 for value in logged)
