"""The command line: `textgym list|describe|play|show|profile|train|evaluate|benchmark|merge|report`.

Torch and the learners are imported inside the commands that need them, so that the others answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from benchmarks.runner import Workers

from benchmarks.titles import TITLES

NEEDS_EXTRA = 'textgym\'s command line needs more packages: pip install "textgym[benchmarks]" (not found: {})'

try:
    import typer
    from rich.console import Console
    from rich.table import Table

    from benchmarks.suite import chosen, load_suite, planned, run_suite, suite_names
except ModuleNotFoundError as error:
    sys.exit(NEEDS_EXTRA.format(error.name))

SUITES = suite_names()

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Reinforcement learning on text: environments whose reward is feedback, learners, experiments.",
)


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
Arguments = Annotated[
    list[str] | None,
    typer.Option(
        "--argument",
        metavar="KEY=VALUE",
        help="An argument of the environment, such as data=rows.jsonl or difficulty=hard; repeatable.",
    ),
]


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
    except (ValueError, OSError, FloatingPointError, MemoryError, gymnasium.error.Error) as error:
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
    argument: Arguments = None,
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


def _signals(feedback: str, option: str = "--feedback") -> Any:
    """Returns what an option in JSON says."""
    try:
        return json.loads(feedback)
    except json.JSONDecodeError as error:
        raise ValueError(f"{option} must be JSON, got {feedback!r}: {error}") from error


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


def _learner(name: str) -> str:
    """Returns the name of a learner, if it is one."""
    if name not in TITLES:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(TITLES)}")
    return name


@app.command()
def train(
    env_id: EnvId,
    out: Annotated[Path, typer.Option(help="The run's folder; must be new or empty, but with --resume.")],
    algorithm: Annotated[str, typer.Option(callback=_learner, help=f"The learner: {', '.join(TITLES)}.")] = "ppo",
    tokens: Annotated[int, typer.Option(min=1, help="How many tokens are written in all.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the learner and the environment.")] = 0,
    rows: Annotated[int, typer.Option(min=1, help="How many texts are written at a time.")] = 64,
    model: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="The model to begin with.")] = None,
    argument: Arguments = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A setting of the learner, such as learning_rate=1e-4, or [1e-3,0] for a linear schedule; repeatable.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's run, if there is one.")] = False,
) -> None:
    """Train a learner on the feedback of an environment."""
    with _plain_errors():
        from rich.progress import Progress

        from benchmarks import training
        from benchmarks.evaluation import make_env
        from benchmarks.results import RunFolder

        folder = RunFolder(out)
        begun = resume and folder.begun
        found = list(out.iterdir()) if out.is_dir() else [out] if out.exists() else []
        if not begun and any(path.suffix != ".partial" for path in found):  # which a kill may have left
            raise ValueError(f"--out must be a new or an empty folder, or a run's with --resume, got {out}")
        env_kwargs, own = dict(map(_pair, argument or ())), dict(map(_pair, setting or ()))
        fingerprint = make_env(_known(env_id), num_rows=1, **env_kwargs).simulator.task.fingerprint
        settings = {"tokens": tokens, "rows": rows, "model": str(model) if model else "fresh", **own}
        title = TITLES[algorithm]
        config = {"env_id": env_id, "env_kwargs": env_kwargs, "fingerprint": fingerprint, "policy": title, "seed": seed}
        config["settings"] = settings
        if begun and folder.finished:
            raise ValueError(f"the run in {out} is finished")
        if begun and (changes := folder.changes(config)):
            raise ValueError(f"the run in {out} is another: {'; '.join(changes)}")
        folder.start(config)
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task(title, total=1.0)
            training.train(
                folder,
                learner=algorithm,
                env_id=env_id,
                tokens=tokens,
                seed=seed,
                model=_model_in(model) if model else None,
                rows=rows,
                settings=own,
                env_kwargs=env_kwargs,
                tell=lambda share: progress.update(bar, completed=share),
            )
        folder.finish({})
        print(f"trained: {out}")


@app.command("warm-start")
def warm_start(
    env_id: EnvId,
    out: Annotated[Path, typer.Option(file_okay=False, help="The model's folder; must be new or empty.")],
    epochs: Annotated[int, typer.Option(min=1, help="The most passes over the train split.")] = 12,
    model: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="The model to begin with.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of fresh weights and of the order of texts.")] = 0,
    argument: Arguments = None,
) -> None:
    """Teach a model the references of an environment, until validation perplexity stops falling."""
    with _plain_errors():
        import numpy as np
        import torch

        from agents.supervised import warm_start as teach
        from benchmarks.evaluation import make_env
        from benchmarks.learners import make_policy

        if out.exists() and any(out.iterdir()):
            raise ValueError(f"--out must be a new or an empty folder, got {out}")
        env_kwargs = dict(map(_pair, argument or ()))
        task = make_env(_known(env_id), num_rows=1, **env_kwargs).simulator.task
        torch.manual_seed(seed)
        policy = make_policy(env_id, _model_in(model) if model else None, **env_kwargs)
        fit: dict[str, Any] = {
            "learning_rate": 3e-3,
            "batch_size": 32,
            "max_epochs": epochs,
            "patience": 1,
            "progress": True,
        }
        taught = teach(policy, task, generator=np.random.default_rng(seed), **fit)
        policy.backbone.save_pretrained(out)
        print(f"perplexity of the references {taught.perplexity:.2f}: {out}")


@app.command()
def evaluate(
    policy: Annotated[
        str, typer.Argument(metavar="POLICY", help="A run's folder, a model's folder, or: random, reference.")
    ],
    env_id: EnvId,
    split: Annotated[Split, typer.Option(help="The split whose prompts are used.")] = Split.test,
    episodes: Annotated[int, typer.Option(min=1, help="How many prompts.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the policy's chance and of the noise.")] = 0,
    deterministic: Annotated[bool, typer.Option(help="Write the likeliest token instead of a drawn one.")] = False,
    argument: Arguments = None,
    best_of: Annotated[int, typer.Option(min=1, help="How many texts are drawn for each prompt; the best counts.")] = 1,
    chosen_by: Annotated[
        str, typer.Option(metavar="SIGNAL", help="What chooses it: observed, log_prob, or a metric's name or JSON.")
    ] = "observed",
    by: Annotated[
        str | None,
        typer.Option(
            metavar="GROUPING",
            help="Compare groups of prompts: length, reference_length, group_words, words:cat,dog, or what the task "
            "knows of them, such as wish.tone.",
        ),
    ] = None,
    bar: Annotated[float, typer.Option(min=0, max=1, help="The gold from which on a text is right, with --by.")] = 1.0,
    accepted_at: Annotated[
        float | None, typer.Option(help="The observed return from which on a text counts as accepted, with --by.")
    ] = None,
) -> None:
    """Show what a policy's texts are worth, with 95 % intervals."""
    with _plain_errors():
        from agents.best_of_n import BestOfN
        from benchmarks import evaluation

        env_kwargs = dict(map(_pair, argument or ()))
        groups = None if by is None else _groups(by, _known(env_id), split.value, episodes, **env_kwargs)
        chosen = _policy(policy, _known(env_id), **env_kwargs)
        found = evaluation.evaluate(
            BestOfN(chosen, best_of, _spec(chosen_by)) if best_of > 1 else chosen,
            env_id,
            split=split.value,
            episodes=episodes,
            seed=seed,
            deterministic=deterministic,
            **env_kwargs,
        )
        table = Table("", f"mean of {episodes} texts", "95 % interval", box=None, padding=(0, 2, 0, 0))
        for name, interval in found.intervals.items():
            bounds = f"{interval.low:.3f} to {interval.high:.3f}"
            table.add_row(name.replace("_", " "), f"{interval.estimate:.3f}", bounds)
        Console().print(table)
        if by is not None and groups is not None:
            from benchmarks.fairness import fairness, print_exchange, print_fairness
            from benchmarks.groupings import GROUP_WORDS

            print_fairness(fairness(found, groups, bar=bar, accepted_at=accepted_at), by, Console())
            if by == GROUP_WORDS and best_of == 1:
                choices = {"split": split.value, "episodes": episodes, "seed": seed, "deterministic": deterministic}
                print_exchange(chosen, env_id, Console(), **choices, **env_kwargs)


