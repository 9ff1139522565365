"""Cloning: from demonstrations, corrections, references, rows and plain texts."""

import math

import numpy as np
import pytest
import torch

from agents.cloning import Cloning
from agents.data.texts import Texts, perplexity, token_losses
from agents.policy import TransformerPolicy
from tests.copying import SMALL, copy_env, drafts, gold, random_texts
from textgym.dataset.comparisons import best_texts

DEMONSTRATED = [{"name": "demonstration", "metric": "rouge_l", "lapse": 0.05}]


def make(data=None, **arguments):
    settings = {"policy_kwargs": SMALL, "seed": 0, "learning_rate": 3e-3, "batch_size": 16, **arguments}
    return Cloning(TransformerPolicy, copy_env(), data, **settings)


def test_the_loss_is_the_mean_negative_log_likelihood_of_the_completion():
    model = make([{"prompt": "a b c", "completion": "a b"}, {"prompt": "d", "completion": "d"}], prompt_weight=0.0)
    told = model.loss(model.lessons, np.array([0, 1]))
    losses, right = [], []
    for prompt, text in (([3, 4, 5, 1], [3, 4, 2]), ([6, 1], [6, 2])):
        log_probs = torch.log_softmax(model.policy.backbone.lm(torch.tensor([prompt + text])).logits[0], dim=-1)
        for place, token in enumerate(text):
            losses.append(-log_probs[len(prompt) - 1 + place, token])
            right.append(log_probs[len(prompt) - 1 + place].argmax() == token)
    torch.testing.assert_close(told.loss, torch.stack(losses).mean(), rtol=1e-4, atol=1e-5)
    assert told.values == pytest.approx({"nll": told.loss.item(), "accuracy": np.mean(right)}, rel=1e-4)
    assert told.count == 5


def test_demonstrations_improve_a_policy_on_unseen_prompts():
    model = make(random_texts(160, feedback=DEMONSTRATED, noise=[]))
    before = gold(model)
    model.learn(12_000)
    assert before < 0.25
    assert gold(model) > 0.6
    assert model.validate()["accuracy"] > 0.6


def test_corrected_texts_are_imitated_too():
    model = make(random_texts(160, feedback=[{"name": "edit", "share": 0.9}], noise=[]))
    before = gold(model)
    model.learn(8_000)
    assert gold(model) > before + 0.2


def test_references_and_the_best_texts_are_data():
    model = make("references", validation_share=0.0)
    task = model.reader().task
    assert len(model.lessons) == len(task.prompt_set("train"))
    first = model.lessons.tokens[0, : model.lessons.lengths[0]].tolist()
    assert first[4:-1] == first[:3]  # a copy, then the end
    texts = drafts(32, group_size=4)
    own = make(best_texts(texts, "gold_return"), validation_share=0.0)
    assert len(own.lessons) == len({record.sample for record in texts})
    assert make(texts, validation_share=0.0).lessons.learnt.sum() > 0


def test_packing_cuts_one_stream_and_leaves_nothing_out():
    texts = Texts.packed([[3, 4], [5], [], [6, 6, 6, 6]], length=4, end_id=2, pad_id=0)
    assert texts.tokens.tolist() == [[3, 4, 2, 5], [2, 2, 6, 6], [6, 6, 2, 0]]
    assert texts.lengths.tolist() == [4, 4, 3]
    assert texts.learnt.tolist() == [3, 3, 2]
    with pytest.raises(ValueError, match="there is no token to learn in 0 texts"):
        Texts.packed([], length=4, end_id=2, pad_id=0)
    with pytest.raises(ValueError, match="length must be at least 2, got 1"):
        Texts.packed([[3]], length=1, end_id=2, pad_id=0)


def test_a_language_is_learnt_from_plain_texts(tmp_path):
    """In it `a b` and `c d` alternate by chance: only every second token is uncertain."""
    generator = np.random.default_rng(0)
    lines = [" ".join(generator.choice(["a b", "c d"], size=4)) for _ in range(300)]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    model = make(tmp_path / "lines.txt", validation_data=lines[:40])
    assert torch.equal(model.lessons.tokens, make(lines, validation_share=0).lessons.tokens)
    before = perplexity(model.policy.backbone, model.held_out)
    model.learn(12_000)
    after = perplexity(model.policy.backbone, model.held_out)
    assert before == pytest.approx(7, rel=0.3)  # as if all 7 tokens were alike
    assert after < 1.75
    assert math.log(after) == pytest.approx(model.validate()["nll"], rel=1e-4)


def test_perplexity_is_over_tokens_not_texts():
    model = make([{"prompt": "a", "completion": "a b c"}, {"prompt": "b", "completion": [2]}], validation_share=0.0)
    losses, _ = token_losses(model.policy.backbone, model.lessons, np.array([0, 1]), with_prompt=False)
    assert len(losses) == 5
    for batch_size in (1, 2):
        found = perplexity(model.policy.backbone, model.lessons, batch_size)
        assert found == pytest.approx(math.exp(losses.mean().item()), rel=1e-5)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], r"there is nothing to learn in \[\]"),
        ("nowhere.txt", "data must be \"references\", texts, or the path of a file, got 'nowhere.txt'"),
        (["a b", "a z"], "text 1: not in the vocabulary of 7 words: z"),
        ([{"prompt": "a"}], "row 0 must have prompt, completion, got"),
    ],
)
def test_wrong_data_are_named(data, told):
    with pytest.raises(ValueError, match=told):
        make(data)


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"prompt_weight must be at least 0, got -0\.1"):
        make(prompt_weight=-0.1)
