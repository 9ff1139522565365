"""A state comes back from files to the last bit, whatever it holds, and every component's state can be kept so."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import textgym
from agents.state.files import PARTIAL, read_state, remove_partial, remove_state, write_state
from tests.laws import assert_same, go_on, random_actions
from tests.textgym.test_component_laws import ALL, DOCSTRING, environments


def test_a_state_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    state = {
        "numbers": [0.1, -0.0, 1e-320, math.inf, -math.inf, 2**70, True, None, "text $float"],
        "numpy": [np.float32(0.1), np.int8(-3), np.bool_(True)],
        "arrays": {"empty": np.zeros((0, 3)), "scalar": np.array(2.5), "keys": np.array([2**64 - 1], np.uint64)},
        "words": np.array(["a", "bc"]),
        "tensors": (shared, shared.T, torch.tensor(3, dtype=torch.bfloat16), torch.zeros(0), shared),
        "keys": {0: "zero", (1, 2): "pair", "$array": "no array"},
        "empty": {},
    }
    write_state(tmp_path / "state", state)
    found = read_state(tmp_path / "state")
    assert found["numbers"] == state["numbers"]
    assert [type(part) for part in found["numbers"]] == [type(part) for part in state["numbers"]]
    assert math.copysign(1, found["numbers"][1]) == -1
    assert found["numpy"] == [float(np.float32(0.1)), -3, True]
    assert found["keys"] == state["keys"]
    assert found["empty"] == {}
    assert_same(found["arrays"], state["arrays"])
    assert {name: part.dtype for name, part in found["arrays"].items()} == {
        name: part.dtype for name, part in state["arrays"].items()
    }
    assert found["words"].tolist() == ["a", "bc"]
    assert isinstance(found["tensors"], tuple)
    for one, other in zip(found["tensors"], state["tensors"], strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_nan_comes_back(tmp_path: Path) -> None:
    write_state(tmp_path / "state", {"loss": math.nan})
    assert math.isnan(read_state(tmp_path / "state")["loss"])


@pytest.mark.parametrize("wrong", [object(), {1}, np.array([None]), b"bytes"])
def test_what_is_no_plain_data_is_refused_with_its_place(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\.a\.1 must be plain data, an array or a tensor, got"):
        write_state(tmp_path / "state", {"a": [0, wrong]})
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    write_state(tmp_path / "state", {"a": 1})
    with pytest.raises(FileExistsError, match="state exists already"):
        write_state(tmp_path / "state", {"a": 2})
    assert read_state(tmp_path / "state") == {"a": 1}


def test_pickle_is_never_executed(tmp_path: Path) -> None:
    """An array of objects is refused although manifest and checksum are right."""
    write_state(tmp_path / "state", {"a": np.zeros(1)})
    real = np.savez

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.state.files.np.savez", lambda file, **_: real(file, a=np.array([Trap()], object)))
        write_state(tmp_path / "trapped", {"a": np.zeros(1)})
    with pytest.raises(ValueError, match=r"trapped: its arrays can't be read"):
        read_state(tmp_path / "trapped")
    assert not (tmp_path / "sprung").exists()


def test_what_a_kill_leaves_is_partial_and_can_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agents.state.files.os.rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_state(tmp_path / "state", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["state" + PARTIAL]
    monkeypatch.undo()
    write_state(tmp_path / "state", {"a": 1})
    monkeypatch.setattr("agents.state.files.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_state(tmp_path / "state")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["state" + PARTIAL]
    remove_partial(tmp_path)
    assert not list(tmp_path.iterdir())


def assert_kept(env: Any, other: Any, folder: Path) -> None:
    """Asserts that an environment's state goes through files into another, and both go on alike."""
    actions = random_actions(env, 60)
    env.reset(seed=7), other.reset(seed=8)
    go_on(env, actions[:33])
    write_state(folder / "state", env.unwrapped.get_state())
    other.unwrapped.set_state(read_state(folder / "state"))
    assert_same(go_on(env, actions[33:]), go_on(other, actions[33:]))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_component_is_kept_in_files(kind: str, name: str, tmp_path: Path) -> None:
    _, (env, other) = environments(kind, name, DOCSTRING, 2)
    assert_kept(env, other, tmp_path)


@pytest.mark.parametrize("env_id", textgym.env_ids())
def test_every_environment_is_kept_in_files(env_id: str, tmp_path: Path) -> None:
    assert_kept(gymnasium.make(env_id), gymnasium.make(env_id), tmp_path)
