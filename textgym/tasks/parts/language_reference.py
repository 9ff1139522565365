"""The corpus of `PyDoc`: sentences of Python's language reference, each cut in two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from textgym.tasks.parts.text_pairs import TextPair

_FEWEST_WORDS = 8
_PARAGRAPHS = re.compile(r"\n\s*\n")
_NOT_PROSE = re.compile(r"::=|>>>|^\.\.\.", re.MULTILINE)  # grammar and examples
_BULLET = re.compile(r"^\s*(\*|\d+\.)\s+")
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"*])")
_WORDS = re.compile(r"[a-z]{3} [a-z]{2}")


def read_topics() -> dict[str, str]:
    """Returns the topics that `help` knows, by name: data that comes with Python, in a module that does nothing else.

    Raises:
        ModuleNotFoundError: if this Python was installed without them.
    """
    try:
        from pydoc_data.topics import topics
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "this Python lacks pydoc_data, the topics of its language reference: install the whole standard library",
            name="pydoc_data",
        ) from error
    return dict(topics)


def halves(topics: Mapping[str, str]) -> Iterator[TextPair]:
    """Yields the sentences of all topics, in the order of their names: the prompt is the first half of the words.

    Sentences have at least eight words and printable ASCII; grammar and examples are left out.
    """
    for name in sorted(topics):
        for paragraph in _PARAGRAPHS.split(topics[name]):
            if not _NOT_PROSE.search(paragraph):
                yield from _halves(name, " ".join(_BULLET.sub("", paragraph, count=1).split()))


def _halves(topic: str, text: str) -> Iterator[TextPair]:
    for sentence in _SENTENCES.split(text):
        words = sentence.split()
        whole = len(words) >= _FEWEST_WORDS and sentence[-1] in ".!?:"
        if whole and sentence.isascii() and sentence.isprintable() and _WORDS.search(sentence):
            half = len(words) // 2
            yield TextPair(topic, " ".join(words[:half]), " ".join(words[half:]))
