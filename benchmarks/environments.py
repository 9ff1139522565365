"""The page of all environments, made from the registry: `python -m benchmarks.environments` writes `environments.md`.

It has what each environment is made of and what random tokens and references earn there; with `--trained FOLDER`, what
a suite's learners made of them; with `--speed`, how many tokens a second 1,024 rows write on this machine, and what
masks cost.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import gymnasium
import numpy as np
import typer
from rich.progress import Progress

import textgym
from benchmarks.evaluation import evaluate
from benchmarks.report import PROFILE, gather, verdicts
from benchmarks.report.tables import Table
from benchmarks.results import run_folders
from benchmarks.throughput import env_speed, interleaved
from textgym.simulator import Simulator
from textgym.tasks.base import SPLITS

PAGE = Path(__file__).with_name("environments.md")
TEXTS, ROWS = 256, 1024

MADE = """# The environments

Made by `python -m benchmarks.environments --speed --trained FOLDER` from the registry; the defaults of each, which are
its `easy` preset where it has presets. `tokens` is the size of the vocabulary, `context` the longest prompt with all
that may follow, and `budget` what the agent may write. Random tokens (among those that a mask allows) and references
were written for the first {texts} test prompts; `clean` is the noiseless default feedback, `gold` what the task truly
wants.

"""
TRAINED = """
## Training

What test prompts earn on `easy`, clean and gold: by the warm start, a small transformer that learnt the references for
a few epochs, and by what each learner made of it on the noisy feedback alone. Means with 95 % bootstrap intervals over
seeds and prompts. Made by `textgym benchmark applications --seeds {seeds}`: {tokens:,} tokens for each run, which
took a median of {minutes:.1f} minutes and {longest:.1f} at most, on one core each.

"""
FAST = """
## Speed

Tokens a second of `TextVectorEnv` with {rows:,} rows, random tokens, default feedback and no masks asked for, by
preset: medians of {repeats}, on one core of {machine}. Environments without presets stand under `easy`.

"""


def describe(env_id: str) -> list[str]:
    """Returns an environment's row of the table."""
    simulator: Simulator = gymnasium.make(env_id, split="test").unwrapped.simulator  # type: ignore[attr-defined]
    task, prompts = simulator.task, simulator.prompt_set
    count = min(TEXTS, len(prompts))
    random = evaluate("random", env_id, episodes=count).returns
    references = [
        prompts.reference_ids[sample, : prompts.reference_lengths[sample]].tolist() for sample in range(count)
    ]
    best = textgym.score(env_id, range(count), references, split="test")
    swept = "" if task.swept is None else f"`{task.swept}`"
    return [
        f"`{env_id}`",
        f"{len(simulator.vocabulary):,}",
        f"{simulator.context_length:,}",
        f"{simulator.max_new_tokens:,}",
        " / ".join(f"{len(task.prompt_set(split)):,}" for split in SPLITS),
        swept,
        ", ".join(f"`{name}`" for name in simulator.signal_names),
        f"{random['clean_return'].mean():.3f}",
        f"{random['gold_return'].mean():.3f}",
        f"{best.clean_return.mean():.3f}",
        f"{best.gold.mean():.3f}",
    ]


def training(folder: Path) -> str:
    """Returns the section on what learners made of environments, from a folder of `textgym benchmark applications`.

    Raises:
        ValueError: if a report or a finished run is missing or damaged.
    """
    reports = [gather(settings.parent) for settings in sorted(folder.glob(f"*/{PROFILE}"))]
    if not reports:
        raise ValueError(f"no reports below {folder}: make them with `textgym benchmark applications --out {folder}`")
    policies = list(dict.fromkeys(row.policy for report in reports for row in report.problems[0].rows))
    head = ["task", *(f"{policy}, {measure}" for measure in ("clean", "gold") for policy in policies)]
    table, told = [], []
    for report in reports:
        returns = {row.policy: row.returns for row in report.problems[0].rows}
        measured = [str(returns[policy][f"{name}_return"]) for name in ("clean", "gold") for policy in policies]
        table.append([report.title, *measured])
        told += [f"- {report.title}: {sentence}" for sentence in verdicts(report) if "gold" in sentence]
    finished = [(run.config(), run) for run in run_folders(folder) if run.finished]
    learnt = [(config, run) for config, run in finished if "learner" in config]
    minutes = [run.result()["seconds"] / 60 for _, run in learnt]
    about = TRAINED.format(
        tokens=max(config["settings"]["tokens"] for config, _ in learnt),
        seeds=len({config["seed"] for config, _ in learnt}),
        minutes=median(minutes),
        longest=max(minutes),
    )
    return about + Table(head, table).markdown() + "\n" + "\n".join(told) + "\n"


