"""What a user can get wrong is one line on the error output, and exit code 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

NEEDS_EXTRA = 'textgym\'s command line needs more packages: pip install "textgym[benchmarks]" (not found: {})'


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one line on the error output."""
    import gymnasium

    try:
        yield
    except ModuleNotFoundError as error:
        refuse(NEEDS_EXTRA.format(error.name))
    except RuntimeError as error:
        from agents.memory import of_memory

        if not of_memory(error):
            raise
        refuse("out of memory: lower the rows or the batch_size, or take a smaller model")
    except (ValueError, OSError, FloatingPointError, MemoryError, gymnasium.error.Error) as error:
        refuse(" ".join(str(error).split()))
    except TypeError as error:
        twice = re.search(r"multiple values for (?:keyword )?argument '(\w+)'", str(error))
        if twice is None:
            raise
        refuse(f"{twice[1]} can't be an --argument here: it is for the command's own options to say")


def refuse(message: str) -> NoReturn:
    """Says in one line what was wrong, and ends the command."""
    import typer

    print(f"textgym: {message}", file=sys.stderr)
    raise typer.Exit(2)
