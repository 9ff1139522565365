"""DPO: a policy learns straight from which texts were preferred to which, without a model of reward."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback
from torch.nn.functional import logsigmoid

from agents.backbone import ModelSource
from agents.data.compared import Compared
from agents.data.lessons import Told
from agents.data.reading import Reader
from agents.data.texts import Texts, score_tokens, text_log_probs
from agents.losses.preferences import conservative_loss, unbiased_loss
from agents.offline_algorithm import OfflineAlgorithm
from agents.policy import TransformerPolicy
from textgym.types import IntArray

Loss = Literal["sigmoid", "conservative", "unbiased"]


class DPO(OfflineAlgorithm[Compared]):
    """Direct preference optimisation (Rafailov et al. 2023, "Direct preference optimization: your language model is
    secretly a reward model", equation 7).

    It descends the mean over pairs of a loss of the margin

        z = beta (log pi(y+ | x) / pi_ref(y+ | x) - log pi(y- | x) / pi_ref(y- | x)),

    with x the prompt, y+ the preferred text, y- the other one, and log pi(y | x) the sum over the tokens that the agent
    wrote, its end token included, and neither those of the prompt nor those of another side. The loss is

        sigmoid       -log sigma(z)
        conservative  -(1 - eps) log sigma(z) - eps log sigma(-z)
        unbiased      (-(1 - eps) log sigma(z) + eps log sigma(-z)) / (1 - 2 eps)

    eps the share of pairs that are labelled the wrong way round; see `agents.losses.preferences`. Its optimum is that
    of reward under a penalty of beta on the divergence from the reference. Often both texts become less likely, only
    the worse one more so; `nll_coef` holds against that.

    What is logged, as means over pairs: `accuracy` (z > 0), `margin` (z), the log-probabilities of the chosen and the
    rejected texts, in nats per text, and the implicit rewards, beta log pi / pi_ref, of both.

    Args:
        policy, env: as for every `OfflineAlgorithm`.
        data: see `Compared.read`.
        beta: how strongly the reference holds, above 0.
        loss: one of the three.
        flip_rate: eps, in [0, 0.5); 0 with `"sigmoid"`.
        per_token: whether log-probabilities are divided by the number of the text's tokens, so that length does not
            make a margin (Meng, Xia, Chen 2024, "SimPO", section 2.2, there without a reference).
        nll_coef: the weight of the preferred text's negative log-likelihood per token, at least 0 (Pang et al. 2024,
            "Iterative reasoning preference optimization", equation 1).
        reference: `"start"`, the policy as it is when learning begins; `"data"`, as it is whenever data come in, which
            is the one that wrote them in `learn_in_rounds`; or a folder that `Backbone.save_pretrained` wrote.
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
        beta: float = 0.1,
        loss: Loss = "sigmoid",
        flip_rate: float = 0.0,
        per_token: bool = False,
        nll_coef: float = 0.0,
        reference: Literal["start", "data"] | str | Path = "start",
        **others: Any,
    ) -> None:
        if loss not in get_args(Loss):
            raise ValueError(f"loss must be one of {', '.join(get_args(Loss))}, got {loss!r}")
        if not beta > 0 or not nll_coef >= 0:
            raise ValueError(f"beta must be positive and nll_coef at least 0, got {beta} and {nll_coef}")
        if not 0 <= flip_rate < 0.5 or (flip_rate and loss == "sigmoid"):
            raise ValueError(f'flip_rate must be in [0, 0.5), and 0 with loss="sigmoid", got {flip_rate}')
        self.beta, self.loss_name, self.flip_rate = beta, loss, flip_rate
        self.per_token, self.nll_coef = per_token, nll_coef
        self.reference_source: ModelSource = reference
        super().__init__(policy, env, data, **others)

    def _setup_model(self) -> None:
        super()._setup_model()
        backbone = self.policy.backbone
        if self.reference_source in ("start", "data"):
            self.reference = copy.deepcopy(backbone)
        else:
            self.reference = backbone.sibling(self.reference_source)
            self.reference_source = self.reference.lm.config  # a saved learner has its weights, and needs no folder
        self._expected: dict[int, torch.Tensor] = {}  # by texts: their log-probabilities under the reference

    def read(self, data: Any, reader: Reader) -> Compared:
        return Compared.read(data, reader)

    def set_data(self, data: Any, validation_data: Any = None) -> None:
        super().set_data(data, validation_data)
        self._renew_reference(self.reference_source == "data")

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        tb_log_name: str = "run",
        progress_bar: bool = False,
    ) -> tuple[int, BaseCallback]:
        self._renew_reference(reset_num_timesteps and self.reference_source in ("start", "data"))
        return super()._setup_learn(total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar)

    def _renew_reference(self, changes: bool) -> None:
        """Forgets what the reference expected, and makes it the policy if it `changes`."""
        self._expected.clear()
        if changes:
            self.reference.load_state_dict(self.policy.backbone.state_dict())

    def loss(self, lessons: Compared, batch: IntArray) -> Told:
        texts, chosen, rejected, known = lessons.of_batch(batch)
        counts = lessons.texts.learnt[texts]
        log_probs = text_log_probs(score_tokens(self.policy.backbone, lessons.texts, texts), counts)  # (n,) nats
        expected = self._reference_log_probs(lessons.texts)[texts]
        lengths = torch.from_numpy(counts).to(self.device, log_probs.dtype)
        ratios = self.beta * (log_probs - expected) / (lengths if self.per_token else 1)  # the implicit rewards
        pair, place = known.nonzero()
        better, worse = (torch.from_numpy(part).to(self.device) for part in (chosen[pair], rejected[pair, place]))
        margin = ratios[better] - ratios[worse]  # (P,)
        loss = self._pair_loss(margin).mean()
        if self.nll_coef:
            loss = loss - self.nll_coef * (log_probs / lengths)[better].mean()
        values = {
            "accuracy": (margin > 0).float().mean(),
            "margin": margin.mean(),
            "chosen_log_prob": log_probs[better].mean(),
            "rejected_log_prob": log_probs[worse].mean(),
            "chosen_reward": ratios[better].mean(),
            "rejected_reward": ratios[worse].mean(),
        }
        return Told(loss, {name: float(value.detach()) for name, value in values.items()}, len(pair))

    def _pair_loss(self, margin: torch.Tensor) -> torch.Tensor:
        if self.loss_name == "sigmoid":
            return -logsigmoid(margin)
        return {"conservative": conservative_loss, "unbiased": unbiased_loss}[self.loss_name](margin, self.flip_rate)

    @torch.no_grad()
    def _reference_log_probs(self, texts: Texts) -> torch.Tensor:
        """Returns the log-probabilities of all texts under the reference, (N,) nats, computed once."""
        if id(texts) not in self._expected:
            found = torch.zeros(len(texts), device=self.device)
            order = np.argsort(texts.lengths, kind="stable")
            for first in range(0, len(order), 2 * self.batch_size):
                rows = order[first : first + 2 * self.batch_size]
                found[rows] = text_log_probs(score_tokens(self.reference, texts, rows), texts.learnt[rows])
            self._expected[id(texts)] = found
        return self._expected[id(texts)]

    def training_state(self) -> dict[str, Any]:
        return {**super().training_state(), "reference": self.reference.state_dict()}

    def set_training_state(self, state: dict[str, Any]) -> None:
        super().set_training_state(state)
        self.reference.load_state_dict(state["reference"])
        self._expected.clear()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "reference", "_expected"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return [*super()._get_torch_save_params()[0], "reference"], []
