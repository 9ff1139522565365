"""The writer of records: gathers what a vector environment's info says until a text ends."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import textgym
from textgym.dataset.records import Reading, Record, SignalFeedback, Source
from textgym.random import row_seeds
from textgym.signal import Signal
from textgym.simulator import Simulator

Info = Mapping[str, Any]

_OWN = ("readings", "answered", "annotator")


class RecordWriter:
    """Makes a record of each text that ends in a vector environment.

    Args:
        env: the environment, or a single one of which the info is in the form of one row.
        seed: what it was reset with.
        episodes: how many texts are wanted; each row gives the same number of whole groups, as far as they go round.
    """

    def __init__(self, env: Any, seed: int, episodes: int) -> None:
        simulator: Simulator = env.unwrapped.simulator
        n, size = simulator.num_rows, simulator.group_size
        groups = -(-episodes // size)
        self._quota = np.full(n, groups // n) + (np.arange(n) < groups % n)
        self._quota *= size
        self._quota[np.flatnonzero(self._quota)[-1]] -= groups * size - episodes
        self._simulator, self._seeds, self._source = simulator, row_seeds(seed, n), _source(env)
        self._samples = np.zeros(n, np.int64)
        self._sums = np.zeros((n, 2, len(simulator.signal_names)))  # clean and observed, of the texts under way
        self._observed = np.zeros((n, len(simulator.signal_names)), np.bool_)
        self._tokens: list[list[int]] = [[] for _ in range(n)]
        self._said: list[dict[str, list[tuple[int, dict[str, Any]]]]] = [{} for _ in range(n)]
        self._made: list[list[Record]] = [[] for _ in range(n)]

    @property
    def full(self) -> bool:
        """Whether every row has written its texts."""
        return all(len(made) >= quota for made, quota in zip(self._made, self._quota, strict=True))

    @property
    def records(self) -> list[Record]:
        """The records, row by row."""
        return [record for made in self._made for record in made]

    def start(self, info: Info) -> None:
        """Reads which rows started a text, and from which prompt."""
        if "sample" in info:
            self._samples = np.where(info["_sample"], info["sample"], self._samples)

    def write(self, actions: np.ndarray[Any, Any], info: Info) -> int:
        """Reads one step of the rows that the info is about; returns how many texts became records."""
        if "signals" not in info:
            return 0
        self._sums[:, 0] += info["signals"]
        self._sums[:, 1] += info["observed_signals"]
        self._observed |= info["observed_mask"]
        for row in np.flatnonzero(info["_signals"]).tolist():
            self._tokens[row].append(int(actions[row]))
        for label, fields in info.get("annotation", {}).items():
            if not label.startswith("_"):
                for row in np.flatnonzero(info["annotation"][f"_{label}"]).tolist():
                    own = {name: value[row] for name, value in fields.items() if not name.startswith("_")}
                    self._said[row].setdefault(label, []).append((len(self._tokens[row]) - 1, own))
        ended = np.flatnonzero(info["_finish_reason"]).tolist() if "finish_reason" in info else []
        return sum(self._close(row, info) for row in ended)

    def _close(self, row: int, info: Info) -> bool:
        """Makes the record of a row's text, unless the row has written enough, and forgets the text."""
        wanted = len(self._made[row]) < self._quota[row]
        if wanted:
            self._made[row].append(self._record(row, info))
        self._sums[row], self._observed[row] = 0.0, False
        self._tokens[row], self._said[row] = [], {}
        return bool(wanted)

    def _record(self, row: int, info: Info) -> Record:
        prompts, sample = self._simulator.prompt_set, self._samples[row]
        return Record(
            prompt=self._decoded(prompts.prompt_ids[sample], prompts.prompt_lengths[sample]),
            completion=self._simulator.task.decode_text(self._tokens[row]),
            completion_ids=self._tokens[row],
            reference=self._decoded(prompts.reference_ids[sample], prompts.reference_lengths[sample]),
            sample=int(sample),
            seed=self._seeds[row],
            episode=len(self._made[row]),
            finish_reason=str(info["finish_reason"][row]),
            clean_return=float(info["clean_return"][row]),
            observed_return=float(info["observed_return"][row]) if self._observed[row].any() else None,
            gold_return=float(info["gold_return"][row]),
            feedback=[self._feedback(row, number) for number in range(len(self._simulator.signal_names))],
            source=self._source,
        )

    def _feedback(self, row: int, number: int) -> SignalFeedback:
        signal: Signal = self._simulator.feedback.signals[number]
        said = self._said[row].get(signal.label, [])
        clean, observed = self._sums[row, :, number].tolist()
        return SignalFeedback(
            signal=signal.label,
            kind="metric" if signal.annotator is None else signal.label.partition(":")[0],
            timing=signal.metric.timing,
            low=float(signal.source.low),
            high=float(signal.source.high),
            true_value=clean,
            observed_value=observed if self._observed[row, number] else None,
            cost=float(signal.cost * len(said)),
            readings=[reading for step, fields in said for reading in self._readings(step, fields)],
        )

    def _readings(self, step: int, fields: Mapping[str, Any]) -> Iterator[Reading]:
        """Yields the m readings of an answer; fields about each have the shape (m, ...), others are about all."""
        values, answered, people = (fields[name].tolist() for name in _OWN)
        words = self._in_words({name: value for name, value in fields.items() if name not in _OWN}, len(people))
        for value, given, who, said in zip(values, answered, people, words, strict=True):
            yield Reading(who, value if given else None, step, said if given else {})

    def _in_words(self, fields: Mapping[str, Any], readings: int) -> list[dict[str, Any]]:
        """Returns the fields as plain data for each of m readings; token ids are decoded, and kept beside the text."""
        said: list[dict[str, Any]] = [{} for _ in range(readings)]
        for name, value in fields.items():
            base = name.removesuffix("_ids")
            if f"{base}_lengths" in fields:
                texts = np.broadcast_to(value, (readings, value.shape[-1]))
                lengths = np.broadcast_to(fields[f"{base}_lengths"], readings)
                for own, text, length in zip(said, texts, lengths, strict=True):
                    own[base], own[f"{base}_ids"] = self._decoded(text, length), self._closed(text[:length])
            elif not name.endswith("_lengths"):
                plain = _plain(np.asarray(value).tolist())
                about_each = isinstance(plain, list) and len(plain) == readings
                for number, own in enumerate(said):
                    own[name] = plain[number] if about_each else plain
        return said

    def _closed(self, ids: np.ndarray[Any, Any]) -> list[int]:
        """Returns token ids (T,) as an agent would have written them: with an end token, if the budget has room."""
        tokens: list[int] = ids.tolist()
        return [*tokens, self._simulator.vocabulary.end_id] if len(tokens) < self._simulator.max_new_tokens else tokens

    def _decoded(self, ids: np.ndarray[Any, Any], length: np.ndarray[Any, Any]) -> str:
        return self._simulator.task.decode_text(ids[:length])


def _plain(value: Any) -> Any:
    """Returns plain data without NaN, which JSON cannot say."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _source(env: Any) -> Source:
    simulator: Simulator = env.unwrapped.simulator
    arguments = {} if env.spec is None else env.spec.kwargs
    return Source(
        env_id="" if env.spec is None else env.spec.id,
        arguments=json.dumps(arguments, sort_keys=True, default=str),
        split=simulator.split,
        group_size=simulator.group_size,
        fingerprint=simulator.task.fingerprint,
        versions=f"textgym {textgym.__version__}, numpy {np.__version__}, python {platform.python_version()}",
    )
