"""KnowledgeGraph: write down as triples what a text tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.knowledge_grammar import triple_grammar, without_strangers
from textgym.tasks.parts.knowledge_texts import TYING_WORDS, draw_facts, possible_facts, tell
from textgym.tasks.parts.knowledge_world import KIND, RELATIONS, WORDINGS, WORDS, Fact
from textgym.tasks.parts.prompts import size_of_split
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray
from textgym.vocabulary import WordVocabulary

_INSTRUCTION = ("facts", "as", "triples", ":")
_TRIPLE = 8  # the tokens of `(Anna, works for, Acme)`

Piece = tuple[int, ...]


class KnowledgeGraph(Task):
    """Write down the facts that a text tells, each as a triple of an entity, a relation and an entity.

    Example: prompt `facts as triples: Greta reports to Oscar, who learns from Nora. he lives in Dublin.`, text
    `(Greta, reports to, Oscar) (Oscar, learns from, Nora) (Oscar, lives in, Dublin)`.

    A text tells of people, companies, cities and products, one fact in each clause. A relation is written in one way,
    that of `(Anna, works for, Acme)`, and may be said in others (`Acme employs Anna`). Clauses may be tied together: by
    `and`, by `who` and `which`, or by a pronoun that only one entity of the sentence before can be meant by. Facts are
    held out: none is in two splits.

    Gold is the F1 of the triples, `2 right / (written + told)`: the different triples written that the text tells, the
    pieces that the text written falls into behind each `)` and before each `(`, and the facts told. So the order is
    free, and what is written twice, is malformed or stands between triples counts as a wrong triple. It is 1 for all
    facts and nothing else. The mask is the grammar of triples with the entities of the prompt; who has left the
    grammar may write any word but other entities.

    The task's signal `"well_formed"` is the share of the pieces that are triples, true or not. The default feedback is
    a rating of the F1, an edit, the match of tokens, and this signal, with a little Gaussian noise on every token.

    A low score means that clauses are not read: facts left out, entities put into the wrong triple, who a pronoun means
    not found. Where triples are well formed and gold is low, the form is learnt and the content is not.

    Args:
        facts: the most facts that a text tells, 2 to 8; there are at least half as many.
        wordings: in how many ways each relation may be said, 1 to 3.
        tied: the probability that a clause is tied to the one before, 0 to 1.
        size: how many different prompts all splits have together, 8 to 16,384.

    Version history: v0, the first.
    """

    presets: ClassVar = {
        "easy": {"facts": 3, "wordings": 1, "tied": 0.3},
        "medium": {"facts": 5, "wordings": 2, "tied": 0.5},
        "hard": {"facts": 8, "wordings": 3, "tied": 0.8},
    }
    swept = "facts"
    default_feedback = (
        {"name": "rating", "metric": "gold", "levels": 5, "weight": 0.6},
        {"name": "edit", "weight": 0.2},
        {"name": "token_match", "weight": 0.1},
        {"name": "task_signal", "signal": "well_formed", "weight": 0.1},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.02},)
    optimal_return = 1.0

    def __init__(self, facts: int = 3, wordings: int = 1, tied: float = 0.3, size: int = 8192) -> None:
        if not 2 <= facts <= 8:
            raise ValueError(f"facts must be 2 to 8, got {facts}")
        if not 1 <= wordings <= WORDINGS:
            raise ValueError(f"wordings must be 1 to {WORDINGS}, got {wordings}")
        if not 0 <= tied <= 1:
            raise ValueError(f"tied must be 0 to 1, got {tied}")
        if not 8 <= size <= 16_384:
            raise ValueError(f"size must be 8 to 16,384, got {size}")
        self.facts, self.wordings, self.tied, self.size = facts, wordings, tied, size
        self.vocabulary = WordVocabulary(list(dict.fromkeys((*WORDS, *TYING_WORDS, *_INSTRUCTION, "(", ")"))))
        self.max_new_tokens = _TRIPLE * facts + 1
        self.signals = {"well_formed": self.well_formed}
        self._grammar = triple_grammar(self.vocabulary)
        self._is_entity = np.isin(self.vocabulary.tokens, list(KIND))
        self._opening, self._closing, comma = self.vocabulary.encode("( ) ,")
        self._marks = (self._opening, comma, comma, self._closing)
        self._relations = {tuple(self.vocabulary.encode(" ".join(r.wordings[0].words))) for r in RELATIONS}

    def make_prompt_set(self, split: str) -> PromptSet:
        draws = Draws(2, SPLITS.index(split))
        id_of = {word: number for number, word in enumerate(self.vocabulary.tokens)}.__getitem__
        possible = possible_facts()[split]
        count = size_of_split(self.size, split)
        made: dict[tuple[int, ...], list[int]] = {}
        while len(made) < count:
            facts = draw_facts(draws, possible, self.facts - draws.below(self.facts // 2 + 1))
            words = [*_INSTRUCTION, *tell(draws, facts, wordings=self.wordings, tied=self.tied)]
            made[tuple(map(id_of, words))] = [id_of(word) for fact in facts for word in _written(fact)]
        return PromptSet.from_tokens(list(made), list(made.values()), self.vocabulary)

    def gold(self, transition: Transition) -> FloatArray:
        f1 = []
        for written, told in self._pieces(transition):
            right = len(set(written).intersection(told))
            f1.append(2 * right / (len(written) + len(told)))
        return np.array(f1, np.float64)

    def well_formed(self, transition: Transition) -> FloatArray:
        """Returns the share of the pieces of finished texts that are triples, (n,), in [0, 1]; 0 for an empty text."""
        shares = [sum(map(self._is_triple, written)) / max(1, len(written)) for written, _ in self._pieces(transition)]
        return np.array(shares, np.float64)

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        state = self._grammar.arrive(transition.text_ids, transition.text_lengths)
        return self._grammar.allowed[state] & without_strangers(transition, self._is_entity)

    def _pieces(self, transition: Transition) -> Iterator[tuple[list[Piece], list[Piece]]]:
        """Yields the pieces of each text and those of its reference."""
        rows = zip(
            transition.text_ids.tolist(),
            transition.text_lengths.tolist(),
            transition.reference_ids.tolist(),
            transition.reference_lengths.tolist(),
            strict=True,
        )
        for text, end, reference, ending in rows:
            yield self._cut(text[:end]), self._cut(reference[:ending])

    def _cut(self, text: list[int]) -> list[Piece]:
        """Returns the pieces of a text, cut behind each `)` and before each `(`."""
        pieces, start = [], 0
        for place, token in enumerate(text):
            if token == self._opening and place > start:
                pieces.append(tuple(text[start:place]))
                start = place
            if token == self._closing:
                pieces.append(tuple(text[start : place + 1]))
                start = place + 1
        return [*pieces, tuple(text[start:])] if start < len(text) else pieces

    def _is_triple(self, piece: Piece) -> bool:
        opening, holder, comma, *relation, second_comma, value, closing = piece if len(piece) >= 7 else (0,) * 7
        marks = (opening, comma, second_comma, closing) == self._marks
        return marks and tuple(relation) in self._relations and bool(self._is_entity[[holder, value]].all())


def _written(fact: Fact) -> Sequence[str]:
    """Returns the triple of a fact as tokens."""
    return ("(", fact.holder, ",", *RELATIONS[fact.relation].wordings[0].words, ",", fact.value, ")")
