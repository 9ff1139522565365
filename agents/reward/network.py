"""RewardNetwork: a language model with a head that gives texts utilities, and what turns those into answers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import huber_loss

from agents.backbone import Backbone
from agents.losses.preferences import conservative_loss, mixture_loss, unbiased_loss
from agents.reward.losses import generalised_cross_entropy, ordered_cuts, ordinal_log_probs, plackett_luce_loss
from agents.reward.objective import Objective

_FIRST_FLIP_RATE = 0.1


class RewardNetwork(nn.Module):
    """One member of a reward model.

    Its head reads the last hidden state of a text, and begins with normal weights of variance 1 / (D + 1), as in
    Stiennon et al. 2020, "Learning to summarize from human feedback".

    Args:
        backbone: the language model.
        objective: the losses.
        levels: K, how many levels ratings have.
        annotators: A, how many annotators are known.
    """

    def __init__(self, backbone: Backbone, objective: Objective, *, levels: int, annotators: int) -> None:
        super().__init__()
        self.backbone, self.objective = backbone, objective
        width = backbone.value_head.in_features
        self.head = nn.Linear(width, levels if objective.ratings == "classes" else 1)
        nn.init.normal_(self.head.weight, std=(width + 1) ** -0.5)
        nn.init.zeros_(self.head.bias)
        spread = torch.logit(torch.arange(1, levels) / levels)  # equally likely levels at utility 0
        self.raw_cuts = nn.Parameter(torch.cat((spread[:1], torch.log(torch.expm1(spread.diff())))))
        self.flip_logit = nn.Parameter(torch.logit(torch.tensor(2 * _FIRST_FLIP_RATE)))
        self.biases = nn.Parameter(torch.zeros(annotators))
        self.log_scales = nn.Parameter(torch.zeros(annotators))

    @property
    def flip_rate(self) -> torch.Tensor:
        """The share of turned labels, as given or as learnt so far."""
        given = self.objective.flip_rate
        return 0.5 * torch.sigmoid(self.flip_logit) if given is None else torch.tensor(given)

    def outputs(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Returns what the head says of b texts, (b, 1), or (b, K) for classes.

        Args:
            tokens: (b, W) the texts, right padded.
            lengths: (b,) the tokens in use.
        """
        hidden = self.backbone.hidden(tokens)[torch.arange(len(tokens), device=tokens.device), lengths - 1]
        outputs: torch.Tensor = self.head(hidden.float())
        return outputs

    def utilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Returns the utilities, (...,), of outputs, (..., 1 or K)."""
        if self.objective.ratings != "classes":
            return outputs[..., 0]
        return outputs.softmax(dim=-1) @ _places(outputs)

    def rating_losses(self, outputs: torch.Tensor, ratings: torch.Tensor, annotators: torch.Tensor) -> torch.Tensor:
        """Returns the loss of m ratings, (m,).

        Args:
            outputs: (m, 1 or K) what the head says of the rated texts.
            ratings: (m,) the number of the level, from 0; for squared and Huber's loss the standardised rating.
            annotators: (m,) who rates, -1 for nobody known.
        """
        biases, scales = self._annotators(annotators)
        objective = self.objective
        if objective.ratings == "classes":  # a bias tilts the levels' logits to one side
            log_probs = (scales[:, None] * outputs + biases[:, None] * _places(outputs)).log_softmax(dim=1)
        else:
            seen = scales * outputs[:, 0] + biases
            if objective.ratings == "squared":
                return (seen - ratings).square()
            if objective.ratings == "huber":
                return huber_loss(seen, ratings, reduction="none")
            log_probs = ordinal_log_probs(seen, ordered_cuts(self.raw_cuts))
        return generalised_cross_entropy(log_probs.gather(1, ratings.long()[:, None])[:, 0], objective.robustness)

    def comparison_losses(self, utilities: torch.Tensor, used: torch.Tensor, annotators: torch.Tensor) -> torch.Tensor:
        """Returns the loss of m comparisons, (m,).

        Args:
            utilities: (m, K) of the compared texts, the best first, anything behind them.
            used: (m, K) which places hold a text.
            annotators: (m,) who compares, -1 for nobody known.
        """
        seen = self._annotators(annotators)[1][:, None] * utilities
        margins = seen[:, 0] - seen[:, 1]
        if self.objective.comparisons == "mixture":
            pairs = mixture_loss(margins, self.flip_rate)
        else:
            loss = {"conservative": conservative_loss, "unbiased": unbiased_loss}[self.objective.comparisons]
            pairs = loss(margins, float(self.flip_rate))
        if seen.shape[1] == 2:
            return pairs
        return torch.where(used.sum(dim=1) == 2, pairs, plackett_luce_loss(seen, used))

    def annotator_penalty(self) -> torch.Tensor:
        """Returns the negative logarithm of the annotators' priors, without its constant."""
        if self.objective.shrinkage == float("inf"):
            return self.biases.new_zeros(())
        return 0.5 * self.objective.shrinkage * (self.biases.square().sum() + self.log_scales.square().sum())

    def _annotators(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the biases and scales of m annotators, (m,) each; 0 and 1 where nobody is known."""
        if self.objective.shrinkage == float("inf"):
            return self.biases.new_zeros(len(numbers)), self.biases.new_ones(len(numbers))
        biases, log_scales = (torch.cat((part, part.new_zeros(1))) for part in (self.biases, self.log_scales))
        return biases[numbers], log_scales[numbers].exp()


def _places(outputs: torch.Tensor) -> torch.Tensor:
    """Returns the places of K levels on a scale from -1 to 1, (K,)."""
    return torch.linspace(-1, 1, outputs.shape[-1], device=outputs.device)
