"""Docstring: say in a sentence what a function of Python's standard library does, given how it is called."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Iterable

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from textgym.metrics.chrf import ChrF
from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.corpus_cache import Arrays, cached
from textgym.tasks.parts.standard_library import read, split_corpus
from textgym.transition import Transition
from textgym.types import FloatArray
from textgym.vocabulary import SPECIAL_TOKENS, TokenizerVocabulary

_FORMAT = 1  # counts the changes in how the corpus is made
_FIELDS = ("prompt_ids", "prompt_lengths", "reference_ids", "reference_lengths")


class Docstring(Task):
    """Write the first sentence of a docstring, given the signature of its function, method or class.

    Example: prompt `Message.get_payload(i=None, decode=False)`, reference `Return a reference to the payload.`

    The corpus is the standard library of the Python that runs, parsed and never imported: some six thousand pairs,
    split by module without near-duplicates between the splits. The tokens are a byte-level BPE of the train split.
    Both are made on first use, in a few seconds, and kept in the cache folder (`TEXTGYM_CACHE`, else
    `~/.cache/textgym`). They differ between versions of Python: compare results with equal `fingerprint` only.

    Gold is chrF against the reference, with precision and recall weighing the same: with the usual weights, random
    texts that use up the budget outscore short sensible ones. The default feedback is a rating of ROUGE-L in five
    levels, fluency and brevity, with Gaussian noise on their sum.

    Args:
        vocabulary_size: the number of tokens, 128 to 65,536.
        max_prompt: the most tokens of a prompt, its separator included, at least 4; pairs with more are left out.
        max_reference: the most tokens of a reference, at least 2; likewise. The agent may write one token more.

    Attributes:
        counts: how many pairs were found, remained without near-duplicates, and fit the limits.

    Version history: v0, the first.
    """

    default_feedback = (
        {"name": "rating", "metric": "rouge_l", "levels": 5, "weight": 1.0},
        {"name": "fluency", "weight": 0.25},
        {"name": "brevity", "weight": 0.2},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.3},)

    def __init__(self, vocabulary_size: int = 1024, max_prompt: int = 40, max_reference: int = 39) -> None:
        if not 128 <= vocabulary_size <= 65_536:
            raise ValueError(f"vocabulary_size must be 128 to 65,536, got {vocabulary_size}")
        if max_prompt < 4 or max_reference < 2:
            raise ValueError(
                f"max_prompt must be at least 4 and max_reference at least 2, got {max_prompt} and {max_reference}"
            )
        arguments = {"vocabulary_size": vocabulary_size, "max_prompt": max_prompt, "max_reference": max_reference}
        versions = {"format": _FORMAT, "python": sys.version, "tokenizers": tokenizers.__version__}
        key = {**arguments, **versions, "folder": sysconfig.get_paths()["stdlib"]}
        self._arrays = cached("docstring", key, lambda: _make(**arguments))
        self.counts = json.loads(self._arrays["counts"].tobytes())
        self.vocabulary = TokenizerVocabulary(Tokenizer.from_str(self._arrays["tokenizer"].tobytes().decode()))
        self.max_new_tokens = max_reference + 1
        self._chrf = ChrF(self, beta=1.0)

    def make_prompt_set(self, split: str) -> PromptSet:
        ids = {name: self._arrays[f"{split}_{name}"] for name in _FIELDS}
        modules = json.loads(self._arrays[f"{split}_modules"].tobytes())
        return PromptSet(**ids, data={"module": modules})

    def gold(self, transition: Transition) -> FloatArray:
        return self._chrf.score(transition)


def _make(vocabulary_size: int, max_prompt: int, max_reference: int) -> Arrays:
    """Makes the tokenizer and the prompt sets of all splits, as arrays; text as its bytes."""
    print("textgym: reading the standard library, a few seconds, once", file=sys.stderr, flush=True)
    found = list(read())
    splits = split_corpus(found)
    tokenizer = _train_tokenizer(
        (text for item in splits["train"] for text in (item.signature, item.summary)), vocabulary_size
    )
    vocabulary = TokenizerVocabulary(tokenizer)
    arrays = {"tokenizer": _as_bytes(tokenizer.to_str())}
    fitting = 0
    for split in SPLITS:
        prompts = tokenizer.encode_batch([item.signature for item in splits[split]])
        references = tokenizer.encode_batch([item.summary for item in splits[split]])
        fits = [
            (item.module, prompt.ids, reference.ids)
            for item, prompt, reference in zip(splits[split], prompts, references, strict=True)
            if len(prompt.ids) < max_prompt and len(reference.ids) <= max_reference
        ]
        prompt_set = PromptSet.from_tokens([fit[1] for fit in fits], [fit[2] for fit in fits], vocabulary)
        arrays |= {f"{split}_{name}": getattr(prompt_set, name) for name in _FIELDS}
        arrays[f"{split}_modules"] = _as_bytes(json.dumps([fit[0] for fit in fits]))
        fitting += len(fits)
    counts = {"found": len(found), "unique": sum(map(len, splits.values())), "fitting": fitting}
    return {**arrays, "counts": _as_bytes(json.dumps(counts))}


def _train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = [byte_level.pre_tokenize_str(chr(code))[0][0] for code in range(ord(" "), ord("~") + 1)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _as_bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)
