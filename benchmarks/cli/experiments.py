"""Commands for whole experiments: run a suite, bring results together, write the report."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from benchmarks.cli.errors import plain_errors
from benchmarks.suite import Request, outlines, planned, report_suite, run_suite

if TYPE_CHECKING:
    from benchmarks.runner import Workers

SUITES = outlines()


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
    seeds: Annotated[
        str,
        typer.Option(metavar="N", help="How many training seeds, or which, as 5-9; default the suite's."),
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A tiny variant that only shows that all parts work.")] = False,
    out: Annotated[Path | None, typer.Option(help="The folder for results; default runs/SUITE.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the runs, and how far they are.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on with what is there of these runs, or remove it first.")
    ] = True,
    jobs: Annotated[int, typer.Option(min=1, help="How many runs go on at a time on this machine.")] = 2,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Ray cluster to run on instead; or: local.")
    ] = None,
    cpus: Annotated[float, typer.Option(min=0.1, help="How many CPUs of the cluster a run needs.")] = 1.0,
    gpus: Annotated[float, typer.Option(min=0.0, help="How many GPUs of the cluster a run needs.")] = 0.0,
    retries: Annotated[int, typer.Option(min=0, help="How often a run starts anew when its node has died.")] = 3,
) -> None:
    """Run an experiment and write its report; what is finished is not run again."""
    with plain_errors():
        names = [name for name in algorithms.split(",") if name]
        asked = Request(suite, quick=quick, algorithms=names, seeds=_seeds(seeds))
        settings = asked.settings()
        folder = out or Path("runs") / (suite + ("-quick" if quick else ""))
        if dry_run:
            from benchmarks.outlook import print_plan

            print_plan(planned(suite, settings), folder, jobs=jobs, console=Console())
            return
        workers = _workers(jobs, ray, cpus, gpus, retries)
        failed = run_suite(
            suite, folder, settings=settings, workers=workers, fresh=not resume, console=Console(), asked=asked
        )
    if failed:
        print(f"textgym: failed: {', '.join(failed)}; the same command runs them again", file=sys.stderr)
        raise typer.Exit(1)


if benchmark.__doc__:  # which python -OO strips
    benchmark.__doc__ += "".join(f"\n\n{name}: {outline}" for name, outline in SUITES.items())


def _seeds(told: str) -> list[int]:
    """Returns the seeds that `3`, the first three, or `3-5` stands for; none for nothing."""
    if not told:
        return []
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)", told)
    if match is None:
        raise ValueError(f"seeds must be a number, such as 3, or a range, such as 3-5; got {told!r}")
    first, last = match.groups()
    seeds = range(int(last)) if first is None else range(int(first), int(last) + 1)
    if not seeds:
        raise ValueError(f"seeds must be at least one, got {told!r}")
    return list(seeds)


def _workers(jobs: int, address: str | None, cpus: float, gpus: float, retries: int) -> Workers:
    """Returns who does the runs: processes of this machine, or a Ray cluster where an address is given."""
    if address is None:
        from benchmarks.processes import Processes

        return Processes(jobs)
    from benchmarks.ray_tasks import RayTasks

    return RayTasks(address, num_cpus=cpus, num_gpus=gpus, max_retries=retries)


def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", file_okay=False, help="The folder that gets all runs.")],
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", exists=True, file_okay=False, help="From where.")],
) -> None:
    """Bring the finished runs of several machines together; the same run is kept once."""
    with plain_errors():
        from benchmarks import merge

        merged = merge.merge(out, folders)
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"{len(merged.added)} runs added to {out}, {len(merged.known)} were there")
        console.print(f"textgym report {out} writes the report of all")
        if merged.unfinished:
            console.print(f"left out, since nowhere finished: {', '.join(merged.unfinished)}")
    for name, paths in merged.differing.items():
        print(f"textgym: {name} has different results; kept the first of {', '.join(map(str, paths))}", file=sys.stderr)
    if merged.differing:
        raise typer.Exit(1)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a benchmark or of a run.")],
) -> None:
    """Write the report of finished runs anew, with its figures, and print its tables."""
    with plain_errors():
        report_suite(folder, Console())
