"""Out of memory: an error that says what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

_OF_TORCH = ("can't allocate memory", "not enough memory", "out of memory")  # what it says on the CPU


@contextmanager
def explained_memory_errors(algorithm: BaseAlgorithm) -> Iterator[None]:
    """Turns an allocation that fails, on the CPU or a GPU, into an error that says what an algorithm can do with less.

        with explained_memory_errors(model):
            model.learn(100_000)

    Raises:
        MemoryError: from the original error, with the sizes that matter.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not of_memory(error):
            raise
        raise MemoryError(f"out of memory on {algorithm.device}: {_what_to_lower(algorithm)}") from error


def of_memory(error: BaseException) -> bool:
    """Returns whether an error says that memory ran out, on the CPU or a GPU."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error).lower() for words in _OF_TORCH)


def _what_to_lower(algorithm: BaseAlgorithm) -> str:
    sizes = {name: getattr(algorithm, name, None) for name in ("batch_size", "n_steps", "n_envs")}
    given = ", ".join(f"{name}={value}" for name, value in sizes.items() if value is not None)
    parameters = sum(weights.numel() for weights in algorithm.policy.parameters())
    told = f"lower one of {given} (the rows), or take a smaller model than this one of {parameters:,} weights"
    backbone = getattr(algorithm.policy, "backbone", None)
    if backbone is not None and not backbone.autocast:
        told += ', or let policy_kwargs have "autocast": "bfloat16"'
    return told
