"""Reading data: the texts of records, or of rows that somebody wrote, as the tokens of an environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from agents.data.texts import Texts
from agents.data.transcripts import play_texts
from textgym.dataset.comparisons import Written
from textgym.dataset.records import Record
from textgym.tasks.base import Task

Words = str | Sequence[int]
"""A text as a string or as token ids."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Reader:
    """Turns texts into the tokens of a task.

    A record's texts are taken token by token as they were written, and its prompt from the prompt set; strings are
    encoded, and get an end token where the budget has room for it.

    Args:
        task: the task.
        max_new_tokens: the budget of a text, in tokens; what exceeds it is cut.
    """

    task: Task
    max_new_tokens: int

    def texts(self, written: Sequence[Written]) -> Texts:
        """Returns texts of records after their prompts; where the task answers, with its answers between the turns.

        Raises:
            ValueError: if a record is of another environment, or a text can't be spelled; the message names it.
        """
        texts = self.tokens(written)
        if self.task.max_reply_tokens:
            return self._played(written, texts)
        prompts = [self.prompt(text.record) for text in written]
        return Texts.of_tokens(prompts, texts, pad_id=self.task.vocabulary.pad_id)

    def tokens(self, written: Sequence[Written]) -> list[list[int]]:
        """Returns texts of records as token ids, with their end tokens; the errors are those of `texts`."""
        for number, text in enumerate(written):
            self._check(text.record, number)
        names = [f"text {number} (sample {text.record.sample})" for number, text in enumerate(written)]
        return [
            self.encode(text.words, name, closed=False)[: self.max_new_tokens]
            for text, name in zip(written, names, strict=True)
        ]

    def rows(self, rows: Iterable[Row], *columns: str) -> tuple[list[list[int]], list[list[list[int]]]]:
        """Returns the prompts of n rows, and for each row the texts in its columns, one after the other.

        Args:
            rows: the rows; a `prompt` is a string or token ids without the separator, a text is a string or token ids
                with its end token, and a column may hold a list of texts.
            columns: the columns beside `prompt`.

        Raises:
            ValueError: if a row lacks a column or holds something else, a text can't be spelled, or the task answers
                the agent, since rows don't have the answers; the message names the row.
        """
        if self.task.max_reply_tokens:
            raise ValueError("rows have no answers of the other side: give a FeedbackDataset or records of one")
        prompts, texts = [], []
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping) or not {"prompt", *columns} <= row.keys():
                raise ValueError(f"row {number} must have {', '.join(('prompt', *columns))}, got {row!r:.80}")
            prompt = self.encode(row["prompt"], f"the prompt of row {number}", closed=True)
            prompts.append([*prompt, self.task.vocabulary.separator_id])
            texts.append(
                [
                    self.encode(text, f"{column} of row {number}", closed=False)[: self.max_new_tokens]
                    for column in columns
                    for text in (row[column] if _is_list_of_texts(row[column]) else [row[column]])
                ]
            )
        return prompts, texts

    def plain(self, texts: Iterable[Words]) -> list[list[int]]:
        """Returns the token ids of texts that have no prompt, without end tokens; empty strings are left out."""
        filled = ((number, text) for number, text in enumerate(texts) if not isinstance(text, str) or text.strip())
        return [self.encode(text, f"text {number}", closed=True) for number, text in filled]

    def prompt(self, record: Record) -> list[int]:
        """Returns the tokens of a record's prompt, the separator included."""
        prompts = self.task.prompt_set(record.source.split)
        ids: list[int] = prompts.prompt_ids[record.sample, : prompts.prompt_lengths[record.sample]].tolist()
        return ids

    def _check(self, record: Record, number: int) -> None:
        if record.source.fingerprint != self.task.fingerprint:
            raise ValueError(
                f"text {number} (sample {record.sample}, {record.prompt!r:.40}) was written in {record.source.env_id} "
                f"with the fingerprint {record.source.fingerprint}, but this environment's is {self.task.fingerprint}: "
                "make the environment with the same arguments, or give rows of plain text"
            )
        size = len(self.task.prompt_set(record.source.split))
        if not 0 <= record.sample < size:
            raise ValueError(f"text {number}: sample must be 0 to {size - 1}, got {record.sample}")

    def encode(self, words: Words, name: str, *, closed: bool) -> list[int]:
        """Returns the tokens of a text.

        Args:
            words: a string, or token ids, which stay as they are.
            name: what errors call it.
            closed: whether an end token is out of place; else a string gets one.

        Raises:
            ValueError: if it is empty, can't be spelled, or is something else.
        """
        vocabulary = self.task.vocabulary
        if isinstance(words, str):
            try:
                tokens = vocabulary.encode(words) if closed else self.task.encode_text(words)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            tokens = tokens if closed else [*tokens, vocabulary.end_id]
        else:
            tokens = [*words] if isinstance(words, Sequence) else []
            if any(isinstance(token, bool) or not isinstance(token, int | np.integer) for token in tokens):
                tokens = []
            wrong = [token for token in tokens if not 0 <= token < len(vocabulary)]
            if wrong:
                raise ValueError(f"{name} has the token {wrong[0]}, but there are {len(vocabulary)}")
        if not tokens:
            raise ValueError(f"{name} must be a string or token ids, and not empty, got {words!r:.60}")
        return tokens

    def _played(self, written: Sequence[Written], texts: Sequence[list[int]]) -> Texts:
        """Returns texts between whose turns the other side says what it said in the record's row."""
        records = [text.record for text in written]
        splits = np.array([record.source.split for record in records])
        width = self.task.max_prompt_tokens + self.max_new_tokens + self.task.max_reply_tokens
        tokens = np.full((len(records), width), self.task.vocabulary.pad_id, np.int64)
        replies, lengths = np.zeros(tokens.shape, np.bool_), np.zeros(len(records), np.int64)
        for split in dict.fromkeys(splits.tolist()):
            rows = np.flatnonzero(splits == split).tolist()
            of_split = [records[row] for row in rows]
            played = play_texts(
                self.task,
                split,
                [record.sample for record in of_split],
                [texts[row] for row in rows],
                seeds=[record.seed for record in of_split],
                episodes=[record.episode for record in of_split],
            )
            longest = int(played.lengths.max())
            tokens[rows, :longest], replies[rows, :longest] = played.tokens[:, :longest], played.replies[:, :longest]
            lengths[rows] = played.lengths
        prompt_lengths = np.array([len(self.prompt(record)) for record in records], np.int64)
        return Texts(torch.from_numpy(tokens), prompt_lengths, lengths, torch.from_numpy(replies))


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and not all(isinstance(one, int) for one in value)
