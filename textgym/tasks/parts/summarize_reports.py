"""Reports and their summaries: an event told in sentences, among what is beside the point, and in one sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from textgym.tasks.base import SPLITS
from textgym.tasks.parts import summarize_words as words
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.prompts import of_split
from textgym.vocabulary import Vocabulary

Event = Mapping[str, str]
"""The word for each slot of an event; for `a`, the article of its thing, and for `did`, the word for its deed here."""


@dataclass(frozen=True)
class Shape:
    """What a report holds: the facts of the main story, and how much of each other kind."""

    facts: int
    asides: int
    distractors: int
    repeats: int
    corrections: int


def stories(split: str) -> Sequence[tuple[str, str, str]]:
    """Returns who did what in the events of a split, name, deed and thing; no other split has them."""
    found = list(product(words.NAMES, words.DEEDS, words.THINGS))
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(found))
    return of_split([found[number] for number in order], split)


class Reporter:
    """Writes reports on the events of a split.

    Args:
        shape: what a report holds.
        vocabulary: the tokens.
        split: whose events there are.
    """

    def __init__(self, shape: Shape, vocabulary: Vocabulary, split: str) -> None:
        self.shape, self._stories, self._draws = shape, stories(split), Draws(SPLITS.index(split))
        self._ids = {word: number for number, word in enumerate(vocabulary.tokens)}
        self._templates: dict[str, tuple[list[int], list[tuple[int, str]]]] = {}  # tokens, and the slots between them

    def write(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns the tokens of a report, with the instruction in front, and of its summary."""
        main = self._event(met=())
        main |= {detail: self._draws.choice(words.VALUES[detail]) for detail in words.DETAILS}
        details = self._some(words.DETAILS, self.shape.facts - len(words.STORY))
        corrected, repeated = (self._some(details, number) for number in (self.shape.corrections, self.shape.repeats))
        wordings = {detail: self._draws.shuffled(words.SENTENCES[detail]) for detail in details}
        threads = [
            self._told(main, detail, *wordings[detail], corrected=detail in corrected, repeated=detail in repeated)
            for detail in details
        ]
        threads += [[self._aside(noun)] for noun in self._some(tuple(words.ASIDES), self.shape.asides)]
        threads += self._others(main)
        report = [
            *self._fill(words.INSTRUCTION, main),
            *self._fill(self._draws.choice(words.HEADLINES), main),
            *self._mixed(threads),
        ]
        day_first = "day" in details and wordings["day"][0] == words.DAY_FIRST
        return tuple(report), tuple(self._summary(main, details, words.OPENINGS[day_first]))

    def _event(self, met: Sequence[Event]) -> dict[str, str]:
        """Returns who did what, of another person and with another thing than in the events that were met."""
        while True:
            who, deed, thing = self._draws.choice(self._stories)
            if not any(who == event["who"] or thing == event["thing"] for event in met):
                break
        did = self._draws.choice((deed, words.DEEDS[deed]))
        return {"who": who, "deed": deed, "thing": thing, "a": words.article(thing), "did": did}

    def _told(
        self, event: Event, detail: str, wording: str, other: str, *, corrected: bool, repeated: bool
    ) -> list[list[int]]:
        """Returns the sentences that tell a detail, in their order: one that is wrong comes before the right one."""
        right = self._fill(wording, event)
        sentences = [right]
        if corrected:
            wrong = {**event, detail: self._another(detail, but=event[detail])}
            sentences = [self._fill(other, wrong), self._fill(self._draws.choice(words.CORRECTIONS), event) + right]
        if repeated:
            sentences.append(self._fill(other, event))
        return sentences

    def _others(self, main: Event) -> list[list[list[int]]]:
        """Returns the sentences about each other person, the first of which says who it is."""
        met, untold, threads = [main], list[list[str]](), list[list[list[int]]]()
        for _ in range(self.shape.distractors):
            number = self._draws.below(len(threads) + 1)
            if number < len(threads) and untold[number]:
                detail = untold[number].pop()
                event = {**met[number + 1], detail: self._another(detail, but=main[detail])}
                threads[number].append(self._fill(self._draws.choice(words.SENTENCES[detail]), event))
                continue
            met.append(self._event(met))
            detail = self._draws.choice(tuple(words.OTHERS))
            untold.append([other for other in self._draws.shuffled(words.DETAILS) if other != detail])
            her = "her" if main["who"] in words.HER_NAMES else "his"
            event = {**met[-1], "her": her, "relation": self._draws.choice(words.RELATIONS)}
            event[detail] = self._another(detail, but=main[detail])
            threads.append([self._fill(words.OTHERS[detail], event)])
        return threads

    def _aside(self, noun: str) -> list[int]:
        return self._fill(self._draws.choice(words.LEADS), {}) + self._fill(words.ASIDES[noun], {})

    def _summary(self, main: Event, details: Collection[str], opening: str) -> list[int]:
        told = [phrase for detail, phrase in words.PHRASES.items() if detail in details and phrase not in opening]
        return self._fill(" ".join([opening, *told]) + ".", main)

    def _mixed(self, threads: Sequence[Sequence[list[int]]]) -> list[int]:
        """Returns the tokens of all sentences in a random order, in which those of a thread follow each other."""
        order = [number for number, thread in enumerate(threads) for _ in thread]
        going = [iter(thread) for thread in threads]
        return [token for number in self._draws.shuffled(order) for token in next(going[number])]

    def _fill(self, template: str, event: Event) -> list[int]:
        if template not in self._templates:
            parts = words.pieces(template)
            gaps = [(place, part[1:-1]) for place, part in enumerate(parts) if part[0] == "{"]
            self._templates[template] = [self._ids.get(part, 0) for part in parts], gaps
        fixed, gaps = self._templates[template]
        filled = fixed.copy()
        for place, slot in gaps:
            filled[place] = self._ids[event[slot]]
        return filled

    def _another(self, slot: str, *, but: str) -> str:
        value = self._draws.choice(words.VALUES[slot])
        return value if value != but else self._another(slot, but=but)

    def _some(self, items: Sequence[str], number: int) -> list[str]:
        """Returns `number` of the items, in a random order."""
        return self._draws.shuffled(items)[:number]
