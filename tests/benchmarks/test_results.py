"""A run's folder stays readable whenever the run is killed, and runs that can't be compared are not merged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from benchmarks.results import RunFolder, collect, run_folders, versions


def started(path: Path, **config: object) -> RunFolder:
    folder = RunFolder(path)
    folder.start({"fingerprint": "f00d", "seed": 0, **config})
    return folder


def test_what_is_logged_is_on_disk_at_once(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    folder.log({"timesteps": 1, "loss": np.float32(0.5)})
    folder.log({"timesteps": 2, "loss": np.float32("nan")})
    assert RunFolder(tmp_path / "run").metrics() == [{"timesteps": 1, "loss": 0.5}, {"timesteps": 2, "loss": None}]


def test_a_line_cut_short_by_a_kill_is_left_out_with_a_warning(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    folder.log({"timesteps": 1})
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"timesteps": 2, "lo')
    with pytest.warns(UserWarning, match=r"metrics\.jsonl: line 2 was cut short"):
        assert folder.metrics() == [{"timesteps": 1}]


@pytest.mark.parametrize("line", ["{broken", "[1, 2]", ""])
def test_another_bad_line_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    folder = started(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text(f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: not a JSON object"):
        folder.metrics()


def test_only_a_result_finishes_a_run_and_only_for_its_configuration(tmp_path: Path) -> None:
    folder = started(tmp_path / "run", sizes=(1, 2))
    config = {"fingerprint": "f00d", "seed": 0, "sizes": (1, 2)}
    assert not folder.finished_as(config)
    folder.finish({"returns": np.arange(3.0)})
    assert folder.result() == {"returns": [0.0, 1.0, 2.0]}
    assert folder.finished_as(config)
    assert not folder.finished_as({**config, "seed": 1})


def test_a_result_that_is_not_plain_data_leaves_the_run_unfinished(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    with pytest.raises(TypeError, match="plain data, got object"):
        folder.finish({"policy": object()})
    assert not folder.finished


def test_starting_again_forgets_the_unfinished_run(tmp_path: Path) -> None:
    started(tmp_path / "run").log({"timesteps": 1})
    assert started(tmp_path / "run").metrics() == []


def test_a_run_with_checkpoints_goes_on_if_it_is_the_same(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    folder.log({"timesteps": 1})
    folder.checkpoints.mkdir()
    folder.fail("exit code 9")
    assert started(tmp_path / "run").metrics() == [{"timesteps": 1}]
    assert not folder.failed
    assert folder.changes({"fingerprint": "f00d", "seed": 1}) == ["seed was 0 and is 1"]
    assert started(tmp_path / "run", seed=1).metrics() == []
    assert not folder.checkpoints.exists()


def test_other_versions_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started(tmp_path / "run").checkpoints.mkdir()
    monkeypatch.setattr("benchmarks.results.versions", lambda: {"torch": "1.0"})
    started(tmp_path / "run")
    assert not RunFolder(tmp_path / "run").checkpoints.exists()


def test_a_result_leaves_no_checkpoints(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    (folder.checkpoints / "step-1").mkdir(parents=True)
    folder.finish({})
    assert not folder.checkpoints.exists()


def test_metrics_are_cut_back_to_the_end_of_a_line(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    assert folder.sync() == 0
    folder.log({"timesteps": 1})
    size = folder.sync()
    folder.log({"timesteps": 2})
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"timesteps": 3, "lo')
    for wrong in (size - 1, size + 10**6):
        with pytest.raises(ValueError, match=r"metrics\.jsonl has no line that ends after"):
            folder.cut(wrong)
    folder.cut(size)
    assert folder.metrics() == [{"timesteps": 1}]
    folder.log({"timesteps": 4})
    assert [record["timesteps"] for record in folder.metrics()] == [1, 4]
    folder.cut(0)
    assert folder.metrics() == []


def test_the_configuration_says_which_versions_ran(tmp_path: Path) -> None:
    found = started(tmp_path / "run").config()["versions"]
    assert found == versions()
    assert {"python", "numpy", "gymnasium", "torch"} <= set(found)


def test_runs_are_collected_in_one_table(tmp_path: Path) -> None:
    started(tmp_path / "a", seed=3).log({"timesteps": 1, "loss": 0.5})
    started(tmp_path / "deep" / "b").log({"timesteps": 1, "reward": 2})
    table = collect(tmp_path)
    assert table.equals(pyarrow.parquet.read_table(tmp_path / "metrics.parquet"))
    assert table.to_pylist() == [
        {"run": "a", "fingerprint": "f00d", "seed": 3, "timesteps": 1, "loss": 0.5, "reward": None},
        {"run": "deep/b", "fingerprint": "f00d", "seed": 0, "timesteps": 1, "loss": None, "reward": 2},
    ]


def test_different_corpora_are_not_merged(tmp_path: Path) -> None:
    started(tmp_path / "a")
    started(tmp_path / "b", fingerprint="beef")
    with pytest.raises(ValueError, match=r"different corpora .* f00d \(a\), beef \(b\)"):
        collect(tmp_path)
    with pytest.raises(ValueError, match="no run below"):
        collect(tmp_path / "empty")


def test_a_saved_model_inside_a_run_is_no_run(tmp_path: Path) -> None:
    started(tmp_path / "run")
    (tmp_path / "run" / "model").mkdir()
    (tmp_path / "run" / "model" / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert [folder.path for folder in run_folders(tmp_path)] == [tmp_path / "run"]
