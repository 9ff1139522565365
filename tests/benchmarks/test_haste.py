"""Hasty references end where the mask lets them, and nowhere else."""

from __future__ import annotations

import numpy as np

from benchmarks.haste import Hasty
from tests.laws import references_of, transition_of
from textgym.tasks.copy import Copy
from textgym.tasks.summarize import Summarize


def test_summaries_in_haste_leave_details_out() -> None:
    task = Summarize(size=256)
    hasty, stop = Hasty(task, seed=0), task.vocabulary.encode(".")
    whole, cut = references_of(task, "train"), references_of(hasty, "train")
    places = [len(text) - 1 for text in cut]
    before = [full[:place] for full, place in zip(whole, places, strict=True)]
    assert cut == [[*text, *stop] for text in before]
    masks = task.allowed_tokens(transition_of(task, range(len(before)), before, "train"))
    assert masks[:, stop[0]].all()
    rows = transition_of(task, range(len(cut)), cut, "train")
    kept = np.unique(np.round(task.gold(rows), 6), return_counts=True)
    assert kept[0].tolist() == [0.6, 0.8, 1.0]
    assert (kept[1] > len(cut) / 5).all()
    assert references_of(Hasty(task, seed=0), "train") == cut != references_of(Hasty(task, seed=1), "train")


def test_without_a_mask_any_place_will_do() -> None:
    task = Copy(length=4)
    whole, cut = references_of(task, "test"), references_of(Hasty(task, seed=0), "test")
    assert {len(text) for text in cut} == {1, 2, 3, 4}
    assert cut == [[*full[: len(text) - 1], full[-1]] for text, full in zip(cut, whole, strict=True)]
