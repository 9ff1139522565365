"""The profile books each microsecond once, on the part that spent it, and changes nothing."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import textgym
from benchmarks.cli import app
from benchmarks.pictures.examples import everything, example_spec, is_external
from benchmarks.profile import REST, Stopwatch, print_profile, profile
from textgym.registration import build


def test_nested_time_is_booked_on_the_inner_part(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("benchmarks.profile.time.perf_counter", lambda: now[0])

    def spend(seconds: float) -> None:
        now[0] += seconds

    watch = Stopwatch()
    metric = watch.timed("metric", lambda: spend(3.0))

    def answer() -> None:
        spend(1.0)
        metric()
        metric()

    annotator = watch.timed("annotator", answer)

    def fail() -> None:
        spend(0.5)
        raise KeyError

    noise = watch.timed("noise", fail)

    def step() -> None:
        spend(10.0)
        annotator()
        with pytest.raises(KeyError):
            noise()

    watch.timed("step", step)()
    metric()
    assert watch.seconds == {"metric": 9.0, "annotator": 1.0, "noise": 0.5, "step": 10.0}
    assert watch.calls == {"metric": 3, "annotator": 1, "noise": 1, "step": 1}
    assert sum(watch.seconds.values()) == now[0]


def test_every_part_is_there_with_its_calls() -> None:
    feedback = [
        {"name": "rating", "metric": "rouge_l", "noise": [{"name": "gaussian", "sigma": 0.1}]},
        {"name": "rating", "metric": "rouge_l"},
        {"name": "potential", "metric": "rouge_l"},
        {"name": "blend", "metrics": ["rouge_l", "brevity"]},
        "rouge_l",
    ]
    found = profile("textgym/Copy-v0", rows=32, steps=20, feedback=feedback, correction=["none"])
    calls = {cost.part: cost.calls for cost in found.costs}
    parts = {
        REST,
        "gold",
        "fusion",
        "metric rouge_l",
        "metric blend",
        "metric blend > RougeL",
        "metric blend > Brevity",
    }
    parts |= {"annotator rating:rouge_l", "annotator rating:rouge_l#2", "signal/rating:rouge_l/noise/0 Gaussian"}
    parts |= {"metric potential", "metric potential > RougeL", "sum/correction/0 NoCorrection"}
    assert parts == calls.keys()
    assert calls[REST] == found.steps == 20
    assert calls["metric rouge_l"] == calls["annotator rating:rouge_l"] <= 20  # shared, and so computed once
    seconds = [cost.seconds for cost in found.costs]
    assert seconds == sorted(seconds, reverse=True)
    assert found.seconds == pytest.approx(sum(seconds))
    assert 0 < found.tokens <= 32 * 20
    assert found.tokens_per_second == pytest.approx(found.tokens / sum(seconds))


def test_the_task_that_environments_share_is_left_as_it_was() -> None:
    task = gymnasium.make("textgym/Copy-v0").get_wrapper_attr("simulator").task
    profile("textgym/Copy-v0", rows=2, steps=2)
    assert "gold" not in vars(task)


def test_texts_end_at_different_times() -> None:
    found = profile("textgym/Docstring-v0", rows=80, steps=40)
    gold = next(cost for cost in found.costs if cost.part == "gold")
    assert gold.calls > 30  # texts of up to 40 tokens in step would end in one step of these
    assert found.tokens < 80 * 40  # a step that only resets writes none


def test_everything_is_all_that_is_simulated() -> None:
    made = everything("textgym/Docstring-v0")
    names = {spec["name"] for spec in made["feedback"]}
    left_out = {"chat_judge", "task_signal", "reward_model"}
    assert names == {*textgym.components("metrics"), *textgym.components("annotators")} - left_out
    assert is_external("chat_judge")
    env = gymnasium.make_vec("textgym/Copy-v0", num_envs=2, vectorization_mode="vector_entry_point", **made)
    env.reset(seed=0)
    assert env.step(np.array([2, 2]))[4]["signals"].shape == (2, len(names))


def test_an_example_gives_way_to_arguments() -> None:
    assert example_spec("noise", "delay") == {"name": "delay", "steps": 3}
    build("noise", example_spec("noise", "delay", {"rate": 0.5}))
    expected = {"name": "rating", "metric": "rouge_l", "levels": 3}
    assert example_spec("annotators", "rating", {"levels": 3}) == expected
    assert "metric" not in example_spec("annotators", "edit")
    with pytest.raises(ValueError, match="the name is 'delay' already"):
        example_spec("noise", "delay", {"name": "drift"})


def test_the_table_and_the_command() -> None:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    found = profile("textgym/Copy-v0", rows=4, steps=4)
    print_profile(found, console)
    told = console.export_text()
    assert "textgym/Copy-v0, 4 rows" in told
    assert "metric token_match" in told
    feedback = '["rouge_l", {"name": "rating", "metric": "rouge_l"}]'
    call = ["profile", "textgym/Copy-v0", "--argument=length=3", "--rows=4", "--steps=4", "--feedback", feedback]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    for part in ("simulator", "annotator rating:rouge_l", "µs/step", "100.0%"):
        assert part in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["textgym/Nope-v0"], "unknown environment"),
        (["textgym/Copy-v0", "--feedback", "[1"], "--feedback must be JSON, got '[1'"),
        (["textgym/Copy-v0", "--feedback", '["rouge"]'], "unknown signal 'rouge'"),
        (["textgym/Copy-v0", "--feedback", "[]", "--everything"], "give either --feedback or --everything"),
        (["textgym/Copy-v0", "--rows", "0"], "--rows"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    found = CliRunner().invoke(app, ["profile", *arguments])
    assert found.exit_code == 2
    assert message in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr
