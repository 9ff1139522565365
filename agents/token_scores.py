"""What a policy says of texts that are written already: each token's log-probability, value and gradient norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from stable_baselines3.common.policies import BasePolicy

from agents.exploration import MASKED_LOGIT
from agents.ngram_policy import NgramPolicy
from agents.policy import TransformerCore
from agents.text_buffer import batches_of_similar_length
from textgym.types import BoolArray, FloatArray, IntArray

ByteArray = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True)
class PlayedTexts:
    """N texts of at most T tokens as they were written in an environment, right padded with zeros.

    Attributes:
        input_ids: (N, L) what the agent saw before it wrote the last token.
        positions: (N, T) the place in `input_ids` that each token was written after.
        actions: (N, T) the tokens.
        rewards: (N, T) what each was paid.
        mask: (N, T) which places are in use.
        allowed: (N, T, V / 8, rounded up) bits: the tokens that might be written; None where all might.
    """

    input_ids: IntArray
    positions: IntArray
    actions: IntArray
    rewards: FloatArray
    mask: BoolArray
    allowed: ByteArray | None = None


class TokenScores(NamedTuple):
    """What a policy says of each token of N texts; zero in padding.

    Attributes:
        log_probs: (N, T) log pi(a_t | s_t), in nats.
        values: (N, T) V(s_t), before the token.
        gradient_norms: (N, T) the norm of the gradient of log pi(a_t | s_t) by the weights of the output layer.
    """

    log_probs: FloatArray
    values: FloatArray
    gradient_norms: FloatArray


@torch.no_grad()
def token_scores(policy: BasePolicy, texts: PlayedTexts, batch_size: int = 8192) -> TokenScores:
    """Scores every token of some texts.

    With h the last hidden state, W the output layer's weights and z = W h, the gradient of log pi(a | s) by W is
    (onehot(a) - pi) h', a product of two vectors, whose norm is |onehot(a) - pi| |h|. (A model that caps its logits by
    c tanh(z / c) has the first vector times 1 - tanh(z / c)^2.) For `NgramPolicy`, h are the features, and the norm is
    that of the whole gradient but the bias; for a transformer it leaves out the layers below, and what W does as the
    embeddings where the two are one.

    Args:
        policy: a `TransformerPolicy`, a `MaskableTransformerPolicy`, which reads `allowed`, or an `NgramPolicy`.
        texts: the texts.
        batch_size: about how many places to score at a time.

    Raises:
        ValueError: if the policy is none of these.
    """
    if not isinstance(policy, TransformerCore | NgramPolicy):
        raise ValueError(f"the policy must be a transformer's or an NgramPolicy, got {type(policy).__name__}")
    device, found = policy.device, np.zeros((3, *texts.mask.shape))
    for rows in batches_of_similar_length(texts.positions.max(axis=1) + 1, batch_size):
        mask = torch.from_numpy(texts.mask[rows]).to(device)
        places, actions = (torch.from_numpy(part[rows]).to(device)[mask] for part in (texts.positions, texts.actions))
        ids = torch.from_numpy(texts.input_ids[rows]).to(device)[:, : int(places.max()) + 1]
        text = torch.arange(len(rows), device=device)[:, None].expand_as(mask)[mask]  # (M,)
        hidden, logits, values, slope = _head(policy, ids, text, places)
        if texts.allowed is not None:
            bits = np.unpackbits(texts.allowed[rows][texts.mask[rows]], axis=1, count=logits.shape[1])
            logits = logits.masked_fill(~torch.from_numpy(bits).bool().to(device), MASKED_LOGIT)
        log_probs = logits.log_softmax(dim=1)
        residual = -log_probs.exp()
        residual[torch.arange(len(actions), device=device), actions] += 1.0
        chosen = log_probs.gather(1, actions[:, None])[:, 0]
        norms = (residual * slope).norm(dim=1) * hidden.norm(dim=1)
        part = np.zeros((3, *mask.shape))
        part[:, texts.mask[rows]] = torch.stack((chosen, values, norms)).double().cpu().numpy()
        found[:, rows] = part
    return TokenScores(*found)


def _head(
    policy: TransformerCore | NgramPolicy, ids: torch.Tensor, text: torch.Tensor, places: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns, for M prefixes of some texts, the last hidden states, the logits, the values, and the cap's slope.

    Args:
        policy: the policy.
        ids: (b, W) the texts.
        text: (M,) which of them each prefix is of.
        places: (M,) where it ends.
    """
    if isinstance(policy, NgramPolicy):
        seen = torch.arange(ids.shape[1], device=ids.device) <= places[:, None]
        features = policy.extract_features({"input_ids": ids[text], "attention_mask": seen})
        assert isinstance(features, torch.Tensor)
        return features, policy.action_net(features), policy.value_net(features)[:, 0], torch.ones(1).to(ids.device)
    backbone = policy.backbone
    hidden = backbone.hidden(ids)[text, places]
    logits = backbone.logits(hidden)
    slope = torch.ones_like(logits) if backbone.soft_cap is None else 1 - (logits / backbone.soft_cap).square()
    return hidden.float(), logits, backbone.values(hidden), slope
