"""The words of Dialogue: what can be booked, what is asked about it, and how the two sides say so."""

from __future__ import annotations

from itertools import chain

SLOTS = ("day", "time", "people", "where", "name")
"""All that may be asked; a user has a wish for the first of them, as many as the task says."""

IN_PHRASE = ("where", "people", "day", "time", "name")
"""Their order in `a table at Bella for two on Friday at seven under the name Anna`."""

PLACES = {
    "table": ("at", ("Bella", "Lotus", "Olympia", "Sakura", "Verdi", "Zorba")),
    "room": ("at", ("the Astoria", "the Bristol", "the Carlton", "the Metropole", "the Plaza", "the Savoy")),
    "tour": ("in", ("Athens", "Berlin", "Lisbon", "Paris", "Rome", "Vienna")),
    "taxi": ("to", ("the airport", "the harbour", "the hospital", "the museum", "the stadium", "the station")),
}
"""What can be booked, the preposition before its place, and the places."""

KINDS = tuple(PLACES)

_VALUES = {
    "day": ("on", ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
    "time": ("at", ("seven", "eight", "nine", "ten", "eleven", "noon", "midnight")),
    "people": ("for", ("two", "three", "four", "five", "six")),
    "name": ("under the name", ("Anna", "Boris", "Clara", "David", "Elena", "Felix", "Greta", "Hugo")),
}

QUESTIONS = {
    "day": ("which day?", "on which day?"),
    "time": ("what time?", "at what time?"),
    "people": ("how many people?", "for how many?"),
    "where": ("which place?", "where?"),
    "name": ("under which name?", "your name, please?"),
}
CHECKS = ("shall I book it?", "is that right?")
BOOKED = "booked: a"
"""What the agent may say; of each group, the references use the first."""

INSTRUCTION = "take the booking. user:"
GREETINGS = ("hello,", "hi,", "good morning,", "good day,", "good evening,", "excuse me,")
WISHES = (
    ("I need a", "."), ("I would like a", ", please."), ("could I have a", "?"), ("can you book me a", "?"),
    ("please book me a", "."), ("I am looking for a", "."),
)  # fmt: skip
"""How a prompt begins: an instruction, a greeting, and what stands before and behind the wish."""

REPLIES = {
    "answer": ("{phrase}, please.", "{phrase}.", "{value}, please.", "make it {value}, please.", "let us say {value}."),
    "correct": (
        "no, sorry, make that {value}, not {other}.", "wait, I meant {value}, not {other}.",
        "oh, please change {other} to {value}.", "sorry, {value}, not {other}.",
    ),
    "yes": ("yes, please.", "yes, go ahead.", "yes, that is right."),
    "again": ("I said {value}.", "as I said, {phrase}.", "{value}, I told you."),
    "early": ("no, not yet.", "wait, you do not know it all yet."),
    "lost": ("sorry, what do you mean?", "pardon?", "I do not understand."),
}  # fmt: skip
NAME_ANSWERS = ("{value}.", "it is {value}.", "my name is {value}.", "{phrase}, please.")
"""What the user says: to a question, beside or to the check if he was wrong before, to the check if he was not, to a
question again, to a check too soon, and to anything else; and to the question for his name."""


def values(kind: str, slot: str) -> tuple[str, ...]:
    """Returns all that a user may want in a slot of what is booked."""
    return (PLACES[kind] if slot == "where" else _VALUES[slot])[1]


def phrase(kind: str, slot: str, value: str) -> str:
    """Returns a value with its preposition, such as `at the Savoy`."""
    return f"{(PLACES[kind] if slot == 'where' else _VALUES[slot])[0]} {value}"


def _all_words() -> list[str]:
    """Returns all words and marks of punctuation, in a fixed order."""
    said = [INSTRUCTION, BOOKED, *GREETINGS, *chain(*WISHES), *CHECKS, *KINDS]
    said += [wording for wordings in (*QUESTIONS.values(), *REPLIES.values(), NAME_ANSWERS) for wording in wordings]
    said += [phrase(kind, slot, value) for kind in KINDS for slot in SLOTS for value in values(kind, slot)]
    text = " ".join(said)
    for blank in ("{phrase}", "{value}", "{other}"):
        text = text.replace(blank, "")
    for mark in ",.?:":
        text = text.replace(mark, f" {mark} ")
    return list(dict.fromkeys(text.split()))


WORDS = _all_words()
