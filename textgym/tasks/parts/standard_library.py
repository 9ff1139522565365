"""How the functions of Python's standard library, and of packages, are called and what they say they do."""

from __future__ import annotations

import ast
import copy
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from textgym.tasks.parts.text_pairs import TextPair

_SKIPPED = {"__pycache__", "dist-packages", "idle_test", "lib2to3", "site-packages", "test", "tests"}
_FIRST_SENTENCE = re.compile(r"(.+?[.!?])(?=\s+[^\sa-z]|$)")
_PROSE = re.compile(r"(?![\w.]+\s?\()(?!.*>>>).*[A-Za-z]{2}.*\s.*[A-Za-z]{2}")  # two words, no call, no example

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def read(folder: Path | None = None) -> Iterator[TextPair]:
    """Parses the standard library, or another folder, in the order of the files' names; nothing is imported."""
    root = folder or Path(sysconfig.get_paths()["stdlib"])
    yield from read_package(root, root)


def read_package(place: Path, root: Path) -> Iterator[TextPair]:
    """Parses the files of a package, likewise.

    Args:
        place: its folder, or its file if it is a single one.
        root: the folder from which its modules' names are counted.
    """
    files = [place] if place.suffix == ".py" else []
    for parent, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        files += [Path(parent, name) for name in names if name.endswith(".py")]
    for file in sorted(files):
        module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        yield from _documented(module, file)


def first_sentence(docstring: str) -> str:
    """Returns the first sentence of the first paragraph, with single spaces."""
    paragraph = " ".join(re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0].split())
    found = _FIRST_SENTENCE.match(paragraph)
    return found[1] if found else paragraph


def _documented(module: str, file: Path) -> Iterator[TextPair]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return  # a file for another version of Python, broken on purpose, or nested too deeply
    for scope, node in _definitions(tree, ""):
        summary = first_sentence(ast.get_docstring(node) or "")
        if _PROSE.match(summary) and summary.isascii() and summary.isprintable():
            yield TextPair(module, _signature(scope, node), summary)


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
