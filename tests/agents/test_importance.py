"""Importance: weights of what a proposal drew, and PPO's and GSPO's clipped ratios, worked by hand."""

import numpy as np
import pytest
import torch

from agents.losses.importance import clipped, importance_weights, ratios

LOG = np.log


def test_weights_worked_by_hand():
    log_ratios, mask = LOG([[2.0, 3.0], [0.5, 9.0]]), np.array([[True, True], [True, False]])
    np.testing.assert_allclose(importance_weights(log_ratios, mask, "token", 2.5), [[2, 2.5], [0.5, 1]])
    np.testing.assert_allclose(importance_weights(log_ratios, mask, "text", 4.0), [[4 / 2.25] * 2, [0.5 / 2.25] * 2])


def test_ratios_of_tokens_and_of_texts():
    log_ratios = torch.tensor([2.0, 8.0, 3.0]).log().requires_grad_()
    text = torch.tensor([0, 0, 1])
    assert ratios(log_ratios, text, "token").tolist() == pytest.approx([2, 8, 3])
    mean = ratios(log_ratios, text, "text")
    assert mean.tolist() == pytest.approx([4, 4, 3])
    (gradient,) = torch.autograd.grad(mean[1], log_ratios)  # of its own token only
    assert gradient.tolist() == pytest.approx([0, 4, 0])


def test_gspo_token_has_the_gradient_of_gspo_where_a_text_has_one_advantage():
    log_ratios = torch.tensor([0.3, -0.2, 0.4]).requires_grad_()
    text, advantage = torch.tensor([0, 0, 1]), torch.tensor([2.0, -1.0])
    whole = torch.stack([log_ratios[:2].mean().exp(), log_ratios[2:].mean().exp()])
    (expected,) = torch.autograd.grad((whole * advantage).sum(), log_ratios)
    each = ratios(log_ratios, text, "text") * advantage[text] / torch.tensor([2.0, 2.0, 1.0])
    torch.testing.assert_close(torch.autograd.grad(each.sum(), log_ratios)[0], expected)


def test_the_surrogate_is_clipped_where_a_step_has_gone_far_enough():
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1]).requires_grad_()
    advantage = torch.tensor([2.0, -2.0, 2.0, -2.0, 2.0])
    objective, held = clipped(ratio, advantage, 0.2)
    assert objective.tolist() == pytest.approx([2.4, -3, 1, -1.6, 2.2])
    assert held.tolist() == [True, False, False, True, False]
    (gradient,) = torch.autograd.grad(objective.sum(), ratio)
    assert gradient.tolist() == pytest.approx([0, -2, 2, 0, 2])
