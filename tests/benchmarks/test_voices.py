"""A reward taken apart adds up, and is the reward that was paid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.evaluation import evaluate
from benchmarks.samples import score_samples
from benchmarks.voices import voices

RATING = {"name": "rating", "metric": "rouge_l", "levels": 5, "readings": 2, "weight": 0.5}
COMMENT = {"name": "comment", "metric": "rouge_l"}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"feedback": [{**RATING, "noise": [{"name": "gaussian", "sigma": 0.2}]}, "brevity", COMMENT], "noise": []},
    {"feedback": [RATING, "brevity"], "fusion": "personalised"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=["default", "noisy signals", "weights of each text"])
def test_parts_add_up_to_the_returns_that_were_paid(settings: dict[str, Any]) -> None:
    found = evaluate("random", "textgym/Docstring-v0", episodes=30, seed=3, **settings)
    chosen = [0, 7, 29]
    told = voices(found, chosen, **settings)
    clean = [sum(voice["clean"] for voice in text) for text in told]
    np.testing.assert_allclose(clean, found.returns["clean_return"][chosen], atol=1e-12)
    if "noise" in settings:  # without noise on the sum the rest is nothing: the chance is the same
        observed = [sum(voice["observed"] for voice in text) for text in told]
        np.testing.assert_allclose(observed, found.returns["observed_return"][chosen], atol=1e-12)
        assert np.abs(np.subtract(observed, clean)).max() > 0.01


def test_what_annotators_said_is_in_words() -> None:
    found = evaluate("random", "textgym/Docstring-v0", episodes=8, **SETTINGS[1])
    for text in voices(found, [0, 5], **SETTINGS[1]):
        rating, brevity, comment = text
        assert (rating["signal"], brevity["signal"]) == ("rating:rouge_l", "brevity")
        assert len(rating["said"]["answer"].split(", ")) == 2
        assert brevity["said"] == {}
        assert any(len(words) > 5 for words in comment["said"].values())


def test_an_annotator_who_is_not_simulated_is_not_asked_again() -> None:
    found = evaluate("random", "textgym/Copy-v0", episodes=2)
    feedback = [{"name": "chat_judge", "metric": "gold", "model": "m", "url": "u"}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.voices.make_env", lambda *_, **__: make_copy())
        assert voices(found, [0, 1], feedback=feedback) == [[], []]


def make_copy() -> Any:
    from benchmarks.evaluation import make_env

    return make_env("textgym/Copy-v0", num_rows=2)


def test_samples_carry_the_voices() -> None:
    found = evaluate("random", "textgym/Copy-v0", episodes=6)
    samples = score_samples(found, 3)
    assert [sample["observed_return"] for sample in samples] == found.returns["observed_return"][[0, 2, 5]].tolist()
    assert {voice["signal"] for sample in samples for voice in sample["voices"]} == {"token_match"}
