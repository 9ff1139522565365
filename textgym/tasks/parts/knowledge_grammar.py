"""What may be written in the knowledge tasks: answers to questions, and triples."""

from __future__ import annotations

import numpy as np

from textgym.tasks.parts.knowledge_world import ENTITIES, KIND, NOUNS, RELATIONS
from textgym.tasks.parts.token_grammar import TokenGrammar
from textgym.transition import Transition
from textgym.types import BoolArray
from textgym.vocabulary import Vocabulary

Rules = dict[str, dict[str, str]]

_GROUPS = {"ENTITY": tuple(KIND), "CITY": ENTITIES["city"]}

REFUSALS = ("nobody knows .", "that is not said .")
"""What says that no answer follows."""

ANSWER_WORDS = ("in", *dict.fromkeys(word for refusal in REFUSALS for word in refusal.split()))
"""The words of answers that may not be among those of facts and questions."""


def answer_grammar(vocabulary: Vocabulary) -> TokenGrammar:
    """Returns the grammar of answers.

    These are an entity, a city with `in`, a statement (`Anna works for Acme`, `the boss of Anna's teacher lives in
    Rome`), or one of `REFUSALS`; each with a full stop or without.
    """
    verbs, of_verbs = _phrases({relation.wordings[0].words for relation in RELATIONS}, "verb", "to say")
    nouns, of_nouns = _phrases({tuple(noun.split()) for noun in NOUNS}, "noun", "of")
    owned, of_owned = _phrases({tuple(noun.split()) for noun in NOUNS}, "owned", "holder")
    rules: Rules = {
        "start": {"ENTITY": "entity", "in": "in", "the": "noun", "nobody": "nobody", "that": "that"},
        "entity": {".": "end", "'s": "owned", **verbs},
        "in": {"CITY": "said"},
        "noun": nouns,
        **of_nouns,
        "of": {"of": "whose"},
        "whose": {"the": "noun", "ENTITY": "whom"},
        "whom": {"'s": "owned", **verbs},
        "owned": owned,
        **of_owned,
        "holder": verbs,
        **of_verbs,
        "to say": {"ENTITY": "said"},
        "nobody": {"knows": "said"},
        "that": {"is": "that is"},
        "that is": {"not": "that is not"},
        "that is not": {"said": "said"},
        "said": {".": "end"},
        "end": {},
    }
    return TokenGrammar(vocabulary, rules, _GROUPS, ends=("entity", "said", "end"))


def triple_grammar(vocabulary: Vocabulary) -> TokenGrammar:
    """Returns the grammar of triples, one after the other and at least one: `(Anna, works for, Acme)`."""
    verbs, of_verbs = _phrases({relation.wordings[0].words for relation in RELATIONS}, "verb", "verb said")
    rules: Rules = {
        "start": {"(": "holder"},
        "holder": {"ENTITY": "holder said"},
        "holder said": {",": "verb"},
        "verb": verbs,
        **of_verbs,
        "verb said": {",": "value"},
        "value": {"ENTITY": "value said"},
        "value said": {")": "end"},
        "end": {"(": "holder"},
    }
    return TokenGrammar(vocabulary, rules, _GROUPS, ends=("end",))


def without_strangers(transition: Transition, is_entity: BoolArray) -> BoolArray:
    """Returns all tokens but the entities that a row's prompt does not name, (n, V).

    Args:
        transition: the rows.
        is_entity: (V,) which tokens are entities.
    """
    allowed: BoolArray = np.tile(~is_entity, (len(transition), 1))
    allowed[np.arange(len(transition))[:, None], transition.prompt_set.prompt_ids[transition.samples]] = True
    return allowed


def _phrases(phrases: set[tuple[str, ...]], name: str, target: str) -> tuple[dict[str, str], Rules]:
    """Returns what leads into one of some phrases, and the states inside them, which are called after a name."""
    first: dict[str, str] = {}
    inside: Rules = {}
    for phrase in sorted(phrases):
        following = first
        for place, word in enumerate(phrase):
            last = place == len(phrase) - 1
            following[word] = target if last else f"{name} {' '.join(phrase[: place + 1])}"
            following = {} if last else inside.setdefault(following[word], {})
    return first, inside
