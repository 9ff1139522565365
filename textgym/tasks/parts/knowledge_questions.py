"""Questions of several hops, and the facts among which their answers are to be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.held_out import split_of
from textgym.tasks.parts.knowledge_world import ENTITIES, KIND, RELATIONS, Fact, leads_back

MOST_HOPS = 4

Entities = Mapping[str, Sequence[str]]
"""The entities of each kind."""

PATHS: dict[int, list[tuple[int, ...]]] = {1: [(number,) for number in range(len(RELATIONS))]}
"""All sequences of relations in which each holds of the value of the one before, by their length."""
for _hops in range(2, MOST_HOPS + 1):
    PATHS[_hops] = [
        (*path, number)
        for path in PATHS[_hops - 1]
        for number, relation in enumerate(RELATIONS)
        if relation.holder == RELATIONS[path[-1]].value
    ]


HELD_BY = {kind: [n for n, relation in enumerate(RELATIONS) if relation.holder == kind] for kind in ENTITIES}
"""The relations that an entity of each kind may be the holder of, by their numbers."""


class Question(NamedTuple):
    """A question for what is reached along a path of relations.

    Attributes:
        path: the numbers of the relations.
        entities: who is asked about, then the value of each relation; the last is the answer.
        others: the entities of the same path from another one, which leads astray.
    """

    path: tuple[int, ...]
    entities: tuple[str, ...]
    others: tuple[str, ...]

    def holder(self, *, possessive: bool) -> list[str]:
        """Returns who or what is asked about, as tokens: `the boss of Anna`, or `Anna's boss` if `possessive`.

        Only the innermost noun is said with `'s`.
        """
        named = [self.entities[0]]
        for depth, number in enumerate(self.path[:-1]):
            noun = RELATIONS[number].noun.split()
            named = [*named, "'s", *noun] if possessive and depth == 0 else ["the", *noun, "of", *named]
        return named

    def asked(self, holder: Sequence[str]) -> list[str]:
        """Returns the question as tokens."""
        words = RELATIONS[self.path[-1]].question.split()
        place = words.index("HOLDER")
        return [*words[:place], *holder, *words[place + 1 :]]

    def answered(self, holder: Sequence[str]) -> list[str]:
        """Returns the statement that answers the question as tokens."""
        return [*holder, *RELATIONS[self.path[-1]].wordings[0].words, self.entities[-1], "."]


def draw_question(draws: Draws, among: Entities, hops: int, split: str) -> Question:
    """Returns a question of a number of hops that a split has and no other: not with this answer and these others."""
    while True:
        path = draws.choice(PATHS[hops])
        kinds = [RELATIONS[path[0]].holder, *(RELATIONS[number].value for number in path)]
        drawn: list[str] = []
        for kind in kinds * 2:
            while (word := draws.choice(among[kind])) in drawn:
                pass
            drawn.append(word)
        question = Question(path, tuple(drawn[: len(kinds)]), tuple(drawn[len(kinds) :]))
        if split_of(f"{path} {drawn}") == split:
            return question


def draw_facts(draws: Draws, among: Entities, question: Question, count: int, *, answerable: bool) -> list[Fact]:
    """Returns `count` facts in random order from which the answer follows, or not.

    The path to the answer is among them, without one of its facts where the question is not to be answerable. So are
    the same path from another entity, something else about the entity that is asked about, and then, by turns, facts
    of the path's last relation and any about who was named.

    Args:
        draws: the source of chance.
        among: the entities, at least `count` of each kind and twice as many people.
        question: the question.
        count: how many, at least twice the question's hops and one more.
        answerable: whether the answer is to follow.
    """
    path, entities, others = question
    graph = _Graph(draws, among)
    steps = graph.follow(path, entities)
    graph.follow(path, others)
    graph.tell_more_of(entities[0], path)
    wanted = count if answerable else count + 1
    while len(graph.known) < wanted:
        graph.add_any(path[-1])
        if len(graph.known) < wanted:
            graph.add_about_somebody()
    if not answerable:
        del graph.known[draws.choice(steps)]
    return draws.shuffled([Fact(*key, value) for key, value in graph.known.items()])


class _Graph:
    """Facts as they are drawn: no holder gets two values in a relation, and no value of a relation is given twice.

    Attributes:
        known: the value of each holder and relation, in the order in which they were drawn.
    """

    def __init__(self, draws: Draws, among: Entities) -> None:
        self.draws, self.among = draws, among
        self.known: dict[tuple[str, int], str] = {}
        self._given: set[tuple[int, str]] = set()
        self._named: list[str] = []  # those named twice are there twice

    def follow(self, path: Sequence[int], entities: Sequence[str]) -> list[tuple[str, int]]:
        """Adds the facts of a path through entities; returns the holder and the relation of each."""
        for holder, number, value in zip(entities, path, entities[1:], strict=False):
            self._add(holder, number, value)
        return list(zip(entities, path, strict=False))

    def tell_more_of(self, entity: str, path: Sequence[int]) -> None:
        """Adds what does not answer a question about an entity, in half of the cases the last step without others."""
        others = [number for number in HELD_BY[KIND[entity]] if number != path[0]]
        if path[-1] in others and self.draws.chance(0.5):
            others = [path[-1]]
        if others:
            self._add_drawn(entity, self.draws.choice(others))
        else:
            number = self.draws.choice([n for n, relation in enumerate(RELATIONS) if relation.value == KIND[entity]])
            self._add(self.new(RELATIONS[number].holder), number, entity)

    def add_any(self, number: int) -> None:
        """Adds a fact of a relation about an entity of which it is not known."""
        while (key := (self.draws.choice(self.among[RELATIONS[number].holder]), number)) in self.known:
            pass
        self._add_drawn(*key)

    def add_about_somebody(self) -> None:
        """Adds a fact about somebody who was named, of a relation that is not known of them."""
        while True:
            word, number = self.draws.choice(self._named), self.draws.below(len(RELATIONS))
            if RELATIONS[number].holder == KIND[word] and (word, number) not in self.known:
                break
        self._add_drawn(word, number)

    def new(self, kind: str) -> str:
        """Returns an entity of a kind that was not named."""
        while (word := self.draws.choice(self.among[kind])) in self._named:
            pass
        return word

    def _add_drawn(self, holder: str, number: int) -> None:
        while True:
            value = self.draws.choice(self.among[RELATIONS[number].value])
            if (number, value) not in self._given and not leads_back(self.known, Fact(holder, number, value)):
                break
        self._add(holder, number, value)

    def _add(self, holder: str, number: int, value: str) -> None:
        self.known[holder, number] = value
        self._given.add((number, value))
        self._named += holder, value
