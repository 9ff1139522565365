"""What each token of a text earned: the text's value if it ended there, less its value one token earlier.

These are potential differences in the sense of Ng, Harada and Russell 1999, "Policy invariance under reward
transformations", with the clean return of the ended prefix as the potential. Added to the value of the empty text they
telescope to the clean return of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.evaluation import Texts, make_env, write
from benchmarks.policies import Observations
from textgym.types import FloatArray, IntArray
from textgym.vocabulary import Vocabulary


@dataclass(frozen=True)
class Attribution:
    """What one text of T tokens earned, its end token not counted.

    Attributes:
        tokens: (T,) the tokens.
        empty: the clean return of the empty text; with the sum of `clean` it is the clean return.
        clean: (T,) what each token added to the clean return.
        signals: (T, k) what each token added to each signal, before weighting.
        signal_names: the k signals.
    """

    tokens: IntArray
    empty: float
    clean: FloatArray
    signals: FloatArray
    signal_names: list[str]


def attribute(
    texts: Sequence[IntArray], samples: Sequence[int], env_id: str, *, split: str = "test", **env_kwargs: Any
) -> list[Attribution]:
    """Finds out what each token of some texts earned, by writing all their prefixes anew as rows of one simulator.

    Args:
        texts: the texts, each (length,), with or without their end token.
        samples: the number of each text's prompt.
        env_id: the environment in which they were written.
        split: the split of the prompts.
        **env_kwargs: the environment's further arguments, as they were.

    Raises:
        ValueError: if a text is longer than the environment's budget.
    """
    if len(texts) != len(samples):
        raise ValueError(f"every text needs its sample, got {len(texts)} texts and {len(samples)} samples")
    if not texts:
        return []
    end_id = Vocabulary.end_id
    bodies = [tokens[:-1] if len(tokens) and tokens[-1] == end_id else tokens for tokens in texts]
    counts = np.array([len(body) + 1 for body in bodies])  # prefixes of 0 to T tokens
    simulator = make_env(env_id, num_rows=int(counts.sum()), split=split, **env_kwargs).simulator
    budget = simulator.max_new_tokens
    if counts.max() - 1 > budget:
        raise ValueError(f"a text must have at most {budget} tokens, the environment's budget, got {counts.max() - 1}")
    script = np.full((simulator.num_rows, budget), end_id, np.int64)
    firsts = np.cumsum(counts) - counts
    for first, body in zip(firsts, bodies, strict=True):
        for length in range(1, len(body) + 1):
            script[first + length, :length] = body[:length]
    written = write(simulator, _Reader(script), np.repeat(np.asarray(samples, np.int64), counts), seed=0)
    return [
        _differences(written, slice(first, first + count), body, simulator.signal_names)
        for first, count, body in zip(firsts, counts, bodies, strict=True)
    ]


class _Reader:
    """Writes the next column of a script, (n, T), each time it is asked."""

    def __init__(self, script: IntArray) -> None:
        self.script, self.step = script, 0

    def __call__(self, observations: Observations) -> IntArray:
        self.step += 1
        return self.script[:, self.step - 1]


def _differences(written: Texts, prefixes: slice, body: IntArray, signal_names: list[str]) -> Attribution:
    clean = written.clean_return[prefixes]
    return Attribution(
        tokens=body,
        empty=float(clean[0]),
        clean=np.diff(clean),
        signals=np.diff(written.signals[prefixes], axis=0),
        signal_names=signal_names,
    )
