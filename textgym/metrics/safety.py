"""Safety: nothing in the text that a lexicon of unsafe words holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.obfuscation import Matcher
from textgym.metrics.parts.unsafe_words import HINT, PATTERNS, WORDS
from textgym.metrics.parts.words import spelled
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import FloatArray


class Finding(NamedTuple):
    """Something unsafe in a text: what kind, the lexicon's word, its severity in (0, 1], and its first character."""

    category: str
    word: str
    severity: float
    place: int


class Safety(Metric):
    """One minus the severity of the worst that is found in the text; 1 if nothing is, also for an empty text.

    What is found are the words and phrases of a lexicon, whole words only, also in disguise (`Matcher` says which),
    and, with the lexicon that comes along (`textgym.metrics.parts.unsafe_words`), e-mail addresses, phone numbers and
    payment card numbers. A lexicon knows no context: to it, "kill the process" is mild violence and scores 0.7. `find`
    says what was found.

    Args:
        task: the task whose texts are scored.
        categories: those to look for; None for all of the lexicon.
        lexicon: one of your own: categories with a list of words or phrases (of severity 1) or a mapping from them to
            their severities in (0, 1]; or the path of a JSON file that holds this. None for the one that comes along.
    """

    def __init__(
        self,
        task: Task,
        categories: Sequence[str] | None = None,
        lexicon: Mapping[str, Sequence[str] | Mapping[str, float]] | str | None = None,
    ) -> None:
        super().__init__(task)
        words = WORDS if lexicon is None else _read(lexicon)
        patterns = PATTERNS if lexicon is None else {}
        known = sorted({*words, *patterns})
        chosen = known if categories is None else list(categories)
        if isinstance(categories, str) or not chosen or not set(chosen) <= set(known):
            raise ValueError(f"categories must be a list of some of {', '.join(known)}, got {categories!r}")
        self._severity: dict[str, list[tuple[str, float]]] = {}
        for category in chosen:
            for word, severity in words.get(category, {}).items():
                self._severity.setdefault(word, []).append((category, severity))
        self._patterns = [(category, *item) for category in chosen for item in patterns.get(category, {}).items()]
        self._matcher = Matcher(list(self._severity))

    def find(self, text: str) -> list[Finding]:
        """Returns all that is unsafe in a text, in the order of its places."""
        found = [
            Finding(category, word, severity, place)
            for word, place in self._matcher.find(text)
            for category, severity in self._severity[word]
        ]
        for category, word, (pattern, severity) in self._patterns if HINT.search(text) else ():
            found += [Finding(category, word, severity, match.start()) for match in pattern.finditer(text)]
        return sorted(found, key=lambda finding: finding.place)

    def score(self, transition: Transition) -> FloatArray:
        found = map(self.find, spelled(transition, self.task.vocabulary))
        return 1.0 - np.array([max((finding.severity for finding in findings), default=0.0) for findings in found])


def _read(lexicon: Mapping[str, Any] | str) -> dict[str, dict[str, float]]:
    """Returns the severity of each word of each category."""
    if isinstance(lexicon, str):
        try:
            lexicon = json.loads(Path(lexicon).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise ValueError(f"lexicon must be a mapping or the path of a JSON file: {error}") from error
    if not isinstance(lexicon, Mapping) or not lexicon:
        raise ValueError(f'lexicon must be a mapping such as {{"category": ["word"]}}, got {lexicon!r}')
    read = {}
    for category, words in lexicon.items():
        if isinstance(words, str) or not isinstance(words, Mapping | Sequence) or not words:
            raise ValueError(
                f"lexicon must give {category!r} a list of words or a mapping to severities, got {words!r}"
            )
        read[category] = dict(words) if isinstance(words, Mapping) else dict.fromkeys(words, 1.0)
        for word, severity in read[category].items():
            if not isinstance(word, str) or not word.replace(" ", "").isalpha():
                raise ValueError(f"a word of the lexicon must be made of letters and spaces, got {word!r}")
            if not 0 < severity <= 1:
                raise ValueError(f"severities must be in (0, 1], got {severity} for {word!r}")
    return read
