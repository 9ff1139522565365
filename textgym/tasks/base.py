"""The base of all tasks: prompts, references, and what is truly wanted."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from textgym.random import Address
from textgym.transition import Transition
from textgym.turns import read_turns, split_turns
from textgym.types import BoolArray, FloatArray, IntArray, Spec, TokenArray
from textgym.vocabulary import Vocabulary

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class PromptSet:
    """The finite set of prompts of one split, tokenised once and shared by all rows; the arrays are read-only.

    Attributes:
        prompt_ids: (S, P) prompts, right padded, each ending with the separator.
        prompt_lengths: (S,) their lengths.
        reference_ids: (S, R) references, right padded, without an end token.
        reference_lengths: (S,) their lengths; zero where a sample has no reference.
        data: what else the task knows of each sample, as sequences of length S.
    """

    prompt_ids: TokenArray
    prompt_lengths: TokenArray
    reference_ids: TokenArray
    reference_lengths: TokenArray
    data: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (self.prompt_ids, self.prompt_lengths, self.reference_ids, self.reference_lengths):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.prompt_lengths)

    @classmethod
    def from_tokens(
        cls,
        prompts: Sequence[Sequence[int]],
        references: Sequence[Sequence[int]],
        vocabulary: Vocabulary,
        data: Mapping[str, Sequence[Any]] | None = None,
    ) -> PromptSet:
        """Builds the arrays from lists of token ids; the separator is put at the end of each prompt."""
        ended = [[*prompt, vocabulary.separator_id] for prompt in prompts]
        prompt_ids, prompt_lengths = pad(ended, vocabulary.pad_id)
        reference_ids, reference_lengths = pad(references, vocabulary.pad_id)
        return cls(prompt_ids, prompt_lengths, reference_ids, reference_lengths, data or {})

    @cached_property
    def fingerprint(self) -> str:
        """The hash of all tokens, 16 hexadecimal digits."""
        digest = hashlib.blake2b(digest_size=8)
        for array in (self.prompt_ids, self.prompt_lengths, self.reference_ids, self.reference_lengths):
            digest.update(
                np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            )  # not a copy of what may be large
        return digest.hexdigest()


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[TokenArray, TokenArray]:
    """Returns ragged rows as one right-padded array, (S, longest), and their lengths, (S,)."""
    lengths = np.array([len(row) for row in rows], np.int32)
    padded = np.full((len(rows), int(lengths.max(initial=0))), pad_id, np.int32)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded, lengths


class Task(ABC):
    """Makes prompts and references, and knows the score of what is truly wanted.

    A task keeps no state of a row: one instance serves all environments of a process that ask for the same one.

    Attributes:
        vocabulary: the tokens.
        max_new_tokens: the default budget of tokens that the agent may write.
        max_reply_tokens: how many tokens the other side may write in all; 0 where nobody answers.
        fixed_length: whether every text uses up the budget, because the end token ends none.
        default_feedback: the signals of an environment that names none.
        default_noise: the noise on the sum of an environment that names none.
        presets: arguments by difficulty, `"easy"`, `"medium"` and `"hard"`, where the task has them.
        swept: the argument that makes it harder, where one is singled out to be swept.
        signals: scores of finished texts, (n,) in [0, 1], that the task knows beside gold, by name; the metric
            `task_signal` pays them.
        counts: what became of the raw material, by name, where the task is made from some.
        optimal_return: the highest expected gold return, where it is known.
        random_return: the expected gold return of uniformly random writable tokens, where it is known.
    """

    vocabulary: Vocabulary
    max_new_tokens: int
    max_reply_tokens: int = 0
    fixed_length: ClassVar[bool] = False
    default_feedback: Sequence[Spec] = ()
    default_noise: Sequence[Spec] = ()
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    swept: ClassVar[str | None] = None
    signals: Mapping[str, Callable[[Transition], FloatArray]] = {}
    counts: Mapping[str, int] = {}
    optimal_return: float | None = None
    random_return: float | None = None

    @abstractmethod
    def make_prompt_set(self, split: str) -> PromptSet:
        """Makes the prompts of one of `SPLITS`; the splits differ in content."""

    @abstractmethod
    def gold(self, transition: Transition) -> FloatArray:
        """Returns the true score of finished texts, (n,), in [0, 1]."""

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        """Returns the tokens that may come next, (n, V).

        `transition.text_lengths` counts the tokens written so far; before the first, `actions` means nothing. An array
        that owns its memory is handed out as it is, a view or a read-only one is copied.
        """
        return np.broadcast_to(self.vocabulary.writable, (len(transition), len(self.vocabulary)))

    def action_values(self, transition: Transition) -> FloatArray | None:
        """Returns the optimal action values of each next token under gold, Q* (n, V), or None where they are not known.

        The value of a token is the expected gold of a text that goes on with it and is finished as well as can be;
        tokens that are not allowed have one too. The transition is as in `allowed_tokens`, and the budget is the
        width of `text_ids`. Demonstrators ask tasks in which nobody answers the agent.
        """
        return None

    def reply(self, transition: Transition, address: Address) -> tuple[TokenArray, TokenArray]:
        """Answers rows whose agent has ended its turn: right-padded tokens (n, A) and their lengths (n,).

        A reply ends with the separator, as a prompt does, and has no other; one of length 0 ends the text. Only called
        where `max_reply_tokens` is positive.
        """
        raise NotImplementedError

    def decode_text(self, ids: Sequence[int] | IntArray) -> str:
        """Returns what an agent wrote, without special tokens; where the task answers, one line for each turn."""
        turns = split_turns(ids) if self.max_reply_tokens else [ids]
        return "\n".join(self.vocabulary.decode(turn) for turn in turns)

    def decode_transcript(self, ids: Sequence[int] | IntArray) -> str:
        """Returns all that followed a prompt as a string; where the task answers, each line says whose turn it is."""
        if not self.max_reply_tokens:
            return self.vocabulary.decode(ids)
        lines = ((turn.by_agent, self.vocabulary.decode(turn.ids)) for turn in read_turns(ids))
        return "\n".join(f"{'agent' if by_agent else 'user'}: {words}" for by_agent, words in lines)

    def encode_text(self, text: str) -> list[int]:
        """Returns the token ids of such a string, with end tokens between its turns and none behind the last.

        Raises:
            ValueError: if the vocabulary cannot spell it.
        """
        turns = text.split("\n") if self.max_reply_tokens else [text]
        return [token for turn in turns for token in (*self.vocabulary.encode(turn), self.vocabulary.end_id)][:-1]

    def prompt_set(self, split: str) -> PromptSet:
        """Returns the prompts of a split, made on first use.

        Raises:
            ValueError: if the split is unknown or has no prompts.
        """
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if split not in self._prompt_sets:
            made = self.make_prompt_set(split)
            if not len(made):
                raise ValueError(f"the split {split!r} of {type(self).__name__} has no prompts: ask for a larger size")
            self._prompt_sets[split] = made
        return self._prompt_sets[split]

    @cached_property
    def _prompt_sets(self) -> dict[str, PromptSet]:
        return {}

    @cached_property
    def max_prompt_tokens(self) -> int:
        """The length of the longest prompt of all splits, so that every split has the same observation space."""
        return int(max(self.prompt_set(split).prompt_ids.shape[1] for split in SPLITS))

    @cached_property
    def fingerprint(self) -> str:
        """The hash of the vocabulary and of all splits, 16 hexadecimal digits: what results must share to compare."""
        digest = hashlib.blake2b("\0".join(self.vocabulary.tokens).encode(), digest_size=8)
        for split in SPLITS:
            digest.update(self.prompt_set(split).fingerprint.encode())
        return digest.hexdigest()
