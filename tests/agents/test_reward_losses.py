"""The losses of ratings, rankings and doubtful pairs, against numbers worked out by hand."""

from math import log

import pytest
import torch

from agents.backbone import Backbone
from agents.losses.preferences import mixture_loss
from agents.reward.losses import generalised_cross_entropy, ordered_cuts, ordinal_log_probs, plackett_luce_loss
from agents.reward.network import RewardNetwork
from agents.reward.objective import Objective

LOG3 = log(3)


def network(levels=3, annotators=2, **objective):
    backbone = Backbone({"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 1}, vocab_size=8, context_length=8)
    return RewardNetwork(backbone, Objective(**objective), levels=levels, annotators=annotators)


def test_a_ranking_is_a_choice_of_the_best_of_what_is_left():
    """Weights 3, 2 and 1: the best is chosen with 3/6, then the second with 2/3. A pair of 3 and 1 with 3/4."""
    utilities = torch.tensor([[log(3), log(2), 0.0], [log(3), 0.0, 77.0]])
    used = torch.tensor([[True, True, True], [True, True, False]])
    torch.testing.assert_close(plackett_luce_loss(utilities, used), torch.tensor([log(3), log(4 / 3)]))


def test_places_without_a_text_have_no_gradient():
    utilities = torch.tensor([[0.5, 0.2, 3.0]], requires_grad=True)
    plackett_luce_loss(utilities, torch.tensor([[True, True, False]])).sum().backward()
    torch.testing.assert_close(utilities.grad.sum(), torch.tensor(0.0))
    assert utilities.grad[0, 2] == 0


def test_cumulative_logits():
    """sigma(0) = 1/2 and sigma(log 3) = 3/4."""
    probs = ordinal_log_probs(torch.tensor([0.0, LOG3]), torch.tensor([0.0, LOG3])).exp()
    torch.testing.assert_close(probs, torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]))


def test_levels_have_a_gradient_however_far_the_utility_is():
    utilities = torch.tensor([-60.0, 60.0], requires_grad=True)
    log_probs = ordinal_log_probs(utilities, torch.tensor([-1.0, 1.0]))
    log_probs[[0, 1], [2, 0]].sum().backward()  # the level at the other end
    torch.testing.assert_close(utilities.grad, torch.tensor([1.0, -1.0]))


def test_cuts_ascend_and_levels_begin_equally_likely():
    cuts = ordered_cuts(network(levels=5).raw_cuts)
    torch.testing.assert_close(torch.sigmoid(cuts), torch.arange(1, 5) / 5)
    assert (ordered_cuts(torch.randn(9)).diff() > 0).all()


@pytest.mark.parametrize(("robustness", "loss"), [(0.0, log(4)), (0.5, 1.0), (1.0, 0.75)])
def test_generalised_cross_entropy_of_a_probability_of_a_quarter(robustness, loss):
    assert generalised_cross_entropy(torch.tensor(log(0.25)), robustness).item() == pytest.approx(loss)


def test_mixture_of_right_and_turned_labels():
    """0.9 * 3/4 + 0.1 * 1/4 = 0.7; no pair costs more than -log 0.1, and none pulls the more the worse it is."""
    margins = torch.tensor([LOG3, -50.0], requires_grad=True)
    losses = mixture_loss(margins, 0.1)
    torch.testing.assert_close(losses.detach(), torch.tensor([-log(0.7), -log(0.1)]))
    losses.sum().backward()
    assert abs(margins.grad[1].item()) < 1e-6
    torch.testing.assert_close(mixture_loss(margins, 0.0), -torch.nn.functional.logsigmoid(margins))


def test_an_annotator_scales_and_shifts_what_is_rated():
    """Annotator 1 sees 2 * 1 + 0.5; nobody known sees 1."""
    one = network(ratings="squared")
    one.log_scales.data[1], one.biases.data[1] = log(2), 0.5
    outputs, ratings = torch.ones(3, 1), torch.tensor([3.0, 3.0, 3.0])
    losses = one.rating_losses(outputs, ratings, torch.tensor([1, 0, -1]))
    torch.testing.assert_close(losses, torch.tensor([0.25, 4.0, 4.0]))
    huber = network(ratings="huber").rating_losses(outputs, ratings, torch.tensor([0, 0, -1]))
    torch.testing.assert_close(huber, torch.full((3,), 1.5))  # |2| - 1/2
    torch.testing.assert_close(one.annotator_penalty(), torch.tensor(0.5 * 4 * (log(2) ** 2 + 0.25)))


def test_an_annotators_bias_cancels_in_a_comparison_and_the_scale_does_not():
    one = network()
    one.log_scales.data[1], one.biases.data[:] = log(2), 5.0
    utilities, used = torch.tensor([[LOG3, 0.0]] * 3), torch.ones(3, 2, dtype=torch.bool)
    losses = one.comparison_losses(utilities, used, torch.tensor([1, 0, -1]))
    torch.testing.assert_close(losses, -torch.tensor([0.9, 0.75, 0.75]).log())  # sigma(2 log 3) = 9/10


def test_a_bias_tilts_the_classes():
    """Places -1, 0, 1 and a bias of log 2: weights 1/2, 1, 2 of 7/2."""
    one = network(ratings="classes")
    one.biases.data[0] = log(2)
    losses = one.rating_losses(torch.zeros(3, 3), torch.tensor([0.0, 1.0, 2.0]), torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(losses, -torch.tensor([1 / 7, 2 / 7, 4 / 7]).log())
    torch.testing.assert_close(one.utilities(torch.log(torch.tensor([[1.0, 2.0, 4.0]]))), torch.tensor([3 / 7]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratings": "hinge"}, "ratings must be one of ordinal, classes, squared, huber, got 'hinge'"),
        ({"comparisons": "hinge"}, "comparisons must be one of mixture, conservative, unbiased"),
        ({"robustness": 1.5}, "robustness must be 0 to 1"),
        ({"ratings": "huber", "robustness": 0.5}, "0 unless ratings is ordinal or classes"),
        ({"comparisons": "unbiased", "flip_rate": None}, "unbiased comparisons need a flip_rate"),
        ({"flip_rate": 0.5}, r"flip_rate must be at least 0 and below 0\.5"),
        ({"shrinkage": 0.0}, "shrinkage must be positive"),
    ],
)
def test_impossible_objectives_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Objective(**arguments)
