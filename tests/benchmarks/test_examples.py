"""The examples learn what they say; `test_own_algorithm` has the other one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.examples.cleanrl_reinforce import Texts, Transformer, log_probs, main


def test_the_log_probabilities_are_those_of_each_token_after_its_prefix() -> None:
    torch.manual_seed(0)
    model = Transformer(num_tokens=7, length=6, width=8, heads=2)
    tokens = torch.randint(7, (3, 6))
    starts, ends = torch.tensor([1, 2, 3]), torch.tensor([4, 6, 4])
    found, written = log_probs(model, Texts(tokens, starts, ends, torch.zeros(3), torch.zeros(3)))
    assert written.sum(1).tolist() == [3, 4, 1]
    for row in range(3):
        for place in range(1, 6):
            expected = 0.0
            if starts[row] <= place < ends[row]:
                expected = model(tokens[row : row + 1, :place])[0, -1].log_softmax(-1)[tokens[row, place]].item()
            assert found[row, place - 1].item() == pytest.approx(expected, abs=1e-5)


def test_one_file_learns_to_copy_without_a_learner_of_ours() -> None:
    warm, final = main("textgym/Copy-v0", warm_epochs=1, iterations=30, prompts=32, learning_rate=3e-3, test_texts=128)
    assert 0 <= warm < 0.9
    assert final > warm + 0.05
    call = (
        "import sys, benchmarks.examples.cleanrl_reinforce\n"
        "assert not {'stable_baselines3', 'sb3_contrib', 'transformers', 'agents'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", call], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.slow
def test_one_file_beats_the_warm_start_on_noisy_feedback() -> None:
    warm, final = main("textgym/Translate-v0")
    assert final > warm + 0.05
