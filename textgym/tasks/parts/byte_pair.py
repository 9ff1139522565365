"""Byte-level byte-pair encoding: tokens learnt from texts, and the prompt sets that they spell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from textgym.tasks.base import PromptSet
from textgym.tasks.parts.corpus_cache import Arrays
from textgym.vocabulary import SPECIAL_TOKENS, TokenizerVocabulary

_FIELDS = ("prompt_ids", "prompt_lengths", "reference_ids", "reference_lengths")


def _spelling(text: str) -> list[str]:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return [byte_level.pre_tokenize_str(character)[0][0] for character in text]


PRINTABLE = _spelling("".join(map(chr, range(ord(" "), ord("~") + 1))))
"""The alphabet of texts in printable ASCII."""
EVERY_BYTE = sorted(pre_tokenizers.ByteLevel.alphabet())
"""The alphabet of all texts: 256 bytes."""


def train_tokenizer(texts: Iterable[str], vocabulary_size: int, alphabet: Sequence[str] = PRINTABLE) -> Tokenizer:
    """Learns the most frequent pairs; at the size of the alphabet and the special tokens, there are none.

    Args:
        texts: what is learnt from.
        vocabulary_size: the most tokens.
        alphabet: the bytes that have a token in any case, in the spelling of the `tokenizers` library.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=list(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tokenise(
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    references: Sequence[str],
    *,
    max_prompt: int,
    max_reference: int | None = None,
) -> tuple[PromptSet, list[int]]:
    """Returns the prompt set of S texts and which of them are in it, those that fit.

    Args:
        tokenizer: from `train_tokenizer`.
        prompts: the prompts, (S,).
        references: their references, (S,).
        max_prompt: the most tokens of a prompt, its separator included.
        max_reference: the most tokens of a reference, or None for no limit.
    """
    encoded = zip(tokenizer.encode_batch(prompts), tokenizer.encode_batch(references), strict=True)
    ids = [(prompt.ids, reference.ids) for prompt, reference in encoded]
    fits = [
        number
        for number, (prompt, reference) in enumerate(ids)
        if len(prompt) < max_prompt and (max_reference is None or len(reference) <= max_reference)
    ]
    fitting_prompts, fitting_references = ([ids[number][part] for number in fits] for part in (0, 1))
    return PromptSet.from_tokens(fitting_prompts, fitting_references, TokenizerVocabulary(tokenizer)), fits


def as_arrays(prompt_set: PromptSet, prefix: str) -> Arrays:
    """Returns the tokens of a prompt set as arrays to keep, whose names begin with a prefix."""
    return {f"{prefix}_{name}": getattr(prompt_set, name) for name in _FIELDS}


def as_prompt_set(arrays: Arrays, prefix: str, data: Mapping[str, Sequence[object]]) -> PromptSet:
    """Returns the prompt set that `as_arrays` was given, with what else is known of each sample."""
    return PromptSet(**{name: arrays[f"{prefix}_{name}"] for name in _FIELDS}, data=data)


def as_bytes(plain: object) -> NDArray[np.uint8]:
    """Returns plain data, as JSON, in bytes to keep."""
    return np.frombuffer(json.dumps(plain).encode(), np.uint8)


def as_vocabulary(arrays: Arrays) -> TokenizerVocabulary:
    """Returns the vocabulary whose tokenizer was kept as `"tokenizer"`, the bytes of its string."""
    return TokenizerVocabulary(Tokenizer.from_str(json.loads(arrays["tokenizer"].tobytes())))
