"""Accounts: what a row has spent on feedback, and what it has observed over the text under way."""

from __future__ import annotations

from typing import Any

import numpy as np

from textgym.component import Arrays, Component
from textgym.types import BoolArray, FloatArray, IntArray


class Account(Component):
    """What a row has spent on the text under way, and in all."""

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"text": np.array(0.0), "total": np.array(0.0)}

    def charge(self, rows: IntArray, amount: np.ndarray[Any, Any] | float) -> None:
        """Books an amount for each of some rows, (r,)."""
        self.state["text"][rows] += amount
        self.state["total"][rows] += amount

    def close(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Returns what the finished texts of some rows cost, and what these rows have spent in all, (r,) each."""
        text = self.state["text"][rows]
        self.state["text"][rows] = 0.0
        return text, self.state["total"][rows]


class TextSums(Component):
    """The observed signals of the text under way, added up for fusion that learns."""

    def __init__(self, signals: int) -> None:
        self.signals = signals

    def row_state(self, readings: int, annotators: int) -> Arrays:
        return {"sum": np.zeros(self.signals), "given": np.zeros(self.signals, np.bool_)}

    def add(self, rows: IntArray, observed: FloatArray, given: BoolArray) -> None:
        """Adds the signals (r, k) of some rows, of which some were given, (r, k)."""
        self.state["sum"][rows] += observed
        self.state["given"][rows] |= given

    def close(self, rows: IntArray) -> tuple[FloatArray, BoolArray]:
        """Returns the sums of finished texts, (r, k), and which signals were given at all, (r, k)."""
        closed = self.state["sum"][rows], self.state["given"][rows]
        self.state["sum"][rows], self.state["given"][rows] = 0.0, False
        return closed
