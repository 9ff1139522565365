"""Finding the words of a lexicon in a text, also where they are written so as not to be found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice, product

_SIGNS = "@$!"
_WORD = re.compile(rf"[\w{_SIGNS}]+")
_SPACED = re.compile(rf"(?<!\w)[\w{_SIGNS}](?:[ .,*~/-]{{1,3}}[\w{_SIGNS}])+(?!\w)")
_REPEATED = re.compile(r"(.)\1+")
_LETTER = re.compile(rf"[\w{_SIGNS}]")
_ALONE = re.compile(rf"[ .,*~/-][\w{_SIGNS}][ .,*~/-]")  # in the middle of every run of three letters or more
_READINGS = [str.maketrans(f"0345789{_SIGNS}1", f"oeastbgasi{one}") for one in "il"]
_NO_SIGNS = str.maketrans("", "", _SIGNS)
_ONE_LETTER_WORDS = "ai"
_OPENING = 3  # characters


class Matcher:
    """Finds words and phrases in texts.

    A word matches whole words only, which may hide it by upper case, accents, zero-width characters, digits and signs
    for letters ("k1ll", "a$$"), a letter three times or more for once or twice ("kiiill"), and separators between all
    of its letters ("k.i.l.l", "k i l l"). A phrase matches words that follow each other.

    Args:
        phrases: words, or several words with spaces between them.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._given = tuple(phrases)
        self._phrases: dict[str, list[tuple[str, tuple[str, ...]]]] = {}  # by their first word, with what follows it
        self._words: dict[str, list[tuple[str, tuple[int, ...]]]] = {}  # by their letters, with how often each stands
        split = {phrase: _fold(phrase)[0].split() for phrase in phrases}
        for phrase, (first, *rest) in split.items():
            self._phrases.setdefault(first, []).append((phrase, tuple(rest)))
        for word in {word for words in split.values() for word in words}:
            self._words.setdefault(_REPEATED.sub(r"\1", word), []).append((word, _counts(word)))
        self._openings = frozenset(opening for word in self._phrases for opening in _openings(word))
        self._shortest = min(map(len, self._phrases), default=0)
        self._read = lru_cache(maxsize=2**16)(self._words_of)

    def __reduce__(self) -> tuple[type[Matcher], tuple[Sequence[str]]]:
        """Pickles what it was made of, since the cache of `_read` cannot be pickled."""
        return Matcher, (self._given,)

    def find(self, text: str) -> list[tuple[str, int]]:
        """Returns each phrase that is found and the place of its first character in the text."""
        folded, places = _fold(text)
        found = [*self._written(folded), *self._spelled(folded)]
        return found if places is None else [(phrase, places[place]) for phrase, place in found]

    def _written(self, text: str) -> Iterator[tuple[str, int]]:
        """Yields the phrases whose words follow each other."""
        words = _WORD.findall(text)
        for number in self._may_open(words):
            for phrase, rest in (item for word in self._read(words[number]) for item in self._phrases.get(word, ())):
                following = words[number + 1 : number + 1 + len(rest)]
                if len(following) == len(rest) and all(
                    wanted in self._read(other) for wanted, other in zip(rest, following, strict=True)
                ):
                    yield phrase, next(islice(_WORD.finditer(text), number, None)).start()

    def _may_open(self, words: Sequence[str]) -> list[int]:
        """Returns the places of all words that can be the first of a phrase, and few others: to read one takes long."""
        openings = self._openings
        return [
            number
            for number, word in enumerate(words)
            if word[:_OPENING] in openings or word[0] in _SIGNS or word[-1] in _SIGNS
        ]

    def _spelled(self, text: str) -> Iterator[tuple[str, int]]:
        """Yields the words that single letters spell, with or without a word of one letter before or after."""
        if self._shortest >= 3 and not _ALONE.search(text):
            return
        for run in _SPACED.finditer(text):
            letters = list(_LETTER.finditer(text, run.start(), run.end()))
            first = int(letters[0].group() in _ONE_LETTER_WORDS)
            last = len(letters) - int(letters[-1].group() in _ONE_LETTER_WORDS)
            for begin, end in product({0, first}, {last, len(letters)}):
                for word in self._read("".join(letter.group() for letter in letters[begin:end])):
                    for phrase, rest in self._phrases.get(word, ()):
                        if not rest:
                            yield phrase, letters[begin].start()

    def _words_of(self, written: str) -> tuple[str, ...]:
        """Returns the words of the lexicon that a written word can be read as."""
        if written.translate(_NO_SIGNS).isdigit():
            return ()  # a number is a number
        bare = {written}
        if written[:1] in _SIGNS or written[-1:] in _SIGNS:
            starts = (written, written.lstrip(_SIGNS))
            bare = {end for start in starts for end in (start, start.rstrip("!"), start.rstrip(_SIGNS))}
        found = set()
        for reading in {form.translate(letters) for form in bare for letters in _READINGS}:
            candidates = self._words.get(_REPEATED.sub(r"\1", reading), ())
            counts = _counts(reading) if candidates else ()
            for word, wanted in candidates:
                if all(count == n or count > max(n, 2) for count, n in zip(counts, wanted, strict=True)):
                    found.add(word)
        return tuple(sorted(found))


def _openings(word: str) -> set[str]:
    """Returns the first characters of all that is written for a word, but signs at its ends: each a whole word or 3."""
    spelled = {""}
    for letter, _ in groupby(word):
        signs = {letter, *(chr(sign) for letters in _READINGS for sign, read in letters.items() if chr(read) == letter)}
        grown = {
            start + "".join(more)
            for start in spelled
            for count in range(1, _OPENING - len(start) + 1)
            for more in product(signs, repeat=count)
        }
        spelled = {start for start in spelled if len(start) == _OPENING} | grown
    return spelled


def _counts(word: str) -> tuple[int, ...]:
    """Returns how often each letter of a word stands there at a time."""
    return tuple(len(list(same)) for _, same in groupby(word))


def _fold(text: str) -> tuple[str, Sequence[int] | None]:
    """Returns the text in lower case, without accents, invisible characters and "_", and where each character stood.

    The places are None where every character is still in its place.
    """
    if text.isascii():
        return text.lower().replace("_", " "), None
    kept = [
        (letter, place)
        for place, character in enumerate(text)
        for letter in unicodedata.normalize("NFKD", character).casefold()
        if unicodedata.category(letter) not in ("Mn", "Cf")
    ]
    return "".join(letter for letter, _ in kept).replace("_", " "), [place for _, place in kept]