def speeds(env_id: str, *, rows: int, seconds: float, repeats: int) -> list[str]:
    """Returns an environment's row of the table of speeds: one column for each preset."""
    presets: Sequence[str] = list(gymnasium.make(env_id).get_wrapper_attr("simulator").task.presets)
    variants = [{"difficulty": preset} for preset in presets] or [{}]
    measured = interleaved(
        *(env_speed(env_id, rows, "vector_entry_point", seconds, **variant) for variant in variants), repeats=repeats
    )
    return [f"`{env_id}`", *(f"{speed:,.0f}" for speed in measured), *[""] * (3 - len(measured))]


def mask_cost(*, rows: int, repeats: int) -> str:
    """Returns a sentence on what masks of 32,768 tokens cost."""
    env: Any = gymnasium.make_vec(
        "textgym/Vocabulary-v0", num_envs=rows, vectorization_mode="vector_entry_point", difficulty="hard"
    )
    env.reset(seed=0)
    asking = env.unwrapped.action_masks
    seconds = median(_timed(asking) for _ in range(3 * repeats))
    masks = asking()
    packing = median(_timed(lambda: np.packbits(masks, axis=1)) for _ in range(3 * repeats))
    return (
        f"\nMasks of {masks.shape[1]:,} tokens for {rows:,} rows: {masks.nbytes / 2**20:.0f} MiB and "
        f"{1000 * seconds:.1f} ms each time they are asked for. `MaskableSequenceRolloutBuffer` keeps them as bits: "
        f"{masks.nbytes / 8 / 2**20:.0f} MiB a step, packed in {1000 * packing:.1f} ms.\n"
    )


def _timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main(
    out: Annotated[Path, typer.Option(help="The page.")] = PAGE,
    trained: Annotated[
        Path | None, typer.Option(help="Where `textgym benchmark applications` has written its results.")
    ] = None,
    speed: Annotated[
        bool, typer.Option("--speed", help="Measure how fast each environment is, a few minutes.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="How long each measurement lasts.")] = 0.5,
    repeats: Annotated[int, typer.Option(min=1, help="How many measurements a median is over.")] = 3,
) -> None:
    """Write the page of all environments."""
    env_ids = textgym.env_ids()
    with Progress() as progress:
        made = [describe(env_id) for env_id in progress.track(env_ids, description="describing")]
        columns = [
            "id", "tokens", "context", "budget", "train / validation / test", "swept", "default signals",
            "random, clean", "random, gold", "reference, clean", "reference, gold",
        ]  # fmt: skip
        page = MADE.format(texts=TEXTS) + Table(columns, made).markdown()
        if trained is not None:
            page += training(trained)
        if speed:
            fast = [
                speeds(env_id, rows=ROWS, seconds=seconds, repeats=repeats)
                for env_id in progress.track(env_ids, description="measuring")
            ]
            machine = f"a machine with {os.cpu_count()} ({platform.machine()}, Python {platform.python_version()})"
            page += FAST.format(rows=ROWS, repeats=repeats, machine=machine)
            page += Table(["id", "easy", "medium", "hard"], fast).markdown() + mask_cost(rows=ROWS, repeats=repeats)
    out.write_text(page, encoding="utf-8")
    print(out)


if __name__ == "__main__":
    typer.run(main)
