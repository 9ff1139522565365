"""The command line, `textgym`: commands that show environments, that make and judge policies, that run experiments.

Torch and the learners are imported inside the commands that need them, so that the others answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.cli.errors import NEEDS_EXTRA

try:
    import typer

    from benchmarks.cli import environments, experiments, learning
except ModuleNotFoundError as error:
    sys.exit(NEEDS_EXTRA.format(error.name))

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Reinforcement learning on text: environments whose reward is feedback, learners, experiments.",
)
COMMANDS: dict[str, Callable[..., None]] = {
    "list": environments.list_,
    "describe": environments.describe,
    "play": environments.play,
    "show": environments.show,
    "profile": environments.profile,
    "warm-start": learning.warm_start,
    "train": learning.train,
    "evaluate": learning.evaluate,
    "benchmark": experiments.benchmark,
    "merge": experiments.merge,
    "report": experiments.report,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Runs the command line; bad input is one line and exit code 2, Ctrl-C exit code 130."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
