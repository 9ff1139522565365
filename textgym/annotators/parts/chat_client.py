"""A client of chat-completions servers: retries, bounded concurrency, a cache, and a count of what it took."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from time import sleep
from typing import Any, Generic, TypeVar

from textgym.annotators.parts.chat_cache import AnswerCache, request_key
from textgym.annotators.parts.chat_request import ChatError, send

LONGEST_WAIT = 60.0
"""Seconds; a server that asks for more is not asked again."""

_Answer = TypeVar("_Answer")


@dataclass
class Usage:
    """What was asked for.

    Attributes:
        requests: how many requests were sent, repetitions included.
        cached: how many answers were known already and cost nothing.
        failed: how many answers could not be had.
        prompt_tokens: how many tokens the server read, as it says.
        completion_tokens: how many tokens the server wrote, as it says; also those of unusable answers.
    """

    requests: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, other: Usage) -> None:
        for name, number in vars(other).items():
            setattr(self, name, getattr(self, name) + number)


@dataclass
class _Exchange(Generic[_Answer]):
    """All that was said for the sake of one answer: what came of it, the server's text, and what it took."""

    result: _Answer | ChatError
    text: str = ""
    usage: Usage = field(default_factory=Usage)


class ChatClient:
    """Sends requests to `base_url/chat/completions` and reads the answers.

    Time-outs, cut connections, the statuses 408, 409, 425, 429 and 500 up, and answers that cannot be read are tried
    again after `backoff 2^a (1 + u) / 2` seconds, a the number of failures before and u in [0, 1) hashed from the
    request; or after what the server asks for in `Retry-After`, if that is longer.

    Args:
        base_url: where the server is, such as `http://localhost:8000/v1`.
        timeout: seconds that a server may take to answer, above 0.
        retries: how often a request is repeated at most, at least 0.
        backoff: seconds before the first repetition, at least 0; they double each time.
        max_concurrency: how many requests are under way at a time, at least 1.
        cache: the folder of the answers that are known, which processes may share; None to keep none.
        api_key_env: the name of the environment variable that holds the key; None if the server wants none.

    Attributes:
        usage: what was asked for so far.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        retries: int,
        backoff: float,
        max_concurrency: int,
        cache: str | None,
        api_key_env: str | None,
    ) -> None:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError('a chat judge needs httpx: pip install "textgym[judge]"', name="httpx") from error
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with http:// or https://, got {base_url!r}")
        if base_url.rstrip("/").endswith("/chat/completions"):
            raise ValueError(f"base_url must be what comes before /chat/completions, got {base_url!r}")
        if not (0 < timeout < float("inf") and 0 <= backoff < float("inf")):
            raise ValueError(f"timeout must be positive and backoff at least 0, got {timeout} and {backoff} seconds")
        if retries < 0 or max_concurrency < 1:
            raise ValueError(
                f"retries must be at least 0 and max_concurrency at least 1, got {retries} and {max_concurrency}"
            )
        key = os.environ.get(api_key_env, "").strip() if api_key_env is not None else None
        if api_key_env is not None and not key:
            raise ValueError(f"api_key_env must name an environment variable that holds the key, got {api_key_env!r}")
        if key and not (key.isascii() and key.isprintable()):  # else it would be told in a message about the header
            raise ValueError(f"the key in {api_key_env!r} must be of printable ASCII characters alone")
        self._url, self._timeout, self._backoff = f"{base_url.rstrip('/')}/chat/completions", timeout, backoff
        self._retries, self._concurrency = retries, max_concurrency
        self._cache = AnswerCache(cache)
        self._http = httpx.Client(headers={"Authorization": f"Bearer {key}"} if key else {})
        weakref.finalize(self, self._http.close)
        self.usage = Usage()

    def ask(self, bodies: Sequence[Mapping[str, Any]], read: Callable[[str], _Answer]) -> list[_Answer | ChatError]:
        """Returns what each request came to: its answer, or why there is none.

        Args:
            bodies: the requests as plain data; two that are the same are one.
            read: makes an answer of the server's text, or raises a ValueError that says why it cannot.
        """
        keys = [request_key(self._url, body) for body in bodies]
        missing = dict(zip(keys, bodies, strict=True))
        results: dict[str, _Answer | ChatError] = {}
        pool = ThreadPoolExecutor(self._concurrency)
        with self._cache.open() as cache:
            for key in list(missing):
                if (known := cache.find(key)) is not None:
                    results[key] = read(known)
                    del missing[key]
            self.usage.cached += len(keys) - len(missing)
            try:
                under_way = {pool.submit(self._exchange, body, key, read): key for key, body in missing.items()}
                for done in as_completed(under_way):
                    key, exchange = under_way[done], done.result()
                    results[key] = exchange.result
                    self.usage.add(exchange.usage)
                    if not isinstance(exchange.result, ChatError):
                        cache.keep(key, exchange.text)
            finally:
                pool.shutdown(cancel_futures=True)
        return [results[key] for key in keys]

    def _exchange(self, body: Mapping[str, Any], key: str, read: Callable[[str], _Answer]) -> _Exchange[_Answer]:
        """Asks until there is an answer or no hope of one; runs in a thread of its own."""
        exchange: _Exchange[_Answer] = _Exchange(ChatError("never asked"))
        usage = exchange.usage
        for attempt in range(self._retries + 1):
            usage.requests += 1
            try:
                reply = send(self._http, self._url, body, timeout=self._timeout)
                usage.prompt_tokens += reply.prompt_tokens
                usage.completion_tokens += reply.completion_tokens
                exchange.result, exchange.text = read(reply.text), reply.text
                return exchange
            except ChatError as error:
                failure = error
            except (ValueError, RecursionError) as error:
                failure = ChatError(f"unreadable answer: {error}")
            exchange.result = failure
            if not failure.transient or failure.retry_after > LONGEST_WAIT or attempt == self._retries:
                break
            jitter = int(key[attempt : attempt + 8], 16) / 2**32
            sleep(max(failure.retry_after, self._backoff * 2**attempt * (1 + jitter) / 2))
        usage.failed = 1
        return exchange
