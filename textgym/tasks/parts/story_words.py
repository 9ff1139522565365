"""The words of Story: names, topics, and the sentences that stories are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

from textgym.vocabulary import WordVocabulary

WOMEN = ("Alice", "Bella", "Clara", "Diana", "Emma", "Flora", "Greta", "Hanna")
MEN = ("Adam", "Ben", "Carl", "David", "Erik", "Felix", "Henry", "Tom")
NAMES = (*WOMEN, *MEN)

PRONOUNS = ("she", "he", "they")
CONNECTIVES = ("later", "soon", "then")
"""What may stand before who does something."""

COUNTS = ("two", "three", "four", "five", "six", "seven", "eight")
"""How many sentences a story may have, in words, from two."""

TONES = ("happy", "sad")
ANY = ""
"""The topic of sentences that fit every story, and the tone of those that are neither happy nor sad."""

_SENTENCES = {  # of each topic the first says how people come into the story, and is for them alone
    "the sea": {
        ANY: """
            {who} went to the beach.
            {who} walked along the shore.
            {who} sailed in a small|white boat.
            {who} met {name} on the beach.
        """,
        "happy": """
            the sea was calm and beautiful|bright.
            {who} found a beautiful|lovely|pretty shell.
            {who} enjoyed a swim in the warm|calm water.
            a friendly dolphin played in the waves.
        """,
        "sad": """
            the sea was cold|dark|grey and dangerous.
            {who} lost a hat|ring|shoe in the waves.
            {who} nearly drowned in the cold|dark water.
            a terrible storm damaged a boat.
        """,
    },
    "school": {
        ANY: """
            {who} walked to school.
            {who} sat in the front|back row.
            {who} had a reading|spelling lesson.
            {who} met {name} at school.
        """,
        "happy": """
            the teacher was kind and funny|friendly.
            {who} won a prize|medal in class.
            {who} did well in the reading|spelling test.
            the lesson was great fun.
        """,
        "sad": """
            the teacher was angry and strict|unfair.
            {who} failed the reading|spelling test.
            {who} hated the cold|horrible lunch.
            the lesson was boring|terrible.
        """,
    },
    "a garden": {
        ANY: """
            {who} worked in the garden.
            {who} planted beans|roses|tulips.
            {who} watered the flowers.
            {who} met {name} in the garden.
        """,
        "happy": """
            the roses|tulips were beautiful|lovely.
            {who} picked delicious|sweet berries|cherries.
            {who} loved the smell of the flowers.
            a cheerful robin sang in the hedge.
        """,
        "sad": """
            some roses|tulips died in the frost.
            {who} found a dead robin.
            ugly weeds killed some beans.
            the berries|cherries were bitter and rotten.
        """,
    },
    "a party": {
        ANY: """
            {who} came to the party.
            {who} baked a cake.
            {who} brought balloons|candles.
            {who} met {name} at the party.
        """,
        "happy": """
            the cake was delicious|perfect.
            {who} got a lovely|wonderful present.
            {who} enjoyed the games|music.
            the guests danced|sang with joy.
        """,
        "sad": """
            the cake was burnt and awful|horrible.
            {who} hated the loud|stupid music.
            {who} cried over a broken present.
            the guests were bored and rude.
        """,
    },
    "a journey": {
        ANY: """
            {who} took the early|late train.
            {who} packed a heavy suitcase.
            {who} slept in a hotel.
            {who} met {name} on the train.
        """,
        "happy": """
            the view from the train was beautiful|wonderful.
            {who} liked the charming|pretty hotel.
            {who} made good friends on the train.
            the passengers were kind|friendly.
        """,
        "sad": """
            the hotel was dirty|horrible|ugly.
            {who} lost a ticket|map.
            {who} got lost at the station.
            a thief stole the suitcase.
        """,
    },
    "a farm": {
        ANY: """
            {who} worked on a farm.
            {who} fed the cows|hens|pigs.
            {who} drove the tractor.
            {who} met {name} at the farm.
        """,
        "happy": """
            the cows|hens|pigs were healthy and happy.
            {who} loved the brave|gentle pony.
            a cute|lovely lamb was born.
            the harvest was good|great.
        """,
        "sad": """
            the cows|hens|pigs were sick and weak.
            {who} feared the angry bull.
            a cruel fox killed the hens.
            the harvest was bad|terrible.
        """,
    },
    "music": {
        ANY: """
            {who} played the guitar|piano|violin.
            {who} went to a concert.
            {who} sang an old song.
            {who} met {name} at the concert.
        """,
        "happy": """
            the melody was beautiful|sweet.
            {who} loved the brilliant|talented singer.
            {who} won a prize for the best song.
            the concert was a great success.
        """,
        "sad": """
            the song was dreadful|sad and slow.
            {who} hated the awful|horrible noise.
            {who} broke the guitar|violin by accident.
            the concert was a terrible failure.
        """,
    },
    "winter": {
        ANY: """
            {who} walked through the snow.
            {who} wore thick clothes.
            {who} went to the frozen lake.
            {who} met {name} at the lake.
        """,
        "happy": """
            {who} built a cute|funny snowman.
            {who} enjoyed a cup of hot chocolate.
            the snow was fresh|white and beautiful.
            the sledge ride was great fun.
        """,
        "sad": """
            {who} slipped and got hurt.
            {who} suffered from a bad|nasty cold.
            the icy wind was cruel.
            a poor|sad snowman melted.
        """,
    },
    ANY: {
        "happy": """
            {who} {was} very cheerful|glad|happy.
            {who} smiled all day.
            {who} laughed with delight.
            it was a perfect|wonderful day.
        """,
        "sad": """
            {who} {was} very miserable|sad|unhappy.
            {who} cried all day|night.
            {who} burst into tears.
            it was a horrible|terrible day.
        """,
    },
}

TOPICS = tuple(topic for topic in _SENTENCES if topic != ANY)


@dataclass(frozen=True, eq=False)
class Template:
    """A sentence with places to fill.

    Attributes:
        steps: what each token may be: one word of several, or `"{who}"`, `"{was}"`, `"{name}"`; a full stop is last.
        topic: one of `TOPICS`, or `ANY`.
        tone: one of `TONES`, or `ANY`.
        is_arrival: whether it says how somebody comes into the story.
    """

    steps: tuple[tuple[str, ...], ...]
    topic: str
    tone: str
    is_arrival: bool

    @property
    def has_subject(self) -> bool:
        """Whether somebody does something in it."""
        return self.steps[0] == ("{who}",)

    @property
    def is_meeting(self) -> bool:
        """Whether it names somebody else too."""
        return ("{name}",) in self.steps


TEMPLATES = tuple(
    Template(
        steps=(*(tuple(step.split("|")) for step in line.strip().removesuffix(".").split()), (".",)),
        topic=topic,
        tone=tone,
        is_arrival=number == 0 and tone == ANY,
    )
    for topic, by_tone in _SENTENCES.items()
    for tone, lines in by_tone.items()
    for number, line in enumerate(lines.strip().splitlines())
)

INSTRUCTIONS = tuple(
    re.findall(r"\{\w+\}|\w+|[.,]", line)
    for line in (
        "write a {tone} story about {topic} in {count} sentences with {names}.",
        "write a {tone} story with {names} about {topic}. it has {count} sentences.",
        "{names} {are} in a {tone} story about {topic}. write it in {count} sentences.",
    )
)
"""The ways to ask for a story, word by word."""


def make_vocabulary() -> WordVocabulary:
    """Returns the vocabulary of all prompts and stories: names first."""
    fixed = (*PRONOUNS, *CONNECTIVES, *TONES, *COUNTS, "and", ",", ".", "is", "are", "was", "were")
    topics = chain.from_iterable(topic.split() for topic in TOPICS)
    written = chain.from_iterable(step for template in TEMPLATES for step in template.steps)
    words = [word for word in (*chain.from_iterable(INSTRUCTIONS), *topics, *written) if word[0] != "{"]
    return WordVocabulary(list(dict.fromkeys([*NAMES, *fixed, *words])))
