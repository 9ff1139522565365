"""Docstring: say in a sentence what a function of Python's standard library does, given how it is called."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from textgym.tasks.parts.installed_packages import find_packages, package_versions
from textgym.tasks.parts.pair_task import PairTask
from textgym.tasks.parts.standard_library import read, read_package
from textgym.tasks.parts.text_pairs import TextPair


class Docstring(PairTask):
    """Write the first sentence of a docstring, given the signature of its function, method or class.

    Example: prompt `Message.get_payload(i=None, decode=False)`, reference `Return a reference to the payload.`

    The corpus is the standard library of the Python that runs, parsed and never imported: some six thousand pairs,
    split by module without near-duplicates between the splits. The tokens are a byte-level BPE of the train split.
    Both are made on first use, in a few seconds, and kept in the cache folder (`TEXTGYM_CACHE`, else
    `~/.cache/textgym`). They differ between versions of Python: compare results with equal `fingerprint` only.
    `packages` adds the sources of installed packages, which are parsed and not imported either.

    Gold is chrF against the reference, with precision and recall weighing the same: with the usual weights, random
    texts that use up the budget outscore short sensible ones. The default feedback is a rating of ROUGE-L in five
    levels, fluency and brevity, with Gaussian noise on their sum.

    Args:
        vocabulary_size: the number of tokens, 128 to 65,536.
        max_prompt: the most tokens of a prompt, its separator included, at least 4; pairs with more are left out.
        max_reference: the most tokens of a reference, at least 2; likewise. The agent may write one token more.
        packages: the packages to read beside the standard library, by the names that one imports, such as `["numpy"]`.

    Attributes:
        counts: how many pairs were found, remained without near-duplicates, and fit the limits.

    Version history: v0, the first.
    """

    source = "module"

    def __init__(
        self,
        vocabulary_size: int = 1024,
        max_prompt: int = 40,
        max_reference: int = 39,
        packages: Sequence[str] = (),
    ) -> None:
        places = find_packages(packages)
        versions = package_versions(packages)
        known = [[name, versions[name], [str(place) for place in found]] for name, found in places.items()]
        origin = {"folder": sysconfig.get_paths()["stdlib"], "packages": known}
        super().__init__(
            "docstring",
            origin,
            lambda: _read(places),
            vocabulary_size=vocabulary_size,
            max_prompt=max_prompt,
            max_reference=max_reference,
        )


def _read(packages: Mapping[str, Sequence[Path]]) -> Iterator[TextPair]:
    names = " and ".join(["the standard library", *packages])
    print(f"textgym: reading {names}, a few seconds, once", file=sys.stderr, flush=True)
    yield from read()
    for places in packages.values():
        for place in places:
            yield from read_package(place, place.parent)
