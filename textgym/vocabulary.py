"""Tokens and text: three special tokens and what every other token spells."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from textgym.types import BoolArray, IntArray, TokenArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, SEPARATOR, END = "<pad>", "<sep>", "<end>"
SPECIAL_TOKENS = (PAD, SEPARATOR, END)

_CLOSING, _OPENING = ".,;:?!)]'", "(["  # what stands close to the word before it, and to the word behind it
_PIECE = re.compile(r"[^\s.,;:?!()\[\]']*[(\[]|'\w+|[^\s.,;:?!()\[\]']+|.")  # where no word is known


class Vocabulary(ABC):
    """The tokens of a task. The first three are special: padding, the end of a prompt, the end of a text or turn."""

    pad_id, separator_id, end_id = 0, 1, 2

    @property
    @abstractmethod
    def tokens(self) -> Sequence[str]:
        """Every token as text, the special ones first; (V,)."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Returns the token ids of a text, without special tokens.

        Raises:
            ValueError: if the vocabulary cannot spell the text.
        """

    @abstractmethod
    def decode(self, ids: Sequence[int] | IntArray) -> str:
        """Returns the text of token ids; special tokens are left out."""

    def __len__(self) -> int:
        return len(self.tokens)

    def characters(self, ids: IntArray | TokenArray, lengths: IntArray | TokenArray) -> tuple[IntArray, IntArray]:
        """Returns the characters of n texts, (n, T) token ids of which (n,) are in use, without whitespace.

        Returns:
            the code points of all texts, one text after the other, and (n,) how many each text has.
        """
        if self._spelling is None:
            decoded = ["".join(self.decode(row[:length]).split()) for row, length in zip(ids, lengths, strict=True)]
            code_points = [ord(character) for text in decoded for character in text]
            return np.array(code_points, np.int64), np.array([len(text) for text in decoded], np.int64)
        codes, starts = self._spelling
        used = ids[np.arange(ids.shape[1]) < lengths[:, None]]
        sizes = starts[used + 1] - starts[used]
        ends = np.append(0, np.cumsum(sizes))
        place = np.arange(ends[-1]) + np.repeat(starts[used] - ends[:-1], sizes)
        tokens = np.cumsum(lengths, dtype=np.int64)
        return codes[place], ends[tokens] - ends[tokens - lengths]

    @cached_property
    def _spelling(self) -> tuple[IntArray, IntArray] | None:
        """The code points of all tokens without whitespace, one after the other, and (V + 1,) where each token starts.

        None where a token spells something else in company than alone, such as a part of a character.
        """
        alone = ["".join(self.decode([i]).split()) for i in range(len(self))]
        if any("\ufffd" in text or "".join(self.decode([i, i]).split()) != text * 2 for i, text in enumerate(alone)):
            return None
        codes = np.array([ord(character) for text in alone for character in text], np.int64)
        return codes, np.cumsum([0, *map(len, alone)])

    @cached_property
    def writable(self) -> BoolArray:
        """Which tokens an agent may write: all but padding and the separator; (V,), read-only."""
        writable = np.ones(len(self), np.bool_)
        writable[[self.pad_id, self.separator_id]] = False
        writable.flags.writeable = False
        return writable


class WordVocabulary(Vocabulary):
    """One token a word or a mark of punctuation; a text is words with single spaces between them.

    There is no space before a token that begins with one of `. , ; : ? ! ) ] '`, and none after one that ends with one
    of `( [`: the tokens `max(`, `a`, `,`, `b`, `)` spell `max(a, b)`, and `Anna`, `'s`, `cat`, `.` spell `Anna's cat.`
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._tokens = (*SPECIAL_TOKENS, *words)
        self._ids = {word: number for number, word in enumerate(self._tokens)}
        if len(self._ids) != len(self._tokens):
            raise ValueError("the words of a vocabulary must differ from each other and from the special tokens")
        self._closes = [word[:1] in _CLOSING for word in self._tokens]
        self._opens = [word[-1:] in _OPENING for word in self._tokens]

    @property
    def tokens(self) -> Sequence[str]:
        return self._tokens

    def encode(self, text: str) -> list[int]:
        pieces = [piece for part in text.split() for piece in self._pieces(part)]
        unknown = [piece for piece in pieces if self._ids.get(piece, 0) < len(SPECIAL_TOKENS)]
        if unknown:
            raise ValueError(f"not in the vocabulary of {len(self)} words: {', '.join(unknown[:5])}")
        return [self._ids[piece] for piece in pieces]

    def _pieces(self, part: str) -> Iterator[str]:
        """Yields the longest words that a part of a text without spaces may be made of."""
        while part:
            ends = (end for end in range(len(part), 0, -1) if self._may_part(part, end) and part[:end] in self._ids)
            end = next(ends, 0) or len(_PIECE.match(part)[0])  # type: ignore[index]  # it matches any character
            yield part[:end]
            part = part[end:]

    def _may_part(self, part: str, end: int) -> bool:
        return end == len(part) or part[end - 1] in _OPENING or part[end] in _CLOSING

    def decode(self, ids: Sequence[int] | IntArray) -> str:
        text, opened = "", True
        for token in map(int, ids):
            if token < len(SPECIAL_TOKENS):
                continue
            text += self._tokens[token] if opened or self._closes[token] else f" {self._tokens[token]}"
            opened = self._opens[token]
        return text


class TokenizerVocabulary(Vocabulary):
    """A tokenizer of the `tokenizers` library whose first three tokens are the special ones."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        found = tuple(tokenizer.id_to_token(i) for i in range(len(SPECIAL_TOKENS)))
        if found != SPECIAL_TOKENS:
            raise ValueError(f"the tokenizer must start with the special tokens {SPECIAL_TOKENS}, not with {found}")
        self._tokenizer = tokenizer

    @cached_property
    def tokens(self) -> Sequence[str]:
        size = self._tokenizer.get_vocab_size()
        spelled = [self._tokenizer.decode([i]) for i in range(len(SPECIAL_TOKENS), size)]
        return (*SPECIAL_TOKENS, *spelled)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self.decode(ids) != text:
            raise ValueError(f"the tokenizer cannot spell this text: {text[:60]!r}")
        return ids

    def decode(self, ids: Sequence[int] | IntArray) -> str:
        text: str = self._tokenizer.decode([int(i) for i in ids], skip_special_tokens=True)
        return text
