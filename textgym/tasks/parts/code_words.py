"""The vocabulary of Code: the tokens of its language, and the English that describes programs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from textgym.tasks.parts.code_language import TOKENS
from textgym.tasks.parts.code_phrases import COUNTING
from textgym.vocabulary import WordVocabulary

_ENGLISH = """
    a above add all among and are at below between biggest but by certain count decrease different distance divide
    divisible down each else even falling few first from greater if in increase is keep larger largest last least length
    less list most multiply not number numbers occurs odd of order others remainder remainders replace reverse rising
    rounding second smaller smallest square subtract sum take than that the then times to total with
"""


class CodeVocabulary(WordVocabulary):
    """Words that need no spaces between them where code needs none: `x*2+1` is `x * 2 + 1`."""

    def _may_part(self, part: str, end: int) -> bool:
        return not (_is_word(part[end - 1]) and _is_word(part[end : end + 1]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


VOCABULARY = CodeVocabulary(list(dict.fromkeys([*TOKENS, "f([", "f(xs)", *COUNTING, *_ENGLISH.split()])))
IDS = {word: number for number, word in enumerate(VOCABULARY.tokens)}


@lru_cache(maxsize=2**13)
def program_ids(code: str) -> tuple[int, ...]:
    """Returns the tokens of a program."""
    return tuple(VOCABULARY.encode(code))


def prompt_ids(english: str, examples: Sequence[tuple[Sequence[int], object]]) -> list[int]:
    """Returns the tokens of a prompt: a description, examples of input and output, and the program to write.

    Args:
        english: the description.
        examples: inputs, and for each a number or a list of numbers.
    """
    words = [*english.replace(",", " ,").split(), ":"]
    for xs, output in examples:
        words += ["f([", *_listed(xs), "])", "=="]
        words += ["[", *_listed(output), "]"] if isinstance(output, list | tuple) else [str(output)]
        words.append(",")
    return [IDS[word] for word in (*words, "f(xs)", "==")]


def _listed(numbers: Sequence[int]) -> list[str]:
    return [word for number in numbers for word in (",", str(number))][1:]
