"""The command line: `textgym list|describe|play|show|profile|train|evaluate|benchmark|report`.

Torch and the learners are imported inside the commands that need them, so that the others answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

NEEDS_EXTRA = 'textgym\'s command line needs more packages: pip install "textgym[benchmarks]" (not found: {})'

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ModuleNotFoundError as error:
    sys.exit(NEEDS_EXTRA.format(error.name))

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Reinforcement learning on text: environments whose reward is feedback, learners, experiments.",
)


class Algorithm(StrEnum):
    """What `train` can train with."""

    ppo = "ppo"
    maskable_ppo = "maskable_ppo"
    reinforce = "reinforce"


class Suite(StrEnum):
    """What `benchmark` can run."""

    docstring = "docstring"
    diagnostics = "diagnostics"
    applications = "applications"
    rlhf = "rlhf"


class Drawn(StrEnum):
    """What `show` can draw."""

    noise = "noise"
    annotator = "annotator"


class Split(StrEnum):
    """The splits of a task."""

    train = "train"
    validation = "validation"
    test = "test"


EnvId = Annotated[str, typer.Argument(metavar="ENV", help="An environment's id, such as textgym/Copy-v0.")]


def main() -> None:
    """Runs the command line; bad input is one line and exit code 2, Ctrl-C exit code 130."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one line on the error output."""
    import gymnasium

    try:
        yield
    except ModuleNotFoundError as error:
        _refuse(NEEDS_EXTRA.format(error.name))
    except (ValueError, OSError, gymnasium.error.Error) as error:
        _refuse(" ".join(str(error).split()))


def _refuse(message: str) -> None:
    print(f"textgym: {message}", file=sys.stderr)
    raise typer.Exit(2)


def _known(env_id: str) -> str:
    import textgym

    if env_id not in textgym.env_ids():
        raise ValueError(f"unknown environment {env_id!r}; known: {', '.join(textgym.env_ids())}")
    return env_id


@app.command("list")
def list_() -> None:
    """Show the environments, and the components that a spec can name."""
    import textgym
    from textgym.noise.presets import PRESETS, SEVERITIES
    from textgym.registration import COMPONENTS

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("environments", ", ".join(textgym.env_ids()))
    for kind in COMPONENTS:
        table.add_row(kind, ", ".join(textgym.components(kind)))
    table.add_row("noise presets", ", ".join(f"{preset}/{'|'.join(SEVERITIES)}" for preset in PRESETS))
    Console().print(table)


@app.command()
def show(
    kind: Annotated[Drawn, typer.Argument(help="What is drawn.")],
    name: Annotated[str, typer.Argument(help="Its name, or a preset of noise such as human/medium.")],
    argument: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="An argument; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder of the picture.")] = Path("."),
    env_id: Annotated[str, typer.Option("--env", help="The texts that an annotator reads.")] = "textgym/Docstring-v0",
) -> None:
    """Draw what noise or an annotator does to a known quality, as a PNG."""
    with _plain_errors():
        from benchmarks.pictures.show import show_annotator, show_noise

        given = dict(map(_pair, argument or ()))
        if kind is Drawn.noise:
            print(show_noise(name, given, out))
        else:
            print(show_annotator(name, given, out, _known(env_id)))


def _pair(text: str) -> tuple[str, Any]:
    """Returns the name and the value of KEY=VALUE: JSON, a number such as .3, or else a word."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"an argument must be KEY=VALUE, such as sigma=0.3, got {text!r}")
    for read in (json.loads, float):
        try:
            return key, read(value)
        except ValueError:
            continue
    return key, value


@app.command()
def describe(
    env_id: EnvId,
    argument: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An argument of the environment, such as data=rows.jsonl; repeatable."),
    ] = None,
    difficulty: Annotated[str | None, typer.Option(help="A preset: easy, medium or hard.")] = None,
    samples: Annotated[int, typer.Option(min=0, help="How many samples of each split are shown.")] = 3,
) -> None:
    """Show an environment's texts: samples, lengths, what was cut or left out, its vocabulary and feedback."""
    with _plain_errors():
        from benchmarks import describe

        given = {"difficulty": difficulty, **dict(map(_pair, argument or ()))}
        describe.describe(_known(env_id), Console(), samples=samples, **given)


@app.command()
def profile(
    env_id: EnvId,
    rows: Annotated[int, typer.Option(min=1, help="How many texts are written at a time.")] = 1024,
    steps: Annotated[int, typer.Option(min=1, help="How many steps are timed.")] = 200,
    feedback: Annotated[str | None, typer.Option(metavar="JSON", help="The signals; default the task's own.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All metrics and annotators at once.")] = False,
) -> None:
    """Show what each component of an environment costs."""
    with _plain_errors():
        from benchmarks import profile
        from benchmarks.pictures.examples import everything as all_signals

        if everything and feedback is not None:
            raise ValueError("give either --feedback or --everything")
        env_kwargs = all_signals(env_id) if everything else {}
        if feedback is not None:
            env_kwargs["feedback"] = _signals(feedback)
        profile.print_profile(profile.profile(_known(env_id), rows=rows, steps=steps, **env_kwargs), Console())


def _signals(feedback: str) -> Any:
    """Returns what the option --feedback says."""
    try:
        return json.loads(feedback)
    except json.JSONDecodeError as error:
        raise ValueError(f"--feedback must be JSON, got {feedback!r}: {error}") from error


