"""Story: write a short story that is what the prompt asks for, in words of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import ClassVar

import numpy as np

from textgym.metrics.sentiment import Sentiment
from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.held_out import split_of
from textgym.tasks.parts.prompts import different, size_of_split
from textgym.tasks.parts.story_grammar import StoryGrammar
from textgym.tasks.parts.story_words import ANY, COUNTS, TOPICS, make_vocabulary
from textgym.tasks.parts.story_writer import Wish, ask, draw_wish, write_story
from textgym.transition import Transition, once_per_transition
from textgym.types import BoolArray, FloatArray

_MOST_NAMES = 3


class Story(Task):
    """Write a happy or a sad story about a topic, with so many sentences and the people who are named.

    Example: prompt `write a happy story about the sea in three sentences with Greta.`, text `Greta sailed in a
    white boat. she walked along the shore. she found a beautiful shell.`

    There is a reference for each prompt, and very many other stories that are worth as much. A sentence is read by a
    grammar of a hundred templates, which know their topic and their tone; some fit any topic, and some are neither
    happy nor sad. It counts if it is whole, names nobody twice, says `she`, `he` or `they` only of people named in
    earlier sentences and not in the same, and is of no template that an earlier one is of, be it of somebody else. Then

        gold = (tone + topic + length + names) / 4 * sentences that count / max(sentences, sentences asked for),

    where, of the sentences that count, `tone` is the share of the wanted tone among those that have one, `topic`
    likewise, and `names` the people who are named and asked for over those who are either; `length` is the smaller of
    the numbers of sentences written and asked for over the larger. What follows the last full stop is a sentence that
    does not count. The signal `"attributes"` is the first factor, and `"mood"` the metric `sentiment`, turned round
    where the story shall be sad. The mask is the grammar with its pronouns and names; who has left it may write
    anything.

    The default feedback is a rating of gold in five levels, the mood, fluency and diversity. With
    `group_size` above 1, diversity compares the stories for one prompt as well.

    A low score with fluent stories means that the policy does not heed what it is asked for: split gold by attribute
    to see which. A high one with a low diversity means that it tells one story over and over.

    Args:
        sentences: the most sentences that are asked for, 2 to 8; the fewest are two.
        names: the most people that are asked for, 1 to 3.
        topics: how many topics there are, 1 to 8.
        size: how many different prompts all splits have together, at least 8.

    Version history: v0, the first.
    """

    presets: ClassVar = {
        "easy": {"sentences": 3, "names": 2, "topics": 4},
        "medium": {"sentences": 5, "names": 2, "topics": 8},
        "hard": {"sentences": 8, "names": 3, "topics": 8},
    }
    swept = "sentences"
    default_feedback = (
        {"name": "rating", "metric": "gold", "levels": 5, "weight": 0.5},
        {"name": "task_signal", "signal": "mood", "weight": 0.2},
        {"name": "fluency", "weight": 0.2},
        {"name": "diversity", "weight": 0.1},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.1},)
    optimal_return = 1.0

    def __init__(self, sentences: int = 3, names: int = 2, topics: int = 4, size: int = 4096) -> None:
        most_sentences = len(COUNTS) + 1
        if not 2 <= sentences <= most_sentences:
            raise ValueError(f"sentences must be 2 to {most_sentences}, got {sentences}")
        if not 1 <= names <= _MOST_NAMES or not 1 <= topics <= len(TOPICS):
            raise ValueError(
                f"names must be 1 to {_MOST_NAMES} and topics 1 to {len(TOPICS)}, got names={names}, topics={topics}"
            )
        if size < 8:
            raise ValueError(f"size must be at least 8, got {size}")
        self.sentences, self.names, self.topics, self.size = sentences, names, topics, size
        self.vocabulary = make_vocabulary()
        self._ids = {word: number for number, word in enumerate(self.vocabulary.tokens)}
        self._grammar = StoryGrammar(self.vocabulary)
        self._sentiment = Sentiment(self)
        self.signals = {"attributes": self.attributes, "mood": self.mood}
        self.max_new_tokens = 1 + max(self.prompt_set(split).reference_ids.shape[1] for split in SPLITS)

    def make_prompt_set(self, split: str) -> PromptSet:
        draws = Draws(0, SPLITS.index(split))

        def drawn() -> Iterator[tuple[tuple[str, ...], Wish]]:
            while True:
                wish = draw_wish(draws, TOPICS[: self.topics], self.sentences, self.names)
                if split_of(wish.content) == split:
                    yield tuple(ask(draws, wish)), wish

        chosen = different(drawn(), size_of_split(self.size, split), size=self.size)
        made = {prompt: (wish, write_story(draws, wish)) for prompt, wish in chosen}
        wishes, stories = zip(*made.values(), strict=True)
        bits = [sum(int(self._grammar.bits[self._ids[name]]) for name in wish.names) for wish in wishes]
        prompts, references = ([[self._ids[word] for word in words] for words in texts] for texts in (made, stories))
        return PromptSet.from_tokens(prompts, references, self.vocabulary, {"wish": wishes, "names": bits})

    def gold(self, transition: Transition) -> FloatArray:
        gold: FloatArray = _read(transition, self).prod(axis=1)
        return gold

    def attributes(self, transition: Transition) -> FloatArray:
        """Returns how far the text has the attributes that it shall have, (n,), in [0, 1]."""
        attributes: FloatArray = _read(transition, self)[:, 0]
        return attributes

    def mood(self, transition: Transition) -> FloatArray:
        """Returns the metric `sentiment`, or one minus it where the story shall be sad, (n,), in [0, 1]."""
        wishes, sentiment = transition.prompt_set.data["wish"], self._sentiment.score(transition)
        sad = np.array([wishes[sample].tone == "sad" for sample in transition.samples.tolist()])
        return np.where(sad, 1 - sentiment, sentiment)

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        return self._grammar.allowed(transition)

    def read(self, text: list[int], wish: Wish, names: int) -> tuple[float, float]:
        """Returns how far a text has the attributes of a wish, with its names as bits, and what share of it counts."""
        read = self._grammar.read(text)
        counted = {sentence.template: sentence.named for sentence in reversed(read) if sentence is not None}
        tones = [template.tone for template in counted if template.tone != ANY]
        topics = [template.topic for template in counted if template.topic != ANY]
        named = reduce(or_, counted.values(), 0)
        most = max(len(read), wish.sentences)
        met = (
            tones.count(wish.tone) / max(1, len(tones)),
            topics.count(wish.topic) / max(1, len(topics)),
            min(len(read), wish.sentences) / most,
            (named & names).bit_count() / (named | names).bit_count(),
        )
        return sum(met) / len(met), len(counted) / most


@once_per_transition
def _read(transition: Transition, task: Story) -> FloatArray:
    """Returns how far each text has its attributes, and what share of its sentences counts, (n, 2), in [0, 1]."""
    wishes, names = (transition.prompt_set.data[name] for name in ("wish", "names"))
    texts = zip(transition.samples.tolist(), transition.text_ids.tolist(), transition.text_lengths, strict=True)
    read = [task.read(ids[:length], wishes[sample], names[sample]) for sample, ids, length in texts]
    return np.array(read).reshape(-1, 2)
