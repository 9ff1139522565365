"""Commands that show environments: what there is, what they are made of, what they pay and cost."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cli.errors import plain_errors
from benchmarks.cli.options import Arguments, EnvId, Split, from_json, known, pairs


class Drawn(StrEnum):
    """What `show` can draw."""

    noise = "noise"
    annotator = "annotator"


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


def describe(
    env_id: EnvId,
    argument: Arguments = None,
    difficulty: Annotated[str | None, typer.Option(help="A preset: easy, medium or hard.")] = None,
    samples: Annotated[int, typer.Option(min=0, help="How many samples of each split are shown.")] = 3,
) -> None:
    """Show an environment's texts: samples, lengths, what was cut or left out, its vocabulary and feedback."""
    with plain_errors():
        from benchmarks import describe

        chosen = {} if difficulty is None else {"difficulty": difficulty}
        describe.describe(known(env_id), Console(), samples=samples, **chosen, **pairs(argument))


def play(
    env_id: EnvId,
    argument: Arguments = None,
    difficulty: Annotated[str | None, typer.Option(help="A preset: easy, medium or hard.")] = None,
    split: Annotated[Split, typer.Option(help="The split whose prompts are shown.")] = Split.train,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all chance.")] = 0,
    sample: Annotated[int | None, typer.Option(min=0, help="The number of the first prompt; default random.")] = None,
    feedback: Annotated[str | None, typer.Option(metavar="JSON", help="The signals; default the task's own.")] = None,
) -> None:
    """Write texts yourself, word by word, and see what they earn."""
    with plain_errors():
        from benchmarks import play

        chosen: dict[str, Any] = {} if difficulty is None else {"difficulty": difficulty}
        if feedback is not None:
            chosen["feedback"] = from_json(feedback)
        play.play(known(env_id), seed=seed, sample=sample, split=split.value, **chosen, **pairs(argument))


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
    with plain_errors():
        from benchmarks.pictures.show import show_annotator, show_noise

        given = pairs(argument)
        if kind is Drawn.noise:
            print(show_noise(name, given, out))
        else:
            print(show_annotator(name, given, out, known(env_id)))


def profile(
    env_id: EnvId,
    argument: Arguments = None,
    rows: Annotated[int, typer.Option(min=1, help="How many texts are written at a time.")] = 1024,
    steps: Annotated[int, typer.Option(min=1, help="How many steps are timed.")] = 200,
    feedback: Annotated[str | None, typer.Option(metavar="JSON", help="The signals; default the task's own.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All metrics and annotators at once.")] = False,
) -> None:
    """Show what each component of an environment costs."""
    with plain_errors():
        from benchmarks import profile
        from benchmarks.pictures.examples import everything as all_signals

        if everything and feedback is not None:
            raise ValueError("give either --feedback or --everything")
        own = pairs(argument)
        chosen = all_signals(known(env_id), **own) if everything else {}
        if feedback is not None:
            chosen["feedback"] = from_json(feedback)
        found = profile.profile(known(env_id), rows=rows, steps=steps, **chosen, **own)
        profile.print_profile(found, Console())
