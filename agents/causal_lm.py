"""CausalLm: a language model of transformers as the scorer of the metric `perplexity`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from agents.backbone import Backbone
from agents.texts import Texts, token_losses
from textgym.metrics.scorers import Scorer
from textgym.tasks.base import Task, pad
from textgym.transition import Transition
from textgym.types import FloatArray

_BATCH = 32  # texts in a forward pass; with 50,000 tokens, the logits of 32 texts of 40 take 256 MB
_Tokens = list[list[int]]


class CausalLm(Scorer):
    """Says how probable each text is after its prompt, by a causal language model in evaluation mode.

    A folder without a tokenizer holds a model of the task's own tokens, such as `Backbone.save_pretrained` writes: it
    reads the prompt, its separator, the text and the end token as they are. A model with its own tokenizer in the
    folder reads its start token (or end token, if it has no other), the decoded prompt, `separator`, the decoded text
    and its end token. What exceeds the model's context is cut from the front, and not scored if it is text.

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
        self.separator = separator
        self.tokenizer: PreTrainedTokenizerBase | None = None
        vocab_size, context_length = len(task.vocabulary), task.max_prompt_tokens + task.max_new_tokens
        self._start, self._end = [], task.vocabulary.end_id
        if any(Path(path).glob("tokenizer*")):
            self.tokenizer = AutoTokenizer.from_pretrained(path)
            self._end = self.tokenizer.eos_token_id
            if self._end is None:
                raise ValueError(f"the tokenizer in {path!r} has no end-of-sequence token, which closes a text")
            start = self.tokenizer.bos_token_id
            self._start = [self._end if start is None else start]
            vocab_size, context_length = len(self.tokenizer), 2
        self.backbone = Backbone(path, vocab_size=vocab_size, context_length=context_length).to(device)
        config = self.backbone.lm.config.get_text_config()
        self._context: int = getattr(config, "max_position_embeddings", None) or sys.maxsize

    @torch.no_grad()
    def mean_log_probability(self, transition: Transition) -> FloatArray:
        prompts, texts = self._tokens(transition)
        rows = [
            [*self._start, *prompt, *text, self._end][-self._context :]
            for prompt, text in zip(prompts, texts, strict=True)
        ]
        tokens, lengths = (part.astype(np.int64) for part in pad(rows, pad_id=0))
        scored = np.minimum([len(text) + 1 for text in texts], lengths - 1)
        read = Texts(torch.from_numpy(tokens), lengths - scored, lengths)
        losses = [
            token_losses(self.backbone, read, np.arange(len(rows))[first : first + _BATCH], with_prompt=False)[0]
            for first in range(0, len(rows), _BATCH)
        ]
        loss = torch.cat(losses).double().cpu().numpy()
        total = np.add.reduceat(loss, np.cumsum(scored) - scored)
        mean: FloatArray = -total / scored
        return mean

    def _tokens(self, transition: Transition) -> tuple[_Tokens, _Tokens]:
        """Returns the prompts and the texts in the model's tokens, with what stands between them."""
        prompt_set, samples = transition.prompt_set, transition.samples
        prompts = _rows(prompt_set.prompt_ids[samples], prompt_set.prompt_lengths[samples])
        texts = _rows(transition.text_ids, transition.text_lengths)
        if self.tokenizer is None:
            return prompts, texts
        decode = self.task.vocabulary.decode
        spelled = [decode(prompt) + self.separator for prompt in prompts] + [decode(text) for text in texts]
        ids: _Tokens = self.tokenizer(spelled, add_special_tokens=False)["input_ids"]
        return ids[: len(prompts)], ids[len(prompts) :]


def _rows(ids: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any]) -> _Tokens:
    """Returns right-padded rows, (n, T) of which (n,) are in use, as lists."""
    return [row[:length] for row, length in zip(ids.tolist(), lengths.tolist(), strict=True)]
