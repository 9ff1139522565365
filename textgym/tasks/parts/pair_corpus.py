"""A corpus of text pairs, tokenised: made once, kept in the cache folder, and read again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tokenizers

from textgym.tasks.base import SPLITS, PromptSet
from textgym.tasks.parts.byte_pair import as_arrays, as_bytes, as_prompt_set, as_vocabulary, tokenise, train_tokenizer
from textgym.tasks.parts.corpus_cache import Arrays, cached
from textgym.tasks.parts.text_pairs import TextPair, split_pairs

_FORMAT = 2  # counts the changes in how a corpus is made


class PairCorpus:
    """The vocabulary and the prompt sets of text pairs.

    Args:
        name: what the corpus is, the beginning of the file's name in the cache.
        origin: all that the pairs depend on beside the version of Python, as plain data.
        read: finds the pairs, where the cache does not have them.
        vocabulary_size: the number of tokens, 128 to 65,536.
        max_prompt: the most tokens of a prompt, its separator included, at least 4; pairs with more are left out.
        max_reference: the most tokens of a reference, at least 2; likewise.

    Attributes:
        vocabulary: a byte-level BPE of the train split.
        counts: how many pairs were found, remained without near-duplicates, and fit the limits.
    """

    def __init__(
        self,
        name: str,
        origin: Mapping[str, Any],
        read: Callable[[], Iterable[TextPair]],
        *,
        vocabulary_size: int,
        max_prompt: int,
        max_reference: int,
    ) -> None:
        if not 128 <= vocabulary_size <= 65_536:
            raise ValueError(f"vocabulary_size must be 128 to 65,536, got {vocabulary_size}")
        if max_prompt < 4 or max_reference < 2:
            raise ValueError(
                f"max_prompt must be at least 4 and max_reference at least 2, got {max_prompt} and {max_reference}"
            )
        limits = {"vocabulary_size": vocabulary_size, "max_prompt": max_prompt, "max_reference": max_reference}
        versions = {"format": _FORMAT, "python": sys.version, "tokenizers": tokenizers.__version__}
        self._arrays = cached(name, {**limits, **versions, **origin}, lambda: make_corpus(read(), **limits))
        self.counts: dict[str, int] = json.loads(self._arrays["counts"].tobytes())
        self.vocabulary = as_vocabulary(self._arrays)

    def prompt_set(self, split: str, source: str) -> PromptSet:
        """Returns the prompts of a split; the source of each is in its data, under the name given."""
        return as_prompt_set(self._arrays, split, {source: json.loads(self._arrays[f"{split}_sources"].tobytes())})


def make_corpus(found: Iterable[TextPair], *, vocabulary_size: int, max_prompt: int, max_reference: int) -> Arrays:
    """Makes the tokenizer and the prompt sets of all splits, as arrays; text as its bytes."""
    pairs = list(found)
    splits = split_pairs(pairs)
    texts = (text for pair in splits["train"] for text in (pair.prompt, pair.reference))
    tokenizer = train_tokenizer(texts, vocabulary_size)
    arrays = {"tokenizer": as_bytes(tokenizer.to_str())}
    fitting = 0
    for split in SPLITS:
        prompts, references = ([getattr(pair, part) for pair in splits[split]] for part in ("prompt", "reference"))
        limits = {"max_prompt": max_prompt, "max_reference": max_reference}
        prompt_set, fits = tokenise(tokenizer, prompts, references, **limits)
        arrays |= as_arrays(prompt_set, split)
        arrays[f"{split}_sources"] = as_bytes([splits[split][number].source for number in fits])
        fitting += len(fits)
    counts = {"found": len(pairs), "unique": sum(map(len, splits.values())), "fitting": fitting}
    return {**arrays, "counts": as_bytes(counts)}
