"""The record that metrics and annotators see: rows that have just written a token, or finished a text."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import numpy as np

from textgym.types import BoolArray, IntArray, TokenArray
from textgym.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textgym.tasks.base import PromptSet

_Computed = TypeVar("_Computed")
_Arguments = ParamSpec("_Arguments")


class Rows(NamedTuple):
    """Some rows (n,) of a wide array, not gathered yet."""

    array: IntArray
    places: IntArray

    def part(self, places: IntArray | BoolArray) -> Rows:
        """Returns some of the rows, by their place among these."""
        return Rows(self.array, self.places[places])


class _Gathered:
    """A field that is given as an array or as `Rows` of one, which are gathered when they are first looked at.

    Long texts make wide arrays, and a step looks at few of their rows.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.key = f"_{name}"

    def __get__(self, transition: Transition | None, owner: type) -> IntArray:
        if transition is None:
            raise AttributeError  # which tells the dataclass that there is no default
        given = vars(transition)[self.key]
        if isinstance(given, Rows):
            given = vars(transition)[self.key] = given.array[given.places]
        array: IntArray = given
        return array

    def __set__(self, transition: Transition, given: IntArray | Rows) -> None:
        vars(transition)[self.key] = given


@dataclass(frozen=True)
class Transition:
    """n rows, each with its prompt, what has been written, and the token just written.

    The arrays may be views of the simulator's own: read them, never write to them, and copy what you keep.

    Attributes:
        prompt_set: the prompts and references of the split.
        rows: (n,) the number of each row in its simulator, which is where a component keeps that row's state.
        samples: (n,) the number of each row's prompt in the prompt set.
        episodes: (n,) how many texts the row had finished before this one.
        steps: (n,) the number of the token just written, from 0.
        actions: (n,) the token just written.
        input_ids: (n, L) the prompt and all that followed, right padded.
        lengths: (n,) the tokens in use of each row of `input_ids`.
        text_ids: (n, T) what the agent wrote, right padded with anything: mind `text_lengths`.
        text_lengths: (n,) the tokens in use of each row of `text_ids`, without the end token that closes the text.
        finished: (n,) whether the text is complete.
        group_size: how many texts in a row each row writes for the same prompt.
    """

    prompt_set: PromptSet
    rows: IntArray
    samples: IntArray
    episodes: IntArray
    steps: IntArray
    actions: IntArray
    input_ids: _Gathered = _Gathered()  # no default, although mypy takes it for one
    lengths: IntArray  # type: ignore[misc]
    text_ids: _Gathered = _Gathered()
    text_lengths: IntArray  # type: ignore[misc]
    finished: BoolArray  # type: ignore[misc]
    group_size: int = 1
    _computed: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def before(cls, prompt_set: PromptSet, samples: IntArray) -> Transition:
        """Returns the record of a row for each of the samples, (n,), of which nothing is written yet."""
        count = len(samples)
        nothing = np.zeros(count, np.int64)
        return cls(
            prompt_set,
            rows=np.arange(count),
            samples=np.asarray(samples, np.int64),
            episodes=nothing,
            steps=nothing,
            actions=nothing,
            input_ids=prompt_set.prompt_ids[samples].astype(np.int64),
            lengths=prompt_set.prompt_lengths[samples].astype(np.int64),
            text_ids=np.zeros((count, 0), np.int64),
            text_lengths=nothing,
            finished=np.zeros(count, np.bool_),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: IntArray | BoolArray) -> Transition:
        """Returns the record of some of the rows, by their place in this one, (r,)."""
        parts: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Rows | np.ndarray):
                parts[name.removeprefix("_")] = value.part(rows) if isinstance(value, Rows) else value[rows]
        return replace(self, **parts)

    def only_finished(self) -> Transition:
        """Returns the record of the rows whose text is finished: the same one whenever it is asked for."""
        return self if self.finished.all() else _finished_part(self)

    def with_texts(self, text_ids: IntArray | TokenArray, text_lengths: IntArray | TokenArray) -> Transition:
        """Returns the record of the same rows as if they had just finished other texts, (n, T) and (n,)."""
        prompts = self.prompt_set.prompt_ids[self.samples]
        lengths = self.prompt_set.prompt_lengths[self.samples].astype(np.int64)
        width = text_ids.shape[1]
        input_ids = np.zeros((len(self), prompts.shape[1] + width), np.int64)
        input_ids[:, : prompts.shape[1]] = prompts
        rows, places = np.nonzero(np.arange(width) < text_lengths[:, None])
        input_ids[rows, lengths[rows] + places] = text_ids[rows, places]
        return replace(
            self,
            steps=np.asarray(text_lengths, np.int64),
            actions=np.full(len(self), Vocabulary.end_id),
            input_ids=input_ids,
            lengths=lengths + text_lengths,
            text_ids=np.asarray(text_ids, np.int64),
            text_lengths=np.asarray(text_lengths, np.int64),
            finished=np.ones(len(self), np.bool_),
        )

    @property
    def text_mask(self) -> BoolArray:
        """Which places of `text_ids` are in use, (n, T)."""
        return np.arange(self.text_ids.shape[1]) < self.text_lengths[:, None]

    @property
    def reference_ids(self) -> TokenArray:
        """The reference of each row, (n, R), right padded."""
        return self.prompt_set.reference_ids[self.samples]

    @property
    def reference_lengths(self) -> TokenArray:
        """The length of each row's reference, (n,)."""
        return self.prompt_set.reference_lengths[self.samples]


def once_per_transition(
    compute: Callable[Concatenate[Transition, _Arguments], _Computed],
) -> Callable[Concatenate[Transition, _Arguments], _Computed]:
    """Decorates a function of a transition and of hashable arguments: its result is kept for the next who asks.

    The metrics and annotators of an environment see the same transition, and many need the same of it. An array is made
    read-only: what is shared must not change.
    """

    @wraps(compute)
    def remembered(transition: Transition, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Computed:
        key = compute, args, tuple(kwargs.items())
        known = transition._computed
        if key not in known:
            computed = known[key] = compute(transition, *args, **kwargs)
            if isinstance(computed, np.ndarray):
                computed.flags.writeable = False
        result: _Computed = known[key]
        return result

    return remembered


@once_per_transition
def _finished_part(transition: Transition) -> Transition:
    return transition[np.flatnonzero(transition.finished)]
