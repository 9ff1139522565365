"""Contrastive learning: of several texts for a prompt the better one is to be the likelier, or the nearer, one."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from stable_baselines3.common.type_aliases import GymEnv
from torch.nn.functional import cosine_similarity, relu

from agents.data.compared import Compared
from agents.data.lessons import Told
from agents.data.reading import Reader
from agents.data.texts import Texts, TokenScores, score_tokens, text_log_probs
from agents.offline_algorithm import OfflineAlgorithm
from agents.policy import TransformerPolicy
from textgym.types import IntArray

Loss = Literal["info_nce", "margin"]
Distance = Literal["likelihood", "euclidean", "cosine"]


class Contrastive(OfflineAlgorithm[Compared]):
    """Contrasts a text with worse ones for the same prompt x: no reference policy, no model of reward.

    With l(y) the mean log-probability of the tokens of y given x, those that the agent wrote, it descends the mean over
    comparisons of one of

        info_nce  -log (exp(l(y+) / tau) / sum over y+ and all y- of exp(l(y) / tau))
        margin    d(x, y+) + mean over y- of max(0, m - d(x, y-)),

    plus nll_coef times -l(y+). `info_nce` is the loss of van den Oord et al. 2018, "Representation learning with
    contrastive predictive coding", equation 4, with the policy's own log-probability as its score: what the policy
    would write is ranked, as candidates are by Liu et al. 2022, "BRIO", and Zhao et al. 2023, "SLiC-HF". With one y-
    it is the logistic loss on a difference of l; where each text but the worst is y+ once, against all that are worse,
    as `compare_scores` has it, the sum is the Plackett-Luce likelihood of the ranking.

    The margin loss is that of Hadsell, Chopra, LeCun 2006, "Dimensionality reduction by learning an invariant mapping",
    equation 4, without the squares. Its distance is one of

        likelihood  d(x, y) = -l(y): the better text becomes likely, and a worse one less likely than exp(-m) a token
        euclidean   |h(x) - h(y)|
        cosine      1 - cos(h(x), h(y))

    with h(x) the mean of the last hidden states that have read a token of x, and h(y) of those that expect one of y.

    A ranking does not keep any text likely: where the texts are not the policy's own, give `nll_coef`, or learn in
    rounds. Of the distances only `likelihood` says what to write. The others shape representations, as An et al. 2022,
    "CoNT", do, and what improves the texts is then `nll_coef`, which must be positive.

    What is logged, as means over comparisons: `accuracy`, how often the better text is the likeliest of all, and
    `chosen_log_prob` and `rejected_log_prob`, l in nats per token; with `margin` also `chosen_distance` and
    `rejected_distance`.

    Args:
        policy, env: as for every `OfflineAlgorithm`.
        data: see `Compared.read`.
        loss: `"info_nce"` or `"margin"`.
        temperature: tau, above 0.
        margin: m, above 0, in the units of the distance: nats per token, lengths of hidden states, or 0 to 2.
        distance: of the margin loss.
        nll_coef: the weight of the better text's negative log-likelihood per token, at least 0.
        others: as for every `OfflineAlgorithm`.

    Raises:
        ValueError: if a number is out of its range, or the data don't fit the environment.
    """

    def __init__(
        self,
        policy: str | type[TransformerPolicy],
        env: GymEnv | str,
        data: Any = None,
        *,
        loss: Loss = "info_nce",
        temperature: float = 1.0,
        margin: float = 5.0,
        distance: Distance = "likelihood",
        nll_coef: float = 0.0,
        **others: Any,
    ) -> None:
        if loss not in get_args(Loss) or distance not in get_args(Distance):
            raise ValueError(
                f"loss must be one of {', '.join(get_args(Loss))} and distance one of "
                f"{', '.join(get_args(Distance))}, got {loss!r} and {distance!r}"
            )
        if not temperature > 0 or not margin > 0 or not nll_coef >= 0:
            raise ValueError(
                "temperature and margin must be positive and nll_coef at least 0, "
                f"got {temperature}, {margin} and {nll_coef}"
            )
        if loss == "margin" and distance != "likelihood" and not nll_coef:
            raise ValueError(f"nll_coef must be positive with distance={distance!r}, which does not say what to write")
        self.loss_name, self.temperature, self.margin = loss, temperature, margin
        self.distance, self.nll_coef = distance, nll_coef
        super().__init__(policy, env, data, **others)

    def read(self, data: Any, reader: Reader) -> Compared:
        return Compared.read(data, reader)

    def loss(self, lessons: Compared, batch: IntArray) -> Told:
        texts, better, worse, among = lessons.of_batch(batch)
        chosen, rejected, known = (torch.from_numpy(part).to(self.device) for part in (better, worse, among))
        counts = lessons.texts.learnt[texts]
        scores = score_tokens(self.policy.backbone, lessons.texts, texts)
        means = text_log_probs(scores, counts) / torch.from_numpy(counts).to(self.device)  # l, (n,)
        if self.loss_name == "info_nce":
            losses = info_nce(means[chosen], means[rejected], known, self.temperature)
            values = {}
        else:
            distances = -means if self.distance == "likelihood" else self._distances(scores, lessons.texts, texts)
            losses = margin_loss(distances[chosen], distances[rejected], known, self.margin)
            values = _of_both("distance", distances[chosen], distances[rejected], known)
        loss = losses.mean() - self.nll_coef * means[chosen].mean()
        rivals = means[rejected].masked_fill(~known, -torch.inf).amax(dim=1)
        values |= {"accuracy": float((means[chosen] > rivals).float().mean())}
        values |= _of_both("log_prob", means[chosen], means[rejected], known)
        return Told(loss, values, len(batch))

    def _distances(self, scores: TokenScores, texts: Texts, rows: IntArray) -> torch.Tensor:
        """Returns the distances between the representations of some texts and of their prompts, (n,)."""
        starts, ends = (
            torch.from_numpy(part[rows, None]).to(self.device) for part in (texts.prompt_lengths, texts.lengths)
        )
        place = torch.arange(scores.hidden.shape[1], device=self.device)  # a state has read the token in its place
        in_prompt, in_text = place < starts, (starts - 1 <= place) & (place < ends - 1)
        if texts.replies is not None:
            in_text &= ~texts.replies[rows, 1 : scores.hidden.shape[1] + 1].to(self.device)
        prompt, text = (_mean_state(scores.hidden, mask) for mask in (in_prompt, in_text))
        if self.distance == "cosine":
            return 1 - cosine_similarity(prompt, text, dim=-1)
        distances: torch.Tensor = (prompt - text).norm(dim=-1)
        return distances


def info_nce(chosen: torch.Tensor, rejected: torch.Tensor, known: torch.Tensor, temperature: float) -> torch.Tensor:
    """Returns `-log softmax(scores / temperature)` of the chosen one, (b,).

    Args:
        chosen: (b,) the scores of the better texts.
        rejected: (b, R) those of the worse ones.
        known: (b, R) which of these there are.
        temperature: above 0.
    """
    rivals = rejected.masked_fill(~known, -torch.inf)
    scores = torch.column_stack((chosen, rivals)) / temperature
    return scores.logsumexp(dim=1) - scores[:, 0]


def margin_loss(chosen: torch.Tensor, rejected: torch.Tensor, known: torch.Tensor, margin: float) -> torch.Tensor:
    """Returns `d+ + mean max(0, margin - d-)`, (b,).

    Args:
        chosen: (b,) the distances d+ of the better texts.
        rejected: (b, R) those of the worse ones, d-.
        known: (b, R) which of these there are, at least one.
        margin: how far away these are pushed.
    """
    return chosen + _mean_known(relu(margin - rejected), known)


def _mean_state(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Returns the mean of hidden states (n, W, D) where a mask (n, W) is set, (n, D); 0 where it nowhere is."""
    return (hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def _mean_known(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Returns the mean of those values (b, R) that are known (b, R), at least one in each row, (b,)."""
    mean: torch.Tensor = (values * known).sum(dim=1) / known.sum(dim=1)
    return mean


def _of_both(name: str, chosen: torch.Tensor, rejected: torch.Tensor, known: torch.Tensor) -> dict[str, float]:
    """Returns what is logged of values of the better texts (b,) and of the worse ones (b, R) that are known."""
    means = {"chosen": chosen, "rejected": _mean_known(rejected, known)}
    return {f"{side}_{name}": float(own.detach().mean()) for side, own in means.items()}
