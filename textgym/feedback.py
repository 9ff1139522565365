"""The reward's equation: signals, their weighted sum, noise on it, and correction of that."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from textgym.accounts import Account, TextSums
from textgym.asking import Asking
from textgym.channels import Channels
from textgym.component import Arrays, Component
from textgym.fusion.base import Fusion
from textgym.metrics.base import Metric
from textgym.random import Address
from textgym.registration import as_list, build, split_spec
from textgym.signal import Signal
from textgym.tasks.base import Task
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, IntArray, Spec

_SLACK = 1e-6  # so far may a score lie beyond its bounds: metrics that compute in float32 do


class Payment(NamedTuple):
    """What n rows are paid, and why.

    Attributes:
        signals: (n, k) the noiseless metric values, 0 where a signal was not given.
        observed_signals: (n, k) the same after annotator, noise and correction of each signal, 0 where not observed.
        observed_mask: (n, k) which signals were observed: given, asked about, answered, and not lost on the way.
        clean: (n,) the weighted sum of `signals`.
        observed: (n,) the weighted sum of `observed_signals` after the noise on the sum.
        corrected: (n,) the same after correction: the reward.
        weights: (n, k) the weights of the sum, or (k,) where they never change.
        annotation: for each annotator, what was said about r texts, as arrays whose first axis is the text, and
            their places among the n, (r,).
        final: what is told at the end of a text, as arrays for the rows that finished theirs.
    """

    signals: FloatArray
    observed_signals: FloatArray
    observed_mask: BoolArray
    clean: FloatArray
    observed: FloatArray
    corrected: FloatArray
    weights: FloatArray
    annotation: dict[str, tuple[Arrays, IntArray]]
    final: Arrays


class Feedback:
    """Pays rows for what they write.

    Args:
        task: the task.
        num_rows: the number of rows, n.
        signals: k specs, each of a metric or an annotator, with an optional finite `weight` (default 1) and optional
            lists `noise` and `correction` for that signal alone; an annotator's also with `readings`, how many answers
            are asked for each text (default 1), and `pool`, the arguments of `Pool`.
        fusion: the spec of the weights.
        noise: specs of the noise on the sum, in order, or a preset such as `"human/medium"`.
        correction: specs of the correction of the sum, in order.
        budget: the arguments of `Asking`, or its `amount` alone; None asks about every text.
        group_size: how many texts in a row are written for the same prompt.
    """

    def __init__(
        self,
        task: Task,
        num_rows: int,
        *,
        signals: Sequence[Spec],
        fusion: Spec = "fixed",
        noise: Sequence[Spec] | str = (),
        correction: Sequence[Spec] = (),
        budget: float | Mapping[str, Any] | None = None,
        group_size: int = 1,
    ) -> None:
        self._metrics: dict[str, Metric] = {}
        specs = [split_spec("metrics or annotators", spec) for spec in as_list("feedback", signals)]
        if not specs:
            raise ValueError("feedback must name at least one signal")
        weights = np.array([_weight(name, arguments.pop("weight", 1.0)) for name, arguments in specs])
        self.signals: list[Signal] = []
        for name, arguments in specs:
            labels = [signal.label for signal in self.signals]
            self.signals.append(Signal(name, arguments, lambda spec: self._metric(task, spec), group_size, labels))
        self.signal_names = [signal.label for signal in self.signals]
        self.fusion: Fusion = build("fusion", fusion, weights, self.signal_names)
        if self.fusion.oracle:
            self.fusion.know([s.channels.noise for s in self.signals], [s.readings for s in self.signals])
        ends = np.sort(np.stack(self.bounds) * weights, axis=0).sum(axis=1)
        outcomes = self.signals[0].outcomes if len(self.signals) == 1 else None
        scaled = None if outcomes is None else np.unique(outcomes * weights[0])
        self.channels = Channels.make("sum", noise, correction, float(ends[0]), float(ends[1]), scaled)
        self.asking = None if budget is None else Asking.make(budget)

        self._scored = list({id(signal.metric): signal.metric for signal in self.signals}.values())
        self._timings = {signal.metric.timing for signal in self.signals}
        self.every_step = "step" in self._timings
        self._remembering = [m for m in self._metrics.values() if type(m).remember is not Metric.remember]
        self._costs, self._privacy, self._sums = Account(), Account(), TextSums(len(self.signals))
        self._costs_something = any(signal.cost for signal in self.signals)
        self._private = bool(self.channels.privacy_loss) or any(s.channels.privacy_loss for s in self.signals)
        self._fusion_learns = type(self.fusion).learn is not Fusion.learn
        self.components = self._bind(num_rows)

    def _metric(self, task: Task, spec: Spec) -> Metric:
        """Returns the metric of a spec; signals with the same metric share it, so that it is computed once."""
        name, arguments = split_spec("metrics", spec)
        try:
            key = json.dumps([name, arguments], sort_keys=True)
        except TypeError as error:
            raise ValueError(f"the arguments of metric {name!r} must be plain data: {error}") from error
        if key not in self._metrics:
            self._metrics[key] = build("metrics", spec, task)
        return self._metrics[key]

    def _bind(self, num_rows: int) -> dict[str, Component]:
        """Returns all components by their place, each with the state of its rows."""
        listed: dict[str, Component] = {f"metric/{key}": metric for key, metric in self._metrics.items()}
        listed |= {"fusion": self.fusion, "cost": self._costs, "privacy": self._privacy, "sums": self._sums}
        listed |= self.channels.components
        if self.asking is not None:
            listed["asking"] = self.asking
        for component in listed.values():
            component.bind(num_rows)
        for signal in self.signals:
            own = signal.channels.components
            if signal.annotator is not None:
                own[f"signal/{signal.label}/annotator"] = signal.annotator
            for component in own.values():
                component.bind(num_rows, signal.readings, signal.annotators)
            listed |= own
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
        clean_signals, observed_signals, mask = np.zeros((n, k)), np.zeros((n, k)), np.zeros((n, k), np.bool_)
        variance = np.full((n, k), np.nan)
        annotation: dict[str, tuple[Arrays, IntArray]] = {}
        views = {"step": _View(np.arange(n), transition, address)}
        if "episode" in self._timings:
            views["episode"] = _finished_only(transition, address)
        scores = self._score(views)
        asked = self._choose(views)
        for i, signal in enumerate(self.signals):
            view = views[signal.metric.timing]
            if not len(view.rows):
                continue
            quality = scores[id(signal.metric)]
            clean_signals[view.places(n), i] = quality
            if signal.plain:
                observed_signals[view.places(n), i], mask[view.places(n), i] = quality, True
                continue
            about = asked.get(signal.metric.timing)
            observed = signal.observe(quality, view.texts, view.address, about)
            given, places = ~np.isnan(observed.value), view.places(n)
            mask[places, i] = given
            observed_signals[places, i] = np.where(given, observed.value, 0.0)
            variance[places, i] = observed.variance
            if signal.annotator is not None and len(observed.about):
                annotation[signal.label] = observed.said, view.rows[observed.about]
                self._costs.charge(view.address.rows[observed.about], signal.cost)
            if signal.channels.privacy_loss:
                loss = signal.channels.privacy_loss * np.count_nonzero(observed.answered, axis=1)
                self._privacy.charge(view.address.rows, loss)
        for metric in self._remembering:  # after the annotators, who may look at a text again
            texts = views[metric.timing].texts
            if len(texts):
                metric.remember(texts, scores[id(metric)])
        weights = self.fusion.weights(address)
        clean = (clean_signals * weights).sum(axis=1)
        fused = (observed_signals * weights).sum(axis=1)
        observed_sum, corrected, lost = self._pass_on(fused, clean, np.any(mask, axis=1), address)
        if lost.any():
            mask[lost], observed_signals[lost] = False, 0.0
        self._teach(views, asked, fused, observed_signals, mask, variance)
        final = self._close(address.rows[transition.finished])
        return Payment(
            clean_signals, observed_signals, mask, clean, observed_sum, corrected, weights, annotation, final
        )

    def hints(self, state: Transition, address: Address) -> IntArray:
        """Returns what all annotators who can show it would write next in n texts under way, (n, m), -1 for none.

        Raises:
            ValueError: if no annotator can, or what annotators are asked is limited by a budget.
        """
        shown = [hint for signal in self.signals if (hint := signal.hint(state, address)) is not None]
        if not shown:
            raise ValueError(
                "no annotator of this environment can show what to write next: add one to the feedback, such as "
                '{"name": "demonstration", "weight": 0}'
            )
        if self.asking is not None:
            raise ValueError("hints are not for sale: an environment with a feedback_budget gives none")
        return np.concatenate(shown, axis=1)

    def _score(self, views: Mapping[str, _View]) -> dict[int, FloatArray]:
        """Returns the scores of each metric on the texts of its timing."""
        scores: dict[int, FloatArray] = {}
        for metric in self._scored:
            texts = views[metric.timing].texts
            if len(texts):
                scores[id(metric)] = _checked(metric, np.asarray(metric.score(texts)))
        return scores

    def _choose(self, views: Mapping[str, _View]) -> dict[str, BoolArray]:
        """Returns which texts annotators are asked about, for each of their timings; empty where that is about all."""
        if self.asking is None:
            return {}
        costs: dict[str, float] = {}
        for signal in self.signals:
            if signal.annotator is not None:
                costs[signal.metric.timing] = costs.get(signal.metric.timing, 0.0) + signal.cost
        return {
            timing: self.asking.chosen(views[timing].texts, views[timing].address.of(f"asking/{timing}"), cost)
            for timing, cost in costs.items()
        }

    def _teach(
        self,
        views: Mapping[str, _View],
        asked: Mapping[str, BoolArray],
        fused: FloatArray,
        observed: FloatArray,
        given: BoolArray,
        variance: FloatArray,
    ) -> None:
        """Shows what was observed to the parts that learn from it: the choice of texts, and adaptive weights."""
        if self.asking is not None:
            for timing, chosen in asked.items():
                view = views[timing]
                told = view.part(np.flatnonzero(chosen & np.any(given[view.rows], axis=1)))
                self.asking.learn(told.texts, told.address.of("asking/learn"), fused[told.rows])
        if self._fusion_learns:
            _, texts, address = views["step"]
            self._sums.add(address.rows, observed, given, variance)
            ended = np.flatnonzero(texts.finished)
            if len(ended):
                self.fusion.learn(address[ended], *self._sums.close(address.rows[ended]))

    def _pass_on(
        self, fused: FloatArray, clean: FloatArray, given: BoolArray, address: Address
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Passes the sum (n,) through its channels; returns it observed and corrected, and where it was lost, (n,)."""
        if self.channels.privacy_loss:
            self._privacy.charge(address.rows[given], self.channels.privacy_loss)
        readings = (fused if given.all() else np.where(given, fused, np.nan))[:, None]
        noisy = self.channels.disturb(readings, address)
        corrected = self.channels.correct(noisy, clean, np.zeros(noisy.shape, np.int64), address)
        missing = np.isnan(noisy)
        if missing.any():
            noisy, corrected = (np.where(missing, 0.0, values) for values in (noisy, corrected))
        lost = missing[:, 0] & (not self.channels.postpones)
        return noisy[:, 0], corrected[:, 0].copy(), lost

    def _close(self, rows: IntArray) -> Arrays:
        """Returns what is told about the finished texts of some rows: what they cost, and what they gave away."""
        final: Arrays = {}
        if len(rows) and self._costs_something:
            final["feedback_cost"], final["feedback_spent"] = self._costs.close(rows)
        if len(rows) and self._private:
            final["privacy_loss"], final["privacy_spent"] = self._privacy.close(rows)
        return final

    def drop_texts(self, rows: IntArray) -> None:
        """Forgets what belongs to the text under way in some rows, (r,), which is broken off."""
        for kept in (self._costs, self._privacy, self._sums):
            kept.close(rows)

    def reseed(self, rows: IntArray) -> None:
        """Forgets the state of rows that were seeded anew."""
        for component in self.components.values():
            component.reseed(rows)

    def get_state(self) -> dict[str, Any]:
        """Returns the state of all components that keep one."""
        states = {path: component.get_state() for path, component in self.components.items()}
        return {path: state for path, state in states.items() if state}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `get_state` returned.

        Raises:
            ValueError: if the state is of other components.
        """
        if other := sorted(self.get_state().keys() ^ state.keys()):
            raise ValueError(f"the state is of other feedback than this environment's: they differ in {other[0]!r}")
        for path, part in state.items():
            self.components[path].set_state(part)


class _View(NamedTuple):
    """Some of the rows of a transition: their places in it, (r,), their record and their address."""

    rows: IntArray
    texts: Transition
    address: Address

    def places(self, n: int) -> IntArray | slice:
        """Returns the places of the rows among n: a slice, which is faster, where they are all."""
        return slice(None) if len(self.rows) == n else self.rows

    def part(self, chosen: IntArray) -> _View:
        """Returns some of the rows, by their place in this view."""
        return _View(self.rows[chosen], self.texts[chosen], self.address[chosen])


def _finished_only(transition: Transition, address: Address) -> _View:
    """Returns the rows that have finished their text."""
    rows = np.flatnonzero(transition.finished)
    return _View(rows, transition.only_finished(), address if len(rows) == len(address) else address[rows])


def _checked(metric: Metric, scores: FloatArray) -> FloatArray:
    """Returns the scores (n,) of a metric, or raises a ValueError if one is out of its bounds, as NaN is."""
    for worst in (float(scores.min()), float(scores.max())):
        if not (metric.low - _SLACK <= worst <= metric.high + _SLACK and math.isfinite(worst)):
            raise ValueError(
                f"metric {type(metric).__name__} must score from its low, {metric.low}, to its high, {metric.high}, "
                f"got {worst}"
            )
    return scores


def _weight(name: str, weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, Real) or not math.isfinite(weight):
        raise ValueError(f"the weight of signal {name!r} must be a finite number, got {weight!r}")
    return float(weight)


def spread(values: np.ndarray[Any, Any], rows: IntArray, n: int) -> np.ndarray[Any, Any]:
    """Returns values of some rows, in ascending order, as an array of all n, zero elsewhere, or None for objects.

    Where they are of all rows, they are returned themselves.
    """
    if len(values) == n:
        return values
    full = (
        np.full((n, *values.shape[1:]), None, object)
        if values.dtype == object
        else np.zeros((n, *values.shape[1:]), values.dtype)
    )
    full[rows] = values
    return full
