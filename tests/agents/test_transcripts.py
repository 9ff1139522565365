"""Transcripts of references: token for token what an environment holds, and a warm start that learns from them."""

import gymnasium
import numpy as np
import torch

import textgym  # noqa: F401  (registers the environments)
from agents.data.texts import Texts, token_losses
from agents.data.transcripts import play_references
from agents.policy import TransformerPolicy
from agents.supervised import warm_start
from textgym.tasks.making import make_task

DIALOGUE = "textgym/Dialogue-v0"
SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 1, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
         "attn_pdrop": 0.0}  # fmt: skip


def test_a_transcript_is_what_an_environment_holds_but_for_the_users_wording(monkeypatch):
    """Checked by letting an environment's user say what the transcript's said."""
    task = make_task("dialogue", size=400)
    prompts = task.prompt_set("train")
    played = play_references(task, "train", max_new_tokens=task.max_new_tokens, seed=0)
    assert played.tokens.shape == played.replies.shape
    env = gymnasium.make(DIALOGUE, size=400, noise=[]).unwrapped
    for sample in range(0, len(prompts), 40):
        tokens = played.tokens[sample, : played.lengths[sample]]
        start = prompts.prompt_lengths[sample]
        replies = np.flatnonzero(played.replies[sample])
        own = np.delete(tokens, replies)[start:]
        reference = prompts.reference_ids[sample, : prompts.reference_lengths[sample]]
        assert own.tolist() == [*reference.tolist(), 2]
        env.reset(seed=0, options={"sample": sample})
        said = [tokens[part].tolist() for part in np.split(replies, np.flatnonzero(np.diff(replies) > 1) + 1)]
        monkeypatch.setattr(env.simulator.task, "reply", _saying(said))
        for token in own:
            *_, over, _, info = env.step(token)
        assert over
        assert info["gold_return"] == 1
        assert env.simulator.input_ids[0, : env.simulator.lengths[0]].tolist() == tokens.tolist()
    assert 0 < played.replies.sum() < task.max_reply_tokens * len(prompts)


def _saying(replies):
    said = iter([*replies, []])

    def reply(transition, address):
        tokens = next(said)
        return np.array([tokens]), np.array([len(tokens)])

    return reply


def test_users_say_it_in_their_own_words_and_a_seed_repeats_them():
    task = make_task("dialogue", size=400)
    one, again, other = (play_references(task, "test", max_new_tokens=40, seed=seed).tokens for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_budget_cuts_the_transcript():
    task = make_task("dialogue", size=400)
    whole, cut = (play_references(task, "test", max_new_tokens=budget, seed=0) for budget in (33, 7))
    written = [
        played.lengths - played.replies.sum(axis=1) - task.prompt_set("test").prompt_lengths for played in (whole, cut)
    ]
    assert (written[1] == np.minimum(written[0], 7)).all()


def test_what_the_user_says_is_not_learnt():
    task = make_task("dialogue", size=400)
    texts = Texts.of_task(task, "validation", max_new_tokens=40, generator=np.random.default_rng(0))
    env = gymnasium.make(DIALOGUE, size=400)
    torch.manual_seed(0)
    policy = TransformerPolicy(env.observation_space, env.action_space, lambda _: 1e-3, model=SMALL)
    batch = np.arange(8)
    losses, of_reference = token_losses(policy.backbone, texts, batch, with_prompt=True)
    lengths = task.prompt_set("validation").reference_lengths[batch] + 1
    assert of_reference.sum() == lengths.sum()
    assert len(losses) == (texts.lengths[batch] - 1).sum()
    only, _ = token_losses(policy.backbone, texts, batch, with_prompt=False)
    torch.testing.assert_close(only, losses[of_reference])


def test_a_warm_start_on_dialogues_repeats():
    env = gymnasium.make(DIALOGUE, size=400)
    records = []
    for _ in range(2):
        torch.manual_seed(0)
        policy = TransformerPolicy(env.observation_space, env.action_space, lambda _: 1e-3, model=SMALL)
        task = env.unwrapped.simulator.task
        settings = {"max_epochs": 2, "learning_rate": 1e-2, "batch_size": 8, "warmup_steps": 10}
        records.append(warm_start(policy, task, generator=np.random.default_rng(0), **settings))
    assert records[0] == records[1]
    assert records[0].perplexity < 40 < records[0].validation_perplexities[0]
