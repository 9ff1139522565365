"""Suites are found by listing their folder, chosen by one convention, and run in one way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import suite as suite_module
from benchmarks.cli import app
from benchmarks.learners import DEFAULTS
from benchmarks.results import RunFolder, finished_runs
from benchmarks.runner import News, Run, Workers, execute
from benchmarks.suite import Request, chosen, load_suite, outlines, planned, report_suite, run_suite

README = Path(__file__).parents[2] / "README.md"
LIGHT = {"docstring": {"env_id": "textgym/Copy-v0"}, "applications": {"tasks": ("Translate",), "episodes": 8}}
"""Settings that make a plan quick to draw up."""


def test_suites_are_found_with_their_outlines_and_without_torch() -> None:
    found = outlines()
    assert {"applications", "diagnostics", "docstring"} <= set(found)
    assert found["diagnostics"].question.startswith("Diagnostics: thirteen")
    told = CliRunner().invoke(app, ["benchmark", "--help"]).output
    assert str(found["docstring"]) in " ".join(told.split())
    call = "import sys; from benchmarks.cli.experiments import SUITES; assert SUITES and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", call], check=True, cwd=Path(__file__).parents[2])


def test_the_readme_tells_what_suites_take() -> None:
    told = re.findall(r"^\| `(\w+)` \| (\d+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(told) > 10
    assert all(outlines()[name].minutes == int(minutes) for name, minutes in told)


@pytest.mark.parametrize("name", outlines())
def test_a_suite_has_settings_a_plan_and_a_report(name: str) -> None:
    suite, outline = load_suite(name), outlines()[name]
    settings = suite.Settings(**LIGHT.get(name, {}))
    assert (outline.tags, outline.minutes) == (suite.TAGS, suite.MINUTES)
    assert set(suite.TAGS) <= {"algorithms", "feedback", "fresh", "warm-started"}
    assert is_dataclass(settings)
    with pytest.raises(AttributeError):
        settings.seeds = ()
    assert callable(suite.report)
    for variant in (settings, suite.quick(settings)):
        runs = suite.plan(variant)
        assert len({run.name for run in runs}) == len(runs) == len({run.identity for run in runs})
        assert all("fingerprint" in run.config for run in runs)
        assert [run.identity for run in suite.plan(variant)] == [run.identity for run in runs]


@pytest.mark.parametrize("name", outlines())
def test_algorithms_and_seeds_are_chosen_in_every_suite_alike(name: str) -> None:
    suite = load_suite(name)
    settings = suite.quick(suite.Settings(**LIGHT.get(name, {})))
    runs = suite.plan(chosen(settings, algorithms=["reinforce", "ppo"], seeds=[2, 0, 1]))
    learning = [run.config for run in runs if "learner" in run.config]
    assert {(config["learner"], config["seed"]) for config in learning} >= {
        (learner, seed) for learner in ("reinforce", "ppo") for seed in range(3)
    }
    assert {config["learner"] for config in learning} == {"reinforce", "ppo"}
    assert chosen(settings) == settings
    with pytest.raises(ValueError, match=r"must be one of ppo, .*or module:function of your own, got 'sarsa'"):
        chosen(settings, algorithms=["sarsa"])


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("3", "0, 1, 2"),
        ("3-5", "3, 4, 5"),
        ("0", "seeds must be at least one, got '0'"),
        ("5-3", "seeds must be at least one, got '5-3'"),
        ("many", "seeds must be a number, such as 3, or a range, such as 3-5; got 'many'"),
        ("-1", "got '-1'"),
        ("3-", "got '3-'"),
    ],
)
def test_seeds_are_a_number_or_a_range(told: str, found: str, tmp_path: Path) -> None:
    call = ["benchmark", "quick", "--quick", "--algorithms=reinforce", "--dry-run", f"--out={tmp_path}"]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*call, f"--seeds={told}"])
    if "got" in found:
        assert (result.exit_code, result.stdout) == (2, "")
        assert found in result.stderr
    else:
        seeds = set(re.findall(r"reinforce-(\d+)", result.stdout))
        assert ", ".join(sorted(seeds)) == found


@dataclass(frozen=True)
class Settings:
    learners: dict[str, dict[str, Any]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1)


class Tiny:
    """A suite of two runs, whose report says what is finished."""

    Settings = Settings

    def __init__(self) -> None:
        self.reports: list[list[str]] = []
        self.version = 1

    def plan(self, settings: Settings) -> list[Run]:
        return [
            Run(f"run-{seed}", nothing, {"seed": seed, "fingerprint": "f00d", "version": self.version})
            for seed in settings.seeds
        ]

    def report(self, folder: Path, settings: Settings, console: Console) -> None:
        self.reports.append([run.name for run in finished_runs(folder)])


def nothing(folder: RunFolder, config: Mapping[str, Any], tell: object) -> dict[str, Any]:
    return {}


class Here(Workers):
    """Does each run at once, or fails, or is interrupted."""

    def __init__(self, *, failing: str = "", interrupted: str = "") -> None:
        self.failing, self.interrupted = failing, interrupted
        self.done: list[str] = []
        self.told: list[News] = []

    def has_room(self) -> bool:
        return not self.told

    def start(self, run: Run, folder: Path, *, beside: int) -> None:
        if run.name == self.interrupted:
            raise KeyboardInterrupt
        self.done.append(run.name)
        place = RunFolder(folder / run.name)
        place.start(run.record)
        if run.name != self.failing:
            place.finish(run.function(place, run.config, lambda share: None))
        self.told.append(News(run.name, ended=True, failure="no luck" if run.name == self.failing else ""))

    def news(self) -> list[News]:
        told, self.told = self.told, []
        return told

    def stop(self) -> None:
        pass


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Tiny:
    suite = Tiny()
    monkeypatch.setattr(suite_module, "load_suite", lambda name: suite)
    return suite


def run(folder: Path, workers: Workers, **more: Any) -> dict[str, str]:
    return run_suite("tiny", folder, settings=Settings(), workers=workers, console=Console(file=StringIO()), **more)


def test_what_is_finished_is_not_run_again_unless_all_is_to_be_fresh(tmp_path: Path, tiny: Tiny) -> None:
    first, second, fresh = Here(failing="run-0"), Here(), Here()
    assert run(tmp_path, first) == {"run-0": "no luck"}
    assert run(tmp_path, second) == {}
    assert run(tmp_path, fresh, fresh=True) == {}
    assert [first.done, second.done, fresh.done] == [["run-0", "run-1"], ["run-0"], ["run-0", "run-1"]]
    assert tiny.reports == [["run-1"], ["run-0", "run-1"], ["run-0", "run-1"]]


def test_a_plan_that_is_stopped_reports_what_is_finished(tmp_path: Path, tiny: Tiny) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Here(interrupted="run-0"))
    assert tiny.reports == []
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Here(interrupted="run-1"))
    assert tiny.reports == [["run-0"]]


def test_what_was_run_with_other_settings_is_not_reported_beside_the_new(tmp_path: Path, tiny: Tiny) -> None:
    assert run(tmp_path, Here()) == {}
    tiny.version = 2
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Here(interrupted="run-1"))
    assert tiny.reports == [["run-0", "run-1"], ["run-0"]]
    assert RunFolder(tmp_path / "run-1").finished  # it is kept until the new one begins


def test_a_report_is_made_anew_as_the_suite_was_asked(tmp_path: Path, tiny: Tiny) -> None:
    asked = Request("tiny", seeds=[4, 3])
    run_suite(
        "tiny", tmp_path, settings=asked.settings(), workers=Here(), console=Console(file=StringIO()), asked=asked
    )
    report_suite(tmp_path, Console(file=StringIO()))
    assert tiny.reports == [["run-3", "run-4"]] * 2


def test_what_was_asked_in_two_calls_is_reported_together(tmp_path: Path, tiny: Tiny) -> None:
    for seeds in ([3], [], [3, 4]):
        asked = Request("tiny", seeds=seeds)
        console = Console(file=StringIO())
        run_suite("tiny", tmp_path, settings=asked.settings(), workers=Here(), console=console, asked=asked)
    assert tiny.reports == [["run-3"], ["run-0", "run-1", "run-3"], ["run-0", "run-1", "run-3", "run-4"]]
    assert json.loads((tmp_path / "plan.json").read_text())["asked"]["seeds"] == [3, 0, 1, 4]
    tiny.version = 2  # of what was run with other settings nothing is told
    run_suite("tiny", tmp_path, settings=Settings(), workers=Here(), console=console, asked=Request("tiny"))
    assert tiny.reports[-1] == ["run-0", "run-1"]


def test_defaults_and_sources_are_part_of_what_a_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = chosen(load_suite("diagnostics").quick(load_suite("diagnostics").Settings()), algorithms=["reinforce"])
    before = {run.name: run.identity for run in planned("diagnostics", settings)}
    assert {run.name: run.identity for run in planned("diagnostics", settings)} == before
    monkeypatch.setitem(DEFAULTS, "reinforce", {"learning_rate": 0.5})
    other = {run.name: run.identity for run in planned("diagnostics", settings)}
    assert all((other[name] == before[name]) == name.endswith("random") for name in before)


def test_settings_of_other_learners_come_with_their_names() -> None:
    settings = load_suite("quick").Settings()
    found = chosen(settings, algorithms=["grpo", "a2c", "ppo"]).learners
    assert found == {"grpo": settings.others["grpo"], "a2c": {}, "ppo": settings.learners["ppo"]}


def test_a_dry_run_shows_the_plan_and_runs_nothing(tmp_path: Path) -> None:
    call = ["benchmark", "diagnostics", "--quick", "--resume", "--dry-run", "--seeds=1", f"--out={tmp_path / 'out'}"]
    told = CliRunner(env={"COLUMNS": "120"}).invoke(app, call)
    assert told.exit_code == 0, told.output
    for text in ("Bandit-ppo-0", "Vocabulary-maskable_ppo-0", "2,048", "to do", "Bandit-random", "0 of 15 finished"):
        assert text in told.output
    assert not (tmp_path / "out").exists()


def test_the_plan_of_an_own_algorithm_changes_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny
) -> None:
    monkeypatch.chdir(tmp_path)
    code = tmp_path / "mine_of_a_suite.py"
    monkeypatch.setattr(
        Tiny, "plan", lambda self, settings: [Run(name, nothing, {"learner": name}) for name in settings.learners]
    )
    identities = []
    for text in ("def make(env, seed, policy_kwargs): ...", "def make(env, seed, policy_kwargs): 1"):
        code.write_text(text)
        own, ppo = planned("tiny", Settings(learners={"mine_of_a_suite:make": {}, "ppo": {}}))
        identities.append((own.identity, ppo.identity))
    assert identities[0][0] != identities[1][0]
    assert identities[0][1] == identities[1][1]


def test_execute_with_workers_of_ones_own(tmp_path: Path, tiny: Tiny) -> None:
    out = StringIO()
    workers = Here()
    plan = tiny.plan(Settings())
    assert execute(plan, tmp_path, workers=workers, console=Console(file=out), title="test") == {}
    assert out.getvalue().splitlines()[-1].endswith("run-1 finished")
