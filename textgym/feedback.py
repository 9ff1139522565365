"""The reward's equation: signals, their weighted sum, noise on it, and correction of that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from textgym.annotators.base import Annotator
from textgym.component import Component
from textgym.correction.base import Correction
from textgym.fusion.base import Fusion
from textgym.metrics.base import Metric
from textgym.noise.base import Noise
from textgym.random import Address
from textgym.registration import build, components, split_spec
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, IntArray, Spec


class Payment(NamedTuple):
    """What n rows are paid, and why.

    Attributes:
        signals: (n, k) the noiseless metric values, 0 where a signal was not given.
        observed_signals: (n, k) the same after annotator, noise and correction of each signal.
        observed_mask: (n, k) which signals were given.
        clean: (n,) the weighted sum of `signals`.
        observed: (n,) the weighted sum of `observed_signals` after the noise on the sum.
        corrected: (n,) the same after correction: the reward.
        annotation: for each annotator, what was said beyond a number; arrays whose first axis is the row.
    """

    signals: FloatArray
    observed_signals: FloatArray
    observed_mask: BoolArray
    clean: FloatArray
    observed: FloatArray
    corrected: FloatArray
    annotation: dict[str, dict[str, np.ndarray[Any, Any]]]


class Channels(NamedTuple):
    """Noise and then correction, on one signal or on the sum."""

    path: str
    noise: Sequence[Noise]
    correction: Sequence[Correction]

    @classmethod
    def make(cls, path: str, noise: Sequence[Spec], correction: Sequence[Spec]) -> Channels:
        channels = [build("noise", spec) for spec in as_list("noise", noise)]
        correctors = [build("correction", spec) for spec in as_list("correction", correction)]
        for corrector in correctors:
            if corrector.oracle:
                corrector.know(channels)
        return cls(path, channels, correctors)

    def disturb(self, values: FloatArray, address: Address) -> FloatArray:
        """Returns noisy values, (n, m) to (n, m)."""
        for number, channel in enumerate(self.noise):
            values = channel.apply(values, address.of(f"{self.path}/noise/{number}"))
        return values

    def correct(self, values: FloatArray, address: Address) -> FloatArray:
        """Returns one corrected value for each text, (n, m) to (n,)."""
        for number, corrector in enumerate(self.correction):
            values = corrector.apply(values, address.of(f"{self.path}/correction/{number}"))
        return values[:, 0] if values.shape[1] == 1 else values.mean(axis=1)


@dataclass(frozen=True)
class Signal:
    """One f_i: a metric, or an annotator reading one, with channels of its own."""

    label: str
    metric: Metric
    annotator: Annotator | None
    channels: Channels


class Feedback:
    """Pays rows for what they write.

    Args:
        task: the task.
        num_rows: the number of rows, n.
        signals: k specs, each of a metric or an annotator, with an optional finite `weight` (default 1) and optional
            lists `noise` and `correction` for that signal alone.
        fusion: the spec of the weights.
        noise: specs of the noise on the sum, in order.
        correction: specs of the correction of the sum, in order.
    """

    def __init__(
        self,
        task: Task,
        num_rows: int,
        signals: Sequence[Spec],
        fusion: Spec,
        noise: Sequence[Spec],
        correction: Sequence[Spec],
    ) -> None:
        self._metrics: dict[str, Metric] = {}
        specs = [split_spec("metrics or annotators", spec) for spec in as_list("feedback", signals)]
        if not specs:
            raise ValueError("feedback must name at least one signal")
        weights = [_weight(name, arguments.pop("weight", 1.0)) for name, arguments in specs]
        self.signals: list[Signal] = []
        for name, arguments in specs:
            self.signals.append(self._make_signal(task, name, arguments))
        self.fusion: Fusion = build("fusion", fusion, np.array(weights))
        self.channels = Channels.make("sum", noise, correction)
        self.signal_names = [signal.label for signal in self.signals]
        self._timings = {signal.metric.timing for signal in self.signals}
        self.every_step = "step" in self._timings
        self._components = self._list_components()
        for component in self._components.values():
            component.bind(num_rows)

    def _make_signal(self, task: Task, name: str, arguments: dict[str, Any]) -> Signal:
        noise, correction = arguments.pop("noise", ()), arguments.pop("correction", ())
        annotator: Annotator | None = None
        if name in components("annotators"):
            if "metric" not in arguments:
                raise ValueError(f'annotator {name!r} needs the metric it reads, such as {{"metric": "rouge_l"}}')
            metric_spec = arguments.pop("metric")
            metric = self._metric(task, metric_spec)
            annotator = build("annotators", {"name": name, **arguments}, metric)
            label = f"{name}:{split_spec('metrics', metric_spec)[0]}"
        else:
            if name not in components("metrics"):
                known = ", ".join([*components("metrics"), *components("annotators")])
                raise ValueError(f"unknown signal {name!r} in feedback; known metrics and annotators: {known}")
            metric = self._metric(task, {"name": name, **arguments})
            label = name
        taken = sum(signal.label.partition("#")[0] == label for signal in self.signals)
        label += f"#{taken + 1}" if taken else ""
        return Signal(label, metric, annotator, Channels.make(f"signal/{label}", noise, correction))

    def _metric(self, task: Task, spec: Spec) -> Metric:
        """Returns the metric of a spec; signals with the same metric share it, so that it is computed once."""
        name, arguments = split_spec("metrics", spec)
        key = json.dumps([name, arguments], sort_keys=True)
        if key not in self._metrics:
            self._metrics[key] = build("metrics", spec, task)
        return self._metrics[key]

    def _list_components(self) -> dict[str, Component]:
        listed: dict[str, Component] = {f"metric/{key}": metric for key, metric in self._metrics.items()}
        listed["fusion"] = self.fusion
        for signal in self.signals:
            if signal.annotator is not None:
                listed[f"signal/{signal.label}/annotator"] = signal.annotator
        for channels in (self.channels, *(signal.channels for signal in self.signals)):
            listed.update({f"{channels.path}/noise/{i}": part for i, part in enumerate(channels.noise)})
            listed.update({f"{channels.path}/correction/{i}": part for i, part in enumerate(channels.correction)})
        return listed

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The lowest and highest `signals` of any step, (k,) and (k,); 0 is what a signal that is not given shows."""
        low = np.array([min(signal.metric.low, 0.0) for signal in self.signals])
        high = np.array([max(signal.metric.high, 0.0) for signal in self.signals])
        return low, high

    def pay(self, transition: Transition, address: Address) -> Payment:
        """Pays the rows of a transition: all rows that wrote where `every_step`, else those whose text is finished."""
        n, k = len(transition), len(self.signals)
        clean_signals, observed_signals = np.zeros((n, k)), np.zeros((n, k))
        mask = np.zeros((n, k), np.bool_)
        annotation: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
        views: dict[str, tuple[IntArray | slice, Transition, Address]] = {"step": (slice(None), transition, address)}
        if "episode" in self._timings:
            views["episode"] = _finished_only(transition, address)
        scores: dict[int, FloatArray] = {}
        for i, signal in enumerate(self.signals):
            rows, seen, place = views[signal.metric.timing]
            if not len(seen):
                continue
            key = id(signal.metric)
            quality = scores[key] if key in scores else scores.setdefault(key, signal.metric.score(seen))
            readings = quality[:, None]
            if signal.annotator is not None:
                answer = signal.annotator.answer(quality, seen, place.of(f"signal/{signal.label}/annotator"))
                readings = answer.readings
                annotation[signal.label] = {name: spread(said, rows, n) for name, said in answer.annotation.items()}
            clean_signals[rows, i] = quality
            observed_signals[rows, i] = signal.channels.correct(signal.channels.disturb(readings, place), place)
            mask[rows, i] = True
        weights = self.fusion.weights(transition.rows, transition.episodes)
        clean = (clean_signals * weights).sum(axis=1)
        fused = (observed_signals * weights).sum(axis=1)[:, None]
        noisy = self.channels.disturb(fused, address)
        corrected = self.channels.correct(noisy, address)
        if transition.finished.any():
            ended = transition.finished
            self.fusion.learn(transition.rows[ended], clean_signals[ended], observed_signals[ended])
        return Payment(clean_signals, observed_signals, mask, clean, noisy[:, 0], corrected, annotation)

    def reseed(self, rows: IntArray) -> None:
        """Forgets the state of rows that were seeded anew."""
        for component in self._components.values():
            component.reseed(rows)

    def get_state(self) -> dict[str, Any]:
        """Returns the state of all components that keep one."""
        states = {path: component.get_state() for path, component in self._components.items()}
        return {path: state for path, state in states.items() if state}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `get_state` returned."""
        for path, part in state.items():
            self._components[path].set_state(part)


def _finished_only(transition: Transition, address: Address) -> tuple[IntArray | slice, Transition, Address]:
    """Returns which rows have finished their text, and the record and the address of these alone."""
    if transition.finished.all():
        return slice(None), transition, address
    rows = np.flatnonzero(transition.finished)
    return rows, transition[rows], address[rows]


def as_list(what: str, specs: Sequence[Spec]) -> list[Spec]:
    """Returns the specs as a list, or raises a ValueError if they are not in one."""
    if isinstance(specs, (str, Mapping)) or not isinstance(specs, Sequence):
        raise ValueError(f'{what} must be a list of names or mappings, such as [{{"name": ...}}], got {specs!r}')
    return list(specs)


def _weight(name: str, weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not np.isfinite(weight):
        raise ValueError(f"the weight of signal {name!r} must be a finite number, got {weight!r}")
    return float(weight)


def spread(values: np.ndarray[Any, Any], rows: IntArray | slice, n: int) -> np.ndarray[Any, Any]:
    """Returns values of some rows as an array of all n rows, zero elsewhere."""
    full = np.zeros((n, *values.shape[1:]), values.dtype)
    full[rows] = values
    return full
