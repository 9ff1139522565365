"""Answers of chat-completions servers that are known already, in a file that processes may share."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

_SECONDS_LOCKED = 30.0


def request_key(*parts: Any) -> str:
    """Returns the hash of a whole request, 64 hexadecimal digits; its parts are plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class AnswerCache:
    """Texts by the key of the request that they answer; the first answer to a request stays.

    Args:
        folder: where the file is, made if need be; None to keep nothing.

    Raises:
        ValueError: if the folder cannot be written to.
    """

    def __init__(self, folder: str | None) -> None:
        self._file = str(Path(folder, "answers.sqlite3")) if folder is not None else ":memory:"
        try:
            if folder is not None:
                Path(folder).mkdir(parents=True, exist_ok=True)
            with self.open():
                pass
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"cache must be a folder that can be written to, got {folder!r}: {error}") from error

    @contextmanager
    def open(self) -> Iterator[OpenCache]:
        """Opens the file for a while; nothing stays open in between, so that processes may be forked."""
        with closing(sqlite3.connect(self._file, timeout=_SECONDS_LOCKED)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
            yield OpenCache(connection)


class OpenCache:
    """A cache whose file is open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, key: str) -> str | None:
        """Returns the answer to a request, or None if none is known."""
        found: tuple[str] | None = self._connection.execute("SELECT text FROM answers WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def keep(self, key: str, text: str) -> None:
        """Keeps an answer, at once: what was paid for survives an interruption."""
        with self._connection:
            self._connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, text))
