"""What the tokens of a text earned adds up to its clean return."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.attribution import attribute
from benchmarks.evaluation import evaluate, make_env

ENV_ID = "textgym/Copy-v0"
FEEDBACK = [{"name": "token_match", "weight": 2.0}, {"name": "brevity", "weight": 0.5}, {"name": "rouge_l"}]


@pytest.mark.parametrize("max_new_tokens", [3, 9])
def test_the_tokens_add_up_to_the_clean_return(max_new_tokens: int) -> None:
    settings = {"feedback": FEEDBACK, "max_new_tokens": max_new_tokens}
    found = evaluate("random", ENV_ID, episodes=40, **settings)
    earned = attribute(found.texts.tokens, found.texts.samples.tolist(), ENV_ID, **settings)
    sums = [one.empty + one.clean.sum() for one in earned]
    np.testing.assert_allclose(sums, found.returns["clean_return"], atol=1e-12)
    assert {len(tokens) for tokens in found.texts.tokens} > {
        1,
        max_new_tokens,
    }  # empty texts and cut ones are among them
    for one, tokens in zip(earned, found.texts.tokens, strict=True):
        assert one.clean.shape == one.tokens.shape == tokens[tokens != 2].shape
        np.testing.assert_allclose(one.signals @ [2.0, 0.5, 1.0], one.clean, atol=1e-12)
        assert one.signal_names == ["token_match", "brevity", "rouge_l"]


def test_a_right_token_of_copy_earns_its_share_and_a_wrong_one_nothing() -> None:
    right = evaluate("random", ENV_ID, episodes=1, noise=[]).prompts[0].split()
    letters = [3 + ord(letter) - ord("a") for letter in right]
    wrong = 3 + (letters[1] - 3 + 1) % 8
    (earned,) = attribute([np.array([letters[0], wrong, letters[2], 2])], [0], ENV_ID)
    np.testing.assert_allclose(earned.clean, [1 / 6, 0.0, 1 / 6], atol=1e-12)
    assert earned.empty == 0.0


def test_noise_does_not_change_what_a_token_earned() -> None:
    tokens = [np.array([3, 4, 5])]
    quiet, noisy = (
        attribute(tokens, [0], ENV_ID, noise=noise)[0] for noise in ([], [{"name": "gaussian", "sigma": 5.0}])
    )
    np.testing.assert_array_equal(quiet.clean, noisy.clean)


def test_what_turns_earned_adds_up_and_the_booking_earns_the_goal() -> None:
    """A prefix is worth what it is if the agent stops there: its turn ends, the user answers, and hangs up."""
    found = evaluate("random", "textgym/Dialogue-v0", episodes=40, noise=[])
    earned = attribute(found.texts.tokens, found.texts.samples.tolist(), "textgym/Dialogue-v0", noise=[])
    sums = [one.empty + one.clean.sum() for one in earned]
    np.testing.assert_allclose(sums, found.returns["clean_return"], atol=1e-12)
    assert max(np.count_nonzero(tokens == 2) for tokens in found.texts.tokens) > 2
    prompts = make_env("textgym/Dialogue-v0", num_rows=1, split="test").simulator.prompt_set
    reference = prompts.reference_ids[0, : prompts.reference_lengths[0]]
    (earned_by_reference,) = attribute([reference], [0], "textgym/Dialogue-v0", noise=[])
    assert earned_by_reference.empty + earned_by_reference.clean.sum() == pytest.approx(1.0)
    goal, mood, _ = earned_by_reference.signals.T
    assert goal.sum() == goal[-1] == 1.0  # it is the full stop that makes it a booking
    asked = len(prompts.data["goal"][0].asked)
    assert mood[: np.flatnonzero(reference == 2)[0] + 1].sum() == pytest.approx(0.5 / (asked + 2))


def test_bad_texts_are_refused() -> None:
    assert attribute([], [], ENV_ID) == []
    with pytest.raises(ValueError, match="1 texts and 2 samples"):
        attribute([np.array([3])], [0, 1], ENV_ID)
    with pytest.raises(ValueError, match="at most 6 tokens, the environment's budget, got 7"):
        attribute([np.full(7, 3)], [0], ENV_ID)
