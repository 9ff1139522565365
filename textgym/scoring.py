"""Scoring given texts: exactly what an environment would have paid for them."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from textgym.component import Arrays
from textgym.metrics.parts.references import once_per_prompt_set
from textgym.random import row_seeds
from textgym.registration import suggestion
from textgym.simulator import Simulator, StepResult
from textgym.tasks.base import PromptSet, pad
from textgym.types import BoolArray, FloatArray, IntArray
from textgym.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """What an environment pays for n texts, with k signals; those that score tokens are added up over the text.

    Prints the means over the texts.

    Attributes:
        names: (k,) the signals' labels.
        signals: (n, k) without noise.
        observed_signals: (n, k) after annotator, noise and correction.
        observed_mask: (n, k) which signals were observed.
        clean_return: (n,) the weighted sum of `signals`.
        observed_return: (n,) the weighted sum of `observed_signals` after the noise on the sum.
        reward: (n,) what an agent is paid in all, as the environment's argument `reward` has it.
        gold: (n,) the task's own score, in [0, 1].
        finish_reason: (n,) `"stop"`, `"length"` or `"unsafe"`.
        annotation: for each annotator what was said at the end of the text, as arrays whose first axis is the text;
            zero, or None where they are objects, for texts that nobody was asked about.
    """

    names: list[str]
    signals: FloatArray
    observed_signals: FloatArray
    observed_mask: BoolArray
    clean_return: FloatArray
    observed_return: FloatArray
    reward: FloatArray
    gold: FloatArray
    finish_reason: np.ndarray[Any, Any]
    annotation: dict[str, Arrays]

    def __repr__(self) -> str:
        means = {
            "clean_return": self.clean_return,
            "observed_return": self.observed_return,
            "reward": self.reward,
            "gold": self.gold,
            **dict(zip(self.names, self.signals.T, strict=True)),
        }
        told = ", ".join(f"{name} {values.mean():.3f}" for name, values in means.items())
        return f"Scores({len(self.gold):,} texts; means: {told})"

    @classmethod
    def blank(cls, n: int, names: list[str]) -> Scores:
        """Returns the scores of n texts before anything was paid."""
        k = len(names)
        return cls(
            names=names,
            signals=np.zeros((n, k)),
            observed_signals=np.zeros((n, k)),
            observed_mask=np.zeros((n, k), np.bool_),
            clean_return=np.zeros(n),
            observed_return=np.zeros(n),
            reward=np.zeros(n),
            gold=np.zeros(n),
            finish_reason=np.full(n, None, object),
            annotation={},
        )

    def add(self, texts: IntArray, result: StepResult, rows: IntArray) -> None:
        """Books what a step paid: `texts` (r,) are those that the `rows` (r,) of the simulator are writing."""
        for name in ("signals", "observed_signals"):
            getattr(self, name)[texts] += result.info[name][rows]
        self.observed_mask[texts] |= result.info["observed_mask"][rows]
        self.reward[texts] += result.reward[rows]
        ended = result.terminated[rows]
        texts, rows = texts[ended], rows[ended]
        if not len(rows):
            return
        for name in ("clean_return", "observed_return", "finish_reason"):
            getattr(self, name)[texts] = result.final[name][rows]
        self.gold[texts] = result.final["gold_return"][rows]
        for label, (fields, said) in result.annotation.items():
            kept = self.annotation.setdefault(label, {})
            asked = said[rows]
            for name, values in fields.items():
                if name not in kept:
                    blank = None if values.dtype == object else 0
                    kept[name] = np.full((len(self.reward), *values.shape[1:]), blank, values.dtype)
                kept[name][texts[asked]] = values[rows[asked]]


class Scorer:
    """An environment that is given texts instead of writing them; its annotators and noise go on from call to call.

    Args:
        env_id: the environment's id.
        num_rows: how many texts are written side by side, at least 1.
        seed: of the environment; that of row i is `row_seeds(seed, num_rows)[i]`.
        **env_arguments: the environment's arguments.
    """

    def __init__(self, env_id: str, num_rows: int, seed: int = 0, **env_arguments: Any) -> None:
        if num_rows < 1:
            raise ValueError(f"num_rows must be at least 1, got {num_rows}")
        env: Any = gymnasium.make_vec(
            env_id, num_envs=num_rows, vectorization_mode="vector_entry_point", **env_arguments
        )
        self.simulator: Simulator = env.unwrapped.simulator
        self.simulator.reseed(np.arange(num_rows), row_seeds(seed, num_rows))

    def score(
        self, prompts: Sequence[str | int], completions: Sequence[str | Sequence[int]], *, truncate: bool = False
    ) -> Scores:
        """Scores texts; see `score`. Where there are more texts than rows, each row writes several in turn."""
        _check_lists(prompts, completions)
        simulator = self.simulator
        samples = _samples(simulator, prompts)
        texts = [self._tokens(number, completion, truncate) for number, completion in enumerate(completions)]
        size = simulator.group_size
        if len(samples) % size or (samples.reshape(-1, size) != samples[::size, None]).any():
            raise ValueError(f"with group_size={size}, texts must come in runs of {size} for the same prompt")
        scores = Scores.blank(len(texts), simulator.signal_names)
        for first in range(0, len(texts), size * simulator.num_rows):
            for place in range(first, first + size):
                numbers = np.arange(place, min(first + size * simulator.num_rows, len(texts)), size)
                self._write(numbers, samples[numbers], [texts[number] for number in numbers], scores)
        return scores

    def _write(self, numbers: IntArray, samples: IntArray, texts: list[list[int]], scores: Scores) -> None:
        """Writes texts, (r,), in the first r rows, and end tokens after them until they are over."""
        simulator, rows = self.simulator, np.arange(len(numbers))
        end = simulator.vocabulary.end_id
        tokens, _ = pad(texts, end)
        simulator.start(rows, samples)
        for step in range(simulator.max_new_tokens):
            actions = np.full(simulator.num_rows, end, np.int64)
            if step < tokens.shape[1]:
                actions[rows] = tokens[:, step]
            scores.add(numbers, simulator.step(actions), rows)
            if not simulator.running.any():
                break

    def _tokens(self, number: int, completion: str | Sequence[int], truncate: bool) -> list[int]:
        vocabulary, most = self.simulator.vocabulary, self.simulator.max_new_tokens
        if isinstance(completion, str):
            try:
                tokens = self.simulator.task.encode_text(completion)
            except ValueError as error:
                raise ValueError(f"completion {number}: {error}") from error
        else:
            ids = np.asarray(completion)
            if ids.ndim != 1 or (len(ids) and ids.dtype.kind not in "iu"):
                raise ValueError(f"completion {number} must be a string or a list of token ids, got {completion!r:.80}")
            tokens = [int(token) for token in ids]
            wrong = [t for t in tokens if not 0 <= t < len(vocabulary) or not vocabulary.writable[t]]
            if wrong:
                raise ValueError(f"completion {number}: {wrong[0]} is not a token that can be written")
        if len(tokens) > most and not truncate:
            raise ValueError(
                f"completion {number} has {len(tokens)} tokens, more than max_new_tokens={most}: make it shorter, "
                f"pass a larger max_new_tokens, or cut it with truncate=True"
            )
        return tokens[:most]


def score(
    env_id: str,
    prompts: Sequence[str | int],
    completions: Sequence[str | Sequence[int]],
    *,
    seed: int = 0,
    truncate: bool = False,
    **env_arguments: Any,
) -> Scores:
    """Scores texts with every signal of an environment, exactly as if an agent had written them in it.

    Text i is the first that row i writes after `reset(seed=seed, options={"sample": ...})`. With `group_size=K`, texts
    come in runs of K for the same prompt, and run j is written by row j.

    Args:
        env_id: the environment's id.
        prompts: (n,) the prompt of each text, as it is decoded, or its number in the split.
        completions: (n,) the texts, as strings or token ids; an end token follows where the budget allows it. What
            comes after the end of a text is not read. Where the task answers, each line of a string is a turn, and
            token ids have an end token between two turns.
        seed: of all chance.
        truncate: whether longer texts are cut to the budget of tokens; else they are an error.
        **env_arguments: the environment's arguments, such as `split` and `feedback`.

    Raises:
        ValueError: if a prompt is not in the split, a text can't be spelled or is too long, or an argument is unknown.
    """
    _check_lists(prompts, completions)
    num_rows = max(1, len(prompts) // max(1, env_arguments.get("group_size", 1)))
    return Scorer(env_id, num_rows, seed, **env_arguments).score(prompts, completions, truncate=truncate)


@once_per_prompt_set
def prompt_numbers(prompt_set: PromptSet, vocabulary: Vocabulary) -> Mapping[str, int]:
    """Returns the number of each decoded prompt; that of the first where several read the same."""
    numbers: dict[str, int] = {}
    for number, (ids, length) in enumerate(zip(prompt_set.prompt_ids, prompt_set.prompt_lengths, strict=True)):
        numbers.setdefault(vocabulary.decode(ids[:length].tolist()), number)
    return numbers


def _check_lists(prompts: Sequence[str | int], completions: Sequence[str | Sequence[int]]) -> None:
    for name, given in (("prompts", prompts), ("completions", completions)):
        if isinstance(given, str) or not hasattr(given, "__len__"):
            raise ValueError(f"{name} must be a list with one entry for each text, got {given!r:.80}")
    if len(prompts) != len(completions) or not len(prompts):
        raise ValueError(
            "score needs at least one text, and a prompt for each completion, got "
            f"{len(prompts)} and {len(completions)}"
        )


def _samples(simulator: Simulator, prompts: Sequence[str | int]) -> IntArray:
    """Returns the numbers of the prompts, (n,)."""
    numbers = prompt_numbers(simulator.prompt_set, simulator.vocabulary)
    size, split = len(simulator.prompt_set), simulator.split
    samples = np.empty(len(prompts), np.int64)
    for place, prompt in enumerate(prompts):
        if isinstance(prompt, str):
            if prompt not in numbers:
                raise ValueError(
                    f"prompt {place}: {prompt!r} is not a prompt of the {split} split{suggestion(prompt, numbers)}; "
                    f"it has {size:,} prompts, which their numbers stand for too"
                )
            samples[place] = numbers[prompt]
            continue
        try:
            number = -1 if isinstance(prompt, bool) else operator.index(prompt)
        except TypeError:
            number = -1
        if not 0 <= number < size:
            raise ValueError(
                f"prompt {place}: a sample must be 0 to {size - 1} in the {split} split, or a string, got {prompt!r}"
            )
        samples[place] = number
    return samples
