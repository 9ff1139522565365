"""Divergences: worked by hand, and what an estimator's gradient is the gradient of."""

import math

import pytest
import torch

from agents.losses.divergences import adapted, full, sampled

POLICY, REFERENCE = torch.tensor([0.5, 0.25, 0.25]).double(), torch.tensor([0.25, 0.25, 0.5]).double()


def test_values_worked_by_hand():
    """KL = 0.5 log 2 + 0 - 0.25 log 2."""
    truth = 0.25 * math.log(2)
    assert full(POLICY[None], POLICY.log()[None], REFERENCE.log()[None]).tolist() == pytest.approx([truth])
    ratio = (POLICY / REFERENCE).log()
    log2 = math.log(2)
    assert sampled("k1", ratio).tolist() == pytest.approx([log2, 0, -log2])
    assert sampled("k2", ratio).tolist() == pytest.approx([log2**2 / 2, 0, log2**2 / 2])
    assert sampled("k3", ratio).tolist() == pytest.approx([0.5 - 1 + log2, 0, 2 - 1 - log2])
    for estimator in ("k1", "k3"):
        assert float(POLICY @ sampled(estimator, ratio)) == pytest.approx(truth)
    assert float(POLICY @ sampled("k2", ratio)) == pytest.approx(0.375 * log2**2)  # not the divergence


def test_what_each_estimator_descends_as_a_loss():
    logits = torch.tensor([2.0, -0.4, 0.0]).double().requires_grad_()

    def gradient(value):
        return torch.autograd.grad(value, logits)[0]

    def reverse():
        log_probs = logits.log_softmax(0)
        return full(log_probs.exp()[None], log_probs[None], REFERENCE.log()[None]).sum()

    def expected(estimator):
        log_probs = logits.log_softmax(0)
        return log_probs.exp().detach() @ sampled(estimator, log_probs - REFERENCE.log())

    forward = gradient((REFERENCE * (REFERENCE.log() - logits.log_softmax(0))).sum())
    torch.testing.assert_close(gradient(expected("k2")), gradient(reverse()))
    torch.testing.assert_close(gradient(expected("k3")), forward)
    torch.testing.assert_close(gradient(expected("k1")), torch.zeros(3).double(), atol=1e-12, rtol=0)
    assert (forward - gradient(reverse())).abs().max() > 0.05


def test_the_coefficient_goes_to_its_target_as_in_ziegler():
    assert adapted(0.1, divergence=6.6, target=6.0, texts=500, horizon=10_000) == pytest.approx(0.1 * (1 + 0.1 * 0.05))
    assert adapted(0.1, divergence=60.0, target=6.0, texts=500, horizon=10_000) == pytest.approx(0.1 * (1 + 0.2 * 0.05))
    assert adapted(0.1, divergence=0.0, target=6.0, texts=500, horizon=10_000) == pytest.approx(0.1 * (1 - 0.2 * 0.05))
