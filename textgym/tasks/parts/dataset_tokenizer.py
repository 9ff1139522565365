"""The tokens of a data set: bytes, pairs of bytes learnt from it, or a tokenizer from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from textgym.tasks.parts.byte_pair import EVERY_BYTE, train_tokenizer
from textgym.types import BoolArray, IntArray
from textgym.vocabulary import SPECIAL_TOKENS, TokenizerVocabulary, Vocabulary

_FIRST = len(SPECIAL_TOKENS)
SMALLEST = _FIRST + 256
"""The fewest tokens of a byte-level BPE: with them every text can be spelled."""


@dataclass(frozen=True)
class Tokens:
    """A vocabulary, and the function that turns many texts into its token ids at once."""

    vocabulary: Vocabulary
    encode: Callable[[list[str]], list[Sequence[int]]]


class ByteVocabulary(Vocabulary):
    """One token for each byte of UTF-8: byte b is token b + 3."""

    @cached_property
    def tokens(self) -> Sequence[str]:
        return (*SPECIAL_TOKENS, *(bytes([byte]).decode(errors="replace") for byte in range(256)))

    def encode(self, text: str) -> list[int]:
        return [byte + _FIRST for byte in text.encode()]

    def decode(self, ids: Sequence[int] | IntArray) -> str:
        return bytes(int(token) - _FIRST for token in ids if token >= _FIRST).decode(errors="replace")


class ForeignVocabulary(Vocabulary):
    """A tokenizer from elsewhere behind our three special tokens: its token i is token i + 3.

    Its own special tokens are never made from text, and cannot be written, but for the one for what is unknown.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._unknown: int | None = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "")

    @cached_property
    def tokens(self) -> Sequence[str]:
        size = 1 + max(self._tokenizer.get_vocab().values())
        return (*SPECIAL_TOKENS, *(self._tokenizer.decode([i], skip_special_tokens=False) for i in range(size)))

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self._unknown in ids:
            raise ValueError(f"the tokenizer cannot spell this text: {text[:60]!r}")
        return [i + _FIRST for i in ids]

    def decode(self, ids: Sequence[int] | IntArray) -> str:
        own = [int(i) - _FIRST for i in ids if i >= _FIRST]
        text: str = self._tokenizer.decode(own, skip_special_tokens=True)
        return text

    @cached_property
    def writable(self) -> BoolArray:
        writable = super().writable.copy()
        for number, token in self._tokenizer.get_added_tokens_decoder().items():
            writable[number + _FIRST] = not token.special or number == self._unknown
        writable.flags.writeable = False
        return writable


def make_tokens(tokenizer: str, texts: Callable[[], Iterable[str]], vocabulary_size: int) -> Tokens:
    """Returns the tokens that an argument asks for.

    Args:
        tokenizer: `"bytes"`; `"bpe"`, learnt from the texts; or where a tokenizer is: a `tokenizer.json`, a folder, or
            the name of a model on Hugging Face's hub.
        texts: returns the texts to learn from.
        vocabulary_size: the most tokens to learn.

    Raises:
        ValueError: if there is no such tokenizer.
    """
    if tokenizer == "bytes":
        by_byte = ByteVocabulary()
        return Tokens(by_byte, lambda many: [by_byte.encode(text) for text in many])
    if tokenizer == "bpe":
        learnt = _without_special(train_tokenizer(texts(), vocabulary_size, EVERY_BYTE))
        return Tokens(TokenizerVocabulary(learnt), lambda many: [found.ids for found in _encodings(learnt, many)])
    foreign = _without_special(_load(tokenizer))

    def encode(many: list[str]) -> list[Sequence[int]]:
        return [(np.array(found.ids, np.int64) + _FIRST).tolist() for found in _encodings(foreign, many)]

    return Tokens(ForeignVocabulary(foreign), encode)


def _encodings(tokenizer: Tokenizer, texts: list[str]) -> list[Any]:
    encodings: list[Any] = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return encodings


def _without_special(tokenizer: Tokenizer) -> Tokenizer:
    """Makes a text that holds the name of a special token, such as `<end>`, be spelled as any other."""
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _load(tokenizer: str) -> Tokenizer:
    path = Path(tokenizer)
    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        if file.is_file():
            return Tokenizer.from_file(str(file))
        if not path.is_dir() and path.suffix == ".json":
            raise ValueError("no such file")
        if path.is_dir():
            return _from_transformers(tokenizer)
        try:
            return Tokenizer.from_pretrained(tokenizer)
        except Exception:  # a bare one, whatever went wrong
            return _from_transformers(tokenizer)
    except Exception as error:  # the library raises bare ones
        raise ValueError(
            f"tokenizer must be bpe, bytes, a tokenizer.json, a folder with one, or a model on Hugging Face's hub; "
            f"cannot load {tokenizer!r}: {error}"
        ) from error


def _from_transformers(tokenizer: str) -> Tokenizer:
    """Returns the tokenizer of a folder or model that has it in an older form, which only transformers can read."""
    try:
        transformers = import_module("transformers")  # so named because the package never depends on it
    except ImportError as error:
        raise ImportError('without a tokenizer.json it takes transformers: pip install "textgym[agents]"') from error
    loaded = transformers.AutoTokenizer.from_pretrained(tokenizer, trust_remote_code=False)
    backend = getattr(loaded, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ValueError("its tokenizer is none of the tokenizers library")
    return backend
