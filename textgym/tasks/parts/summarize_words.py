"""The words of reports and summaries: the values that a fact can have, the sentences that tell one, the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from textgym.vocabulary import WordVocabulary

STORY = ("who", "deed", "thing")
DETAILS = ("group", "place", "day", "cost", "helpers")
"""The facts of an event: who did what, and what else may be told of it."""

HER_NAMES = ("Anna", "Clara", "Emma", "Grace", "Ida", "Karen", "Maria", "Rosa")
HIS_NAMES = ("Ben", "David", "Frank", "Henry", "Jack", "Leo", "Oscar", "Tom")
NAMES = (*HER_NAMES, *HIS_NAMES)

DEEDS = {
    "bought": "acquired",
    "built": "constructed",
    "opened": "launched",
    "painted": "decorated",
    "rented": "leased",
    "repaired": "restored",
}
"""What can be done, in a plain word, and another word for the same."""

THINGS = (
    "bakery", "cinema", "clinic", "farm", "garage", "hotel", "inn", "library", "museum", "school", "studio", "theatre",
)  # fmt: skip
GROUPS = ("artists", "children", "families", "farmers", "nurses", "sailors", "students", "tourists")
PLACES = (
    "Bath", "Bristol", "Chester", "Derby", "Dover", "Durham", "Exeter", "Leeds", "Lincoln", "Norwich", "Oxford", "York",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

VALUES: Mapping[str, Sequence[str]] = {
    "who": NAMES,
    "deed": tuple(DEEDS),
    "thing": THINGS,
    "group": GROUPS,
    "place": PLACES,
    "day": DAYS,
    "cost": NUMBERS,
    "helpers": NUMBERS,
}
"""The words for the values of each slot."""

INSTRUCTION = "summarize the main story:"
HEADLINES = ("{who} has {did} {a} {thing}.", "{a} {thing} has been {did} by {who}.")

DAY_FIRST = "on {day} {who} {did} the {thing}."
SENTENCES = {
    "group": ("the {thing} is for {group}.", "{who}'s {thing} will serve {group}."),
    "place": ("the {thing} is in {place}.", "{who}'s {thing} stands in {place}."),
    "day": ("{who} {did} the {thing} on {day}.", DAY_FIRST),
    "cost": ("{who} paid {cost} thousand pounds.", "the {thing} cost {who} {cost} thousand pounds."),
    "helpers": ("{helpers} friends helped {who}.", "{who} had help from {helpers} friends."),
}
"""Each detail in two wordings."""

CORRECTIONS = ("correction:", "in fact,")

RELATIONS = ("colleague", "cousin", "friend", "neighbour")
OTHERS = {
    "group": "{her} {relation} {who} {did} {a} {thing} for {group}.",
    "place": "{her} {relation} {who} {did} {a} {thing} in {place}.",
    "day": "{her} {relation} {who} {did} {a} {thing} on {day}.",
}
"""How somebody else comes in, with one detail of what that person did."""

ASIDES = {
    "cake": "the cake was too sweet.",
    "coffee": "the coffee was cold.",
    "dog": "a dog barked all day.",
    "flowers": "the flowers were lovely.",
    "hat": "somebody lost a hat.",
    "music": "the music was loud.",
    "noise": "the noise was terrible.",
    "song": "a child sang a song.",
    "traffic": "the traffic was slow.",
    "weather": "the weather was fine.",
}
"""What does not matter: the word that gives it away, and the sentence."""

LEADS = ("", "by the way,", "as always,")

OPENINGS = ("{who} {deed} {a} {thing}", "on {day} {who} {deed} {a} {thing}")
PHRASES = {
    "group": "for {group}",
    "place": "in {place}",
    "day": "on {day}",
    "cost": "at a cost of {cost} thousand pounds",
    "helpers": "with the help of {helpers} friends",
}
"""How a summary begins, with the day where that is how the report tells it, and how it goes on with each detail."""

STATED = (
    "{who} {did}", "{who} has {did}", "{did} by {who}",
    *(f"{who} {article} {{thing}}" for who in ("{who} {did}", "{who} has {did}") for article in ("a", "an", "the")),
    *(f"{article} {{thing}} {was} {{did}}" for was in ("was", "has been") for article in ("a", "an", "the")),
    "for {group}", "serve {group}", "in {place}", "on {day}",
    *(f"{words} {{cost}} thousand pounds" for words in ("cost of", "paid", "cost {who}")),
    *(f"{words} {{helpers}} friends" for words in ("with", "help of", "help from")), "{helpers} friends helped",
)  # fmt: skip
"""The phrases that state facts, wherever they stand."""


def pieces(template: str) -> list[str]:
    """Returns the words, the marks of punctuation and the `{slots}` of a template."""
    return re.findall(r"\{\w+\}|'s|\w+|[.,:]", template)


def article(thing: str) -> str:
    """Returns `a` or `an`, whichever the thing takes."""
    return "an" if thing[0] in "aeiou" else "a"


def make_vocabulary() -> WordVocabulary:
    """Returns the vocabulary of all reports and summaries: the values of facts, then all other words."""
    values = [*(word for words in VALUES.values() for word in words), *DEEDS.values(), *ASIDES]
    templates = (
        INSTRUCTION, *HEADLINES, *(wording for wordings in SENTENCES.values() for wording in wordings), *CORRECTIONS,
        *OTHERS.values(), *RELATIONS, *ASIDES.values(), *LEADS, *OPENINGS, *PHRASES.values(), "a an her his .",
    )  # fmt: skip
    others = [piece for template in templates for piece in pieces(template) if piece[0] != "{"]
    return WordVocabulary(list(dict.fromkeys([*values, *others])))