@app.command()
def play(
    env_id: EnvId,
    difficulty: Annotated[str | None, typer.Option(help="A preset: easy, medium or hard.")] = None,
    split: Annotated[Split, typer.Option(help="The split whose prompts are shown.")] = Split.train,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all chance.")] = 0,
    sample: Annotated[int | None, typer.Option(min=0, help="The number of the first prompt; default random.")] = None,
    feedback: Annotated[str | None, typer.Option(metavar="JSON", help="The signals; default the task's own.")] = None,
) -> None:
    """Write texts yourself, word by word, and see what they earn."""
    with _plain_errors():
        from benchmarks import play

        signals = None if feedback is None else _signals(feedback)
        env_kwargs = {"difficulty": difficulty, "split": split.value, "feedback": signals}
        play.play(_known(env_id), seed=seed, sample=sample, **env_kwargs)


@app.command()
def train(
    env_id: EnvId,
    out: Annotated[Path, typer.Option(help="The run's folder; must be new or empty.")],
    algorithm: Annotated[Algorithm, typer.Option(help="The learner.")] = Algorithm.ppo,
    tokens: Annotated[int, typer.Option(min=1, help="How many tokens are written in all.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the learner and the environment.")] = 0,
    rows: Annotated[int, typer.Option(min=1, help="How many texts are written at a time.")] = 64,
    model: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="The model to begin with.")] = None,
) -> None:
    """Train a learner on an environment with its default feedback."""
    with _plain_errors():
        from rich.progress import Progress

        from benchmarks import learners
        from benchmarks.evaluation import make_env
        from benchmarks.results import RunFolder

        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ValueError(f"--out must be a new or an empty folder, got {out}")
        folder = RunFolder(out)
        fingerprint = make_env(_known(env_id), num_rows=1).simulator.task.fingerprint
        settings = {"tokens": tokens, "rows": rows, "model": str(model) if model else "small fresh GPT-2"}
        title = learners.TITLES[algorithm.value]
        config = {"env_id": env_id, "fingerprint": fingerprint, "policy": title, "seed": seed, "settings": settings}
        folder.start(config)
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task(title, total=1.0)
            learners.train(
                folder,
                learner=algorithm.value,
                env_id=env_id,
                tokens=tokens,
                seed=seed,
                model=model,
                rows=rows,
                tell=lambda share: progress.update(bar, completed=share),
            )
        folder.finish({})
        print(f"trained: {out}")


@app.command()
def evaluate(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="A run's folder, a model's folder, or: random.")],
    env_id: EnvId,
    split: Annotated[Split, typer.Option(help="The split whose prompts are used.")] = Split.test,
    episodes: Annotated[int, typer.Option(min=1, help="How many prompts.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the policy's chance and of the noise.")] = 0,
    deterministic: Annotated[bool, typer.Option(help="Write the likeliest token instead of a drawn one.")] = False,
) -> None:
    """Show what a policy's texts are worth, with 95 % intervals."""
    with _plain_errors():
        from benchmarks import evaluation

        chosen = _policy(policy, _known(env_id))
        found = evaluation.evaluate(
            chosen,
            env_id,
            split=split.value,
            episodes=episodes,
            seed=seed,
            deterministic=deterministic,
        )
        table = Table("", f"mean of {episodes} texts", "95 % interval", box=None, padding=(0, 2, 0, 0))
        for name, interval in found.intervals.items():
            bounds = f"{interval.low:.3f} to {interval.high:.3f}"
            table.add_row(name.replace("_", " "), f"{interval.estimate:.3f}", bounds)
        Console().print(table)


def _policy(name: str, env_id: str) -> Any:
    """Returns what `evaluate` takes: a saved policy, or the word for the random one."""
    if name == "random":
        return name
    from benchmarks.learners import MODEL, make_policy

    folder = Path(name)
    found = [path for path in (folder / MODEL, folder) if (path / "model.safetensors").exists()]
    if not found:
        raise ValueError(f"no model in {folder}: give a run's folder, a model's folder, or random")
    return make_policy(env_id, found[0])


@app.command()
def benchmark(
    suite: Annotated[Suite, typer.Argument(help="The experiment.")],
    quick: Annotated[bool, typer.Option("--quick", help="A tiny variant that only shows that all parts work.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="How many runs go on at a time.")] = 2,
    out: Annotated[Path | None, typer.Option(help="The folder for results; default runs/SUITE.")] = None,
) -> None:
    """Run an experiment and write its report; what is finished is not run again."""
    with _plain_errors():
        experiment = import_module(f"benchmarks.suites.{suite.value}")
        settings = experiment.Settings()
        if quick:
            settings = experiment.quick(settings)
        folder = out or Path("runs") / (suite.value + ("-quick" if quick else ""))
        failed = experiment.run(folder, settings=settings, jobs=jobs, console=Console())
    if failed:
        print(f"textgym: failed: {', '.join(failed)}; the same command runs them again", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a benchmark or of a run.")],
) -> None:
    """Write the report of finished runs anew, and print its table."""
    with _plain_errors():
        from benchmarks.overoptimisation import OVEROPTIMISATION, gather_curves, print_curves
        from benchmarks.overoptimisation_page import write_curves_page
        from benchmarks.page import write_page
        from benchmarks.report import gather, print_table
        from benchmarks.scores import PROFILE, gather_scores, print_scores
        from benchmarks.scores_page import write_scores_page

        if (folder / PROFILE).exists():
            profile = gather_scores(folder)
            print_scores(profile, Console())
            path = write_scores_page(profile, folder)
        elif (folder / OVEROPTIMISATION).exists():
            curves = gather_curves(folder)
            print_curves(curves, Console())
            path = write_curves_page(curves, folder)
        else:
            path = write_page(folder)
            print_table(gather(folder), Console())
        print(f"report: {path}")
