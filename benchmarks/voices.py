"""Who said what about a text, and how much that was: its reward, taken apart into the signals of the sum.

What the signals put into the clean return adds up to it. What they put into the observed return differs from that by
what annotators and each signal's own noise did; the rest of the observed return is the noise on the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.evaluation import Evaluation, make_env
from benchmarks.pictures.annotator_study import in_words
from benchmarks.pictures.examples import is_external
from textgym import row_seeds
from textgym.registration import split_spec
from textgym.simulator import Simulator


def voices(evaluation: Evaluation, chosen: Sequence[int], **env_kwargs: Any) -> list[list[dict[str, Any]]]:
    """Writes some texts of an evaluation anew, with the same chance, and listens.

    Args:
        evaluation: the texts.
        chosen: (c,) the numbers of those that are taken apart.
        **env_kwargs: the environment's further arguments, as they were.

    Returns:
        For each text one record for each signal: its name `signal`, its part of the `clean` and of the `observed`
        return, and what was `said`, in words. Nothing where an annotator is not simulated: asking again costs.
    """
    simulator = make_env(evaluation.env_id, num_rows=len(chosen), split=evaluation.split, **env_kwargs).simulator
    named = env_kwargs.get("feedback") or simulator.task.default_feedback
    if any(is_external(split_spec("feedback", spec)[0]) for spec in named):
        return [[] for _ in chosen]
    rows, texts = np.arange(len(chosen)), evaluation.texts
    seeds = row_seeds(evaluation.seed, len(texts.tokens))
    simulator.reseed(rows, [seeds[i] for i in chosen])
    simulator.start(rows, texts.samples[list(chosen)])
    parts = np.zeros((2, len(chosen), len(simulator.signal_names)))  # clean and observed
    said: list[dict[str, dict[str, str]]] = [{} for _ in chosen]
    for step in range(max(len(texts.tokens[i]) for i in chosen)):
        tokens = [texts.tokens[i][step] if step < len(texts.tokens[i]) else simulator.vocabulary.end_id for i in chosen]
        result = simulator.step(np.array(tokens, np.int64))
        weights = result.info.get("weights", simulator.feedback.fusion.base_weights)
        parts += weights * np.stack([result.info["signals"], result.info["observed_signals"]])
        for label, (fields, about) in result.annotation.items():
            for row in np.flatnonzero(about):
                said[row][label] = _told(fields, int(row), simulator)
    return [
        [
            {"signal": name, "clean": float(parts[0, row, i]), "observed": float(parts[1, row, i])}
            | {"said": said[row].get(name, {})}
            for i, name in enumerate(simulator.signal_names)
        ]
        for row in rows
    ]


def _told(fields: Mapping[str, np.ndarray[Any, Any]], row: int, simulator: Simulator) -> dict[str, str]:
    """Returns what an annotator said about a row's text: the answers, and what goes beyond a number."""
    given = fields["readings"][row][fields["answered"][row]]
    beside = {name: values for name, values in fields.items() if name not in ("readings", "answered")}
    answers = ", ".join(f"{value:.3g}" for value in given) or "none"
    return {"answer": answers, **in_words(beside, row, simulator.vocabulary)}
