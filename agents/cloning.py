"""Cloning: maximum likelihood on texts to imitate, or on plain texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.type_aliases import GymEnv

from agents.backbone import Backbone
from agents.data.lessons import Told
from agents.data.reading import Reader
from agents.data.texts import Texts, cloning_loss, score_tokens
from agents.offline_algorithm import OfflineAlgorithm
from agents.policy import TransformerPolicy
from textgym.dataset.comparisons import Written
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.types import IntArray


class Cloning(OfflineAlgorithm[Texts]):
    """Maximum likelihood on texts given their prompts; the value head learns nothing.

    The loss is the mean over the tokens of a batch of -log pi(a_t | s_t). What is logged beside it: `nll`, the same
    without the prompt, whose `exp` is the perplexity, and `accuracy`, the share of tokens that are the policy's
    likeliest.

    What is learnt is one of

    - `"references"`: the references of the task's train split;
    - a `FeedbackDataset`: all demonstrations of whole texts and all corrected texts; where there are none, the best
      text of each prompt, as `FeedbackDataset.supervised` has it;
    - texts of records, such as `best_texts` returns; with the policy's own texts that is the reward-ranked fine-tuning
      of Dong et al. 2023, "RAFT";
    - rows with `prompt` and `completion`, strings or token ids;
    - texts without a prompt, to learn a language: a list of strings or token ids, or the path of a text file, whose
      lines are the texts. They are packed into pieces as long as the policy reads; see `Texts.packed`;
    - `Texts`.

    Args:
        policy, env: as for every `OfflineAlgorithm`.
        data: what is learnt.
        prompt_weight: the weight of a prompt token in the loss, at least 0; another one has 1.
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
        prompt_weight: float = 0.0,
        **others: Any,
    ) -> None:
        if not prompt_weight >= 0:
            raise ValueError(f"prompt_weight must be at least 0, got {prompt_weight}")
        self.prompt_weight = prompt_weight
        super().__init__(policy, env, data, **others)

    def read(self, data: Any, reader: Reader) -> Texts:
        task, pad_id = reader.task, reader.task.vocabulary.pad_id
        if isinstance(data, Texts):
            return data
        if isinstance(data, str) and data == "references":
            return Texts.of_task(
                task, "train", max_new_tokens=reader.max_new_tokens, generator=np.random.default_rng(self.seed)
            )
        if isinstance(data, FeedbackDataset):
            data = data.imitated()
        if isinstance(data, str | Path):
            if not Path(data).is_file():
                raise ValueError(f'data must be "references", texts, or the path of a file, got {str(data)!r}')
            data = Path(data).read_text(encoding="utf-8").splitlines()
        if not isinstance(data, Sequence) or not data:
            raise ValueError(f"there is nothing to learn in {data!r:.80}")
        if isinstance(data[0], Written):
            return reader.texts(data)
        if isinstance(data[0], Mapping):
            prompts, texts = reader.rows(data, "completion")
            return Texts.of_tokens(prompts, [text for (text,) in texts], pad_id=pad_id)
        return Texts.packed(
            reader.plain(data),
            length=self.policy.backbone.context_length,
            end_id=task.vocabulary.end_id,
            pad_id=pad_id,
        )

    def loss(self, lessons: Texts, batch: IntArray) -> Told:
        return clone(self.policy.backbone, lessons, batch, self.prompt_weight)


def clone(backbone: Backbone, texts: Texts, batch: IntArray, prompt_weight: float = 0.0) -> Told:
    """Returns the loss of cloning some texts (b,), and beside it what it is without the prompt, and the accuracy."""
    scores = score_tokens(backbone, texts, batch, with_prompt=prompt_weight > 0)
    losses = scores.losses()
    right = scores.logits.detach().argmax(dim=-1) == scores.tokens
    values = {"nll": losses.detach()[scores.of_text].mean(), "accuracy": right[scores.of_text].float().mean()}
    loss = cloning_loss(losses, scores.of_text, prompt_weight)
    return Told(loss, {name: float(value) for name, value in values.items()}, int(scores.of_text.sum()))
