"""From samples to prompt sets: a million rows are tokenised in batches, and held as tokens only."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from textgym.tasks.base import SPLITS, PromptSet
from textgym.tasks.parts.dataset_reader import Reader, Sample
from textgym.tasks.parts.dataset_settings import Settings
from textgym.tasks.parts.dataset_store import TokenStore
from textgym.tasks.parts.dataset_tokenizer import Tokens
from textgym.types import BoolArray

_LEARNT_FROM = 50_000_000  # characters
_BATCH_ROWS, _BATCH_CHARACTERS = 1024, 1_000_000
_LONGEST_TOKEN = 64  # so many characters for each token of a limit are looked at: no book is read for its first page
_CUT_PROMPT, _CUT_REFERENCE = 1, 2


def train_texts(reader: Reader, settings: Settings) -> Iterator[str]:
    """Yields the texts that tokens are learnt from, as far as they are looked at."""
    left = _LEARNT_FROM
    for sample in reader.samples():
        if sample.split == "train":
            prompt = _looked_at(sample.prompt, settings.max_prompt, from_start=settings.truncation == "start")
            reference = _looked_at(sample.reference, settings.max_reference, from_start=False)
            yield from (prompt, reference)
            left -= len(prompt) + len(reference)
            if left <= 0:
                return


def _looked_at(text: str, limit: int, *, from_start: bool) -> str:
    """Returns the part of a text that its tokens, at most so many, can come from."""
    most = limit * _LONGEST_TOKEN
    return text[-most:] if from_start else text[:most]


def make_prompt_sets(reader: Reader, tokens: Tokens, settings: Settings) -> tuple[dict[str, PromptSet], dict[str, int]]:
    """Reads all rows; returns the prompt set of each split, and what became of the rows: `Dataset.counts`."""
    splits = {split: _Split(len(tokens.vocabulary)) for split in SPLITS}
    lost: Counter[str] = Counter()
    for batch in _batches(reader.samples()):
        lost += _gather(batch, splits, tokens, settings)
    counts = {name: reader.counts[name] for name in ("read", "malformed", "filtered", "empty", "beyond size")}
    counts["empty"] += lost["empty"]
    counts |= {"dropped": lost["dropped"], "repeated": 0, "kept": 0, "cut prompts": 0, "cut references": 0}
    taken = np.zeros(0, np.int64)
    made = {}
    for name in reversed(SPLITS):
        split = splits.pop(name)
        keys = np.array(split.hashes, np.int64)
        kept: BoolArray = ~np.isin(keys, taken)
        taken = np.concatenate([taken, keys])
        cut = np.frombuffer(bytes(split.cut), np.uint8)[kept]
        counts["repeated"] += len(kept) - len(cut)
        counts["kept"] += len(cut)
        counts["cut prompts"] += int(np.count_nonzero(cut & _CUT_PROMPT))
        counts["cut references"] += int(np.count_nonzero(cut & _CUT_REFERENCE))
        prompts, references = (store.take_padded(kept, tokens.vocabulary.pad_id) for store in split.stores)
        data: dict[str, Any] = (
            {"positive": np.frombuffer(bytes(split.positive), np.bool_)[kept]} if settings.mood else {}
        )
        made[name] = PromptSet(*prompts, *references, data)
    return made, counts


class _Split:
    """The rows of one split while they are read.

    Attributes:
        stores: the tokens of prompts and of references.
        hashes: of all tokens of each row, (S,).
        positive: whether each shall sound so, a byte each.
        cut: what was cut of each, a byte each.
    """

    def __init__(self, vocabulary_size: int) -> None:
        self.stores = TokenStore(vocabulary_size), TokenStore(vocabulary_size)
        self.hashes, self.positive, self.cut = array("q"), bytearray(), bytearray()


def _batches(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Yields the samples in lists that are neither long nor hold many characters."""
    batch: list[Sample] = []
    characters = 0
    for sample in samples:
        batch.append(sample)
        characters += len(sample.prompt) + len(sample.reference)
        if len(batch) == _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _gather(batch: list[Sample], splits: dict[str, _Split], tokens: Tokens, settings: Settings) -> Counter[str]:
    """Tokenises and cuts a batch and puts it into its splits; returns how many rows are not in there, and why."""
    from_start = settings.truncation == "start"
    prompts = _encode([sample.prompt for sample in batch], tokens, settings.max_prompt - 1, from_start=from_start)
    references = _encode([sample.reference for sample in batch], tokens, settings.max_reference, from_start=False)
    lost: Counter[str] = Counter()
    rows: dict[str, tuple[list[Sequence[int]], list[Sequence[int]]]] = {name: ([], []) for name in splits}
    for sample, (prompt, prompt_cut), (reference, reference_cut) in zip(batch, prompts, references, strict=True):
        if not prompt or (sample.reference and not reference):  # a tokenizer from elsewhere may spell nothing at all
            lost["empty"] += 1
            continue
        if settings.truncation == "drop" and (prompt_cut or reference_cut):
            lost["dropped"] += 1
            continue
        split = splits[sample.split]
        rows[sample.split][0].append([*prompt, tokens.vocabulary.separator_id])
        rows[sample.split][1].append(reference)
        split.hashes.append(hash((tuple(prompt), tuple(reference))))
        split.positive.append(sample.mood == "positive")
        split.cut.append(_CUT_PROMPT * prompt_cut | _CUT_REFERENCE * reference_cut)
    for name, gathered in rows.items():
        for store, ids in zip(splits[name].stores, gathered, strict=True):
            store.add(ids)
    return lost


def _encode(texts: list[str], tokens: Tokens, limit: int, *, from_start: bool) -> Iterator[tuple[Sequence[int], bool]]:
    """Yields the tokens of each text, at most so many, and whether some were cut off."""
    looked_at = [_looked_at(text, limit, from_start=from_start) for text in texts]
    for text, seen, ids in zip(texts, looked_at, tokens.encode(looked_at), strict=True):
        cut = len(ids) > limit or len(seen) < len(text)
        yield (ids[-limit:] if from_start else ids[:limit]), cut
