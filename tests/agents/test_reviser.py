"""Reviser: what it reads, how much it needs to read, and that it makes drafts better on prompts it has not seen."""

import io

import gymnasium
import numpy as np
import pytest

import textgym
from agents.policy import TransformerPolicy
from agents.reviser import Reviser
from agents.vec_env import make_vec_env
from agents.writing import write_texts
from tests.copying import COPY, SMALL, drafts

EDIT = {"feedback": [{"name": "edit"}], "noise": []}
CONTEXT = 4 + 2 * 4 + 1


def make(data=None, context_length=CONTEXT, **arguments):
    env = make_vec_env("textgym/Copy-v0", n_envs=1, seed=0, context_length=context_length, **COPY)
    settings = {"policy_kwargs": SMALL, "seed": 0, "learning_rate": 3e-3, "batch_size": 16, **arguments}
    return Reviser(TransformerPolicy, env, data, **settings)


def test_it_reads_prompt_and_draft_and_learns_the_corrected_text():
    row = {"prompt": "a b c", "completion": "a d", "corrected": "a b c"}
    model = make([row], validation_share=0.0)
    assert model.lessons.tokens[0].tolist() == [3, 4, 5, 1, 3, 6, 1, 3, 4, 5, 2]
    assert model.lessons.prompt_lengths.tolist() == [7]
    assert model.lessons.learnt.tolist() == [4]


def test_records_give_the_tokens_of_draft_and_correction():
    texts = drafts(20, **EDIT)
    model = make(texts, validation_share=0.0)
    for row, (draft, corrected) in enumerate(texts.corrections()):
        tokens = model.lessons.tokens[row, : model.lessons.lengths[row]].tolist()
        written = [token for token in draft.ids if token != 2]
        assert tokens[4:] == [*written, 1, *corrected.ids]


def improved(model, texts, task):
    """The mean gold of drafts and of what becomes of them."""
    samples = [record.sample for record in texts]
    prompts = task.prompt_set("test")
    asked = [prompts.prompt_ids[sample, : prompts.prompt_lengths[sample] - 1].tolist() for sample in samples]
    revised = model.revise(asked, [record.completion_ids for record in texts])
    scores = textgym.score("textgym/Copy-v0", samples, revised, split="test", **COPY)
    return np.mean([record.gold_return for record in texts]), scores.gold.mean()


def test_drafts_become_better_on_unseen_prompts():
    model = make(drafts(256, **EDIT))
    test = drafts(64, split="test", seed=1)
    model.learn(12_000)
    before, after = improved(model, test, model.reader().task)
    assert before < 0.6
    assert after > before + 0.2
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    env = make_vec_env("textgym/Copy-v0", context_length=CONTEXT, **COPY)
    loaded = Reviser.load(file, env=env)
    assert loaded.revise(["a b c"], ["d b c"]) == model.revise(["a b c"], ["d b c"])


@pytest.mark.slow
def test_translations_become_better_on_unseen_prompts():
    arguments = {"difficulty": "easy", "feedback": [{"name": "edit"}], "noise": []}
    policy_kwargs = {"model": {**SMALL["model"], "n_layer": 2, "n_embd": 64, "n_head": 4}}

    def translate(split, episodes):
        """Writes the reference, but for every third word, which may be any."""
        env = gymnasium.make("textgym/Translate-v0", split=split, **arguments)
        generator, simulator = np.random.default_rng(0), env.unwrapped.simulator

        def write(_):
            prompts, sample, step = simulator.prompt_set, simulator._samples[0], simulator.steps[0]
            if generator.random() < 1 / 3:
                return generator.integers(3, len(simulator.vocabulary))
            return prompts.reference_ids[sample, step] if step < prompts.reference_lengths[sample] else 2

        return textgym.collect(env, write, episodes)

    texts, test = translate("train", 2000), translate("test", 64)
    env = make_vec_env("textgym/Translate-v0", context_length=60, **arguments)
    model = Reviser(TransformerPolicy, env, texts, policy_kwargs=policy_kwargs, seed=0)
    model.learn(150_000)
    revised = model.revise([record.prompt for record in test], [record.completion_ids for record in test])
    samples = [record.sample for record in test]
    scores = textgym.score("textgym/Translate-v0", samples, revised, split="test", **arguments)
    drafted = np.mean([record.gold_return for record in test])
    assert drafted < 0.5
    assert scores.gold.mean() > drafted + 0.2


def test_the_environment_must_show_enough():
    row = {"prompt": "a b c", "completion": "a d c", "corrected": "a b c"}
    with pytest.raises(ValueError, match="a text has 12 tokens with its prompt, but the policy reads 8: make the env"):
        make([row], context_length=8, validation_share=0.0)


def test_a_task_that_answers_is_refused():
    env = make_vec_env("textgym/Dialogue-v0", size=400)
    with pytest.raises(ValueError, match="a reviser reads a draft of one turn"):
        Reviser(TransformerPolicy, env, [{}], policy_kwargs=SMALL)


def test_writing_is_the_policys_own_and_stops_at_the_end_or_the_budget():
    model = make()
    prompts = [[3, 4, 5, 1], [3, 1], [6, 6, 1]]
    written = write_texts(model.policy, prompts, max_new_tokens=4, deterministic=True)
    for prompt, text in zip(prompts, written, strict=True):
        tokens = list(prompt)
        for token in text:
            observation = {"input_ids": np.zeros(CONTEXT, np.int64), "attention_mask": np.zeros(CONTEXT, np.int8)}
            observation["input_ids"][: len(tokens)], observation["attention_mask"][: len(tokens)] = tokens, 1
            logits = model.policy.action_logits(model.policy.obs_to_tensor(observation)[0])[0]
            logits[:2] = -np.inf
            assert token == logits.argmax()
            tokens.append(token)
        assert len(text) == 4 or text[-1] == 2
        assert 2 not in text[:-1]
    with pytest.raises(ValueError, match="may have 15 tokens, but the policy reads 13"):
        write_texts(model.policy, [[3] * 11], max_new_tokens=4)
