"""Translate: from English into a language of another word order, in which words agree."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.prompts import different, size_of_split
from textgym.tasks.parts.translate_grammar import velan_grammar
from textgym.tasks.parts.translate_sentences import SentenceWriter, Shape
from textgym.tasks.parts.translate_words import TENSES, make_vocabulary
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray


class Translate(Task):
    """Translate a sentence into Velan, an invented language.

    Example: prompt `say in Velan: the boy helps my doctor.`, text `elu pelu mian vosa juveru.`

    Both sides are derived together. In Velan the verb comes last, adjectives follow their noun, a place goes before
    the noun that it belongs to and has its preposition behind it; a relative clause stands between commas, and a
    subordinate clause goes first and ends in its conjunction. Nouns in `-a` are feminine, those in `-u` masculine,
    plurals have an `-i` more; determiners, adjectives, relative pronouns and verbs take the ending of their noun, and
    determiners show its case: `-n` for an object, `-s` for a place. So a dictionary alone does not do. Who does what
    to whom is held out: no split has a clause with the subject, verb and object of one in another.

    Gold is the share of the text that is right phrases in the right order: of a noun with its determiner and
    adjective, a place, a verb with its negation, and so on, each either stands in the text word by word or does not;
    with the phrases of the reference that can be found in the text one behind the other and together have the most
    words,

        gold = their words / max(words of the text, words of the reference).

    So 1 is the exact translation, a word that does not agree costs its phrase, and listing words costs more than it
    gains. The mask is the grammar of Velan, agreement within phrases and clauses included; who has left it may write
    anything. The default feedback is a rating of BLEU in five levels, and TER.

    A low score on `hard` and a high one on `easy` mean that words are known and the structure is not: order across
    clauses, or agreement with a noun far off.

    Args:
        clauses: the most clauses of a sentence, 1 to 3; a second is relative or subordinate, a third the other.
        adjectives: the share of nouns with an adjective, in [0, 1]; those of places and relative clauses have none.
        plurals: the share of nouns that are plural, in [0, 1]; those of a place never are.
        places: the share of nouns with a place, such as `near the river`, in [0, 1]; places themselves have none.
        tenses: how many there are: 1 is the present, 2 the past too, 3 the future too.
        negations: the share of verbs that are denied, in [0, 1].
        size: how many different prompts all splits have together, at least 8.

    Version history: v0, the first.
    """

    presets: ClassVar = {
        "easy": {"clauses": 1, "adjectives": 0.4, "plurals": 0.4, "places": 0.0, "tenses": 1, "negations": 0.0},
        "medium": {"clauses": 1, "adjectives": 0.5, "plurals": 0.4, "places": 0.5, "tenses": 2, "negations": 0.2},
        "hard": {"clauses": 3, "adjectives": 0.4, "plurals": 0.4, "places": 0.3, "tenses": 3, "negations": 0.2},
    }
    swept = "clauses"
    default_feedback = (
        {"name": "rating", "metric": "bleu", "levels": 5, "weight": 0.6},
        {"name": "ter", "weight": 0.4},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.1},)
    optimal_return = 1.0

    def __init__(
        self,
        clauses: int = 1,
        adjectives: float = 0.4,
        plurals: float = 0.4,
        places: float = 0.0,
        tenses: int = 1,
        negations: float = 0.0,
        size: int = 4096,
    ) -> None:
        if not 1 <= clauses <= 3 or not 1 <= tenses <= len(TENSES):
            raise ValueError(f"clauses must be 1 to 3 and tenses 1 to {len(TENSES)}, got {clauses} and {tenses}")
        shares = {"adjectives": adjectives, "plurals": plurals, "places": places, "negations": negations}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {share}")
        if size < 8:
            raise ValueError(f"size must be at least 8, got {size}")
        self.shape = Shape(clauses, adjectives, plurals, places, tenses, negations)
        self.size = size
        self.vocabulary = make_vocabulary()
        self._grammar = velan_grammar(self.vocabulary)
        self.max_new_tokens = 1 + max(self.prompt_set(split).reference_ids.shape[1] for split in SPLITS)

    def make_prompt_set(self, split: str) -> PromptSet:
        writer = SentenceWriter(self.shape, split, Draws(0, SPLITS.index(split)))
        ids = {word: number for number, word in enumerate(self.vocabulary.tokens)}
        drawn = ((tuple(one.english), one.velan) for one in iter(writer.sentence, None))
        made = dict(different(drawn, size_of_split(self.size, split), size=self.size))
        references = [[ids[word] for phrase in velan for word in phrase] for velan in made.values()]
        phrases = [tuple("".join(chr(ids[word]) for word in phrase) for phrase in velan) for velan in made.values()]
        prompts = [[ids[word] for word in english] for english in made]
        return PromptSet.from_tokens(prompts, references, self.vocabulary, {"phrases": phrases})

    def gold(self, transition: Transition) -> FloatArray:
        phrases = transition.prompt_set.data["phrases"]
        texts = zip(transition.samples.tolist(), transition.text_ids.tolist(), transition.text_lengths, strict=True)
        right = [_right_words("".join(map(chr, ids[:length])), phrases[sample]) for sample, ids, length in texts]
        return np.array(right) / np.maximum(transition.text_lengths, transition.reference_lengths)

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        return self._grammar.allowed[self._grammar.arrive(transition.text_ids, transition.text_lengths)]


def _right_words(text: str, phrases: tuple[str, ...]) -> int:
    """Returns how many characters of a text can be phrases, one behind the other in their order."""
    best = [0] * (len(text) + 1)  # by the length of the part of the text that is looked at
    for phrase in phrases:
        size, start = len(phrase), text.rfind(phrase)
        if start < 0:
            continue
        with_it = best.copy()
        while start >= 0:
            with_it[start + size] = max(best[start + size], best[start] + size)
            start = text.rfind(phrase, 0, start + size - 1)
        for end in range(1, len(best)):
            with_it[end] = max(with_it[end], with_it[end - 1])
        best = with_it
    return best[-1]