def _groups(by: str, env_id: str, split: str, episodes: int, **env_kwargs: Any) -> list[str]:
    """Returns the group of each of the prompts that are evaluated."""
    from benchmarks.evaluation import make_env
    from benchmarks.groupings import groups_of

    simulator = make_env(env_id, num_rows=1, split=split, **env_kwargs).simulator
    groups = groups_of(by, simulator, min(episodes, len(simulator.prompt_set)))
    if len(set(groups)) < 2:
        raise ValueError(f"--by {by} puts all {len(groups)} prompts into one group, {groups[0]!r}: nothing to compare")
    return groups


def _spec(name: str) -> Any:
    """Returns the spec that a word or JSON stands for."""
    return _signals(name, "--chosen-by") if name.lstrip().startswith("{") else name


def _policy(name: str, env_id: str, **env_kwargs: Any) -> Any:
    """Returns what `evaluate` takes: a saved policy, or the word for one that needs no model."""
    if name in ("random", "reference"):
        return name
    from benchmarks.learners import saved_policy

    return saved_policy(env_id, _model_in(Path(name)), **env_kwargs)


def _model_in(folder: Path) -> Path:
    """Returns where the model of a run's folder is, or of a model's own."""
    from benchmarks.learners import MODEL

    known = ("config.json", "model.safetensors")
    found = [path for path in (folder / MODEL, folder) if any((path / name).exists() for name in known)]
    if not found:
        raise ValueError(
            f"no model in {folder}: give a run's folder or a model's (to evaluate also: random, reference)"
        )
    return found[0]


