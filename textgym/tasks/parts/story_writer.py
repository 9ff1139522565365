"""What a story is asked to be, and one that is so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.story_words import (
    ANY,
    CONNECTIVES,
    COUNTS,
    INSTRUCTIONS,
    NAMES,
    TEMPLATES,
    TONES,
    WOMEN,
    Template,
)

_FEWEST = 2  # sentences; `COUNTS` begins with it
_CONNECTED, _PLAIN, _ANY_TOPIC, _MET, _TOGETHER, _PRONOUN = 0.15, 0.2, 0.3, 0.4, 0.3, 0.7
_BY_MEANING: dict[tuple[str, str], list[Template]] = {}
for _template in TEMPLATES:
    _BY_MEANING.setdefault((_template.topic, _template.tone), []).append(_template)


class Wish(NamedTuple):
    """The attributes of a story.

    Attributes:
        tone: one of `TONES`.
        topic: one of `TOPICS`.
        sentences: how many there are.
        names: who is in it.
    """

    tone: str
    topic: str
    sentences: int
    names: tuple[str, ...]

    @property
    def content(self) -> str:
        """The same for the same attributes, in whatever order the names are."""
        return f"{self.tone} {self.topic} {self.sentences} {' '.join(sorted(self.names))}"


def draw_wish(draws: Draws, topics: Sequence[str], most_sentences: int, most_names: int) -> Wish:
    """Returns the attributes of a story, with no more sentences, nor names, than given."""
    wanted, names = 1 + draws.below(most_names), list[str]()
    while len(names) < wanted:
        name = draws.choice(NAMES)
        if name not in names:
            names.append(name)
    sentences = _FEWEST + draws.below(most_sentences - _FEWEST + 1)
    return Wish(draws.choice(TONES), draws.choice(topics), sentences, tuple(names))


def ask(draws: Draws, wish: Wish) -> list[str]:
    """Returns a prompt for a story, one of `INSTRUCTIONS`."""
    filled = {
        "{tone}": [wish.tone],
        "{topic}": wish.topic.split(),
        "{count}": [COUNTS[wish.sentences - _FEWEST]],
        "{names}": _listed(wish.names),
        "{are}": ["is" if len(wish.names) == 1 else "are"],
    }
    return [word for piece in draws.choice(INSTRUCTIONS) for word in filled.get(piece, [piece])]


def write_story(draws: Draws, wish: Wish) -> list[str]:
    """Returns a story that has all attributes of a wish.

    It opens with what one or several people do, neither happy nor sad; the others come in one at a time, as those who
    do something or are met. Most further sentences have the tone, and if possible the last one.
    """
    names, used, words = draws.shuffled(wish.names), set[Template](), list[str]()
    present = max(1, len(names) - wish.sentences + 1) if draws.chance(1 - _TOGETHER) else len(names)
    entrances = draws.shuffled(range(1, wish.sentences))[: len(names) - present]
    for number in range(wish.sentences):
        comes, last = number in entrances, number == wish.sentences - 1
        met = comes and not last and draws.chance(_MET) and not any(template.is_meeting for template in used)
        plain = number == 0 or met or (not last and draws.chance(_PLAIN))
        toned = [(wish.topic, wish.tone), (ANY, wish.tone)]
        meanings = toned[::-1] if draws.chance(_ANY_TOPIC) else toned
        meanings.insert(0 if plain else 2, (wish.topic, ANY))
        template = draws.choice(_fitting(meanings, used, somebody_new=comes or number == 0, met=met))
        used.add(template)
        if number == 0:
            who = _listed(names[:present])
        elif comes and not met:
            who = [names[present]]
        else:
            who = _of_those_present(draws, names[:present])
        connective = draws.choice(CONNECTIVES)
        if template.has_subject and number > 0 and connective not in words and draws.chance(_CONNECTED):
            words.append(connective)
        one = len(who) == 1 and who != ["they"]
        filled = {"{who}": who, "{was}": ["was" if one else "were"], "{name}": names[present : present + 1]}
        for step in template.steps:
            words += filled.get(step[0]) or [draws.choice(step) if len(step) > 1 else step[0]]
        present += comes
    return words


def _fitting(
    meanings: Sequence[tuple[str, str]], used: set[Template], *, somebody_new: bool, met: bool
) -> Sequence[Template]:
    """Returns the templates, not used so far, of the first of the meanings that has any."""
    for meaning in meanings:
        fitting = [
            template
            for template in _BY_MEANING[meaning]
            if template not in used
            and template.is_meeting == met
            and (template.has_subject if somebody_new else not template.is_arrival)
        ]
        if fitting:
            break
    return fitting


def _of_those_present(draws: Draws, names: Sequence[str]) -> list[str]:
    """Returns one of the people, or all of them, with a pronoun only where it is clear."""
    pronoun = draws.chance(_PRONOUN)
    if len(names) > 1 and draws.chance(_TOGETHER):
        return ["they"] if pronoun else _listed(names)
    name = draws.choice(names)
    alike = [other for other in names if (other in WOMEN) == (name in WOMEN)]
    return ["she" if name in WOMEN else "he"] if pronoun and alike == [name] else [name]


def _listed(names: Sequence[str]) -> list[str]:
    """Returns the words of `Anna`, `Anna and Tom`, or `Anna, Tom and Ben`."""
    *others, last = names
    if not others:
        return [last]
    return [word for name in others[:-1] for word in (name, ",")] + [others[-1], "and", last]
