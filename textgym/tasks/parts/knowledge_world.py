"""The world of the knowledge tasks: people, companies, cities and products, and how what relates them is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

WOMEN = (
    "Anna", "Bella", "Clara", "Diana", "Emma", "Flora", "Greta", "Helen", "Iris", "Julia", "Kate", "Laura",
    "Maria", "Nora", "Olga", "Paula",
)  # fmt: skip
MEN = (
    "Adam", "Ben", "Carl", "David", "Eric", "Felix", "George", "Hugo", "Ivan", "Jack", "Kevin", "Leo", "Martin",
    "Nick", "Oscar", "Peter",
)  # fmt: skip
ENTITIES = {
    "person": tuple(name for pair in zip(WOMEN, MEN, strict=True) for name in pair),
    "company": (
        "Acme", "Brixo", "Calder", "Dorvan", "Elmtek", "Fenwick", "Gorlan", "Hexly", "Inova", "Jarvik", "Kelso",
        "Lumex", "Morvan", "Norsk", "Orbis", "Pelmo",
    ),
    "city": (
        "Athens", "Berlin", "Cairo", "Dublin", "Geneva", "Kyoto", "Lima", "London", "Madrid", "Milan", "Oslo",
        "Paris", "Prague", "Rome", "Turin", "Vienna",
    ),
    "product": (
        "bikes", "boats", "books", "boots", "carpets", "chairs", "clocks", "drums", "kettles", "knives", "lamps",
        "mirrors", "pianos", "tents", "toys", "vases",
    ),
}  # fmt: skip
"""The words of each kind of entity, one token each; there are twice as many people as there are of the others."""

KIND = {word: kind for kind, words in ENTITIES.items() for word in words}
"""The kind of each entity."""

MOST_NAMES = len(ENTITIES["city"])
"""How many companies, cities and products there are, and half as many as there are people."""


def first_entities(count: int) -> dict[str, tuple[str, ...]]:
    """Returns the first `count` companies, cities and products, and twice as many people."""
    return {kind: words[: 2 * count if kind == "person" else count] for kind, words in ENTITIES.items()}


class Wording(NamedTuple):
    """One way to say a relation: an entity, words, another entity.

    Attributes:
        holder_first: whether the holder is the first of the two.
        words: what stands between them.
    """

    holder_first: bool
    words: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """What a holder has one of: a person one employer, a company one owner.

    Attributes:
        noun: the value as a noun, in "the NOUN of HOLDER".
        holder: the kind of the holder.
        value: the kind of the value.
        question: the question for the value, with `HOLDER` in it, as tokens.
        sentences: what says that `HOLDER` has `VALUE`, the plainest first; each with one of them at either end.
    """

    noun: str
    holder: str
    value: str
    question: str
    sentences: tuple[str, ...]

    @cached_property
    def wordings(self) -> tuple[Wording, ...]:
        """The sentences as wordings, in the same order."""
        return tuple(Wording(said.startswith("HOLDER"), tuple(said.split()[1:-1])) for said in self.sentences)


class Fact(NamedTuple):
    """That a holder has a value in a relation, by its number in `RELATIONS`."""

    holder: str
    relation: int
    value: str

    def said(self, number: int) -> tuple[str, ...]:
        """Returns the tokens of the fact in one of the relation's wordings, without a full stop."""
        holder_first, words = RELATIONS[self.relation].wordings[number]
        if holder_first:
            return (self.holder, *words, self.value)
        return (self.value, *words, self.holder)


def leads_back(known: Mapping[tuple[str, int], str], fact: Fact) -> bool:
    """Returns whether a relation would lead from an entity back to it, with a fact beside those that are known.

    Nobody is the boss of their boss, nor of the boss of that.

    Args:
        known: the value of each holder and relation.
        fact: the further fact.
    """
    word: str | None = fact.value
    while word is not None and word != fact.holder:
        word = known.get((word, fact.relation))
    return word is not None


RELATIONS = (
    Relation(
        "employer", "person", "company", "who does HOLDER work for ?",
        ("HOLDER works for VALUE", "VALUE employs HOLDER", "HOLDER has a job at VALUE"),
    ),
    Relation(
        "home city", "person", "city", "where does HOLDER live ?",
        ("HOLDER lives in VALUE", "HOLDER resides in VALUE", "VALUE is the home city of HOLDER"),
    ),
    Relation(
        "boss", "person", "person", "who does HOLDER report to ?",
        ("HOLDER reports to VALUE", "VALUE manages HOLDER", "VALUE is the boss of HOLDER"),
    ),
    Relation(
        "teacher", "person", "person", "who does HOLDER learn from ?",
        ("HOLDER learns from VALUE", "VALUE teaches HOLDER", "VALUE is the teacher of HOLDER"),
    ),
    Relation(
        "home city", "company", "city", "where is HOLDER ?",
        ("HOLDER is in VALUE", "HOLDER has its office in VALUE", "HOLDER is based in VALUE"),
    ),
    Relation(
        "product", "company", "product", "what does HOLDER deal in ?",
        ("HOLDER deals in VALUE", "HOLDER sells VALUE", "VALUE are sold by HOLDER"),
    ),
    Relation(
        "owner", "company", "person", "who does HOLDER belong to ?",
        ("HOLDER belongs to VALUE", "VALUE owns HOLDER", "VALUE is the owner of HOLDER"),
    ),
    Relation(
        "mayor", "city", "person", "who did HOLDER elect ?",
        ("HOLDER elected VALUE", "VALUE governs HOLDER", "VALUE is the mayor of HOLDER"),
    ),
)  # fmt: skip
"""All relations; the first wordings begin with the holder, and their words differ."""

WORDINGS = 3
"""How many wordings each relation has."""

NOUNS = {relation.noun for relation in RELATIONS if relation.value in {other.holder for other in RELATIONS}}
"""The nouns by which an entity is named in passing, as the boss in `where does the boss of Anna live?`"""

WORDS = (
    *KIND,
    *sorted(
        {
            word
            for said in (*NOUNS, *(said for relation in RELATIONS for said in (relation.question, *relation.sentences)))
            for word in said.split()
        }
        - {"HOLDER", "VALUE"}
        | {"the", "of", "'s", "."}
    ),
)
"""Every word of facts and questions: the entities, then all others by the alphabet."""