@app.command(
    help="Run an experiment and write its report; what is finished is not run again.\n\n"
    + "\n\n".join(f"{name}: {line}" for name, line in SUITES.items())
)
def benchmark(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help=f"The experiment: {', '.join(SUITES)}.")],
    algorithms: Annotated[
        str,
        typer.Option(
            "--algorithms",
            "--algorithm",
            metavar="NAMES",
            help="Learners, with commas, or module:function of your own; default the suite's.",
        ),
    ] = "",
    seeds: Annotated[int | None, typer.Option(min=1, help="How many training seeds; default the suite's.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny variant that only shows that all parts work.")] = False,
    out: Annotated[Path | None, typer.Option(help="The folder for results; default runs/SUITE.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the runs, and how far they are.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what is there of these runs, and begin anew.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="How many runs go on at a time on this machine.")] = 2,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Ray cluster to run on instead; or: local.")
    ] = None,
    cpus: Annotated[float, typer.Option(min=0.1, help="How many CPUs of the cluster a run needs.")] = 1.0,
    gpus: Annotated[float, typer.Option(min=0.0, help="How many GPUs of the cluster a run needs.")] = 0.0,
    retries: Annotated[int, typer.Option(min=0, help="How often a run starts anew when its node has died.")] = 3,
) -> None:
    with _plain_errors():
        settings = load_suite(suite).Settings()
        if quick:
            settings = load_suite(suite).quick(settings)
        settings = chosen(settings, algorithms=[name for name in algorithms.split(",") if name], seeds=seeds)
        folder = out or Path("runs") / (suite + ("-quick" if quick else ""))
        if dry_run:
            from benchmarks.outlook import print_plan

            print_plan(planned(suite, settings), folder, jobs=jobs, console=Console())
            return
        workers = _workers(jobs, ray, cpus, gpus, retries)
        failed = run_suite(suite, folder, settings=settings, workers=workers, fresh=fresh, console=Console())
    if failed:
        print(f"textgym: failed: {', '.join(failed)}; the same command runs them again", file=sys.stderr)
        raise typer.Exit(1)


def _workers(jobs: int, address: str | None, cpus: float, gpus: float, retries: int) -> Workers:
    """Returns who does the runs: processes of this machine, or a Ray cluster where an address is given."""
    if address is None:
        from benchmarks.processes import Processes

        return Processes(jobs)
    from benchmarks.ray_tasks import RayTasks

    return RayTasks(address, num_cpus=cpus, num_gpus=gpus, max_retries=retries)


@app.command()
def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", file_okay=False, help="The folder that gets all runs.")],
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", exists=True, file_okay=False, help="From where.")],
) -> None:
    """Bring the finished runs of several machines together; the same run is kept once."""
    with _plain_errors():
        from benchmarks import merge

        merged = merge.merge(out, folders)
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"{len(merged.added)} runs added to {out}, {len(merged.known)} were there")
        if merged.unfinished:
            console.print(f"left out, since nowhere finished: {', '.join(merged.unfinished)}")
    for name, paths in merged.differing.items():
        print(f"textgym: {name} has different results; kept the first of {', '.join(map(str, paths))}", file=sys.stderr)
    if merged.differing:
        raise typer.Exit(1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a benchmark or of a run.")],
) -> None:
    """Write the report of finished runs anew, with its figures, and print its tables."""
    with _plain_errors():
        from benchmarks.report import write_report

        write_report(folder, Console())
