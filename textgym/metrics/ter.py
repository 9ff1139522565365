"""TER: how many edits, moves of whole phrases among them, make the reference of the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import LCSseq, Levenshtein
from rapidfuzz.process import cdist, cpdist

from textgym.metrics.base import Metric
from textgym.metrics.parts.references import reference_strings, text_strings
from textgym.transition import Transition, once_per_transition
from textgym.types import FloatArray, IntArray
from textgym.vocabulary import Vocabulary

_LONGEST_SHIFT = 10
_FARTHEST_SHIFT = 50
_MOST_CANDIDATES = 1000


class Ter(Metric):
    """One minus the translation edit rate, `1 - min(1, edits / reference length)`, over tokens.

    Snover et al. 2006, "A study of translation edit rate with targeted human annotation": an edit inserts, deletes or
    substitutes a token or shifts a sequence of tokens to another place; see `ter_edits`. An empty text with an empty
    reference scores 1, any other text with an empty reference 0.
    """

    def score(self, transition: Transition) -> FloatArray:
        edits = reference_edits(transition, self.task.vocabulary)
        return 1.0 - np.minimum(1.0, edits / np.maximum(transition.reference_lengths, 1))


@once_per_transition
def reference_edits(transition: Transition, vocabulary: Vocabulary) -> IntArray:
    """Returns the edits that make each text its reference, (n,); see `ter_edits`."""
    return ter_edits(text_strings(transition), reference_strings(transition, vocabulary))


def ter_edits(texts: Sequence[str], references: Sequence[str]) -> IntArray:
    """Returns the edits that make each text its reference, (n,), shifts found greedily, as tercom and sacrebleu do.

    The number of shifts plus the edit distance that remains. It equals sacrebleu's but where a reference is so much
    longer than its text that the best alignment leaves the beam in which sacrebleu searches: ours has no beam.

    Args:
        texts: n texts of one character a token; see `as_strings`.
        references: their references, likewise.
    """
    edits: IntArray = cpdist(texts, references, scorer=Levenshtein.distance, dtype=np.int64)
    shared = cpdist(_ordered(texts), _ordered(references), scorer=LCSseq.similarity, dtype=np.int64)
    longer = [max(len(text), len(reference)) for text, reference in zip(texts, references, strict=True)]
    fewest = longer - shared  # the edit distance in the best order of the text's tokens
    for row in np.flatnonzero(edits > fewest + 1).tolist():  # a shift that saves a single edit costs as much
        edits[row] = _edits_with_shifts(texts[row], references[row], int(edits[row]), int(fewest[row]))
    return edits


def _ordered(strings: Sequence[str]) -> list[str]:
    """Returns each string with its characters in descending order."""
    array = np.array(strings, np.str_)  # those at the end of a shorter string are zeros
    characters = np.sort(array.view(np.uint32).reshape(len(array), -1), axis=1)[:, ::-1]
    ordered: list[str] = np.ascontiguousarray(characters).view(array.dtype)[:, 0].tolist()
    return ordered


def _edits_with_shifts(text: str, reference: str, distance: int, fewest: int) -> int:
    """Shifts what lowers the edit distance most, again and again, and returns the shifts plus what remains."""
    shifts = tried = 0
    while distance > fewest + 1:
        candidates, count = _candidates(text, reference)
        tried += count
        if not candidates or tried >= _MOST_CANDIDATES:
            break
        ranked = sorted(candidates)
        shifted = [_shift(text, start, -length, gap) for length, start, gap in ranked]
        distances = cdist([reference], shifted, scorer=Levenshtein.distance, dtype=np.int64)[0]
        best = int(distances.argmin())
        if distances[best] >= distance:
            break
        text, distance, shifts = shifted[best], int(distances[best]), shifts + 1
    return shifts + distance


def _candidates(text: str, reference: str) -> tuple[set[tuple[int, int, int]], int]:
    """Returns the shifts to try, (minus length, start, gap) with the best first of a tie, and how often they arise.

    What is shifted stands elsewhere in the reference, is wrong where it is, and goes to a gap of the text that is
    aligned with the place where it belongs, or with a place inside, which is wrong too.
    """
    gaps, text_right, reference_right = _align(text, reference)
    found: set[tuple[int, int, int]] = set()
    count = 0
    for start, token in enumerate(text):
        place = reference.find(token, max(0, start - _FARTHEST_SHIFT), start + _FARTHEST_SHIFT + 1)
        while place >= 0:
            longest = min(_LONGEST_SHIFT, len(text) - start, len(reference) - place)
            for length in range(1, longest + 1):
                if text[start + length - 1] != reference[place + length - 1]:
                    break
                if start < gaps[place + 1] <= start + length:  # it would move within itself
                    continue
                if all(text_right[start : start + length]) or all(reference_right[place : place + length]):
                    continue
                targets = set(gaps[place : place + length + 1])
                found.update((-length, start, gap) for gap in targets)
                count += len(targets)
            place = reference.find(token, place + 1, start + _FARTHEST_SHIFT + 1)
    return found, count


def _shift(text: str, start: int, length: int, gap: int) -> str:
    """Moves text[start : start + length] to a gap of the text, or, for a gap inside it, by as much to the right."""
    rest = text[:start] + text[start + length :]
    target = gap - length if gap > start + length else gap
    return rest[:target] + text[start : start + length] + rest[target:]


class _Alignment(NamedTuple):
    """How T tokens of a text and R of its reference correspond, with the fewest edits.

    Attributes:
        gaps: (R + 1,) the gap of the text, 0 to T, at the start of the reference and behind each of its tokens.
        text_right: (T,) whether each token of the text may stay.
        reference_right: (R,) whether each token of the reference is there.
    """

    gaps: list[int]
    text_right: list[bool]
    reference_right: list[bool]


def _align(text: str, reference: str) -> _Alignment:
    """Aligns, from the end on, preferring a match or substitution to a deletion, and that to an insertion.

    The table of edit distances D[i, j] is that of Hyyro 2003, "A bit-vector algorithm for computing Levenshtein and
    Damerau edit distances", figure 3: a row of it is a few integers, whose bit j - 1 tells of cell (i, j).
    """
    everywhere = (1 << len(reference)) - 1
    places: dict[str, int] = {}
    for place, token in enumerate(reference):
        places[token] = places.get(token, 0) | 1 << place
    rises, falls = everywhere, 0  # D[i, j] - D[i, j - 1] is 1, is -1
    equals, deletes = [], []  # D[i, j] is D[i - 1, j - 1], is D[i - 1, j] + 1
    for token in text:
        same = places.get(token, 0)
        equal = ((((same & rises) + rises) ^ rises) | same | falls) & everywhere
        delete = falls | everywhere & ~(equal | rises)
        equals.append(equal)
        deletes.append(delete)
        more, less = delete << 1 | 1, (rises & equal) << 1
        rises, falls = (less | ~(equal | more)) & everywhere, more & equal
    gaps = [0] * (len(reference) + 1)
    text_right, reference_right = [False] * len(text), [False] * len(reference)
    i, j = len(text), len(reference)
    while i and j:
        gaps[j] = i
        match = text[i - 1] == reference[j - 1]
        if match or not equals[i - 1] >> (j - 1) & 1:
            text_right[i - 1] = reference_right[j - 1] = match
            i, j = i - 1, j - 1
        elif deletes[i - 1] >> (j - 1) & 1:
            i -= 1
        else:
            j -= 1
    return _Alignment(gaps, text_right, reference_right)
