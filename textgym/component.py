"""What metrics, annotators, fusion, noise and correction have in common: state that belongs to a row."""

from __future__ import annotations

from typing import Any

from textgym.types import IntArray


class Component:
    """A part of an environment. Most keep no state; one that does keeps it for each row and overrides these four."""

    def bind(self, num_rows: int) -> None:
        """Makes the state of `num_rows` rows; called once, before anything else."""

    def reseed(self, rows: IntArray) -> None:
        """Forgets the state of some rows, (r,), because they were seeded anew."""

    def get_state(self) -> dict[str, Any]:
        """Returns a copy of the state, as plain data and arrays."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned."""
