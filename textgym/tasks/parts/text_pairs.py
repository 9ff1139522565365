"""Pairs of texts from real sources, and their splits: by source, without near-duplicates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz.distance import Indel
from rapidfuzz.process import extractOne

from textgym.tasks.base import SPLITS

_PERCENT = {"train": range(80), "validation": range(80, 90), "test": range(90, 100)}
_ALIKE = 0.9


@dataclass(frozen=True)
class TextPair:
    """A prompt and its reference.

    Attributes:
        source: where they are from, such as the module `"email.message"`.
        prompt: such as how a function is called, `"Message.get_payload(i=None, decode=False)"`.
        reference: such as what it says it does, in printable ASCII with single spaces.
    """

    source: str
    prompt: str
    reference: str

    @property
    def split(self) -> str:
        """The split of its source, from a hash of the source's name: no source is in two splits."""
        percent = int.from_bytes(hashlib.blake2b(self.source.encode(), digest_size=8).digest(), "little") % 100
        return next(split for split in SPLITS if percent in _PERCENT[split])

    @cached_property
    def gist(self) -> str:
        """The reference in lower case, without digits and punctuation."""
        return " ".join(re.findall("[a-z]+", self.reference.lower()))


def split_pairs(found: Iterable[TextPair]) -> dict[str, list[TextPair]]:
    """Returns the pairs of each split, in the order found, without near-duplicates.

    A pair is dropped if an earlier one has its prompt or its gist, and from validation and test also if its gist
    is alike to one of the splits before (2 LCS / (length + length) of the characters at least 0.9).
    """
    prompts: set[str] = set()
    gists: set[str] = set()
    splits: dict[str, list[TextPair]] = {split: [] for split in SPLITS}
    for pair in found:
        if pair.prompt not in prompts and pair.gist not in gists:
            splits[pair.split].append(pair)
            prompts.add(pair.prompt)
            gists.add(pair.gist)
    before: list[str] = []
    for split in SPLITS:
        if before:
            splits[split] = [pair for pair in splits[split] if not _alike(pair.gist, before)]
        before += [pair.gist for pair in splits[split]]
    return splits


def _alike(gist: str, others: list[str]) -> bool:
    return extractOne(gist, others, scorer=Indel.normalized_similarity, score_cutoff=_ALIKE) is not None
