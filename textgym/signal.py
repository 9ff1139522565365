"""Signal: one f_i of the sum, a metric or an annotator who reads one, with channels of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from textgym.annotators.base import Annotator, Question
from textgym.annotators.pool import Pool
from textgym.channels import Channels
from textgym.component import Arrays
from textgym.metrics.base import Metric
from textgym.metrics.blend import Blend
from textgym.random import Address
from textgym.registration import build, components, construct, load_component, split_spec
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, IntArray, Spec


class Observed(NamedTuple):
    """What a signal says about n texts.

    Attributes:
        value: (n,) the corrected value; NaN where nothing was said.
        variance: (n,) the variance of the mean of the readings, estimated from how they differ; NaN for less than
            two.
        answered: (n, m) which readings were given, before the noise.
        about: (r,) which texts an annotator was asked about.
        said: what an annotator said about these, beside a number too; empty for a metric.
    """

    value: FloatArray
    variance: FloatArray
    answered: BoolArray
    about: IntArray
    said: Arrays


class Signal:
    """A signal, built from its spec.

    Args:
        name: the name of a metric or an annotator.
        arguments: its arguments, with `noise`, `correction`, `readings` and `pool`; see `Feedback`.
        metric_of: returns the metric of a spec.
        group_size: how many texts in a row are written for the same prompt.
        labels: those of the signals before it.

    Attributes:
        label: its name, and for an annotator that of what it reads, such as `"rating:rouge_l"`; with a number where
            a signal before it has the same.
    """

    def __init__(
        self,
        name: str,
        arguments: Mapping[str, Any],
        metric_of: Callable[[Spec], Metric],
        group_size: int,
        labels: Sequence[str],
    ) -> None:
        arguments = dict(arguments)
        noise, correction = arguments.pop("noise", ()), arguments.pop("correction", ())
        self.annotator: Annotator | None = None
        self.readings, self.pool = 1, None
        if name in components("annotators"):
            kind: Any = load_component("annotators", name)
            metric = arguments.pop("metric", getattr(kind, "default_metric", None))
            if metric is None:
                raise ValueError(f'annotator {name!r} needs the metric it reads, such as {{"metric": "rouge_l"}}')
            self.metric = metric_of(metric)
            self.readings = _readings(name, arguments.pop("readings", 1))
            self.pool = _make_pool(name, arguments.pop("pool", None), self.metric, self.readings)
            self.annotator = build("annotators", {"name": name, **arguments}, self.metric)
            if self.annotator.needs_group and group_size < 2:
                raise ValueError(f"annotator {name!r} compares the texts of one prompt: set group_size to 2 or more")
            if self.annotator.max_group is not None and group_size > self.annotator.max_group:
                raise ValueError(
                    f"annotator {name!r} compares at most max_group={self.annotator.max_group} texts of one prompt, "
                    f"and group_size is {group_size}"
                )
            label = f"{name}:{split_spec('metrics', metric)[0]}"
        elif name in components("metrics"):
            self.metric = metric_of({"name": name, **arguments})
            label = name
        else:
            known = ", ".join([*components("metrics"), *components("annotators")])
            raise ValueError(f"unknown signal {name!r} in feedback; known metrics and annotators: {known}")
        taken = sum(other.partition("#")[0] == label for other in labels)
        self.label, source = label + (f"#{taken + 1}" if taken else ""), self.source
        bounds = source.low, source.high, source.outcomes
        self.channels = Channels.make(f"signal/{self.label}", noise, correction, *bounds)

    @property
    def plain(self) -> bool:
        """Whether the metric is seen as it is: nobody in between, no noise and no correction."""
        return self.annotator is None and self.channels.empty

    @property
    def source(self) -> Metric | Annotator:
        """Whose numbers the readings are."""
        return self.annotator if self.annotator is not None else self.metric

    @property
    def outcomes(self) -> FloatArray | None:
        """All values that the signal can have, ascending, where they are few; else None."""
        return self.source.outcomes if self.readings == 1 and self.channels.empty else None

    @property
    def annotators(self) -> int:
        """How many annotators answer in turn."""
        return self.pool.size if self.pool is not None else self.readings

    @property
    def cost(self) -> float:
        """The price of the answers about one text, in units of one rating."""
        return self.annotator.cost * self.readings if self.annotator is not None else 0.0

    def observe(
        self, quality: FloatArray, transition: Transition, address: Address, asked: BoolArray | None = None
    ) -> Observed:
        """Returns what is said about n texts.

        Args:
            quality: (n,) their metric.
            transition: the texts.
            address: where chance is drawn from.
            asked: (n,) which of them an annotator is asked about; None for all.
        """
        n, about, said = len(quality), np.arange(len(quality)), Arrays()
        if self.annotator is None:
            readings, who, answered = quality[:, None], np.zeros((n, 1), np.int64), np.ones((n, 1), np.bool_)
        elif asked is None or asked.all():
            readings, who, answered, said = self._ask(self.annotator, quality, transition, address)
        else:
            about = np.flatnonzero(asked)
            readings = np.full((n, self.readings), np.nan)
            who, answered = np.zeros(readings.shape, np.int64), np.zeros(readings.shape, np.bool_)
            if len(about):
                part = quality[about], transition[about], address[about]
                readings[about], who[about], answered[about], said = self._ask(self.annotator, *part)
        noisy = self.channels.disturb(readings, address)
        corrected = self.channels.correct(noisy, quality, who, address)
        value, variance = _mean_and_variance(corrected)
        if corrected.shape[1] == 1 < noisy.shape[1]:
            _, variance = _mean_and_variance(noisy)  # a corrector that leaves one value does not say how sure it is
        return Observed(value, variance, answered, about, said)

    def hint(self, state: Transition, address: Address) -> IntArray | None:
        """Returns what annotators would write next in n texts under way, (n, m), -1 for none; None if they can't."""
        if self.annotator is None or not self.annotator.shows_tokens:
            return None
        return self.annotator.hint(state, address.of(self._path), self.readings)

    @property
    def _path(self) -> str:
        return f"signal/{self.label}/annotator"

    def _ask(
        self, annotator: Annotator, quality: FloatArray, transition: Transition, address: Address
    ) -> tuple[FloatArray, IntArray, BoolArray, Arrays]:
        """Returns the readings, who gave them and which were given, (n, m) each, and all that was said."""
        n, m, path = len(quality), self.readings, self._path
        who: IntArray = np.broadcast_to(np.arange(m), (n, m))
        if self.pool is not None:
            group = transition.group_size if annotator.needs_group else 1
            who = self.pool.choose(address.of(f"{path}/who").of_group(group), m)
        elsewhere = address.of(f"{path}/eyes/elsewhere")
        question = Question(
            transition=transition,
            quality=self._seen(transition, quality, who, address.of(f"{path}/eyes")),
            who=who,
            address=address.of(path),
            see=lambda texts: self._seen(texts, None, *_repeated(who, elsewhere, len(texts))),
        )
        answer = annotator.answer(question)
        answered = ~np.isnan(answer.readings)
        said: Arrays = {
            "readings": np.where(answered, answer.readings, 0.0),
            "answered": answered,
            "annotator": who.copy(),
        }
        return answer.readings, who, answered, {**answer.annotation, **said}

    def _seen(self, texts: Transition, quality: FloatArray | None, who: IntArray, address: Address) -> FloatArray:
        """Returns the quality of n texts as annotators see it, (n, m), from the true one, (n,), if it is known."""
        metric, pool = self.metric, self.pool
        if pool is not None and pool.taste and isinstance(metric, Blend):
            seen: FloatArray = (pool.tastes[who] * metric.parts(texts)[:, None]).sum(axis=-1)
        else:
            true = metric.score(texts) if quality is None else quality
            seen = np.repeat(true[:, None], who.shape[1], axis=1)
        if pool is None:
            return seen
        span = metric.high - metric.low
        return metric.low + span * pool.see((seen - metric.low) / span, who, address)


