"""TextReader: a prompt and a text as the one row of tokens that a language model reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from agents.backbone import Backbone
from textgym.scoring import prompt_numbers
from textgym.tasks.base import SPLITS, Task, pad
from textgym.transition import Transition
from textgym.types import IntArray, TokenArray
from textgym.vocabulary import Vocabulary

Tokens = list[int]


class TextReader:
    """Reads texts of a task with its own tokens, or with those of a model that brings a tokenizer.

    With the task's tokens a row is the prompt, its separator, the text and the end token, as they are. With a tokenizer
    it is its start token (or end token, if it has no other), the decoded prompt, `separator`, the decoded text and its
    end token. Where the task answers the agent, only what the agent wrote is read.

    Args:
        task: the task whose texts are read.
        path: a folder or a hub name of a model; None, or a folder without a tokenizer, for the task's tokens.
        separator: what stands between the prompt and the text for a model with its own tokenizer.

    Attributes:
        tokenizer: the model's own; None where the task's tokens are read.
        vocab_size: how many tokens the model must know.
        context_length: how many positions it must have, at least; longer rows are cut from the front.

    Raises:
        ValueError: if the tokenizer has no end-of-sequence token.
    """

    def __init__(self, task: Task, path: str | Path | None = None, separator: str = "\n") -> None:
        self.task, self.separator = task, separator
        self.tokenizer: PreTrainedTokenizerBase | None = None
        self.vocab_size, self.context_length = len(task.vocabulary), task.max_prompt_tokens + task.max_new_tokens
        self._start, self._end = Tokens(), task.vocabulary.end_id
        if path is not None and (not Path(path).is_dir() or any(Path(path).glob("tokenizer*"))):
            self.tokenizer = AutoTokenizer.from_pretrained(path)
            self._end = self.tokenizer.eos_token_id
            if self._end is None:
                raise ValueError(f"the tokenizer in {str(path)!r} has no end-of-sequence token, which closes a text")
            start = self.tokenizer.bos_token_id
            self._start = [self._end if start is None else start]
            self.vocab_size, self.context_length = len(self.tokenizer), 2

    def read_transition(self, transition: Transition) -> tuple[list[Tokens], IntArray]:
        """Returns the rows of n finished texts and how many of the last tokens of each are the text and its end, (n,).

        What counts is what was written; the end token of a row is there even if the budget ended the text.
        """
        prompts, samples = transition.prompt_set, transition.samples
        return self._join(
            _rows(prompts.prompt_ids[samples], prompts.prompt_lengths[samples]),
            _rows(transition.text_ids, transition.text_lengths),
        )

    def read(self, prompts: Sequence[str], completions: Sequence[str | Sequence[int]]) -> list[Tokens]:
        """Returns the rows of n texts.

        Args:
            prompts: (n,) as they are decoded.
            completions: (n,) as strings, or as the task's token ids, with or without the end token.

        Raises:
            ValueError: if the task's vocabulary can't spell a prompt or a text.
        """
        texts = [self.task.encode_text(text) if isinstance(text, str) else _unended(text) for text in completions]
        return self._join([self._prompt(prompt) for prompt in prompts], texts)[0]

    def _join(self, prompts: list[Tokens], texts: list[Tokens]) -> tuple[list[Tokens], IntArray]:
        """Puts prompts and texts of the task's tokens together in the tokens of the model."""
        if self.tokenizer is not None:
            spelled = [self.task.vocabulary.decode(prompt) + self.separator for prompt in prompts]
            spelled += [self.task.decode_text(text) for text in texts]
            ids: list[Tokens] = self.tokenizer(spelled, add_special_tokens=False)["input_ids"]
            prompts, texts = ids[: len(prompts)], ids[len(prompts) :]
        rows = [[*self._start, *prompt, *text, self._end] for prompt, text in zip(prompts, texts, strict=True)]
        return rows, np.array([len(text) + 1 for text in texts], np.int64)

    def _prompt(self, prompt: str) -> Tokens:
        """Returns the tokens of a prompt with its separator: those of the task's own prompt that reads so, if any."""
        if prompt in self._known:
            return self._known[prompt]
        vocabulary = self.task.vocabulary
        return [*vocabulary.encode(prompt), vocabulary.separator_id]

    @cached_property
    def _known(self) -> Mapping[str, Tokens]:
        known: dict[str, Tokens] = {}
        for split in SPLITS:
            prompts = self.task.prompt_set(split)
            for prompt, number in prompt_numbers(prompts, self.task.vocabulary).items():
                known[prompt] = prompts.prompt_ids[number, : prompts.prompt_lengths[number]].tolist()
        return known


@dataclass(frozen=True)
class Rows:
    """N texts as a model reads them.

    Attributes:
        tokens: (N, W) right padded.
        lengths: (N,) the tokens in use.
    """

    tokens: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def of(cls, texts: list[Tokens], backbone: Backbone) -> Rows:
        """Pads N texts, on the model's device; what exceeds its context is cut from the front."""
        longest = getattr(backbone.lm.config.get_text_config(), "max_position_embeddings", None) or sys.maxsize
        padded = pad([text[-longest:] for text in texts], pad_id=0)
        device = backbone.value_head.weight.device
        return cls(*(torch.from_numpy(part.astype(np.int64)).to(device) for part in padded))

    def part(self, numbers: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns some of the texts, (b,), as narrow as they allow."""
        lengths = self.lengths[numbers]
        return self.tokens[numbers, : int(lengths.max())], lengths


def _unended(ids: Sequence[int]) -> Tokens:
    """Returns token ids without the end token behind them."""
    text = [int(token) for token in ids]
    return text[:-1] if text[-1:] == [Vocabulary.end_id] else text


def _rows(ids: IntArray | TokenArray, lengths: IntArray | TokenArray) -> list[Tokens]:
    """Returns right-padded rows, (n, T) of which (n,) are in use, as lists."""
    return [row[:length] for row, length in zip(ids.tolist(), lengths.tolist(), strict=True)]
