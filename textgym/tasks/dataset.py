"""Dataset: write what a data set of one's own, or a well-known one, wants for its prompts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.sentiment import Sentiment
from textgym.registration import build
from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.dataset_prompts import make_prompt_sets, train_texts
from textgym.tasks.parts.dataset_reader import Reader
from textgym.tasks.parts.dataset_settings import Data, settle
from textgym.tasks.parts.dataset_tokenizer import make_tokens
from textgym.transition import Transition
from textgym.types import FloatArray, Spec


class Dataset(Task):
    """Write what a data set has for a prompt: rows of a file of your own, or of a data set on Hugging Face's hub.

    Example: prompt `What is the symbol of gold?`, reference `The symbol of gold is Au.`

    Each row becomes a prompt and a reference by templates with its columns in braces: `"Summarize: {article}"`. A dot
    goes into nested columns, `{translation.en}`; of a list, `{answers.text}`, the first entry counts; `{text:0:8}` are
    the first eight words of a column, `{text:8:}` the others. Files are read as plain data, line by line: nothing in
    them is executed. Without arguments there are 472 questions about the chemical elements, which come along.

    A malformed row is an error that names file, line and column; with `on_error="skip"` it is left out, counted, and
    told in a warning. `counts` says what became of all rows. Rows that say nothing where a template has a column are
    `empty`. The splits that the data lack are taken from train by a hash of each row's content, an eighth each. A row
    whose tokens are in two splits stays in test before validation, and in validation before train; the other is
    `repeated`. The rows are held as tokens in memory, `4 * (max_prompt + max_reference)` bytes each at most.

    A preset names the columns, the prompt, the lengths and the metrics that people use for a well-known data set, and
    fetches it from Hugging Face's hub, for which it takes the package `datasets` and a network; none comes along. With
    `data`, it reads a copy of yours that has the same columns. `cnn_dailymail` and `tldr` are summaries by ROUGE-L,
    `multi30k` and `wmt` translations from English to German by BLEU (gold: chrF), `squad` answers by exact match and F1
    of words with the first answer given, `imdb` reviews that go on positively and `sst2` sentences that sound as they
    shall, by VADER; `glue/cola`, `glue/mnli`, `glue/mrpc`, `glue/qnli`, `glue/qqp`, `glue/rte`, `glue/sst2` and
    `glue/wnli` are labels as words, by exact match.

    Gold is a metric: the preset's, else chrF with precision and recall weighing the same. The default feedback is the
    preset's metrics, else gold itself. Where `mood` says how each text shall sound, the signal `"mood"` is the metric
    `sentiment`, turned round where that is negative.

    A low score with a high one on train prompts means that the policy learnt the rows by heart; `textgym describe`
    shows whether prompts or references were cut so short that nobody could do better.

    Args:
        data: a file (`.jsonl`, `.csv`, `.parquet`), a list of files, files by split, `{"train": ..., "test": ...}`, or
            the name or folder of a data set that `datasets.load_dataset` loads. A process reads it once.
        preset: one of those above. What is given beside it counts more.
        config: which configuration of a data set on the hub.
        splits: what the splits are called there: `{"train": "train", "test": "validation"}`.
        prompt: the template of prompts. Default: the column `prompt`.
        reference: the template of references; `""` for none. Default: the column `reference`.
        columns: what a template may call columns, `{"prompt": "question", "reference": "answers.text"}`.
        labels: the words for a column's numbers from 0 on, `{"label": ["negative", "positive"]}`.
        mood: a template that says `positive` or `negative`.
        filter: what columns must hold, `{"language": "en", "stars": [4, 5]}`; other rows are left out.
        split_by: a template; rows that say the same come into the same split, where the data have no splits. Default:
            the prompt and the reference.
        size: the most rows of each split, the first ones; reading stops when all are full.
        tokenizer: `"bpe"`, pairs of bytes learnt from the first 50 million characters of the train split; `"bytes"`;
            or a `tokenizer.json`, a folder with one, or a model on the hub, whose token i is then token i + 3.
        vocabulary_size: the most tokens that `"bpe"` learns, 259 to 65,536.
        max_prompt: the most tokens of a prompt, its separator included.
        max_reference: the most tokens of a reference; the agent may write one token more.
        truncation: of what is longer, cut off the `"end"`, or the `"start"` of the prompt and the end of the
            reference; or `"drop"` the row.
        on_error: `"raise"` or `"skip"` malformed rows.
        gold: the name or spec of a metric of finished texts, with values in [0, 1].

    Attributes:
        counts: how many rows were `read`; of these `malformed`, `filtered`, `empty`, `beyond size`, `dropped` for
            their length, `repeated` in another split, and `kept`; and of the kept ones `cut prompts` and `cut
            references`.

    Version history: v0, the first.
    """

    def __init__(
        self,
        data: Data | None = None,
        preset: str | None = None,
        config: str | None = None,
        splits: Mapping[str, str] | None = None,
        prompt: str | None = None,
        reference: str | None = None,
        columns: Mapping[str, str] | None = None,
        labels: Mapping[str, Sequence[str]] | None = None,
        mood: str | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  # what everybody calls it
        split_by: str | None = None,
        size: int | None = None,
        tokenizer: str | None = None,
        vocabulary_size: int | None = None,
        max_prompt: int | None = None,
        max_reference: int | None = None,
        truncation: Literal["end", "start", "drop"] | None = None,
        on_error: Literal["raise", "skip"] | None = None,
        gold: Spec | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in ("self", "preset", "__class__")}
        self.settings = settings = settle(preset, given)
        reader = Reader(settings)
        tokens = make_tokens(settings.tokenizer, lambda: train_texts(reader, settings), settings.vocabulary_size)
        self.vocabulary = tokens.vocabulary
        self._made, self.counts = make_prompt_sets(reader, tokens, settings)
        if reader.faults:
            shown = "\n  ".join(reader.faults)
            warnings.warn(
                f"{self.counts['malformed']:,} of {self.counts['read']:,} rows were malformed and left out:\n  {shown}",
                stacklevel=2,
            )
        empty = [split for split in SPLITS if not len(self._made[split])]
        if empty:
            told = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
            raise ValueError(
                f"no rows for the split {empty[0]} ({told}): give more rows, or files by split, such as "
                f'data={{"train": ..., "validation": ..., "test": ...}}'
            )
        self.max_new_tokens = settings.max_reference + 1
        self._sentiment = Sentiment(self)
        if settings.mood:
            self.signals = {"mood": self.mood}
        chosen: Spec = settings.gold or {"name": "chrf", "beta": 1.0}
        self.default_feedback = settings.feedback or (chosen,)
        self._gold: Metric = build("metrics", chosen, self)
        if self._gold.timing != "episode" or self._gold.low < 0 or self._gold.high > 1:
            raise ValueError(f"gold must be a metric of finished texts with values in [0, 1], got {chosen!r}")

    def make_prompt_set(self, split: str) -> PromptSet:
        return self._made[split]

    def gold(self, transition: Transition) -> FloatArray:
        return self._gold.score(transition)

    def mood(self, transition: Transition) -> FloatArray:
        """Returns the metric `sentiment`, or one minus it where the text shall sound negative, (n,), in [0, 1]."""
        positive = np.asarray(transition.prompt_set.data["positive"])[transition.samples]
        sentiment = self._sentiment.score(transition)
        return np.where(positive, sentiment, 1 - sentiment)
