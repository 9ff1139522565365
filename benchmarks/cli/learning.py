"""Commands that make policies and judge them: a warm start, training, evaluation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cli.errors import plain_errors
from benchmarks.cli.options import Arguments, EnvId, Split, from_json, known, pairs
from benchmarks.titles import TITLES

if TYPE_CHECKING:
    from benchmarks.results import RunFolder


def warm_start(
    env_id: EnvId,
    out: Annotated[Path, typer.Option(file_okay=False, help="The model's folder; must be new or empty.")],
    epochs: Annotated[int, typer.Option(min=1, help="The most passes over the train split.")] = 12,
    model: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="The model to begin with.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of fresh weights and of the order of texts.")] = 0,
    argument: Arguments = None,
) -> None:
    """Teach a model the references of an environment, until validation perplexity stops falling."""
    with plain_errors():
        import numpy as np
        import torch

        from agents.supervised import warm_start as teach
        from benchmarks.evaluation import make_env
        from benchmarks.learners import make_policy

        if out.exists() and any(out.iterdir()):
            raise ValueError(f"--out must be a new or an empty folder, got {out}")
        env_kwargs = pairs(argument)
        task = make_env(known(env_id), num_rows=1, **env_kwargs).simulator.task
        torch.manual_seed(seed)
        policy = make_policy(env_id, _model_in(model, env_id, **env_kwargs) if model else None, **env_kwargs)
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


def _learner(name: str) -> str:
    """Returns the name of a learner, if it is one."""
    if name not in TITLES:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(TITLES)}")
    return name


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
    with plain_errors():
        from rich.progress import Progress

        from benchmarks import training
        from benchmarks.evaluation import make_env
        from benchmarks.results import RunFolder

        folder = RunFolder(out)
        begun = resume and folder.begun
        found = list(out.iterdir()) if out.is_dir() else [out] if out.exists() else []
        if not begun and any(path.suffix != ".partial" for path in found):  # which a kill may have left
            raise ValueError(f"--out must be a new or an empty folder, or a run's with --resume, got {out}")
        env_kwargs, own = pairs(argument), pairs(setting)
        fingerprint = make_env(known(env_id), num_rows=1, **env_kwargs).simulator.task.fingerprint
        settings = {"tokens": tokens, "rows": rows, "model": str(model) if model else "fresh", **own}
        title = TITLES[algorithm]
        config = {"env_id": env_id, "env_kwargs": env_kwargs, "fingerprint": fingerprint, "policy": title, "seed": seed}
        config["settings"] = settings
        if begun and folder.finished:
            raise ValueError(f"the run in {out} is finished: another, with --model {out}, begins where it ended")
        if begun and (changes := folder.changes(config)):
            raise ValueError(f"the run in {out} is another: {'; '.join(changes)}")
        start = _model_in(model, env_id, **env_kwargs) if model else None
        folder.start(config)
        if begun:
            _tell_where(folder, tokens)
        with Progress(console=Console(stderr=True)) as progress, _freed_if_refused(folder, begun):
            bar = progress.add_task(title, total=1.0)
            training.train(
                folder,
                learner=algorithm,
                env_id=env_id,
                tokens=tokens,
                seed=seed,
                model=start,
                rows=rows,
                settings=own,
                env_kwargs=env_kwargs,
                tell=lambda share: progress.update(bar, completed=share),
            )
        folder.finish({})
        print(f"trained: {out}")


def _tell_where(folder: RunFolder, tokens: int) -> None:
    """Says at which token a run that was broken off goes on."""
    from agents.checkpoint import newest_checkpoint, timesteps_of

    checkpoint = newest_checkpoint(folder.checkpoints)
    done = 0 if checkpoint is None else timesteps_of(checkpoint)
    print(f"the run in {folder.path} goes on at {done:,} of {tokens:,} tokens")


@contextmanager
def _freed_if_refused(folder: RunFolder, begun: bool) -> Iterator[None]:
    """Removes the folder of a new run that is refused before it has recorded anything, so that it is free again."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError):  # others keep their last good checkpoint
        if not begun and not folder.metrics():
            shutil.rmtree(folder.path)
        raise


