"""Token match: credit for each right token, the moment it is written."""

from __future__ import annotations

import numpy as np

from textgym.metrics.base import Metric
from textgym.metrics.parts.references import once_per_prompt_set
from textgym.tasks.base import PromptSet
from textgym.transition import Transition
from textgym.types import FloatArray, TokenArray
from textgym.vocabulary import Vocabulary


@once_per_prompt_set
def _expected(prompt_set: PromptSet, vocabulary: Vocabulary) -> TokenArray:
    """Returns the right token of each step, (S, R + 2): the reference, the end token, and then -1 for "none is"."""
    lengths = prompt_set.reference_lengths[:, None]
    place = np.arange(prompt_set.reference_ids.shape[1] + 2)
    reference = np.pad(prompt_set.reference_ids, ((0, 0), (0, 2)))
    ended = np.where(place == lengths, np.int32(vocabulary.end_id), np.int32(-1))
    return np.where(place < lengths, reference, ended)


class TokenMatch(Metric):
    """Pays `1 / (reference length + 1)` for a token that stands in its place of the reference, its end included.

    The sum over a text is the share of right places, in [0, 1]: 1 for the reference, ended by the end token.
    """

    timing = "step"

    def score(self, transition: Transition) -> FloatArray:
        expected = _expected(transition.prompt_set, self.task.vocabulary)
        step = np.minimum(transition.steps, expected.shape[1] - 1)
        right: FloatArray = (expected[transition.samples, step] == transition.actions) / (
            transition.reference_lengths + 1
        )
        return right
