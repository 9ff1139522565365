"""What the texts of an environment look like: `textgym describe ENV`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from textgym.simulator import Simulator
from textgym.tasks.base import SPLITS, PromptSet

QUANTILES = (0, 25, 50, 75, 95, 100)


def describe(env_id: str, console: Console, *, samples: int = 3, **env_kwargs: Any) -> None:
    """Prints what an environment is made of, and the first samples of each split.

    Args:
        env_id: the environment.
        console: where it is printed.
        samples: how many samples of each split.
        **env_kwargs: the environment's arguments.
    """
    env = gymnasium.make(env_id, disable_env_checker=True, **env_kwargs)
    simulator: Simulator = env.get_wrapper_attr("simulator")
    task = simulator.task
    console.print(Text(" ".join((inspect.getdoc(task) or "").partition("\n\n")[0].split())), "", sep="\n")
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _facts(simulator):
        facts.add_row(Text(name), Text(value))
    console.print(facts)
    console.print(_lengths(simulator))
    for split in SPLITS:
        prompt_set = task.prompt_set(split)
        for sample in range(min(samples, len(prompt_set))):
            console.print(Text(f"\n{split} {sample:,}", style="dim"))
            prompt = prompt_set.prompt_ids[sample, : prompt_set.prompt_lengths[sample]]
            console.print(Text(simulator.vocabulary.decode(prompt.tolist())))
            reference = simulator.task.decode_text(
                prompt_set.reference_ids[sample, : prompt_set.reference_lengths[sample]].tolist()
            )
            console.print(Text(reference or "(no reference)", style="bold" if reference else "dim"))


def _facts(simulator: Simulator) -> Iterator[tuple[str, str]]:
    task = simulator.task
    yield "vocabulary", f"{len(simulator.vocabulary):,} tokens"
    yield "budget", f"{simulator.max_new_tokens:,} tokens, in a context of {simulator.context_length:,}"
    yield "default feedback", ", ".join(map(json.dumps, task.default_feedback)) or "none"
    yield "default noise", ", ".join(map(json.dumps, task.default_noise)) or "none"
    yield "fingerprint", task.fingerprint
    if task.counts:
        yield "rows", ", ".join(f"{name} {count:,}" for name, count in task.counts.items())


def _lengths(simulator: Simulator) -> Table:
    """Returns the quantiles of the lengths in tokens, without the separator of prompts."""
    table = Table("", "samples", *(f"{quantile} %" for quantile in QUANTILES), box=None, padding=(0, 2, 0, 0))
    for split in SPLITS:
        prompt_set: PromptSet = simulator.task.prompt_set(split)
        for name, lengths in (("prompts", prompt_set.prompt_lengths - 1), ("references", prompt_set.reference_lengths)):
            found = np.percentile(lengths, QUANTILES, method="lower")
            table.add_row(f"{split} {name}", f"{len(prompt_set):,}", *(f"{length:,}" for length in found))
    return table
