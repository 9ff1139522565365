"""One request to a chat-completions server: sent once, its reply taken apart, and every way in which it can fail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import httpx

_TRANSIENT = (408, 409, 425, 429)  # beside all from 500 on


class ChatError(RuntimeError):
    """A request that got no usable answer.

    Attributes:
        transient: whether the same request may succeed later.
        retry_after: for how many seconds the server asks to be left alone.
    """

    def __init__(self, message: str, *, transient: bool = True, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.transient, self.retry_after = transient, retry_after


class Reply(NamedTuple):
    """What a server wrote, empty if it refused, and how many tokens it says that it read and wrote."""

    text: str
    prompt_tokens: int
    completion_tokens: int


def send(http: httpx.Client, url: str, body: Mapping[str, Any], *, timeout: float) -> Reply:
    """Sends a request, plain data, to a URL.

    Raises:
        ChatError: if there is no reply within about `timeout` seconds, or none that is a chat completion.
    """
    import httpx

    try:
        with http.stream("POST", url, json=dict(body), timeout=timeout) as response:
            raw = b"".join(_in_time(response, time.monotonic() + timeout))
    except httpx.HTTPError as error:
        raise ChatError(f"{type(error).__name__}: {error}") from error
    status = response.status_code
    if not response.is_success:
        transient = status in _TRANSIENT or status >= 500
        said = raw[:200].decode(errors="replace")
        raise ChatError(f"status {status}: {said}", transient=transient, retry_after=_retry_after(response))
    try:
        reply = json.loads(raw)
        used = reply.get("usage") or {}
        text = reply["choices"][0]["message"]["content"] or ""
        return Reply(str(text), int(used.get("prompt_tokens") or 0), int(used.get("completion_tokens") or 0))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ChatError(f"the reply is no chat completion: {error!r}") from error


def _in_time(response: httpx.Response, deadline: float) -> Iterator[bytes]:
    """Yields the parts of a response; httpx's own time-out is for each part, and a trickle would never end."""
    import httpx

    for part in response.iter_bytes():
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the reply came too slowly", request=response.request)
        yield part


def _retry_after(response: httpx.Response) -> float:
    """Returns the seconds of the header `Retry-After`, which is a number or a date; 0 without it."""
    said = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
