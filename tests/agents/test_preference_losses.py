"""The losses for wrong preferences, each against what it promises."""

import pytest
import torch
from torch.nn.functional import logsigmoid

from agents.losses.preferences import conservative_loss, unbiased_loss

MARGINS = torch.linspace(-8, 8, 33, dtype=torch.float64)


def test_unbiased_loss_of_wrong_labels_is_that_of_right_ones_on_average():
    noisy = 0.7 * unbiased_loss(MARGINS, 0.3) + 0.3 * unbiased_loss(-MARGINS, 0.3)
    torch.testing.assert_close(noisy, -logsigmoid(MARGINS))


def test_unbiased_gradient_is_right_on_average_over_drawn_labels():
    margin, draws, flip_rate = 0.6, 100_000, 0.3
    flipped = torch.rand(draws, generator=torch.Generator().manual_seed(0)) < flip_rate
    parameter = torch.full((draws,), margin, dtype=torch.float64, requires_grad=True)
    unbiased_loss(torch.where(flipped, -parameter, parameter), flip_rate).sum().backward()
    expected = -torch.sigmoid(torch.tensor(-margin)).item()
    error = parameter.grad.std().item() / draws**0.5
    assert parameter.grad.mean().item() == pytest.approx(expected, abs=5 * error)


def test_conservative_loss_is_least_where_the_model_is_as_sure_as_the_labels():
    margin = torch.tensor([0.8 / 0.2], dtype=torch.float64).log().requires_grad_()
    loss = conservative_loss(margin, 0.2)
    loss.sum().backward()
    assert margin.grad.item() == pytest.approx(0, abs=1e-12)
    assert loss.item() == pytest.approx(-0.8 * torch.tensor(0.8).log().item() - 0.2 * torch.tensor(0.2).log().item())
    assert (conservative_loss(MARGINS, 0.2) > loss.item()).all()


@pytest.mark.parametrize("loss", [conservative_loss, unbiased_loss])
def test_without_noise_both_are_the_usual_loss(loss):
    torch.testing.assert_close(loss(MARGINS, 0.0), -logsigmoid(MARGINS))


@pytest.mark.parametrize("loss", [conservative_loss, unbiased_loss])
@pytest.mark.parametrize("flip_rate", [-0.1, 0.5, float("nan")])
def test_impossible_rates_are_refused(loss, flip_rate):
    with pytest.raises(ValueError, match=r"flip_rate must be at least 0 and below 0\.5"):
        loss(MARGINS, flip_rate)
