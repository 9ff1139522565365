"""Sentiment: how positive the text sounds."""

from __future__ import annotations

from textgym.metrics.base import Metric
from textgym.metrics.parts.vader import polarity
from textgym.metrics.parts.words import spelled
from textgym.transition import Transition
from textgym.types import FloatArray


class Sentiment(Metric):
    """VADER's compound score c of the text, in [-1, 1], as (c + 1) / 2: neutral or empty is 1/2.

    Hutto and Gilbert 2014, "VADER: a parsimonious rule-based model for sentiment analysis of social media text"; the
    rules are in `textgym.metrics.parts.vader`.
    """

    def score(self, transition: Transition) -> FloatArray:
        return (polarity(spelled(transition, self.task.vocabulary)) + 1) / 2
