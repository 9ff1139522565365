"""The corpus of `Docstring`: how the functions of Python's standard library are called and what they say they do."""

from __future__ import annotations

import ast
import copy
import hashlib
import os
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rapidfuzz.distance import Indel
from rapidfuzz.process import extractOne

from textgym.tasks.base import SPLITS

_SKIPPED = {"__pycache__", "dist-packages", "idle_test", "lib2to3", "site-packages", "test", "tests"}
_FIRST_SENTENCE = re.compile(r"(.+?[.!?])(?=\s+[^\sa-z]|$)")
_PROSE = re.compile(r"(?![\w.]+\s?\()(?!.*>>>).*[A-Za-z]{2}.*\s.*[A-Za-z]{2}")  # two words, no call, no example
_PERCENT = {"train": range(80), "validation": range(80, 90), "test": range(90, 100)}
_ALIKE = 0.9

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Documented:
    """A function or class and the first sentence of its docstring.

    Attributes:
        module: its module, such as `"email.message"`.
        signature: how it is called, such as `"Message.get_payload(i=None, decode=False)"`.
        summary: what it says it does, in printable ASCII with single spaces.
    """

    module: str
    signature: str
    summary: str

    @property
    def split(self) -> str:
        """The split of its module, from a hash of the module's name: no module is in two splits."""
        percent = int.from_bytes(hashlib.blake2b(self.module.encode(), digest_size=8).digest(), "little") % 100
        return next(split for split in SPLITS if percent in _PERCENT[split])

    @cached_property
    def gist(self) -> str:
        """The summary in lower case, without digits and punctuation."""
        return " ".join(re.findall("[a-z]+", self.summary.lower()))


def read(folder: Path | None = None) -> Iterator[Documented]:
    """Parses the standard library, or another folder, in the order of the files' names; nothing is imported."""
    root = folder or Path(sysconfig.get_paths()["stdlib"])
    files = []
    for parent, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        files += [Path(parent, name) for name in names if name.endswith(".py")]
    for file in sorted(files):
        module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        yield from _documented(module, file)


def split_corpus(found: Iterable[Documented]) -> dict[str, list[Documented]]:
    """Returns the items of each split, in the order found, without near-duplicates.

    An item is dropped if an earlier one has its signature or its gist, and from validation and test also if its gist
    is alike to one of the splits before (2 LCS / (length + length) of the characters at least 0.9).
    """
    signatures: set[str] = set()
    gists: set[str] = set()
    splits: dict[str, list[Documented]] = {split: [] for split in SPLITS}
    for item in found:
        if item.signature not in signatures and item.gist not in gists:
            splits[item.split].append(item)
            signatures.add(item.signature)
            gists.add(item.gist)
    before: list[str] = []
    for split in SPLITS:
        if before:
            splits[split] = [item for item in splits[split] if not _alike(item.gist, before)]
        before += [item.gist for item in splits[split]]
    return splits


def first_sentence(docstring: str) -> str:
    """Returns the first sentence of the first paragraph, with single spaces."""
    paragraph = " ".join(re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0].split())
    found = _FIRST_SENTENCE.match(paragraph)
    return found[1] if found else paragraph


def _alike(gist: str, others: list[str]) -> bool:
    return extractOne(gist, others, scorer=Indel.normalized_similarity, score_cutoff=_ALIKE) is not None


def _documented(module: str, file: Path) -> Iterator[Documented]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # a file for another version of Python, or broken on purpose
    for scope, node in _definitions(tree, ""):
        summary = first_sentence(ast.get_docstring(node) or "")
        if _PROSE.match(summary) and summary.isascii() and summary.isprintable():
            yield Documented(module, _signature(scope, node), summary)


def _definitions(node: ast.AST, scope: str) -> Iterator[tuple[str, _Definition]]:
    """Yields the functions and classes of a module, each with the classes around it as a prefix such as `"A.B."`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield scope, child
        if isinstance(child, ast.ClassDef):
            yield from _definitions(child, f"{scope}{child.name}.")
        elif isinstance(child, ast.If | ast.Try | ast.ExceptHandler):
            yield from _definitions(child, scope)


def _signature(scope: str, node: _Definition) -> str:
    """Returns how a function or class is called, so without the `self` or `cls` of a method."""
    if isinstance(node, ast.ClassDef):
        made = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        return f"class {scope}{node.name}({_arguments(made[0], bound=True) if made else ''})"
    static = any(isinstance(part, ast.Name) and part.id == "staticmethod" for part in node.decorator_list)
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{prefix}{scope}{node.name}({_arguments(node, bound=bool(scope) and not static)}){returned}"


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef, *, bound: bool) -> str:
    arguments = copy.copy(node.args)
    if bound and arguments.posonlyargs:
        arguments.posonlyargs = arguments.posonlyargs[1:]
    elif bound:
        arguments.args = arguments.args[1:]
    return ast.unparse(arguments)
