"""Comment: what a person says in words, and the number that is read out of them."""

from __future__ import annotations

import numpy as np

from textgym.annotators.base import Annotator, Answer, Question
from textgym.annotators.parts.comment_writing import Draws, Rates, write
from textgym.annotators.parts.reading import read_back
from textgym.metrics.base import Metric
from textgym.metrics.repetition import distinct_share
from textgym.random import Address
from textgym.transition import Transition
from textgym.types import FloatArray

_RATES = Rates(off_topic=0.02, sarcasm=0.02, typos=0.1)


class Comment(Annotator):
    """Says in words what it thinks of the text; the answer is the sentiment that is read out of the words.

    With q in [0, 1] the metric's place between its bounds, the opinion is one of five, `floor(4 q + u)` with u uniform,
    so that its sign and strength go with the quality without bias. It is about the text as a whole or, in proportion
    to what there is to praise or to blame, about one of its parts: completeness and concision, from its length beside
    the reference's, or variety, the share of its pairs of tokens that are distinct. The words are drawn at random; some
    comments are off topic, say the opposite (sarcasm), or have a typo.

    The words are cleaned and read back with VADER's lexicon by `read_back`, and that sentiment in [0, 1] is put on the
    metric's scale. `confusion` tells what all this does to a rating in levels.

    Args:
        metric: the metric that the opinion goes with.
        off_topic: the probability epsilon_1 of a remark about something else.
        sarcasm: the probability epsilon_2 that a comment on the topic says the opposite.
        typos: the probability of a slip of the keys in a comment.
    """

    cost = 2.0
    whole_texts = True

    def __init__(
        self,
        metric: Metric,
        off_topic: float = _RATES.off_topic,
        sarcasm: float = _RATES.sarcasm,
        typos: float = _RATES.typos,
    ) -> None:
        super().__init__(metric)
        self.rates = _checked(off_topic, sarcasm, typos)
        self.low, self.high = metric.low, metric.high
        read_back(["fine"])  # where the lexicon is not installed, fail now and not at the end of a text

    def answer(self, question: Question) -> Answer:
        shape = len(question), question.readings
        quality = np.clip((question.quality - self.low) / (self.high - self.low), 0.0, 1.0)
        parts = np.repeat(_parts(question.transition, len(self.metric.task.vocabulary)), shape[1], axis=0)
        comments, aspects = _comments(quality.ravel(), parts, question.address, shape[1], self.rates)
        readings = self.low + (self.high - self.low) * read_back(comments).reshape(shape)
        said = {"comment": comments, "aspect": aspects}
        return Answer(readings, {name: np.array(words, object).reshape(shape) for name, words in said.items()})


def confusion(
    levels: int = 5,
    draws: int = 2000,
    off_topic: float = _RATES.off_topic,
    sarcasm: float = _RATES.sarcasm,
    typos: float = _RATES.typos,
) -> FloatArray:
    """Returns P(level that is read | level that is true), (K, K): what saying it in words does to a rating.

    Each row is the share among `draws` comments on texts whose quality is that level, `k / (K - 1)`, and whose parts
    are half good; what is read goes to the nearest level. The same arguments give the same matrix.

    Args:
        levels: the number of levels K, at least 2.
        draws: how many comments of each level are written, at least 1.
        off_topic: see `Comment`.
        sarcasm: see `Comment`.
        typos: see `Comment`.
    """
    if levels < 2 or draws < 1:
        raise ValueError(f"levels must be at least 2 and draws at least 1, got levels={levels}, draws={draws}")
    true = np.repeat(np.arange(levels), draws)
    parts = np.full((len(true), 3), 0.5)
    rates = _checked(off_topic, sarcasm, typos)
    comments, _ = _comments(true / (levels - 1), parts, Address.first(len(true)), 1, rates)
    read = np.rint(read_back(comments) * (levels - 1)).astype(np.int64)
    return np.bincount(levels * true + read, minlength=levels**2).reshape(levels, levels) / draws


def _checked(off_topic: float, sarcasm: float, typos: float) -> Rates:
    rates = Rates(off_topic, sarcasm, typos)
    for name, rate in rates._asdict().items():
        if not 0 <= rate <= 1:
            raise ValueError(f"{name} must be 0 to 1, got {rate}")
    return rates


def _parts(transition: Transition, vocabulary_size: int) -> FloatArray:
    """Returns the completeness, concision and variety of texts, (n, 3), in [0, 1]."""
    length, wanted = np.maximum(transition.text_lengths, 1), np.maximum(transition.reference_lengths, 1)
    shorter = np.minimum(length, wanted)
    variety = distinct_share(transition, 2, vocabulary_size)
    return np.column_stack([shorter / wanted, shorter / length, variety])


def _comments(
    quality: FloatArray, parts: FloatArray, address: Address, readings: int, rates: Rates
) -> tuple[list[str], list[str]]:
    """Returns n m comments on texts of a quality (n m,), with parts (n m, 3), and the aspect that each is about."""
    chance = address.uniform(readings * len(Draws._fields)).reshape(-1, len(Draws._fields)).tolist()
    written = [
        write(good, part, Draws(*drawn), rates)
        for good, part, drawn in zip(quality.tolist(), parts.tolist(), chance, strict=True)
    ]
    return [comment for comment, _ in written], [aspect for _, aspect in written]
