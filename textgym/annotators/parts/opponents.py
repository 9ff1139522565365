"""Opponents: what a text is compared with."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from textgym.component import Arrays, Component
from textgym.random import component_key, uniform
from textgym.tasks.base import SPLITS, PromptSet, Task, pad
from textgym.transition import Transition, once_per_transition
from textgym.types import BoolArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary

_BASELINE = component_key("opponents/baseline")

Against = str | Mapping[str, str]
"""`"reference"`, `"baseline"`, `"previous"`, or the path of a file of stored texts, `{"path": FILE}`."""


@dataclass(frozen=True, eq=False)
class Texts:
    """One text for each of S prompts: (S, W) token ids, (S,) lengths, and (S,) which prompts have one."""

    ids: IntArray
    lengths: IntArray
    known: BoolArray


class Opponent(Component, ABC):
    """Puts another text beside each text, for the same prompt, of W = the task's `max_new_tokens` tokens at most.

    Args:
        task: the task whose texts are compared.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def meet(self, transition: Transition) -> tuple[Transition, BoolArray]:
        """Returns the texts that n finished texts are compared with, and which of them have one, (n,).

        Where there is none, the text is empty. To be called once for each text.
        """


class OneForEachPrompt(Opponent):
    """One text for each prompt, always the same.

    Args:
        task: the task whose texts are compared.
        write: returns the texts for a prompt set of the task; called once for each, also by several annotators.
    """

    def __init__(self, task: Task, write: Callable[[PromptSet, Task], Texts]) -> None:
        super().__init__(task)
        self._write = write

    def meet(self, transition: Transition) -> tuple[Transition, BoolArray]:
        return _beside(transition, _written(self._write, transition.prompt_set, self.task))


@lru_cache(maxsize=16)
def _written(write: Callable[[PromptSet, Task], Texts], prompts: PromptSet, task: Task) -> Texts:
    return write(prompts, task)


@once_per_transition
def _beside(transition: Transition, texts: Texts) -> tuple[Transition, BoolArray]:
    """Returns each text's opponent, and which have one, (n,): for all annotators who compare with the same."""
    samples = transition.samples
    return transition.with_texts(texts.ids[samples], texts.lengths[samples]), texts.known[samples]


class Previous(Opponent):
    """The row's last text for the same prompt, of those that it was asked about; the first of them has no opponent."""

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"sample": np.array(-1), "length": np.array(0), "ids": np.zeros(self.task.max_new_tokens, np.int64)}

    def meet(self, transition: Transition) -> tuple[Transition, BoolArray]:
        rows, state = transition.rows, self.state
        known = state["sample"][rows] == transition.samples
        opponent = transition.with_texts(state["ids"][rows], np.where(known, state["length"][rows], 0))
        state["ids"][rows], state["length"][rows] = _fit(transition.text_ids, transition.text_lengths, self.task)
        state["sample"][rows] = transition.samples
        return opponent, known


def make_opponent(against: Against, task: Task) -> Opponent:
    """Returns the opponent that a spec names.

    `"baseline"` is a text from a bigram model of the train split's references, always the same for a prompt. The file
    of `{"path": FILE}` is JSONL, one {"prompt": str, "completion": str} a line, with prompts as the vocabulary decodes
    them. A prompt without a reference, or that is not in the file, has no opponent.

    Raises:
        ValueError: if there is no such opponent, the task lacks what it needs, or a file is not as it should be.
    """
    if isinstance(against, Mapping) and set(against) == {"path"}:
        completions = _read(against["path"], task)
        if not any(known.any() for known in (_stored(completions, task.prompt_set(s), task).known for s in SPLITS)):
            raise ValueError(
                f"none of the {len(completions)} prompts in {against['path']} is one of the task {type(task).__name__}"
            )
        return OneForEachPrompt(task, partial(_stored, completions))
    if against == "previous":
        return Previous(task)
    if against not in ("reference", "baseline"):
        raise ValueError(f'against must be reference, baseline, previous or {{"path": FILE}}, got {against!r}')
    if not task.prompt_set("train").reference_lengths.any():
        raise ValueError(f"against {against!r} needs references, and the task {type(task).__name__} has none")
    return OneForEachPrompt(task, _references if against == "reference" else _baselines)


