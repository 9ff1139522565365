"""KnowledgeQA: answer a question of several hops from facts, or say that nobody knows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.draws import Draws
from textgym.tasks.parts.knowledge_grammar import ANSWER_WORDS, REFUSALS, answer_grammar, without_strangers
from textgym.tasks.parts.knowledge_questions import MOST_HOPS, draw_facts, draw_question
from textgym.tasks.parts.knowledge_world import ENTITIES, KIND, MOST_NAMES, WORDINGS, WORDS, first_entities
from textgym.tasks.parts.prompts import size_of_split
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray
from textgym.vocabulary import WordVocabulary

_BUDGET, _NOUN = 6, 4  # the tokens of `Anna works for Acme.` with the end, and of `the home city of`


class KnowledgeQA(Task):
    """Answer a question from the facts in the prompt, or say that nobody knows.

    Example: prompt `Felix reports to Emma. David reports to Hugo. David works for Hexly. who does David report to?`,
    text `David reports to Hugo.`

    A question asks for what is one to `hops` relations away from an entity: a person's employer, home city, boss and
    teacher, a company's city, product and owner, a city's mayor. Of the facts some lead to the answer, others lead
    astray: the same path from another entity, the last relation of others, something else about whom is asked. In
    `unanswerable` of the prompts one step is missing, and nothing follows. Questions are held out: the entities
    along a path, with those that lead astray, are in one split only.

    Gold is 1 for a right answer and 0 for all else. The answer is a statement in the words of the question, as in the
    references, or just the entity (`Acme.`; a city also as `in Rome.`). Where nothing follows, only `nobody knows.` or
    `that is not said.` is right. The full stop may be missing. Several entities, an entity and a refusal, or further
    words are wrong. The mask is the grammar of statements, entities and refusals, with the entities of the prompt; who
    has left the grammar may write any word that it may hold.

    The default feedback is a rating of gold, a judge of ROUGE-L, who likes the form of an answer, and relevance, which
    likes a statement better than a refusal; with Gaussian noise.

    A low score means that facts are not joined to the question. A policy that names any entity of the right kind from
    the prompt is right once in as many times as there are such entities, one that always refuses in `unanswerable`.

    Args:
        hops: the most relations between a question and its answer, 1 to 4; each number up to it is as frequent.
        facts: how many facts a prompt has, `2 hops + 1` to `names`.
        names: how many companies, cities and products there are, and half as many as there are people, at most 16.
        wordings: in how many ways each relation may be said, 1 to 3; with several, `Anna's boss` too.
        unanswerable: the share of prompts from which no answer follows, 0 to 1.
        size: how many different prompts all splits have together, 8 to 16,384.

    Version history: v0, the first.
    """

    presets: ClassVar = {
        "easy": {"hops": 1, "facts": 3, "names": 8, "wordings": 1},
        "medium": {"hops": 2, "facts": 8, "names": 16, "wordings": 2},
        "hard": {"hops": 4, "facts": 14, "names": 16, "wordings": 3},
    }
    swept = "hops"
    default_feedback = (
        {"name": "rating", "metric": "gold", "levels": 5, "spread": 0.2, "weight": 0.6},
        {"name": "judge", "metric": "rouge_l", "weight": 0.3},
        {"name": "relevance", "weight": 0.1},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.1},)
    optimal_return = 1.0

    def __init__(
        self,
        hops: int = 1,
        facts: int = 3,
        names: int = 8,
        wordings: int = 1,
        unanswerable: float = 0.2,
        size: int = 8192,
    ) -> None:
        if not 1 <= hops <= MOST_HOPS:
            raise ValueError(f"hops must be 1 to {MOST_HOPS}, got {hops}")
        if not names <= MOST_NAMES:
            raise ValueError(f"names must be at most {MOST_NAMES}, got {names}")
        if not 2 * hops + 1 <= facts <= names:
            raise ValueError(f"facts must be 2 hops + 1 = {2 * hops + 1} to names = {names}, got {facts}")
        if not 1 <= wordings <= WORDINGS:
            raise ValueError(f"wordings must be 1 to {WORDINGS}, got {wordings}")
        if not 0 <= unanswerable <= 1:
            raise ValueError(f"unanswerable must be 0 to 1, got {unanswerable}")
        if not 8 <= size <= 16_384:
            raise ValueError(f"size must be 8 to 16,384, got {size}")
        self.hops, self.facts, self.names = hops, facts, names
        self.wordings, self.unanswerable, self.size = wordings, unanswerable, size
        self.vocabulary = WordVocabulary(list(dict.fromkeys((*WORDS, *ANSWER_WORDS))))
        self.max_new_tokens = _BUDGET + _NOUN * (hops - 1)
        self._grammar = answer_grammar(self.vocabulary)
        self._is_entity, self._is_city = (
            np.isin(self.vocabulary.tokens, words) for words in (list(KIND), ENTITIES["city"])
        )
        self._refusals = [self.vocabulary.encode(refusal) for refusal in REFUSALS]
        self._in, self._full_stop = self.vocabulary.encode("in .")

    def make_prompt_set(self, split: str) -> PromptSet:
        draws, among = Draws(1, SPLITS.index(split)), first_entities(self.names)
        id_of = {word: number for number, word in enumerate(self.vocabulary.tokens)}.__getitem__
        count = size_of_split(self.size, split)
        made: dict[tuple[int, ...], tuple[list[int], int, bool]] = {}
        while len(made) < count:
            question = draw_question(draws, among, 1 + draws.below(self.hops), split)
            answerable = not draws.chance(self.unanswerable)
            facts = draw_facts(draws, among, question, self.facts, answerable=answerable)
            holder = question.holder(possessive=self.wordings > 1 and draws.chance(0.5))
            words = [word for fact in facts for word in (*fact.said(draws.below(self.wordings)), ".")]
            prompt = tuple(map(id_of, (*words, *question.asked(holder))))
            statement = list(map(id_of, question.answered(holder)))
            made[prompt] = statement if answerable else self._refusals[0], len(question.path), answerable
        references, hops, answerables = zip(*made.values(), strict=True)
        data = {"hops": hops, "answerable": answerables}
        return PromptSet.from_tokens(list(made), references, self.vocabulary, data)

    def gold(self, transition: Transition) -> FloatArray:
        rows = zip(
            transition.text_ids.tolist(),
            transition.text_lengths.tolist(),
            transition.reference_ids.tolist(),
            transition.reference_lengths.tolist(),
            strict=True,
        )
        right = [self._is_right(text[:end], reference[:ending]) for text, end, reference, ending in rows]
        return np.array(right, np.float64)

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        state = self._grammar.arrive(transition.text_ids, transition.text_lengths)
        allowed: BoolArray = self._grammar.allowed[state] & without_strangers(transition, self._is_entity)
        allowed[~allowed.any(axis=1), self.vocabulary.end_id] = True
        return allowed

    def _is_right(self, text: list[int], reference: list[int]) -> bool:
        """Returns whether a text answers what its reference does, both as tokens."""
        said = text[:-1] if text[-1:] == [self._full_stop] else text
        if reference in self._refusals:
            return [*said, self._full_stop] in self._refusals
        *statement, _ = reference
        answer = statement[-1]
        return said in (statement, [answer]) or (said == [self._in, answer] and bool(self._is_city[answer]))
