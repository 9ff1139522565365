"""Where installed packages lie, and which versions they are; no code of theirs runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path


def find_packages(names: Sequence[str]) -> dict[str, list[Path]]:
    """Returns the folders of packages, or the file of a package that is a single one, by name.

    Args:
        names: what one imports, such as `"numpy"`; nothing below it, as finding that would import what is above.

    Raises:
        ValueError: if a name is not such a name, or a package is not installed as Python source.
    """
    if isinstance(names, str):
        raise ValueError(f'packages must be a list of names, such as ["numpy"], got {names!r}')
    for name in names:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f'packages must be names that one imports, without dots, such as "numpy", got {name!r}')
    if len(set(names)) < len(names):
        raise ValueError(f"packages must differ from each other, got {list(names)}")
    found = {name: _places(name) for name in names}
    if missing := [name for name, places in found.items() if not places]:
        raise ValueError(
            f"packages must be installed as Python source, and these are not: {', '.join(missing)}; "
            "install what they are part of, or leave them out"
        )
    return found


def package_versions(names: Sequence[str]) -> dict[str, list[str]]:
    """Returns which distributions each package is from, with their versions; none where nobody knows."""
    known = packages_distributions() if names else {}
    return {name: sorted({f"{found} {version(found)}" for found in known.get(name, ())}) for name in names}


def _places(name: str) -> list[Path]:
    try:
        spec = find_spec(name)
    except ValueError:  # a module that was put among the imported ones by hand
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(folder) for folder in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin is not None and spec.origin.endswith(".py") else []
