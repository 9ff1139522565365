"""The words of Translate: English, and their forms in Velan, an invented language in which everything rhymes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from textgym.vocabulary import WordVocabulary

ENDINGS = ("a", "ai", "u", "ui")
"""Feminine, feminine plural, masculine, masculine plural: of a noun and of all that agrees with it."""

CASES = {"nominative": "", "accusative": "n", "locative": "s"}
"""What a determiner ends in, behind its own ending: of a subject, of an object, of a place."""

TENSES = {"present": "r", "past": "n", "future": "s"}
"""What stands between the stem of a verb and its ending."""


@dataclass(frozen=True)
class Noun:
    """A noun in English and in Velan, where its last letter is its gender.

    Attributes:
        kind: `"person"`, `"animal"`, `"thing"` or `"place"`.
    """

    singular: str
    plural: str
    velan: str
    kind: str

    def english(self, plural: bool) -> str:
        """Returns the English form."""
        return self.plural if plural else self.singular

    def ending(self, plural: bool) -> str:
        """Returns the ending that the noun has and that others take from it, one of `ENDINGS`."""
        return self.velan[-1] + "i" * plural


@dataclass(frozen=True)
class Verb:
    """A verb in English and its stem in Velan.

    Attributes:
        subjects: the kinds of nouns that can do it.
        objects: the kinds of nouns that it can be done to; none where it has no object.
    """

    base: str
    third: str
    past: str
    stem: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]


def _nouns(kind: str, listed: str) -> list[Noun]:
    rows = (line.split() for line in listed.strip().splitlines())
    return [Noun(singular, plural, velan, kind) for singular, plural, velan in rows]


NOUNS = (
    *_nouns(
        "person",
        """
        girl girls nira
        boy boys pelu
        woman women sona
        man men garu
        teacher teachers lemu
        doctor doctors vosa
        farmer farmers bratu
        queen queens ilsa
        """,
    ),
    *_nouns(
        "animal",
        """
        dog dogs hadu
        cat cats misa
        horse horses ekru
        bird birds pira
        fox foxes zolu
        cow cows muva
        """,
    ),
    *_nouns(
        "thing",
        """
        book books tavu
        letter letters skera
        apple apples omba
        hat hats kepu
        lamp lamps luza
        basket baskets dorbu
        """,
    ),
    *_nouns(
        "place",
        """
        house houses doma
        garden gardens fleru
        river rivers rinu
        bridge bridges ponta
        tree trees arbu
        forest forests silda
        """,
    ),
)

_PEOPLE, _LIVING = ("person",), ("person", "animal")
_ANYTHING = ("person", "animal", "thing", "place")
VERBS = (
    Verb("see", "sees", "saw", "vede", _LIVING, _ANYTHING),
    Verb("like", "likes", "liked", "ame", _LIVING, _ANYTHING),
    Verb("find", "finds", "found", "trove", _LIVING, ("person", "animal", "thing")),
    Verb("follow", "follows", "followed", "seki", _LIVING, _LIVING),
    Verb("hear", "hears", "heard", "odi", _LIVING, _LIVING),
    Verb("help", "helps", "helped", "juve", _PEOPLE, _LIVING),
    Verb("paint", "paints", "painted", "pinte", _PEOPLE, _ANYTHING),
    Verb("buy", "buys", "bought", "kome", _PEOPLE, ("animal", "thing")),
    Verb("carry", "carries", "carried", "porti", _PEOPLE, ("thing",)),
    Verb("sleep", "sleeps", "slept", "dorme", _LIVING, ()),
    Verb("run", "runs", "ran", "kure", _LIVING, ()),
    Verb("swim", "swims", "swam", "nate", _LIVING, ()),
    Verb("wait", "waits", "waited", "spera", _LIVING, ()),
    Verb("sing", "sings", "sang", "kante", _PEOPLE, ()),
)

ADJECTIVES = {
    "old": "vet",
    "small": "pik",
    "young": "jun",
    "kind": "bon",
    "happy": "fel",
    "hungry": "fam",
    "big": "tor",
    "black": "mor",
    "white": "alb",
    "red": "ros",
    "new": "nov",
}
"""Adjectives and their stems in Velan."""

DESCRIBING = {
    "person": ("old", "small", "young", "kind", "happy", "hungry"),
    "animal": ("old", "small", "young", "big", "hungry", "black", "white"),
    "thing": ("old", "small", "big", "new", "red", "white"),
    "place": ("old", "small", "big"),
}
"""The adjectives that go with each kind of noun."""

DETERMINERS = {"the": "el", "a": "um", "my": "mi"}
"""Determiners and their stems in Velan; before a vowel `a` is `an`, and before a plural English has none for it."""

PREPOSITIONS = {"near": "pes", "behind": "revo", "in": "ino", "under": "suvo"}
"""Prepositions and the words that follow a place in Velan."""

PLACES = {
    "near": ("house", "garden", "river", "bridge", "tree", "forest"),
    "behind": ("house", "garden", "bridge", "tree", "forest"),
    "in": ("house", "garden", "forest"),
    "under": ("bridge", "tree"),
}
"""The places that go with each preposition."""

CONJUNCTIONS = {"because": "soro", "although": "tami", "when": "kando"}
"""Conjunctions and the words that close a subordinate clause in Velan."""

RELATIVE, NOT = "k", "neo"
"""The stem of the relative pronoun, and what stands before a verb that is denied."""

INSTRUCTION = ("say", "in", "Velan", ":")
_ENGLISH = ("an", "do", "does", "did", "will", "not", "who", "that", ".", ",")


def groups() -> dict[str, list[str]]:
    """Returns the words of Velan by what they are, with what they agree with behind a colon.

    Determiners are `"nominative:a"` and so on, the others `"noun:a"`, `"adjective:a"`, `"relative:a"`, `"relative:an"`
    (as an object), `"active:a"` (verbs with an object), `"idle:a"` (those without), `"postposition"`, `"conjunction"`.
    """
    found: dict[str, list[str]] = {
        "postposition": list(PREPOSITIONS.values()),
        "conjunction": list(CONJUNCTIONS.values()),
    }
    for ending in ENDINGS:
        for case, mark in CASES.items():
            found[f"{case}:{ending}"] = [stem + ending + mark for stem in DETERMINERS.values()]
        found[f"noun:{ending}"] = [noun.velan + ending[1:] for noun in NOUNS if noun.velan[-1] == ending[0]]
        found[f"adjective:{ending}"] = [stem + ending for stem in ADJECTIVES.values()]
        found[f"relative:{ending}"], found[f"relative:{ending}n"] = [RELATIVE + ending], [RELATIVE + ending + "n"]
        for name, with_object in (("active", True), ("idle", False)):
            stems = [verb.stem for verb in VERBS if bool(verb.objects) == with_object]
            found[f"{name}:{ending}"] = [stem + tense + ending for stem, tense in product(stems, TENSES.values())]
    return found


def make_vocabulary() -> WordVocabulary:
    """Returns the vocabulary: English first, then Velan, which shares no word with it."""
    english = [
        *INSTRUCTION,
        *_ENGLISH,
        *DETERMINERS,
        *PREPOSITIONS,
        *CONJUNCTIONS,
        *ADJECTIVES,
        *(form for noun in NOUNS for form in (noun.singular, noun.plural)),
        *(form for verb in VERBS for form in (verb.base, verb.third, verb.past)),
    ]
    velan = [NOT, *(word for words in groups().values() for word in words)]
    return WordVocabulary([*dict.fromkeys(english), *velan])
