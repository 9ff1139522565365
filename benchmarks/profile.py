"""What each component of an environment costs: `textgym profile ENV`.

Random texts are written while every method that an environment calls on its components is timed. The time of a
component is its own: what it spends in another, such as an annotator in the metric that it reads, counts there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from textgym.component import Component
from textgym.simulator import Simulator
from textgym.vector_env import TextVectorEnv

REST = "simulator"
"""What no component takes: writing tokens, paying, observations, info."""

METHODS = ("score", "remember", "answer", "apply", "weights", "learn", "chosen", "gold")
"""What an environment calls while it steps, of the components and of the task."""


@dataclass(frozen=True)
class Cost:
    """What one component cost.

    Attributes:
        part: its place in the environment.
        seconds: what it took in all.
        calls: how often it was called.
    """

    part: str
    seconds: float
    calls: int


@dataclass(frozen=True)
class Profile:
    """What the components of an environment cost.

    Attributes:
        env_id: the environment.
        rows: how many texts were written at a time.
        steps: how many steps were timed.
        tokens: how many tokens were written in these steps.
        costs: the components and the rest, the dearest first; their times sum to all there was.
    """

    env_id: str
    rows: int
    steps: int
    tokens: int
    costs: list[Cost]

    @property
    def seconds(self) -> float:
        """How long it all took."""
        return sum(cost.seconds for cost in self.costs)

    @property
    def tokens_per_second(self) -> float:
        """How many tokens were written in a second."""
        return self.tokens / self.seconds


class Stopwatch:
    """Takes the time that functions spend in themselves and not in one another."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._inside = [0.0]  # what each function under way, and nobody at first, spent in others

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the function so that each call is booked on a part."""
        self.seconds.setdefault(part, 0.0)
        self.calls.setdefault(part, 0)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                elapsed = time.perf_counter() - started
                self.seconds[part] += elapsed - self._inside.pop()
                self.calls[part] += 1
                self._inside[-1] += elapsed

        return call


def profile(env_id: str, *, rows: int = 1024, steps: int = 200, **env_kwargs: Any) -> Profile:
    """Writes random texts and times the components; before, each row has written one text, to warm up.

    Args:
        env_id: the environment.
        rows: how many texts are written at a time.
        steps: how many steps are timed.
        **env_kwargs: the environment's further arguments, such as `feedback`.
    """
    env = gymnasium.make_vec(env_id, num_envs=rows, vectorization_mode="vector_entry_point", **env_kwargs)
    assert isinstance(env, TextVectorEnv)
    simulator, watch = env.simulator, Stopwatch()
    writable = np.flatnonzero(simulator.vocabulary.writable)
    budget, every_row = simulator.max_new_tokens, np.arange(rows)
    actions = np.random.default_rng(0).choice(writable, (budget + steps, rows))
    actions[every_row % budget, every_row] = simulator.vocabulary.end_id  # so that texts do not end all at once
    env.reset(seed=0)
    for action in actions[:budget]:
        env.step(action)
    tokens = 0
    with _timed(watch, _parts(simulator)):
        step = watch.timed(REST, env.step)
        for action in actions[budget:]:
            info = step(action)[4]
            tokens += int(np.count_nonzero(info["_clean_reward"])) if "_clean_reward" in info else 0  # not the resets
    costs = [Cost(part, seconds, watch.calls[part]) for part, seconds in watch.seconds.items() if watch.calls[part]]
    return Profile(env_id, rows, steps, tokens, sorted(costs, key=lambda cost: -cost.seconds))


def print_profile(found: Profile, console: Console) -> None:
    """Prints what was measured as a table."""
    console.print(f"{found.env_id}, {found.rows:,} rows: {found.tokens_per_second:,.0f} tokens a second")
    table = Table("component", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("µs/step", "share", "calls/step"):
        table.add_column(name, justify="right")
    for cost in found.costs:
        share, calls = cost.seconds / found.seconds, cost.calls / found.steps
        table.add_row(cost.part, f"{1e6 * cost.seconds / found.steps:,.1f}", f"{share:.1%}", f"{calls:.2f}")
    table.add_section()
    table.add_row("all", f"{1e6 * found.seconds / found.steps:,.1f}", "100.0%", "")
    console.print(table)


def _parts(simulator: Simulator) -> dict[str, Any]:
    """Returns all that is timed by its place: the components, those that they are made of, and the task."""
    parts: dict[str, Any] = {}

    def add(path: str, component: Component) -> None:
        if component in parts.values():
            return
        taken = sum(part.partition("#")[0] == path for part in parts)
        name = f"{path}#{taken + 1}" if taken else path
        parts[name] = component
        for inner in component.inner:
            add(f"{name} > {type(inner).__name__}", inner)

    for path, component in simulator.feedback.components.items():
        kind, _, place = path.partition("/")
        if kind == "metric":
            path = f"metric {json.loads(place)[0]}"
        elif path.endswith("/annotator"):
            path = f"annotator {place.removesuffix('/annotator')}"
        elif path[-1].isdigit():
            path = f"{path} {type(component).__name__}"
        add(path, component)
    return {**parts, "gold": simulator.task}


@contextmanager
def _timed(watch: Stopwatch, parts: Mapping[str, Any]) -> Iterator[None]:
    """Times the methods of some objects for a while: of a task, which environments share, too."""
    timed = [(part, owner, method) for part, owner in parts.items() for method in METHODS if hasattr(owner, method)]
    for part, owner, method in timed:
        setattr(owner, method, watch.timed(part, getattr(owner, method)))
    try:
        yield
    finally:
        for _, owner, method in timed:
            delattr(owner, method)