def evaluate(
    policy: Annotated[
        str, typer.Argument(metavar="POLICY", help="A run's folder, a model's folder, or: random, reference.")
    ],
    env_id: EnvId,
    split: Annotated[Split, typer.Option(help="The split whose prompts are used.")] = Split.test,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="How many prompts; by default 256, or all where there are fewer.")
    ] = None,
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
    with plain_errors():
        from agents.best_of_n import BestOfN
        from benchmarks import evaluation

        env_kwargs = pairs(argument)
        groups = None if by is None else _groups(by, known(env_id), split.value, episodes, **env_kwargs)
        chosen = _policy(policy, known(env_id), **env_kwargs)
        found = evaluation.evaluate(
            BestOfN(chosen, best_of, _spec(chosen_by)) if best_of > 1 else chosen,
            env_id,
            split=split.value,
            episodes=episodes,
            seed=seed,
            deterministic=deterministic,
            **env_kwargs,
        )
        table = Table("", f"mean of {len(found.written)} texts", "95 % interval", box=None, padding=(0, 2, 0, 0))
        for name, interval in found.intervals.items():
            bounds = f"{interval.low:.3f} to {interval.high:.3f}"
            table.add_row(name.replace("_", " "), f"{interval.estimate:.3f}", bounds)
        Console().print(table)
        if by is not None and groups is not None:
            from benchmarks.fairness import fairness, print_exchange, print_fairness
            from benchmarks.groupings import GROUP_WORDS

            print_fairness(fairness(found, groups, bar=bar, accepted_at=accepted_at), by, Console())
            if by == GROUP_WORDS and best_of == 1:
                choices = {"split": split.value, "seed": seed, "deterministic": deterministic}
                print_exchange(chosen, env_id, Console(), episodes=len(found.written), **choices, **env_kwargs)


def _groups(by: str, env_id: str, split: str, episodes: int | None, **env_kwargs: Any) -> list[str]:
    """Returns the group of each of the prompts that are evaluated."""
    from benchmarks.evaluation import EPISODES, make_env
    from benchmarks.groupings import groups_of

    simulator = make_env(env_id, num_rows=1, split=split, **env_kwargs).simulator
    groups = groups_of(by, simulator, min(episodes or EPISODES, len(simulator.prompt_set)))
    if len(set(groups)) < 2:
        raise ValueError(f"--by {by} puts all {len(groups)} prompts into one group, {groups[0]!r}: nothing to compare")
    return groups


def _spec(name: str) -> Any:
    """Returns the spec that a word or JSON stands for."""
    return from_json(name, "--chosen-by") if name.lstrip().startswith("{") else name


def _policy(name: str, env_id: str, **env_kwargs: Any) -> Any:
    """Returns what `evaluate` takes: a saved policy, or the word for one that needs no model."""
    if name in ("random", "reference"):
        return name
    from benchmarks.learners import saved_policy

    return saved_policy(env_id, _model_in(Path(name), env_id, **env_kwargs), **env_kwargs)


def _model_in(folder: Path, env_id: str, **env_kwargs: Any) -> Path:
    """Returns where the model of a run's folder is, or of a model's own, if it can write an environment's tokens."""
    from benchmarks.learners import MODEL
    from benchmarks.results import RunFolder

    run, places = RunFolder(folder), [folder / MODEL, folder]
    config = run.config() if run.begun else {}
    if "env_id" in config:  # else it is the configuration of a model
        places.remove(folder)
        if not run.finished:
            raise ValueError(f"the run in {folder} is not finished: let it go on, by textgym train ... --resume")
        _check_tokens(folder, config, env_id, **env_kwargs)
    known = ("config.json", "model.safetensors")
    found = [path for path in places if any((path / name).exists() for name in known)]
    if not found:
        raise ValueError(
            f"no model in {folder}: give a run's folder or a model's (to evaluate also: random, reference)"
        )
    return found[0]


def _check_tokens(folder: Path, config: Mapping[str, Any], env_id: str, **env_kwargs: Any) -> None:
    """Raises a ValueError if a run learnt in an environment whose tokens are others than this one's."""
    from benchmarks.evaluation import make_env

    task = make_env(env_id, num_rows=1, **env_kwargs).simulator.task
    if config.get("fingerprint") == task.fingerprint:
        return
    taught = make_env(config["env_id"], num_rows=1, **config["env_kwargs"]).simulator.task
    if [*taught.vocabulary.tokens] != [*task.vocabulary.tokens]:
        raise ValueError(f"the run in {folder} learnt the tokens of {config['env_id']}, and those of {env_id} differ")