def _references(prompts: PromptSet, task: Task) -> Texts:
    return Texts(*_fit(prompts.reference_ids, prompts.reference_lengths, task), prompts.reference_lengths > 0)


def _baselines(prompts: PromptSet, task: Task) -> Texts:
    """Draws texts from the unsmoothed bigram model, p(w | v) = c(v w) / c(v): each w followed v in some reference."""
    vocabulary, width = task.vocabulary, task.max_new_tokens
    after, first, count = _successors(task.prompt_set("train"), vocabulary)
    ids = np.full((len(prompts), width), vocabulary.pad_id, np.int64)
    lengths = np.zeros(len(prompts), np.int64)
    writing, last = np.arange(len(prompts)), np.full(len(prompts), vocabulary.separator_id)
    for step in range(width):
        chance = uniform(int(prompts.fingerprint, 16), _BASELINE, writing, step, 0)
        last = after[first[last] + (chance * count[last]).astype(np.int64)]
        goes_on = last != len(vocabulary)
        writing, last = writing[goes_on], last[goes_on]
        ids[writing, step] = last
        lengths[writing] += 1
    return Texts(ids, lengths, np.ones(len(prompts), np.bool_))


def _successors(prompts: PromptSet, vocabulary: Vocabulary) -> tuple[IntArray, IntArray, IntArray]:
    """Returns all that follows any token in the references, by that token; and for each where and how much, (V,).

    The end of a reference is V, since the end token may close no more than a turn.
    """
    lengths = prompts.reference_lengths
    framed = np.pad(prompts.reference_ids.astype(np.int64), ((0, 0), (1, 1)))
    framed[:, 0] = vocabulary.separator_id
    framed[np.arange(len(framed)), lengths + 1] = len(vocabulary)
    pairs = np.arange(framed.shape[1] - 1) <= lengths[:, None]
    before, after = framed[:, :-1][pairs], framed[:, 1:][pairs]
    count = np.bincount(before, minlength=len(vocabulary))
    return after[np.argsort(before, kind="stable")], np.cumsum(count) - count, count


def _stored(completions: Mapping[str, list[int]], prompts: PromptSet, task: Task) -> Texts:
    spelled = zip(prompts.prompt_ids, prompts.prompt_lengths, strict=True)
    found = [completions.get(task.vocabulary.decode(ids[:length])) for ids, length in spelled]
    known = np.array([completion is not None for completion in found])
    return Texts(*_fit(*pad([completion or () for completion in found], task.vocabulary.pad_id), task), known)


def _read(path: str, task: Task) -> dict[str, list[int]]:
    """Returns the token ids of the text that a file has for each prompt."""
    completions: dict[str, list[int]] = {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read the stored texts: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or not all(
                isinstance(record.get(k), str) for k in ("prompt", "completion")
            ):
                raise ValueError('expected {"prompt": str, "completion": str}')
            if record["prompt"] in completions:
                raise ValueError("there is a text for this prompt already")
            completions[record["prompt"]] = task.encode_text(record["completion"])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return completions


def _fit(ids: IntArray | TokenArray, lengths: IntArray | TokenArray, task: Task) -> tuple[IntArray, IntArray]:
    """Returns texts, (n, T) and (n,), as (n, W) with padding behind them, and their lengths, (n,)."""
    kept = np.minimum(lengths, task.max_new_tokens).astype(np.int64)
    fitted = np.full((len(ids), task.max_new_tokens), task.vocabulary.pad_id, np.int64)
    used = np.arange(min(ids.shape[1], task.max_new_tokens)) < kept[:, None]
    fitted[:, : used.shape[1]][used] = ids[:, : used.shape[1]][used]
    return fitted, kept
