"""Laws of the throughput benchmark: what it compares is comparable, and its results are flat numbers."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from benchmarks import throughput


@pytest.mark.parametrize("mode", ["vector_entry_point", "sync"])
def test_environments_are_stepped(mode):
    assert throughput.env_speed("textgym/Copy-v0", 3, mode, seconds=0.02)() > 100


@pytest.mark.parametrize("learner", [throughput.ppo_speed, throughput.bare_speed, throughput.plain_speed])
def test_learners_write_and_learn(learner):
    assert learner(rows=2, epochs=1)() > 1


def test_texts_have_the_sizes_that_the_benchmark_names():
    env = throughput.make_words_env(4)
    observations = env.reset()
    assert observations["input_ids"].shape == (4, throughput.PROMPT_TOKENS + throughput.NEW_TOKENS)
    assert (observations["attention_mask"].sum(axis=1) == throughput.PROMPT_TOKENS).all()
    assert env.action_space.n == throughput.VOCABULARY
    for step in range(1, throughput.NEW_TOKENS + 1):
        _, _, dones, _ = env.step(np.full(4, 7))
        assert (dones == (step == throughput.NEW_TOKENS)).all()


def test_the_plain_transformer_is_the_same_function_of_the_text():
    env = throughput.make_words_env(4)
    env.reset()
    observations, *_ = env.step(np.array([5, 2, 7, 8]))
    tensors = {name: torch.from_numpy(value) for name, value in observations.items()}
    plain = throughput.PlainTransformer(env.observation_space)
    expected = [
        plain.backbone.hidden(ids[None, :length])[0, -1]
        for ids, length in zip(tensors["input_ids"], tensors["attention_mask"].sum(dim=1), strict=True)
    ]
    torch.testing.assert_close(plain(tensors), torch.stack(expected), atol=1e-5, rtol=1e-5)


def test_medians_are_of_each_variant():
    called = []

    def variant(name, values):
        return lambda: called.append(name) or next(values)

    one, other = variant("one", iter([1.0, 9.0, 2.0])), variant("other", iter([5.0, 3.0, 4.0]))
    assert throughput.interleaved(one, other, repeats=3) == [2.0, 4.0]
    assert called == ["one", "other"] * 3


def test_an_import_takes_time_and_memory():
    seconds, megabytes = throughput.in_new_process(throughput.IMPORT)
    assert 0.01 < seconds < 60
    assert 10 < megabytes < 1000


def test_the_command_writes_a_flat_object_of_numbers(tmp_path, monkeypatch):
    measured = {"env_steps_per_second_1": 12_345.6, "bare_model_share": 0.7654}
    monkeypatch.setattr(throughput, "measure", lambda report: measured)
    app = throughput.typer.Typer()
    app.command()(throughput.main)
    result = CliRunner().invoke(app, ["--json", str(tmp_path / "numbers.json")])
    assert result.exit_code == 0
    assert "12,346" in result.output
    assert "0.765" in result.output
    assert json.loads((tmp_path / "numbers.json").read_text()) == measured


@pytest.mark.slow
def test_everything_is_measured():
    results = throughput.measure(env_id="textgym/Copy-v0", sizes=(1, 2), rows=2, epochs=1, seconds=0.02, repeats=1)
    names = {
        "env_steps_per_second_1",
        "env_steps_per_second_2",
        "all_components_steps_per_second",
        "vector_over_sync",
        "import_seconds",
        "import_megabytes",
    }
    names |= {"ppo_tokens_per_second", "plain_sb3_tokens_per_second", "ppo_speedup_over_plain_sb3", "bare_model_share"}
    assert results.keys() == names | {"ppo_peak_megabytes"}
    assert all(isinstance(value, float) and value > 0 for value in results.values())
