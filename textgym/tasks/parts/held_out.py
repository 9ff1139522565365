"""Which split a piece of content belongs to: its hash decides, so that no content is in two."""

from __future__ import annotations

import hashlib


def split_of(content: str) -> str:
    """Returns the split of a piece of content: an eighth is test, an eighth validation, the rest train."""
    eighth = hashlib.blake2b(content.encode(), digest_size=1).digest()[0] % 8
    return "test" if eighth == 0 else "validation" if eighth == 1 else "train"
