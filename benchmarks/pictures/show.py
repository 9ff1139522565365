"""Pictures of what noise and annotators do to a known quality: `textgym show`."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from benchmarks.pictures import panels
from benchmarks.pictures.annotator_study import AnnotatorStudy, in_words, study_annotators
from benchmarks.pictures.examples import example_spec, is_external
from benchmarks.pictures.noise_study import study_noise
from textgym.noise.presets import PRESETS, expand
from textgym.registration import build, split_spec
from textgym.types import Spec
from textgym.vector_env import TextVectorEnv
from textgym.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS, FEW_ROWS, GROUP = 512, 16, 4
"""How many rows write texts for an annotator, for one whose answers cost money, and how many texts for each prompt."""

_PANEL, _LEFT, _LINE = 3.7, 0.75, 0.185  # inches: a panel's width, the left margin, a line's height


def show_noise(name: str, arguments: Mapping[str, Any], out: Path) -> Path:
    """Draws what a channel does, and returns the path of the picture.

    Args:
        name: its name, or a preset's, such as `human/medium`.
        arguments: its arguments; what it needs and is not given comes from its example.
        out: the folder of the picture.

    Raises:
        ValueError: if the name or an argument is not known or not allowed.
    """
    is_preset = "/" in name or name in PRESETS
    if is_preset and arguments:
        raise ValueError(f"the preset {name!r} takes no arguments, got {', '.join(arguments)}")
    specs = expand([name if is_preset else example_spec("noise", name, arguments)])
    study = study_noise([build("noise", spec) for spec in specs])
    count = 2 + (study.course is not None) + (study.arrival is not None)
    with _figure(count, name, "  →  ".join(map(_call, specs))) as figure:
        axes = figure.subplots(1, count)
        panels.draw_density(axes[0], study)
        if study.levels is not None and study.confusion is not None:
            panels.draw_confusion(axes[1], study.levels, study.confusion)
        else:
            panels.draw_errors(axes[1], study)
        if study.course is not None:
            panels.draw_course(axes[2], study.course)
        if study.arrival is not None:
            panels.draw_arrival(axes[-1], study.arrival)
        return _save(figure, out / f"noise-{name.replace('/', '-')}.png")


def show_annotator(name: str, arguments: Mapping[str, Any], out: Path, env_id: str = "textgym/Docstring-v0") -> Path:
    """Draws what an annotator says about texts of a known quality, and returns the path of the picture.

    Args:
        name: its name.
        arguments: its arguments, as in a feedback spec; what it needs and is not given comes from its example, and the
            metric is ROUGE-L unless it has one of its own. One who answers from outside gets nothing but these.
        out: the folder of the picture.
        env_id: the environment whose texts it reads.

    Raises:
        ValueError: if the name or an argument is not known or not allowed, or it never answers.
    """
    spec = {**arguments, "name": name} if is_external(name) else example_spec("annotators", name, arguments)
    rows = FEW_ROWS if is_external(name) else ROWS
    env = gymnasium.make_vec(
        env_id, num_envs=rows, vectorization_mode="vector_entry_point", feedback=[spec], noise=[], group_size=GROUP
    )
    assert isinstance(env, TextVectorEnv)
    (signal,) = env.simulator.feedback.signals
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        study = study_annotators(env.simulator).get(signal.label)
    if study is None or np.isnan(study.readings).all():
        why = f": {warned[0].message}" if warned else ""
        raise ValueError(f"the annotator {name!r} gave no answer on {env_id}{why}")
    for warning in warned:
        warnings.warn(warning.message, stacklevel=2)
    examples = _examples(study, env.simulator.vocabulary)
    metric = signal.label.partition(":")[2]
    unanswered = float(np.isnan(study.readings).mean())
    unit = "token" if signal.metric.timing == "step" else "text"
    told = f"{_call(spec)}\nprice of the answers about a {unit}, in ratings: {signal.cost:g}" + (
        f"; {unanswered:.0%} of the answers are missing" if unanswered else ""
    )
    with _figure(2, f"{name} on {env_id}", told, below=len(examples)) as figure:
        axes = figure.subplots(1, 2)
        panels.draw_readings(axes[0], study, metric)
        panels.draw_shares(axes[1], study, metric)
        return _save(figure, out / f"annotator-{name}.png", examples)


def _call(spec: Spec) -> str:
    """Returns a spec as it would be written in Python."""
    name, arguments = split_spec("noise", spec)
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def _examples(study: AnnotatorStudy, vocabulary: Vocabulary) -> list[str]:
    """Returns lines about a bad, a middling and a good text: the text, and what was said of it."""
    answered = np.flatnonzero(~np.isnan(study.readings[:, 0]))
    order = answered[np.argsort(study.quality[answered], kind="stable")]
    lines = []
    for text in order[[len(order) // 8, len(order) // 2, -1 - len(order) // 20]]:
        lines.append(f"quality {study.quality[text]:.2f}, answer {study.readings[text, 0]:.2f}")
        said = in_words(study.said, int(text), vocabulary)
        short = [f"{field} {value}" for field, value in said.items() if len(value) <= 12]
        told = {"text": study.texts[text], **{field: value for field, value in said.items() if len(value) > 12}}
        indented = [f"{field}: {value}" for field, value in told.items()] + ([", ".join(short)] if short else [])
        lines += ["    " + textwrap.shorten(line, 112, placeholder=" …") for line in indented]
    return lines


@contextmanager
def _figure(panels_across: int, title: str, told: str, below: int = 0) -> Iterator[Figure]:
    """Gives a figure with a heading, room for panels side by side, and room for some lines of text below."""
    import matplotlib
    from matplotlib.figure import Figure

    width = _PANEL * panels_across + 0.6
    lines = [part for line in told.split("\n") for part in textwrap.wrap(line, int(15.5 * width))]
    heading, foot = 0.75 + _LINE * len(lines), 0.85 + _LINE * below
    height = heading + 2.7 + foot
    with matplotlib.rc_context(panels.STYLE):
        figure = Figure(figsize=(width, height), facecolor="white")
        left = _LEFT / width
        figure.subplots_adjust(left, foot / height, 1 - 0.2 / width, 1 - heading / height, wspace=0.32)
        figure.text(left, 1 - 0.2 / height, title, fontsize=13, fontweight="bold", va="top")
        figure.text(left, 1 - 0.48 / height, "\n".join(lines), color=panels.QUIET, va="top", linespacing=1.35)
        yield figure


def _save(figure: Figure, path: Path, lines: Sequence[str] = ()) -> Path:
    """Writes lines at the foot of a figure, and the figure to its file."""
    width, height = figure.get_size_inches()
    for number, line in enumerate(reversed(lines)):
        bold = not line.startswith(" ")
        colour = panels.INK if bold else panels.QUIET
        at = (0.12 + _LINE * number) / height
        figure.text(_LEFT / width, at, line, fontsize=8, color=colour, fontweight="bold" if bold else "normal")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path
