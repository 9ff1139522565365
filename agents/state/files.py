"""Nested plain data with arrays and tensors, kept in a folder: JSON, .npz and safetensors, never pickle.

A folder is written under another name, put on the disk, and then renamed, so it is there wholly or not at all. What a
kill leaves behind has the ending `.partial` and is nobody's. A manifest holds the length and the checksum of each file.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

MANIFEST, STATE, ARRAYS, TENSORS = "manifest.json", "state.json", "arrays.npz", "tensors.safetensors"
FORMAT, VERSION = "textgym state", 1
PARTIAL = ".partial"


def write_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Writes a state as a new folder, wholly or not at all.

    Args:
        path: the folder, which must not exist; the one that it is in must.
        state: dicts, lists and tuples of None, booleans, numbers, text, arrays and tensors. Floats may be infinite or
            NaN. Numbers of numpy become Python's; all else comes back as it was, to the last bit.

    Raises:
        TypeError: if there is anything else in the state; the message says where.
        FileExistsError: if the folder exists.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    packer = _Packer()
    text = json.dumps(packer.pack(state, "state"), allow_nan=False)
    partial = path.with_name(path.name + PARTIAL)
    remove_state(partial)
    partial.mkdir()
    (partial / STATE).write_text(text, encoding="utf-8")
    with (partial / ARRAYS).open("wb") as file:
        np.savez(file, **packer.arrays)  # type: ignore[arg-type]  # none holds objects: `pack` refuses them
    save_file(packer.tensors, partial / TENSORS)
    files = {name: _measure(partial / name) for name in (STATE, ARRAYS, TENSORS)}
    manifest = {"format": FORMAT, "version": VERSION, "files": files}
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for name in (*files, MANIFEST):
        _sync(partial / name)
    _sync(partial)
    os.rename(partial, path)
    _sync(path.parent)


def read_state(path: str | Path) -> dict[str, Any]:
    """Returns a state that `write_state` has written; tensors come on the CPU.

    Raises:
        ValueError: if anything of it is missing, damaged or of another format; the message names the file.
    """
    path = Path(path)
    manifest = _json(path / MANIFEST)
    found = {name: manifest.get(name) for name in ("format", "version")}
    if found != {"format": FORMAT, "version": VERSION}:
        raise ValueError(
            f"{path / MANIFEST}: this reads format {FORMAT!r}, version {VERSION}, "
            f"and the file has format {found['format']!r}, version {found['version']!r}"
        )
    for name in (STATE, ARRAYS, TENSORS):
        _check(path / name, manifest["files"].get(name) if isinstance(manifest.get("files"), dict) else None)
    try:
        with np.load(path / ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
        tensors = load_file(path / TENSORS)
    except (ValueError, OSError, zipfile.BadZipFile, SafetensorError) as error:
        raise ValueError(f"{path}: its arrays can't be read: {error}") from error
    state: dict[str, Any] = _unpack(_json(path / STATE), arrays, tensors)
    return state


def remove_state(path: str | Path) -> None:
    """Removes the folder of a state, if it is there; a kill in the middle leaves a partial one."""
    path = Path(path)
    if not path.exists():
        return
    partial = path
    if not path.name.endswith(PARTIAL):
        partial = path.with_name(path.name + PARTIAL)
        os.rename(path, partial)
    shutil.rmtree(partial)


def remove_partial(folder: str | Path) -> None:
    """Removes what kills have left behind in a folder of states."""
    for partial in Path(folder).glob(f"*{PARTIAL}"):
        remove_state(partial)


class _Packer:
    """Splits a state into what JSON can hold and named arrays and tensors; shared tensors are kept once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.tensors: dict[str, torch.Tensor] = {}
        self._places: dict[Any, str] = {}

    def pack(self, value: Any, place: str) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return {"$float": repr(float(value))}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self.arrays[place] = value
            return {"$array": place}
        if isinstance(value, torch.Tensor):
            return {"$tensor": self._tensor(value.detach(), place)}
        if isinstance(value, list | tuple):
            parts = [self.pack(part, f"{place}.{number}") for number, part in enumerate(value)]
            return {"$tuple": parts} if isinstance(value, tuple) else parts
        if not isinstance(value, Mapping):
            raise TypeError(f"{place} must be plain data, an array or a tensor, got {type(value).__name__}")
        packed = [(key, self.pack(part, f"{place}.{key}")) for key, part in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in packed):
            return dict(packed)
        return {"$items": [[self.pack(key, f"{place} (a key)"), part] for key, part in packed]}

    def _tensor(self, tensor: torch.Tensor, place: str) -> str:
        memory = (tensor.data_ptr(), tensor.dtype, tensor.device, tensor.shape, tensor.stride())
        if not tensor.numel() or memory not in self._places:
            self._places[memory] = place
            self.tensors[place] = tensor.contiguous()
        return self._places[memory]


def _unpack(value: Any, arrays: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(part, arrays, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float(value["$float"])
    if "$array" in value:
        return arrays[value["$array"]]
    if "$tensor" in value:
        return tensors[value["$tensor"]]
    if "$tuple" in value:
        return tuple(_unpack(part, arrays, tensors) for part in value["$tuple"])
    if "$items" in value:
        return {_unpack(key, arrays, tensors): _unpack(part, arrays, tensors) for key, part in value["$items"]}
    return {key: _unpack(part, arrays, tensors) for key, part in value.items()}


def _measure(path: Path) -> dict[str, int]:
    """Returns the length of a file in bytes and its checksum, which finds accidents, not forgeries."""
    length = checksum = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            length, checksum = length + len(piece), zlib.crc32(piece, checksum)
    return {"bytes": length, "crc32": checksum}


def _check(path: Path, expected: Any) -> None:
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    found = _measure(path)
    if not isinstance(expected, dict) or found != expected:
        raise ValueError(f"{path} is damaged: the manifest says {expected}, and the file has {found}")


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: no JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} is damaged: no JSON object")
    return data


def _sync(path: Path) -> None:
    """Puts a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
