"""Texts that tell facts: sentences one by one, or tied together by pronouns, `and`, `who` and `which`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from textgym.tasks.base import SPLITS
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.held_out import split_of
from textgym.tasks.parts.knowledge_world import ENTITIES, KIND, MEN, RELATIONS, WOMEN, Fact, leads_back

_PRONOUNS = {
    **dict.fromkeys(WOMEN, ("she", "her")),
    **dict.fromkeys(MEN, ("he", "him")),
    **dict.fromkeys((*ENTITIES["company"], *ENTITIES["city"]), ("it", "it")),
}
"""The pronouns of each entity, as the first and as the last of a clause; products have none."""

_STAY = 0.9  # how often a fact about an entity of the one before is tried; about half of the tries succeed

TYING_WORDS = ("and", ",", "who", "which", *dict.fromkeys(word for pair in _PRONOUNS.values() for word in pair))
"""The words that tie clauses together."""


@cache
def possible_facts() -> dict[str, dict[tuple[str, int], list[str]]]:
    """Returns, for each split, the values that a holder may have in a relation; each fact is in one split only."""
    possible: dict[str, dict[tuple[str, int], list[str]]] = {split: {} for split in SPLITS}
    for number, relation in enumerate(RELATIONS):
        for holder in ENTITIES[relation.holder]:
            for value in ENTITIES[relation.value]:
                if value != holder:
                    split = split_of(" ".join(Fact(holder, number, value).said(0)))
                    possible[split].setdefault((holder, number), []).append(value)
    return possible


def draw_facts(draws: Draws, possible: Mapping[tuple[str, int], Sequence[str]], count: int) -> list[Fact]:
    """Returns facts of which most are about an entity of the one before.

    Args:
        draws: the source of chance.
        possible: the values that each holder may have in each relation.
        count: how many.
    """
    keys = list(possible)
    facts: dict[tuple[str, int], str] = {}
    last: Fact | None = None
    while len(facts) < count:
        if last is not None and draws.chance(_STAY):
            key = draws.choice((last.holder, last.value)), draws.below(len(RELATIONS))
        else:
            key = draws.choice(keys)
        if key in facts or key not in possible:
            continue
        fact = Fact(*key, draws.choice(possible[key]))
        if not leads_back(facts, fact):
            last, facts[key] = fact, fact.value
    return [Fact(*key, value) for key, value in facts.items()]


def tell(draws: Draws, facts: Sequence[Fact], *, wordings: int, tied: float) -> list[str]:
    """Returns the tokens of a text that tells facts, in their order.

    Args:
        draws: the source of chance.
        facts: the facts, at least one.
        wordings: in how many ways each relation may be said.
        tied: the probability that a clause is tied to the one before, where it can be.
    """
    told = list(facts[0].said(draws.below(wordings)))
    sentence = [told[0], told[-1]]  # the entities of the sentence so far, those of its last clause at the end
    for fact in facts[1:]:
        wanted = draws.chance(tied)
        clauses = [fact.said(number) for number in range(wordings)]
        ways = [
            (way, said)
            for said in clauses
            for way in (_ties(said, sentence, told[-1] == sentence[-1]) if wanted else ())
        ]
        if not ways:
            said = draws.choice(clauses)
            joined = wanted and len(sentence) == 2
            ways = [([",", "and", *said] if joined else [".", *said], said)]
        way, said = draws.choice(ways)
        told += way
        sentence = [*(sentence if way[0] != "." else ()), said[0], said[-1]]
    return [*told, "."]


def _ties(said: Sequence[str], sentence: Sequence[str], named_last: bool) -> Iterator[list[str]]:
    """Yields the ways to tie a clause to a sentence, which may have ended with a name, where it says more of that."""
    first, *words, last = said
    if len(sentence) == 2:
        if first == sentence[0]:
            yield ["and", *words, last]
        elif first == sentence[1] and named_last and first in _PRONOUNS:
            yield [",", "who" if KIND[first] == "person" else "which", *words, last]
    if _clear(first, sentence):
        yield [".", _PRONOUNS[first][0], *words, last]
    if words[-1] != "of" and _clear(last, sentence):  # "the teacher of her" is not English
        yield [".", first, *words, _PRONOUNS[last][1]]


def _clear(entity: str, sentence: Sequence[str]) -> bool:
    """Returns whether a pronoun after a sentence can only mean an entity, of those that the sentence names."""
    pronouns = _PRONOUNS.get(entity)
    return pronouns is not None and {word for word in sentence if _PRONOUNS.get(word) == pronouns} == {entity}
