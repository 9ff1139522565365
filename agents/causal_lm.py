"""CausalLm: a language model of transformers as the scorer of the metric `perplexity`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from agents.backbone import Backbone
from agents.supervised import Texts, token_losses
from agents.text_reader import TextReader
from textgym.metrics.scorers import Scorer
from textgym.tasks.base import Task, pad
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
        sizes = {"vocab_size": self.reader.vocab_size, "context_length": self.reader.context_length}
        self.backbone = Backbone(path, **sizes).to(device)
        config = self.backbone.lm.config.get_text_config()
        self._context: int = getattr(config, "max_position_embeddings", None) or sys.maxsize

    @torch.no_grad()
    def mean_log_probability(self, transition: Transition) -> FloatArray:
        rows, written = self.reader.read_transition(transition)
        tokens, lengths = (part.astype(np.int64) for part in pad([row[-self._context :] for row in rows], pad_id=0))
        scored = np.minimum(written, lengths - 1)
        read = Texts(torch.from_numpy(tokens), lengths - scored, lengths)
        losses = [
            token_losses(self.backbone, read, np.arange(len(rows))[first : first + _BATCH], with_prompt=False)[0]
            for first in range(0, len(rows), _BATCH)
        ]
        loss = torch.cat(losses).double().cpu().numpy()
        total = np.add.reduceat(loss, np.cumsum(scored) - scored)
        mean: FloatArray = -total / scored
        return mean
