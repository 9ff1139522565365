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
        k = self.signals
        return {"sum": np.zeros(k), "given": np.zeros(k, np.bool_), "variance": np.zeros(k)}

    def add(self, rows: IntArray, observed: FloatArray, given: BoolArray, variance: FloatArray) -> None:
        """Adds the signals of some rows, which of them were given, and their variances, (r, k) each."""
        self.state["sum"][rows] += observed
        self.state["given"][rows] |= given
        self.state["variance"][rows] += np.where(given, variance, 0.0)

    def close(self, rows: IntArray) -> tuple[FloatArray, BoolArray, FloatArray]:
        """Returns the sums of finished texts, which signals were given at all, and the variances, (r, k) each."""
        closed = self.state["sum"][rows], self.state["given"][rows], self.state["variance"][rows]
        self.state["sum"][rows], self.state["given"][rows], self.state["variance"][rows] = 0.0, False, 0.0
        return closed
