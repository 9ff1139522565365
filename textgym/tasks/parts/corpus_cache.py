"""Arrays that took long to make, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_DIGEST_SIZE = 32


def cache_folder() -> Path:
    """Returns the folder of the cache: `TEXTGYM_CACHE`, else `textgym` under `XDG_CACHE_HOME` or `~/.cache`."""
    if chosen := os.environ.get("TEXTGYM_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "textgym")


def cached(name: str, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """Returns what `make` returns, from the cache if it is there and whole.

    A file is a checksum and an `.npz` archive. It is written under another name and then renamed, so a reader never
    meets half a file, and of several processes that make the same one the last to finish wins, with equal content.

    Args:
        name: what the arrays are, the beginning of the file's name.
        key: all that the arrays depend on, as plain data.
        make: makes the arrays; none of them may hold Python objects.
    """
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=8).hexdigest()
    file = cache_folder() / f"{name}-{digest}.npz.checked"
    arrays = _read(file)
    if arrays is None:
        arrays = make()
        try:
            _write(file, arrays)
        except OSError as error:
            warnings.warn(f"cannot keep {name} in {file.parent} ({error}); set TEXTGYM_CACHE to a folder", stacklevel=2)
    return arrays


def _read(file: Path) -> Arrays | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    checksum, archive = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    if hashlib.blake2b(archive, digest_size=_DIGEST_SIZE).digest() != checksum:
        return None
    with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
        return dict(arrays)


def _write(file: Path, arrays: Arrays) -> None:
    buffer = io.BytesIO()
    contents: dict[str, Any] = dict(arrays)
    np.savez_compressed(buffer, **contents)
    archive = buffer.getvalue()
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with open(handle, "wb") as stream:
            stream.write(hashlib.blake2b(archive, digest_size=_DIGEST_SIZE).digest() + archive)
        os.replace(draft, file)
    except BaseException:
        os.unlink(draft)
        raise
