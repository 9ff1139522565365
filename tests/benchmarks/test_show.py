"""What `show` draws is what channels and annotators do, and all of it is on the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

import textgym
from benchmarks.cli import app
from benchmarks.pictures.annotator_study import alike, annotator_response, in_words, study_annotators
from benchmarks.pictures.examples import example_spec, is_external
from benchmarks.pictures.noise_study import DRAWS, SPOKEN, TOKENS, noise_response, study_noise
from benchmarks.pictures.response import Response
from benchmarks.pictures.responses import NOISE, responses, shared_responses
from benchmarks.pictures.show import show_annotator, show_noise
from benchmarks.report.feedback_section import feedback_section, response_figure
from benchmarks.report.records import Report
from textgym.noise.presets import PRESETS, SEVERITIES
from textgym.registration import build
from textgym.simulator import Simulator

TYPICAL_NOISE = ("gaussian", "flip", "drift", "delay", "human/medium")
ALL_NOISE = [*textgym.components("noise"), *(f"{name}/{severity}" for name in PRESETS for severity in SEVERITIES)]
TYPICAL_ANNOTATORS = ("rating", "dwell", "ranking")
ALL_ANNOTATORS = [name for name in textgym.components("annotators") if not is_external(name)]


def typical(names: list[str], few: tuple[str, ...]) -> list[Any]:
    return [pytest.param(name, marks=() if name in few else pytest.mark.slow) for name in names]


def noise(name: str, **arguments: Any) -> Any:
    return build("noise", example_spec("noise", name, arguments))


def simulator(env_id: str = "textgym/Copy-v0", rows: int = 64, **arguments: Any) -> Simulator:
    made = gymnasium.make_vec(env_id, num_envs=rows, vectorization_mode="vector_entry_point", **arguments)
    found: Simulator = made.unwrapped.simulator  # type: ignore[attr-defined]
    return found


def check_picture(path: Path) -> None:
    """What is cut off at the edge of a picture leaves ink there."""
    pixels = imread(path)
    assert pixels.std() > 0.05
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == 1.0).all()


@pytest.mark.parametrize("name", typical(ALL_NOISE, TYPICAL_NOISE))
def test_noise_is_drawn_and_nothing_is_cut_off(name: str, tmp_path: Path) -> None:
    check_picture(show_noise(name, {}, tmp_path))


@pytest.mark.parametrize("name", typical(ALL_ANNOTATORS, TYPICAL_ANNOTATORS))
def test_annotators_are_drawn_and_nothing_is_cut_off(name: str, tmp_path: Path) -> None:
    check_picture(show_annotator(name, {}, tmp_path))


def test_noise_is_studied_as_it_is() -> None:
    study = study_noise([noise("gaussian", sigma=0.2)], low=-1.0, high=3.0)
    assert (study.values[0], study.values[-1]) == (-1.0, 3.0)
    np.testing.assert_allclose(study.outputs.mean(axis=1), study.values, atol=5 * 0.2 / np.sqrt(DRAWS))
    np.testing.assert_allclose(study.deviation, 0.2)
    assert (study.confusion, study.course, study.arrival) == (None, None, None)
    response = noise_response(study)
    np.testing.assert_allclose(response.truth, study.values)
    spread = response.high - response.low
    np.testing.assert_allclose(spread.mean(), 2 * 1.2816 * 0.2, rtol=5 * 0.016)  # 1.2816: the upper normal decile


def test_confusion_is_between_a_channels_own_levels() -> None:
    study = study_noise([noise("flip", rate=0.2)])
    assert study.levels is not None
    assert study.confusion is not None
    np.testing.assert_allclose(study.levels, [0.0, 1.0])
    np.testing.assert_allclose(study.confusion, [[0.8, 0.2], [0.2, 0.8]])


def test_memory_is_followed_and_the_channel_left_alone() -> None:
    channel = noise("drift", tau=0.1)
    course = study_noise([channel]).course
    assert course is not None
    texts = np.arange(1, len(course) + 1)
    variance = course.var(axis=1)
    error = np.sqrt(2 / course.shape[1])  # of a normal variance, relative
    np.testing.assert_allclose(variance, 0.01 * texts, rtol=5 * error)
    assert not hasattr(channel, "state")


def test_delay_is_followed_within_a_text() -> None:
    study = study_noise([noise("delay", steps=4)])
    assert study.arrival is not None
    np.testing.assert_array_equal(study.arrival, np.arange(TOKENS) == SPOKEN + 4)
    late = study_noise([noise("delay", rate=0.05)]).arrival
    assert late is not None
    assert late.sum() == pytest.approx(1.0)
    on_time = 5 * np.sqrt(0.05 * 0.95 / DRAWS)
    assert late[SPOKEN] == pytest.approx(0.05, abs=on_time)


def test_answers_stand_beside_the_quality_that_they_are_about() -> None:
    made = simulator(feedback=[{"name": "rating", "metric": "token_match", "levels": 3}, "repetition"])
    assert list(study_annotators(made, texts=1)) == ["rating:token_match"]
    made = simulator("textgym/Docstring-v0", feedback=[{"name": "rating", "metric": "rouge_l", "readings": 2}])
    study = study_annotators(made, texts=3)["rating:rouge_l"]
    assert study.quality.shape == study.samples.shape == (192,)
    assert study.readings.shape == (192, 2)
    level = np.minimum(np.floor(5 * study.quality), 4) / 4
    np.testing.assert_allclose(study.readings, np.stack([level, level], axis=1))
    assert study.quality.min() < 0.2
    assert study.quality.max() == 1.0
    best = int(study.quality.argmax())
    prompts = made.prompt_set
    reference = prompts.reference_ids[study.samples[best], : prompts.reference_lengths[study.samples[best]]]
    assert study.texts[best] == made.vocabulary.decode(reference.tolist())
    told = in_words(study.said, best, made.vocabulary)
    assert told["level"] == "5"


def test_words_and_tokens_are_told_as_words() -> None:
    made = simulator("textgym/Docstring-v0", feedback=[{"name": "preference", "metric": "rouge_l"}])
    study = study_annotators(made, texts=1)["preference:rouge_l"]
    length = study.said["opponent_lengths"][3]
    opponent = made.vocabulary.decode(study.said["opponent_ids"][3, :length].tolist())
    assert in_words(study.said, 3, made.vocabulary)["opponent"] == opponent != ""


def test_a_response_by_hand() -> None:
    truth = [np.array([0.0, 1.0]), np.array([5.0]), np.array([2.0])]
    answers = [np.arange(11.0), np.array([np.nan]), np.array([4.0, np.nan])]
    response = Response.of(truth, answers)
    np.testing.assert_allclose([response.truth, response.mean], [[0.5, 2.0], [5.0, 4.0]])
    np.testing.assert_allclose([response.low, response.high], [[1.0, 4.0], [9.0, 4.0]])


def test_a_response_is_drawn_where_the_axes_say() -> None:
    values = np.array([0.0, 1.0])
    chart = response_figure("x < y", Response(values, values, values, values)).drawing.svg()
    line = "M42.0 230.0L282.0 24.0"
    assert f'<path class="mean s0" d="{line}"/>' in chart
    assert f'<path class="agree" d="{line}"/>' in chart
    assert f'<path class="band s0" d="{line}L282.0 24.0L42.0 230.0Z"/>' in chart
    assert 'aria-label="x &lt; y: answer against noiseless value"' in chart


def test_the_report_has_the_environments_annotators_and_its_noise() -> None:
    found = responses("textgym/Docstring-v0")
    assert list(found) == ["rating:rouge_l", NOISE]
    assert found[NOISE].truth[-1] == pytest.approx(1.45)  # the weights' sum: 1, 0.25 and 0.2
    assert found["rating:rouge_l"].mean[-1] == 1.0
    section = feedback_section(Report("", "", [], [], responses=found))
    assert section is not None
    assert section.html().count("<svg") == 2
    judge = {**example_spec("annotators", "chat_judge"), "on_error": "raise"}
    assert list(responses("textgym/Docstring-v0", feedback=[judge, "fluency"])) == [NOISE]


def test_runs_share_a_response_only_if_they_share_the_environment() -> None:
    copy = {"env_id": "textgym/Copy-v0", "env_kwargs": {"noise": [{"name": "gaussian", "sigma": 0.1}]}}
    assert list(shared_responses([copy, copy])) == [NOISE]
    assert shared_responses([copy, {"env_id": "textgym/Copy-v0"}]) == {}
    assert shared_responses([{"env_id": "elsewhere/Haiku-v0"}]) == {}


def test_the_response_of_an_annotator_follows_quality() -> None:
    made = simulator("textgym/Docstring-v0", rows=128, feedback=[{"name": "rating", "metric": "rouge_l"}])
    response = annotator_response(study_annotators(made)["rating:rouge_l"])
    assert (np.diff(response.mean) >= 0).all()
    assert (response.low <= response.high).all()


def test_the_command_draws(tmp_path: Path) -> None:
    call = ["show", "noise", "delay", "--argument", "rate=.5", "--out", str(tmp_path / "new")]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert Path(result.output.strip()) == tmp_path / "new" / "noise-delay.png"
    assert imread(tmp_path / "new" / "noise-delay.png").ndim == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["noise", "gausian"], "unknown noise 'gausian' (did you mean 'gaussian'?)"),
        (["noise", "human/medum"], "did you mean 'medium'?"),
        (["noise", "human"], "needs a severity; known: human/mild, human/medium, human/severe"),
        (["annotator", "chat_judge"], "annotator 'chat_judge' needs the argument 'base_url'"),
        (["noise", "human/medium", "--argument", "sigma=1"], "the preset 'human/medium' takes no arguments, got sigma"),
        (["noise", "gaussian", "--argument", "sigma"], "an argument must be KEY=VALUE, such as sigma=0.3, got 'sigma'"),
        (["noise", "gaussian", "--argument", "sigma=-1"], "sigma must be finite and non-negative, got -1"),
        (["noise", "gaussian", "--argument", "sigma=few"], "sigma must be a number, got 'few'"),
        (["noise", "gaussian", "--argument", "gamma=1"], "unknown argument 'gamma'"),
        (["annotator", "reader"], "unknown annotator 'reader'"),
        (["annotator", "rating", "--env", "textgym/Nope-v0"], "unknown environment"),
        (["colour", "red"], "'colour' is not one of"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    found = CliRunner().invoke(app, ["show", *arguments, "--out", str(tmp_path)])
    assert found.exit_code == 2
    assert message in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr
    assert not list(tmp_path.iterdir())


def test_an_annotator_who_never_answers_is_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    nowhere = example_spec("annotators", "chat_judge")
    del nowhere["name"]
    with pytest.raises(ValueError, match=r"'chat_judge' gave no answer on textgym/Copy-v0: .*: ConnectError"):
        show_annotator("chat_judge", nowhere, tmp_path, "textgym/Copy-v0")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", textgym.components("noise"))
def test_what_is_drawn_of_a_channel_by_its_name_alone_is_not_nothing(name: str) -> None:
    study = study_noise([noise(name)])
    changed = ~np.isclose(study.outputs, study.values[:, None])  # also where it is lost
    assert changed.mean() > 0.05 or study.arrival is not None


def test_a_token_is_told_as_it_reads() -> None:
    made = simulator("textgym/Docstring-v0", feedback=[{"name": "demonstration"}])
    study = study_annotators(made, texts=1)["demonstration:token_match"]
    vocabulary, prompts = made.vocabulary, made.prompt_set
    first = int(np.flatnonzero(study.samples == 0)[0])
    assert in_words(study.said, first, vocabulary)["token"] == vocabulary.decode(prompts.reference_ids[0, :1].tolist())
    ended = int(np.flatnonzero(study.said["token"][:, 0] == vocabulary.end_id)[0])
    assert in_words(study.said, ended, vocabulary)["token"] == vocabulary.tokens[vocabulary.end_id]


def test_texts_of_equal_quality_stay_together() -> None:
    quality = np.array([0.5, 0.0, 0.5, 1.0, 0.5, 0.5])
    assert [part.tolist() for part in alike(quality, 12)] == [[1], [0, 2, 4, 5], [3]]
    spread = [part.tolist() for part in alike(np.arange(10.0), 5)]
    assert spread == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
