"""Tasks from a corpus of text pairs, tokenised: made once, kept in the cache folder, and read again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import tokenizers

from textgym.metrics.chrf import ChrF
from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.byte_pair import as_arrays, as_bytes, as_prompt_set, as_vocabulary, tokenise, train_tokenizer
from textgym.tasks.parts.corpus_cache import Arrays, cached
from textgym.tasks.parts.text_pairs import TextPair, split_pairs
from textgym.transition import Transition
from textgym.types import FloatArray

_FORMAT = 2  # counts the changes in how a corpus is made


class PairTask(Task):
    """Writes the reference of a pair of texts, given its prompt; gold is chrF, precision and recall weighing the same.

    Args:
        name: what the corpus is, the beginning of the file's name in the cache.
        origin: all that the pairs depend on beside the version of Python, as plain data.
        read: finds the pairs, where the cache does not have them.
        vocabulary_size: the number of tokens, 128 to 65,536.
        max_prompt: the most tokens of a prompt, its separator included, at least 4; pairs with more are left out.
        max_reference: the most tokens of a reference, at least 2; likewise. The agent may write one token more.

    Attributes:
        source: what the source of a pair is called in the data of a prompt set.
        vocabulary: a byte-level BPE of the train split.
        counts: how many pairs were found, remained without near-duplicates, and fit the limits.
    """

    source: ClassVar[str]
    default_feedback = (
        {"name": "rating", "metric": "rouge_l", "levels": 5, "weight": 1.0},
        {"name": "fluency", "weight": 0.25},
        {"name": "brevity", "weight": 0.2},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.3},)

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
        self.counts = json.loads(self._arrays["counts"].tobytes())
        self.vocabulary = as_vocabulary(self._arrays)
        self.max_new_tokens = max_reference + 1
        self._chrf = ChrF(self, beta=1.0)

    def make_prompt_set(self, split: str) -> PromptSet:
        sources = json.loads(self._arrays[f"{split}_sources"].tobytes())
        return as_prompt_set(self._arrays, split, {self.source: sources})

    def gold(self, transition: Transition) -> FloatArray:
        return self._chrf.score(transition)


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
