"""Contrastive losses: worked numbers, which texts and states they are about, and that they improve a policy."""

import math

import numpy as np
import pytest
import torch

from agents.contrastive import Contrastive, info_nce, margin_loss
from agents.policy import TransformerPolicy
from tests.copying import SMALL, copy_env, drafts, gold
from textgym.dataset.comparisons import compare_scores

ROWS = [
    {"prompt": "a b c", "chosen": "a b c", "rejected": "d"},
    {"prompt": "b c", "chosen": "b", "rejected": ["c c", "a b c d"]},
]
KNOWN = torch.tensor([[True, True], [True, False]])


def make(data, **arguments):
    settings = {"policy_kwargs": SMALL, "seed": 0, "validation_share": 0.0, **arguments}
    return Contrastive(TransformerPolicy, copy_env(), data, **settings)


def test_info_nce_by_hand():
    chosen, rejected = torch.tensor([0.0, math.log(2)]), torch.tensor([[0.0, math.log(2)], [0.0, 99.0]])
    # 1 / (1 + 1 + 2), and 2 / (2 + 1), the other one not being there; at tau = 1/2 the scores are squared
    torch.testing.assert_close(info_nce(chosen, rejected, KNOWN, 1.0), torch.tensor([4.0, 1.5]).log())
    torch.testing.assert_close(info_nce(chosen, rejected, KNOWN, 0.5), torch.tensor([6.0, 1.25]).log())


def test_margin_loss_by_hand():
    chosen, rejected = torch.tensor([0.5, 0.25]), torch.tensor([[1.0, 4.0], [2.5, 0.0]])
    # .5 + (2 + 0) / 2, and .25 + .5
    torch.testing.assert_close(margin_loss(chosen, rejected, KNOWN, 3.0), torch.tensor([1.5, 0.75]))


def mean_log_prob(model, prompt, text):
    log_probs = torch.log_softmax(model.policy.backbone.lm(torch.tensor([prompt + text])).logits[0], dim=-1)
    return sum(log_probs[len(prompt) - 1 + place, token] for place, token in enumerate(text)) / len(text)


def distance(model, prompt, text, kind):
    if kind == "likelihood":
        return -mean_log_prob(model, prompt, text)
    states = model.policy.backbone.lm.base_model(torch.tensor([prompt + text[:-1]])).last_hidden_state[0]
    asked, written = states[: len(prompt)].mean(0), states[len(prompt) - 1 :].mean(0)
    if kind == "euclidean":
        return ((asked - written) ** 2).sum().sqrt()
    return 1 - (asked @ written) / (asked.norm() * written.norm())


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": 0.7},
        {"nll_coef": 0.4},
        {"loss": "margin", "margin": 2.0},
        {"loss": "margin", "distance": "euclidean", "margin": 9.0, "nll_coef": 0.1},
        {"loss": "margin", "distance": "cosine", "margin": 1.0, "nll_coef": 0.1},
    ],
)
def test_the_loss_is_that_written_out(arguments):
    model = make(ROWS, **arguments)
    prompts, texts = model.reader().rows(ROWS, "chosen", "rejected")
    losses = []
    for prompt, (chosen, *rejected) in zip(prompts, texts, strict=True):
        scores = torch.stack([mean_log_prob(model, prompt, text) for text in (chosen, *rejected)])
        if model.loss_name == "info_nce":
            losses.append(-torch.log_softmax(scores / model.temperature, dim=0)[0])
        else:
            near, *far = (distance(model, prompt, text, model.distance) for text in (chosen, *rejected))
            losses.append(near + torch.stack([torch.relu(model.margin - one) for one in far]).mean())
        losses[-1] = losses[-1] - model.nll_coef * scores[0]
    told = model.loss(model.lessons, np.array([0, 1]))
    torch.testing.assert_close(told.loss, torch.stack(losses).mean(), rtol=1e-4, atol=1e-5)
    assert told.count == 2


def test_the_margin_loss_draws_the_better_text_near_and_keeps_the_worse_one_away():
    model = make(ROWS, loss="margin", distance="euclidean", margin=20.0, nll_coef=0.1, learning_rate=3e-3)
    before = model.loss(model.lessons, np.array([0, 1])).values
    model.learn(500)
    after = model.loss(model.lessons, np.array([0, 1])).values
    apart = [told["rejected_distance"] - told["chosen_distance"] for told in (before, after)]
    assert apart[1] > apart[0] + 1
    assert after["chosen_log_prob"] > before["chosen_log_prob"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": "info_nce", "nll_coef": 0.5},
        {"loss": "margin", "margin": 3.0},
        {"loss": "margin", "distance": "cosine", "margin": 0.5, "nll_coef": 1.0},
    ],
)
def test_texts_ranked_by_rouge_l_improve_a_policy_on_unseen_prompts(arguments):
    texts = drafts(256, feedback=["rouge_l"], noise=[], group_size=4, share=0.6)
    model = make(compare_scores(texts, "rouge_l"), learning_rate=3e-3, **arguments)
    before = gold(model)
    model.learn(15_000)
    assert before < 0.25
    assert gold(model) > before + 0.15


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"loss": "nce"}, "loss must be one of info_nce, margin and distance one of likelihood"),
        ({"distance": "l1"}, "got 'info_nce' and 'l1'"),
        ({"temperature": 0.0}, "temperature and margin must be positive and nll_coef at least 0, got 0.0"),
        ({"loss": "margin", "distance": "cosine"}, "nll_coef must be positive with distance='cosine'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        make(None, **arguments)
