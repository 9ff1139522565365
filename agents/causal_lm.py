"""CausalLm: a language model of transformers as the scorer of the metric `perplexity`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from agents.backbone import Backbone
from agents.data.texts import Texts, token_losses
from agents.text_reader import Rows, TextReader
from textgym.metrics.scorers import Scorer
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray

_BATCH = 32  # texts in a forward pass; with 50,000 tokens, the logits of 32 texts of 40 take 256 MB


class CausalLm(Scorer):
    """Says how probable each text is after its prompt, by a causal language model in evaluation mode.

    A folder without a tokenizer holds a model of the task's own tokens, such as `Backbone.save_pretrained` writes; see
    `TextReader` for what either reads. What exceeds the model's context is cut from the front, and not scored if it is
    text.

    The texts of a call share a forward pass in float32, so a result may vary with the other texts in its last digits.

    Args:
        task: the task whose texts are scored.
        path: a folder with the model, as `save_pretrained` writes it.
        separator: what stands between the prompt and the text for a model with its own tokenizer.
        device: where the model computes, such as `"cpu"` or `"cuda"`.
    """

    def __init__(self, task: Task, path: str, separator: str = "\n", device: str = "cpu") -> None:
        super().__init__(task)
        if not (Path(path) / "config.json").is_file():
            raise ValueError(f"path must be a folder with a model and its config.json, got {path!r}")
        self.reader = TextReader(task, path, separator)
        vocab_size, context_length = self.reader.vocab_size, self.reader.context_length
        self.backbone = Backbone(path, vocab_size=vocab_size, context_length=context_length).to(device)

    @torch.no_grad()
    def mean_log_probability(self, transition: Transition) -> FloatArray:
        rows, written = self.reader.read_transition(transition)
        kept = Rows.of(rows, self.backbone)
        lengths = kept.lengths.cpu().numpy()
        scored = np.minimum(written, lengths - 1)
        read = Texts(kept.tokens, lengths - scored, lengths)
        losses = [
            token_losses(self.backbone, read, np.arange(len(rows))[first : first + _BATCH], with_prompt=False)[0]
            for first in range(0, len(rows), _BATCH)
        ]
        loss = torch.cat(losses).double().cpu().numpy()
        total = np.add.reduceat(loss, np.cumsum(scored) - scored)
        mean: FloatArray = -total / scored
        return mean
