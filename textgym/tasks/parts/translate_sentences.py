"""Sentences in English and in Velan, derived together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.translate_deeds import Deeds
from textgym.tasks.parts.translate_words import (
    ADJECTIVES,
    CASES,
    CONJUNCTIONS,
    DESCRIBING,
    DETERMINERS,
    INSTRUCTION,
    NOT,
    NOUNS,
    PLACES,
    PREPOSITIONS,
    RELATIVE,
    TENSES,
    Noun,
    Verb,
)

_NOUN_OF = {noun.singular: noun for noun in NOUNS}
_DETERMINERS = ("the", "the", "a", "a", "my")
_IDLE = 0.15
_PAST, _FUTURE = list(TENSES).index("past"), list(TENSES).index("future")


@dataclass(frozen=True)
class Shape:
    """How complex sentences are; see the arguments of `Translate`."""

    clauses: int
    adjectives: float
    plurals: float
    places: float
    tenses: int
    negations: float


@dataclass(frozen=True)
class Pair:
    """A part of a sentence in both languages.

    Attributes:
        english: its words.
        velan: its phrases, each the words of it.
        ending: the ending of its noun, which others take over, where it has one.
        plural: whether that is plural.
    """

    english: list[str]
    velan: list[tuple[str, ...]]
    ending: str = ""
    plural: bool = False


class SentenceWriter:
    """Writes sentences of the deeds of a split.

    A clause of English has its verb in the middle, one of Velan at its end. In Velan adjectives follow their noun,
    a place goes before the noun that it belongs to and its preposition behind it, a relative clause stands between
    commas, and a subordinate clause comes first and has its conjunction at its end.
    """

    def __init__(self, shape: Shape, split: str, draws: Draws) -> None:
        self.shape, self._draws, self._deeds = shape, draws, Deeds(split)

    def sentence(self) -> Pair:
        """Returns a prompt, the instruction before the English sentence, and the phrases of its translation."""
        shape, draws = self.shape, self._draws
        clauses = 1 + draws.below(shape.clauses)
        tense = draws.below(shape.tenses)
        subordinate = clauses == 3 or (clauses == 2 and draws.chance(0.5))
        main = self._clause(tense, relative=clauses > 1 + subordinate)
        velan = [*main.velan[:-1], (*main.velan[-1], ".")]
        english = main.english
        if subordinate:
            conjunction = draws.choice(list(CONJUNCTIONS))
            as_present = conjunction == "when" and tense == _FUTURE  # as English has it
            other = self._clause(tense, english_tense=0 if as_present else tense, relative=False)
            velan = [*other.velan, (CONJUNCTIONS[conjunction], ","), *velan]
            if clauses == 3 or draws.chance(0.5):
                english = [conjunction, *other.english, ",", *english]
            else:
                english = [*english, conjunction, *other.english]
        return Pair([*INSTRUCTION, *english, "."], velan)

    def _clause(self, tense: int, *, relative: bool, english_tense: int | None = None) -> Pair:
        """Returns a clause; a relative clause belongs to its subject or object."""
        deed = self._draws.choice(self._deeds.idle if self._draws.chance(_IDLE) else self._deeds.active)
        of_subject = deed.object is None or self._draws.chance(0.5)
        subject = self._noun_phrase(deed.subject, "nominative", relative=relative and of_subject)
        verb = self._verb(deed.verb, tense, subject, english_tense)
        if deed.object is None:
            return Pair([*subject.english, *verb.english], [*subject.velan, *verb.velan])
        other = self._noun_phrase(deed.object, "accusative", relative=relative and not of_subject)
        return Pair([*subject.english, *verb.english, *other.english], [*subject.velan, *other.velan, *verb.velan])

    def _noun_phrase(self, noun: Noun, case: str, *, relative: bool) -> Pair:
        """Returns a noun with a relative clause, or perhaps with a place."""
        phrase = self._noun(noun, case, self.shape.adjectives)
        if relative:
            after = self._relative(noun, phrase)
            return replace(phrase, english=[*phrase.english, *after.english], velan=[*phrase.velan, *after.velan])
        if noun.kind != "place" and self._draws.chance(self.shape.places):
            preposition = self._draws.choice(list(PREPOSITIONS))
            place = self._noun(_NOUN_OF[self._draws.choice(PLACES[preposition])], "locative")
            there = (*place.velan[0], PREPOSITIONS[preposition])
            english = [*phrase.english, preposition, *place.english]
            return replace(phrase, english=english, velan=[there, *phrase.velan])
        return phrase

    def _relative(self, noun: Noun, head: Pair) -> Pair:
        """Returns a relative clause about a noun, which is the subject of its verb or the object."""
        draws = self._draws
        does, suffers = (deeds.get(noun.singular, []) for deeds in (self._deeds.by_subject, self._deeds.by_object))
        tense = draws.below(min(self.shape.tenses, _PAST + 1))
        pronoun = RELATIVE + head.ending
        if does and (not suffers or draws.chance(0.5)):
            deed = draws.choice(does)
            assert deed.object is not None
            verb, other = self._verb(deed.verb, tense, head), self._noun(deed.object, "accusative")
            english = ["who" if noun.kind == "person" else "that", *verb.english, *other.english]
        else:
            deed, pronoun = draws.choice(suffers), pronoun + CASES["accusative"]
            other = self._noun(deed.subject, "nominative")
            verb = self._verb(deed.verb, tense, other)
            english = ["that", *other.english, *verb.english]
        return Pair(english, [(",", pronoun), *other.velan, (*verb.velan[0], ",")])

    def _noun(self, noun: Noun, case: str, adjectives: float = 0.0) -> Pair:
        """Returns a noun with its determiner and perhaps an adjective, a single phrase."""
        draws = self._draws
        plural = case != "locative" and draws.chance(self.shape.plurals)
        determiner = draws.choice(_DETERMINERS)
        words, ending = [noun.english(plural)], noun.ending(plural)
        velan = [DETERMINERS[determiner] + ending + CASES[case], noun.velan + ending[1:]]
        if draws.chance(adjectives):
            adjective = draws.choice(DESCRIBING[noun.kind])
            words.insert(0, adjective)
            velan.append(ADJECTIVES[adjective] + ending)
        return Pair([*_article(determiner, words[0], plural), *words], [tuple(velan)], ending, plural)

    def _verb(self, verb: Verb, tense: int, subject: Pair, english_tense: int | None = None) -> Pair:
        """Returns a verb that agrees with its subject; its tense in English is the same unless another is given."""
        english_tense = tense if english_tense is None else english_tense
        denied = self._draws.chance(self.shape.negations)
        form = verb.stem + list(TENSES.values())[tense] + subject.ending
        if english_tense == _FUTURE:
            english = ["will", *["not"] * denied, verb.base]
        elif denied:
            english = ["did" if english_tense == _PAST else "do" if subject.plural else "does", "not", verb.base]
        else:
            english = [verb.past if english_tense == _PAST else verb.base if subject.plural else verb.third]
        return Pair(english, [(NOT, form) if denied else (form,)])


def _article(determiner: str, following: str, plural: bool) -> Sequence[str]:
    """Returns the English determiner before a word: `an` before a vowel, and none for `a` before a plural."""
    if determiner != "a":
        return [determiner]
    return [] if plural else ["an" if following[0] in "aeiou" else "a"]
