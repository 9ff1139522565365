"""Summarize: say in a sentence what a report tells of its main story, and nothing else."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textgym.tasks.base import PromptSet, Task
from textgym.tasks.parts.prompts import size_of_split
from textgym.tasks.parts.summarize_facts import FactReader
from textgym.tasks.parts.summarize_grammar import summary_grammar
from textgym.tasks.parts.summarize_reports import Reporter, Shape
from textgym.tasks.parts.summarize_words import ASIDES, DETAILS, OPENINGS, PHRASES, STORY, make_vocabulary, pieces
from textgym.transition import Transition
from textgym.types import BoolArray, FloatArray, IntArray

_MOST_OTHERS, _LARGEST = 8, 65_536


class Summarize(Task):
    """Sum up a report: who did what, and what else it tells of that, but nothing of what is beside the point.

    Example: prompt `summarize the main story: an inn has been built by Grace. the weather was fine. Grace's inn will
    serve students. her neighbour Anna acquired a hotel in Leeds. Grace had help from four friends.`, text `Grace built
    an inn for students with the help of four friends.`

    The main story is that of the first sentence. The facts of it are who did it, the deed and the thing, and details:
    for whom, where, on which day, the cost and the number of helpers. Each sentence with a detail says by a name or by
    the thing whose it is. Other people have stories of their own; asides matter to nobody; what is told first is wrong
    where a sentence with `correction:` or `in fact,` follows; and what is said again is one fact. No other split has
    the same person do the same to the same thing.

    Gold is the facts kept minus the facts invented, over the facts of the main story, at least 0. A fact is kept that
    the text states in a phrase of the reports or summaries, such as `Grace built an inn` or `in Leeds`, in any order;
    `STATED` beside the task's words lists them. Any other value that the text names, in a phrase or not, is invented:
    it is somebody else's, wrong or an aside. A fact that is said twice counts once. Random tokens get about 0, the
    first words of an easy report about half of what a summary gets.

    The default feedback is a rating of gold in five levels, fluency, relevance and informativeness, with Gaussian noise
    on their sum. The last two part from gold: relevance likes what is beside the point as well, and informativeness
    what is made up. Two more signals are there to be used, `"kept"`, the share of the facts that is kept, and
    `"faithful"`, the share of the named values that is not invented.

    The mask is the grammar of the summaries; a text that has left it may go on with anything. The presets grow in all
    that a report holds: some 42, 79 and 137 tokens.

    Args:
        facts: how many facts the main story has, 4 to 8.
        asides: how many sentences are asides, 0 to 10.
        distractors: how many sentences are about other people, 0 to 8.
        repeats: how many details are told again in other words, at most facts - 3.
        corrections: how many details are wrong at first, at most facts - 3.
        size: how many different reports all splits have together, 8 to 65,536.

    Version history: v0, the first.
    """

    presets: ClassVar = {
        "easy": {"facts": 5, "asides": 1, "distractors": 1, "repeats": 0, "corrections": 0},
        "medium": {"facts": 6, "asides": 2, "distractors": 2, "repeats": 1, "corrections": 1},
        "hard": {"facts": 8, "asides": 3, "distractors": 5, "repeats": 2, "corrections": 2},
    }
    swept = "distractors"
    optimal_return = 1.0
    default_feedback = (
        {"name": "rating", "metric": "gold", "levels": 5, "weight": 0.5},
        {"name": "fluency", "weight": 0.15},
        {"name": "relevance", "weight": 0.3},
        {"name": "informativeness", "weight": 0.05},
    )
    default_noise = ({"name": "gaussian", "sigma": 0.1},)

    def __init__(
        self,
        facts: int = 5,
        asides: int = 1,
        distractors: int = 1,
        repeats: int = 0,
        corrections: int = 0,
        size: int = 8192,
    ) -> None:
        details = facts - len(STORY)
        if not 1 <= details <= len(DETAILS):
            raise ValueError(f"facts must be {len(STORY) + 1} to {len(STORY) + len(DETAILS)}, got {facts}")
        limits = {
            "asides": (asides, 0, len(ASIDES)),
            "distractors": (distractors, 0, _MOST_OTHERS),
            "repeats": (repeats, 0, details),
            "corrections": (corrections, 0, details),
            "size": (size, 8, _LARGEST),
        }
        for name, (given, least, most) in limits.items():
            if not least <= given <= most:
                raise ValueError(f"{name} must be {least} to {most} with {facts} facts, got {given}")
        self.shape, self.size = Shape(facts, asides, distractors, repeats, corrections), size
        self.vocabulary = make_vocabulary()
        longest = sorted(len(pieces(phrase)) for phrase in PHRASES.values())[-details:]
        self.max_new_tokens = len(pieces(OPENINGS[0])) + sum(longest) + len([".", "<end>"])
        self.signals = {"kept": self.kept, "faithful": self.faithful}
        self._reader, self._grammar = FactReader(self.vocabulary), summary_grammar(self.vocabulary)

    def make_prompt_set(self, split: str) -> PromptSet:
        reporter = Reporter(self.shape, self.vocabulary, split)
        summaries: dict[tuple[int, ...], tuple[int, ...]] = {}
        while len(summaries) < size_of_split(self.size, split):
            report, summary = reporter.write()
            summaries[report] = summary
        return PromptSet.from_tokens(list(summaries), list(summaries.values()), self.vocabulary)

    def allowed_tokens(self, transition: Transition) -> BoolArray:
        return self._grammar.allowed[self._grammar.arrive(transition.text_ids, transition.text_lengths)]

    def kept(self, transition: Transition) -> FloatArray:
        """Returns the share of the facts that each text keeps, (n,), in [0, 1]."""
        kept, _, salient = self._counts(transition)
        share: FloatArray = kept / salient
        return share

    def faithful(self, transition: Transition) -> FloatArray:
        """Returns the share of kept facts among the kept and the invented ones, (n,), in [0, 1]; 0 without any."""
        kept, invented, _ = self._counts(transition)
        share: FloatArray = kept / np.maximum(kept + invented, 1)
        return share

    def gold(self, transition: Transition) -> FloatArray:
        kept, invented, salient = self._counts(transition)
        gold: FloatArray = np.maximum(kept - invented, 0) / salient
        return gold

    def _counts(self, transition: Transition) -> tuple[IntArray, IntArray, IntArray]:
        """Returns how many facts each text keeps, how many it invents, and how many there are to keep, (n,) each."""
        text = self._reader.read(transition.text_ids, transition.text_lengths)
        salient = self._reader.read(transition.reference_ids, transition.reference_lengths).stated
        kept = (text.stated & salient).sum(axis=1)
        invented = (text.named & ~salient).sum(axis=1)
        return kept, invented, salient.sum(axis=1)
