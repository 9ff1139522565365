"""ReasoningGym: the problems of reasoning-gym, from arithmetic to puzzles, with its own scorers."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import tokenizers

from textgym.tasks.base import SPLITS, PromptSet, Task
from textgym.tasks.parts.byte_pair import (
    EVERY_BYTE,
    as_arrays,
    as_bytes,
    as_prompt_set,
    as_vocabulary,
    tokenise,
    train_tokenizer,
)
from textgym.tasks.parts.corpus_cache import Arrays, cached
from textgym.tasks.parts.reasoning_problems import (
    as_literal,
    draw,
    from_literal,
    make_dataset,
    reference,
    split_problems,
    versions,
)
from textgym.tasks.parts.reasoning_scorers import score
from textgym.transition import Transition, once_per_transition
from textgym.types import FloatArray
from textgym.vocabulary import SPECIAL_TOKENS

_FORMAT = 1  # counts the changes in how problems are drawn and kept
_BYTES = len(EVERY_BYTE) + len(SPECIAL_TOKENS)

_read = lru_cache(maxsize=4096)(from_literal)


class ReasoningGym(Task):
    """Solve problems of one of the hundred generators of reasoning-gym.

    Example: prompt `Spell this word backward (example: sun -> nus): nix`, text `xin`.

    The problems come from https://github.com/open-thought/reasoning-gym (`pip install "textgym[reasoning-gym]"`). Gold
    is what the data set's own scorer, `score_answer`, gives to the text, in [0, 1]; many give a part for a part. They
    see no text that they would execute, and none of the few that they pay in full by mistake. Seven data sets are left
    out; `textgym.tasks.parts.reasoning_scorers` says which, what is kept from which scorer, and why.

    No question comes twice; an eighth of them is test and an eighth validation, by their hashes.
    The tokens are a byte-level BPE of the train split, which spells any text. All is made on first use, in seconds
    (minutes where a problem is hard to make), and kept in the cache folder (`TEXTGYM_CACHE`, else `~/.cache/textgym`).
    Problems may differ between versions of reasoning-gym and between processes that make them, where it depends on the
    order of sets: compare results with equal `fingerprint` only.

    The default feedback is a rating of gold in five levels, with Gaussian noise.

    Args:
        dataset: the name of the generator; an unknown one is an error that lists all.
        level: the level of its curriculum, from 0; an attribute that has fewer levels stays at its highest. A data set
            without curriculum has level 0 only, its default configuration.
        config: fields of the data set's configuration that shall have another value, as in `{"max_word_len": 5}`.
        vocabulary_size: the most tokens, 259 (plain bytes: nothing is learnt) to 65,536.
        max_prompt: the most tokens of a prompt, its separator included, at least 2; problems with more are left out.
        size: how many problems are drawn for all splits, at least 8.

    Attributes:
        counts: how many problems were drawn, remained without repetitions, and fit.

    Version history: v0, the first.
    """

    presets: ClassVar = {"easy": {"level": 0}, "medium": {"level": 1}, "hard": {"level": 3}}
    swept = "level"
    default_feedback = ({"name": "rating", "metric": "gold", "levels": 5, "weight": 1.0},)
    default_noise = ({"name": "gaussian", "sigma": 0.1},)

    def __init__(
        self,
        dataset: str = "spell_backward",
        level: int = 0,
        config: Mapping[str, Any] | None = None,
        vocabulary_size: int = 512,
        max_prompt: int = 512,
        size: int = 2048,
    ) -> None:
        if not _BYTES <= vocabulary_size <= 65_536:
            raise ValueError(f"vocabulary_size must be {_BYTES} (plain bytes) to 65,536, got {vocabulary_size}")
        if max_prompt < 2 or size < 8:
            raise ValueError(f"max_prompt must be at least 2 and size at least 8, got {max_prompt} and {size}")
        self.dataset, self.level = dataset, level
        self._problems = make_dataset(dataset, level, config or {}, size)
        key = {
            "dataset": dataset,
            "level": level,
            "config": dict(config or {}),
            "vocabulary_size": vocabulary_size,
            "max_prompt": max_prompt,
            "size": size,
            "versions": {"format": _FORMAT, "python": sys.version, "tokenizers": tokenizers.__version__, **versions()},
        }
        self._arrays = cached("reasoning_gym", key, lambda: self._make(vocabulary_size, max_prompt))
        self.counts = json.loads(self._arrays["counts"].tobytes())
        self.vocabulary = as_vocabulary(self._arrays)
        self.max_new_tokens = 1 + max(self.prompt_set(split).reference_ids.shape[1] for split in SPLITS)

    def make_prompt_set(self, split: str) -> PromptSet:
        problems = json.loads(self._arrays[f"{split}_problems"].tobytes())
        return as_prompt_set(self._arrays, split, {"problem": problems})

    def gold(self, transition: Transition) -> FloatArray:
        return _gold(transition, self)

    def score(self, text: str, problem: str) -> float:
        """Returns what the scorer of the data set gives to a text, in [0, 1].

        Args:
            text: the text.
            problem: one of the prompt set's `data["problem"]`.
        """
        return score(self.dataset, self._problems, text, _read(problem))

    def _make(self, vocabulary_size: int, max_prompt: int) -> Arrays:
        """Draws the problems, and makes the tokenizer and the prompt sets of all splits, as arrays."""
        drawn = self._problems.size
        print(f"textgym: drawing {drawn:,} problems of {self.dataset}, once", file=sys.stderr, flush=True)
        splits = split_problems(draw(self._problems))
        texts = {
            split: [(problem["question"], reference(self.dataset, problem)) for problem in problems]
            for split, problems in splits.items()
        }
        tokenizer = train_tokenizer((text for pair in texts["train"] for text in pair), vocabulary_size, EVERY_BYTE)
        arrays, fitting = {"tokenizer": as_bytes(tokenizer.to_str())}, 0
        for split in SPLITS:
            questions, answers = ([pair[part] for pair in texts[split]] for part in (0, 1))
            prompt_set, fits = tokenise(tokenizer, questions, answers, max_prompt=max_prompt)
            if not fits:
                shortest = min((len(encoded.ids) + 1 for encoded in tokenizer.encode_batch(questions)), default=0)
                fault = f"fits in max_prompt={max_prompt} tokens: the shortest has {shortest}"
                few = f"is left: {drawn} that were drawn have too few different ones"
                raise ValueError(f"no {split} prompt of {self.dataset!r} {fault if questions else few}")
            arrays |= as_arrays(prompt_set, split)
            arrays[f"{split}_problems"] = as_bytes([as_literal(splits[split][number]) for number in fits])
            fitting += len(fits)
        unique = sum(map(len, splits.values()))
        return {**arrays, "counts": as_bytes({"drawn": drawn, "unique": unique, "fitting": fitting})}


@once_per_transition
def _gold(transition: Transition, task: ReasoningGym) -> FloatArray:
    problems = transition.prompt_set.data["problem"]
    rows = zip(transition.text_ids, transition.text_lengths, transition.samples, strict=True)
    return np.array(
        [task.score(task.vocabulary.decode(ids[:length]), problems[sample]) for ids, length, sample in rows]
    )
