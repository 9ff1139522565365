"""Demonstration: a person shows what to write, and whether the text does the same is its score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.metrics.base import Metric
from textgym.metrics.parts.references import once_per_prompt_set
from textgym.random import Address
from textgym.tasks.base import PromptSet, Task
from textgym.transition import Transition
from textgym.types import FloatArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary

_NOTHING = -1  # in place of a token


@once_per_prompt_set
def _ended_references(prompt_set: PromptSet, vocabulary: Vocabulary) -> TokenArray:
    """Returns the references with end tokens after them, (S, R + 1)."""
    ids = np.pad(prompt_set.reference_ids, ((0, 0), (0, 1)))
    return np.where(np.arange(ids.shape[1]) < prompt_set.reference_lengths[:, None], ids, vocabulary.end_id)


class Demonstration(Annotator):
    """Says what it would have written, token by token or as a whole text, and answers whether the agent did the same.

    Where the task knows the optimal action values (`Task.action_values`), the demonstrator is Boltzmann-rational,

        P(a | s) = (1 - lapse) softmax(beta Q*(s, .))(a) + lapse / |A(s)|,

    over the tokens A(s) that are allowed (Ziebart et al. 2008, "Maximum entropy inverse reinforcement learning").
    Elsewhere it writes the reference's next token with probability 1 - lapse, else any writable one; where there is no
    reference either, it has nothing to show and does not answer.

    A metric that scores every token gets an answer at every token: `1 / (reference length + 1)` if the agent's is the
    demonstrator's in the same state, up to the place of the reference's end; the sum over a text is in [0, 1]. A
    metric of finished texts gets a whole text, written from the prompt within the agent's budget; where somebody
    answers, it has all turns of the reference. The answer is then the share of its tokens, the end token included,
    that the agent wrote in the same places.

    The annotation has `token` (n, m), the token shown, -1 for none; or `demonstration` (n, m, T), a text right padded
    to the agent's budget T, and `demonstration_lengths` (n, m), without the end token.

    Args:
        metric: the signal's clean value, whose timing decides between tokens and texts; the answer comes from the
            text alone, so that the annotators of a pool differ by chance alone.
        beta: the rationality, per unit of gold; at least 0.
        lapse: the probability epsilon of a token at random, in [0, 1].
    """

    cost = 5.0
    default_metric = "token_match"
    shows_tokens = True

    def __init__(self, metric: Metric, beta: float = 50.0, lapse: float = 0.0) -> None:
        super().__init__(metric)
        if not 0 <= beta < np.inf:
            raise ValueError(f"beta must be finite and non-negative, got {beta}")
        if not 0 <= lapse <= 1:
            raise ValueError(f"lapse must be 0 to 1, got {lapse}")
        task = metric.task
        knows_values = type(task).action_values is not Task.action_values and not task.max_reply_tokens
        if not knows_values and not task.prompt_set("train").reference_lengths.any():
            raise ValueError("it shows references or follows action values, and this task has none")
        self.beta, self.lapse = beta, lapse

    def answer(self, question: Question) -> Answer:
        return self._show_token(question) if self.metric.timing == "step" else self._show_text(question)

    def _show_token(self, question: Question) -> Answer:
        transition = question.transition
        token = self.hint(_before(transition), question.address, question.readings)
        length, budget = transition.reference_lengths, transition.text_ids.shape[1]
        places = np.where(length > 0, length + 1, budget)  # a task without references may know the action values
        same = (token == transition.actions[:, None]) & (transition.steps < places)[:, None]
        return Answer(np.where(token == _NOTHING, np.nan, same / places[:, None]), {"token": token})

    def _show_text(self, question: Question) -> Answer:
        transition, end = question.transition, self.metric.task.vocabulary.end_id
        readings, budget = question.readings, transition.text_ids.shape[1]
        people = transition[np.repeat(np.arange(len(transition)), readings)]  # (n m,) rows, one for each demonstrator
        tokens = self._whole_text(people, question.address.at_start().uniform(readings * budget).reshape(-1, budget))
        shown = tokens[:, 0] != _NOTHING
        lengths = self._lengths(tokens, people) * shown
        place = np.arange(budget)
        stopped = (people.actions == end) & (people.text_lengths < budget)
        written = np.where(people.text_mask, people.text_ids, -1)
        written[stopped, people.text_lengths[stopped]] = end
        same = ((written == tokens) & (place <= lengths[:, None])).sum(axis=1) / np.minimum(lengths + 1, budget)
        demonstration = np.where(place < lengths[:, None], tokens, self.metric.task.vocabulary.pad_id)
        annotation = {
            "demonstration": demonstration.reshape(-1, readings, budget),
            "demonstration_lengths": lengths.reshape(-1, readings),
        }
        return Answer(np.where(shown, same, np.nan).reshape(-1, readings), annotation)

    def _lengths(self, tokens: IntArray, people: Transition) -> IntArray:
        """Returns how long the demonstrators' texts, (n, T), are, without the end token that closes them, (n,)."""
        task, budget = self.metric.task, tokens.shape[1]
        if task.fixed_length:
            return np.full(len(tokens), budget)
        if task.max_reply_tokens:  # where an end token closes a turn
            return np.minimum(people.reference_lengths.astype(np.int64), budget)
        ended = tokens == task.vocabulary.end_id
        lengths: IntArray = np.where(ended.any(axis=1), ended.argmax(axis=1), budget)
        return lengths

    def hint(self, state: Transition, address: Address, readings: int) -> IntArray:
        return self._next_token(state, address.uniform(readings))

    def _next_token(self, state: Transition, draws: FloatArray) -> IntArray:
        """Returns m demonstrators' tokens for n states, (n, m), from as many draws in (0, 1)."""
        values = self._action_values(state)
        if values is not None:
            return self._boltzmann(values, state, draws)
        return self._from_reference(state, state.text_lengths[:, None], draws)

    def _whole_text(self, people: Transition, draws: FloatArray) -> IntArray:
        """Returns what n demonstrators write from the prompt, (n, T), from as many draws; mind where they end."""
        places = np.arange(draws.shape[1])
        texts = np.zeros(draws.shape, np.int64)
        state = people.with_texts(texts, np.zeros(len(people), np.int64))
        if self._action_values(state) is None:
            return self._from_reference(people, places, draws)
        for place in places:
            texts[:, place] = self._next_token(state, draws[:, place, None])[:, 0]
            state = people.with_texts(texts, np.full(len(people), place + 1))
        return texts

    def _action_values(self, state: Transition) -> FloatArray | None:
        task = self.metric.task
        return None if task.max_reply_tokens else task.action_values(state)

    def _boltzmann(self, values: FloatArray, state: Transition, draws: FloatArray) -> IntArray:
        """Returns tokens, (n, m), drawn for action values (n, V) by inverting the distribution function."""
        allowed = self.metric.task.allowed_tokens(state)
        logits = np.where(allowed, self.beta * values, -np.inf)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = (1.0 - self.lapse) * weights / weights.sum(axis=1, keepdims=True)
        chances += self.lapse * allowed / allowed.sum(axis=1, keepdims=True)
        below = np.cumsum(chances, axis=1)
        below /= below[:, -1:]
        tokens: IntArray = (below[:, None, :] < draws[:, :, None]).sum(axis=2)
        return tokens

    def _from_reference(self, state: Transition, places: IntArray, draws: FloatArray) -> IntArray:
        """Returns what m demonstrators write in those places (n, m), or (m,), of the rows, from as many draws.

        Where there is no reference, that is -1.
        """
        vocabulary = self.metric.task.vocabulary
        references = _ended_references(state.prompt_set, vocabulary)
        tokens = references[state.samples[:, None], np.minimum(places, references.shape[1] - 1)]
        if self.lapse:
            writable = np.flatnonzero(vocabulary.writable)
            random = writable[(np.minimum(draws / self.lapse, 1.0 - 1e-9) * len(writable)).astype(np.int64)]
            tokens = np.where(draws < self.lapse, random, tokens)
        shown = np.where((state.reference_lengths > 0)[:, None], tokens, _NOTHING)
        return np.broadcast_to(shown, draws.shape).astype(np.int64)


def _before(transition: Transition) -> Transition:
    """Returns the record of the same rows before they wrote their last token."""
    unfinished = np.zeros(len(transition), np.bool_)
    steps = transition.steps
    return replace(transition, steps=steps - 1, lengths=transition.lengths - 1, text_lengths=steps, finished=unfinished)