def _repeated(who: IntArray, address: Address, count: int) -> tuple[IntArray, Address]:
    """Returns who looks at `count` texts and from where, if these are the n texts' others, one batch after another."""
    times = count // len(who)
    return (who, address) if times == 1 else (np.tile(who, (times, 1)), address[np.tile(np.arange(len(who)), times)])


def _readings(name: str, readings: Any) -> int:
    if isinstance(readings, bool) or not isinstance(readings, Integral) or readings < 1:
        raise ValueError(f"readings of annotator {name!r} must be a whole number of at least 1, got {readings!r}")
    return int(readings)


def _make_pool(name: str, arguments: Any, metric: Metric, readings: int) -> Pool | None:
    if arguments is None:
        return None
    what = f"the pool of annotator {name!r}"
    if not isinstance(arguments, Mapping):
        raise ValueError(f'{what} must be a mapping such as {{"size": 8, "bias": 0.1}}, got {arguments!r}')
    shares = metric.shares if isinstance(metric, Blend) else np.ones(1)
    pool = construct(what, Pool, arguments, shares)
    if pool.size < readings:
        raise ValueError(f"{what} has {pool.size} people, who cannot give {readings} readings of each text")
    return pool


def _mean_and_variance(readings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns the mean of each row's readings, (n,), and its variance, estimated from how they differ, (n,).

    The mean of none is NaN, and so is the variance of less than two.
    """
    if readings.shape[1] == 1:
        return readings[:, 0], np.full(len(readings), np.nan)
    given = ~np.isnan(readings)
    count = given.sum(axis=1)
    mean = np.where(given, readings, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(given, (readings - mean[:, None]) ** 2, 0.0).sum(axis=1)
    variance = squares / np.maximum(count - 1, 1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan), np.where(count > 1, variance, np.nan)
