"""What metrics, annotators, fusion, noise and correction have in common: state that belongs to a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from textgym.types import IntArray

Arrays = dict[str, np.ndarray[Any, Any]]


class Component:
    """A part of an environment. Most keep no state; one that does says in `row_state` what a fresh row holds.

    Attributes:
        example: arguments with which to try the component, where its defaults do not do: plain data.
        inner: components that this one is made of; their state is kept with its own.
        state: after `bind`, what `row_state` declares, with one more axis in front: the row.
    """

    example: ClassVar[Mapping[str, Any]] = {}
    inner: Sequence[Component] = ()
    state: Arrays

    def row_state(self, readings: int, annotators: int) -> Arrays:
        """Returns the state of one fresh row as arrays, which may have no axis at all; nothing for most.

        Args:
            readings: how many answers there are for each text, m.
            annotators: how many annotators give them in turn, each known by a number from 0.
        """
        return {}

    def bind(self, num_rows: int, readings: int = 1, annotators: int = 1) -> None:
        """Makes the state of `num_rows` rows; called once, before anything else."""
        self._fresh = {name: np.array(value) for name, value in self.row_state(readings, annotators).items()}
        self.state = {name: np.repeat(value[None], num_rows, axis=0) for name, value in self._fresh.items()}
        for part in self.inner:
            part.bind(num_rows, readings, annotators)

    def reseed(self, rows: IntArray) -> None:
        """Forgets the state of some rows, (r,), because they were seeded anew."""
        for name, value in self._fresh.items():
            self.state[name][rows] = value
        for part in self.inner:
            part.reseed(rows)

    def get_state(self) -> dict[str, Any]:
        """Returns a copy of the state, as plain data and arrays; empty if there is none."""
        state: dict[str, Any] = {name: value.copy() for name, value in self.state.items()}
        inner = [part.get_state() for part in self.inner]
        return {**state, "inner": inner} if any(inner) else state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restores what `get_state` returned.

        Raises:
            ValueError: if the state comes from a component of another shape.
        """
        for name, value in self.state.items():
            if state[name].shape != value.shape:
                raise ValueError(f"the state's {name} has the shape {state[name].shape}, not {value.shape}")
            value[...] = state[name]
        for part, own in zip(self.inner, state.get("inner", ()), strict=False):
            part.set_state(own)
