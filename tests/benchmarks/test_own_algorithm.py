"""An algorithm of the user's own learns in the benchmark, and what it lacks is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.base_class import BaseAlgorithm
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.evaluation import evaluate
from benchmarks.learners import MODEL, run_name
from benchmarks.own_algorithm import find
from benchmarks.results import RunFolder
from benchmarks.training import train

EXAMPLE = "benchmarks.examples.own_algorithm:make"
HACKING = "textgym/Hacking-v0"
MODULE = '''
class Nothing:
    pass

class Deaf:
    def __init__(self, env): self.env = env
    def predict(self, observation, deterministic=False): return [0] * len(observation["input_ids"])

class Idle(Deaf):
    def learn(self, total_timesteps, callback=None): return self

class Endless(Deaf):
    def learn(self, total_timesteps, callback=None):
        self.env.reset()
        while True:
            self.env.step([2] * self.env.num_envs)

class Polite(Deaf):
    """Asks whether to go on, and uses the Gymnasium face."""
    def learn(self, total_timesteps, callback=None):
        envs = self.env.envs
        envs.reset(seed=0)
        self.steps = 0
        while callback(locals(), globals()):
            envs.step(envs.action_space.sample())
            self.steps += 1

def nothing(env, seed, policy_kwargs): return Nothing()
def deaf(env, seed, policy_kwargs): return Deaf(env)
def idle(env, seed, policy_kwargs): return Idle(env)
def endless(env, seed, policy_kwargs): return Endless(env)
def polite(env, seed, policy_kwargs): return Polite(env)
def narrow(env, seed): return Nothing()
def reinforce(env, seed, policy_kwargs, **settings):
    from agents.policy import TransformerPolicy
    from agents.reinforce import REINFORCE
    return REINFORCE(TransformerPolicy, env, seed=seed, policy_kwargs=policy_kwargs, **settings)
constant = 3
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the current directory."""
    (tmp_path / "mine_of_a_test.py").write_text(MODULE)
    (tmp_path / "broken_of_a_test.py").write_text("import nothing_of_the_kind")
    (tmp_path / "wrong_of_a_test.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    return "mine_of_a_test"


def learn(path: Path, learner: str, *, tokens: int = 2048, **more: Any) -> tuple[Any, RunFolder]:
    folder = RunFolder(path)
    folder.start({})
    more = {"env_id": HACKING, "rows": 32, "seed": 0, "model": None, **more}
    return train(folder, learner=learner, tokens=tokens, **more), folder


def test_the_example_learns_and_what_it_wrote_is_recorded(tmp_path: Path) -> None:
    shares: list[float] = []
    algorithm, folder = learn(tmp_path / "run", EXAMPLE, tokens=40_000, tell=shares.append)
    records = folder.metrics()
    assert (records[-1]["timesteps"], shares[-1]) == (40_000, 1.0)
    assert 40 <= len(records) <= 51
    assert sum(record["texts"] * record["text_length"] for record in records) == pytest.approx(40_000, abs=32 * 8)
    assert records[-1]["observed_return"] > records[0]["observed_return"] + 0.2
    before, after = (
        evaluate(policy, HACKING, episodes=64).returns["clean_return"].mean() for policy in ("random", algorithm)
    )
    assert after > before + 0.2


@pytest.mark.parametrize("face", ["polite", "reinforce"])
def test_both_faces_and_those_of_stable_baselines3_do(tmp_path: Path, mine: str, face: str) -> None:
    algorithm, folder = learn(tmp_path / "run", f"{mine}:{face}", tokens=512, rows=8)
    last = [record for record in folder.metrics() if "gold_return" in record][-1]
    assert last["timesteps"] <= 512
    assert isinstance(algorithm, BaseAlgorithm) == (face == "reinforce") == (folder.path / MODEL).exists()
    assert any("train/policy_loss" in record for record in folder.metrics()) == (face == "reinforce")
    if face == "polite":
        assert algorithm.steps == 64


def test_settings_reach_it(tmp_path: Path) -> None:
    algorithm, _ = learn(tmp_path / "run", EXAMPLE, tokens=256, settings={"elite": 0.5})
    assert algorithm.elite == 0.5
    assert np.isfinite(algorithm.table).all()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("mine_of_a_test:nothing", TypeError, "Nothing has no learn and no predict"),
        ("mine_of_a_test:deaf", TypeError, "Deaf has no learn"),
        ("mine_of_a_test:idle", RuntimeError, "learn has written nothing"),
        ("mine_of_a_test:endless", RuntimeError, "must end after total_timesteps"),
        ("mine_of_a_test:narrow", ValueError, "must take env, seed and policy_kwargs by name: .*policy_kwargs"),
        ("mine_of_a_test:constant", ValueError, "no function 'constant'; it has: nothing, deaf"),
        ("mine_of_a_test:", ValueError, "no function ''"),
        ("nothing.of.the.kind:make", ValueError, "no module 'nothing' .* neither installed nor in the current"),
        ("broken_of_a_test:make", ValueError, "broken_of_a_test can't be imported: No module named 'nothing_of"),
        ("wrong_of_a_test:make", ValueError, "wrong_of_a_test can't be imported: ZeroDivisionError"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, mine: str, name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        learn(tmp_path / "run", name, tokens=256, rows=8)


def test_a_predict_without_a_state_is_refused(tmp_path: Path, mine: str) -> None:
    algorithm = find(f"{mine}:idle")(None, 0, {})
    with pytest.raises(ValueError, match=r"predict must return actions \(n,\) and a state, got list"):
        evaluate(algorithm, HACKING, episodes=2)


def test_the_command_line_says_in_one_line_what_is_missing(mine: str) -> None:
    told = CliRunner().invoke(app, ["benchmark", "diagnostics", "--algorithm", f"{mine}:narrow"])
    assert told.exit_code == 2
    assert told.stderr.count("\n") == 1
    assert "must take env, seed and policy_kwargs" in told.stderr


def test_a_folder_of_a_run_has_no_colon() -> None:
    assert run_name("mine:make", 3) == "mine.make-3"


@pytest.mark.slow
def test_the_example_goes_through_a_suite(tmp_path: Path) -> None:
    call = ["benchmark", "diagnostics", "--quick", "--algorithm", EXAMPLE, "--seeds", "1", "--out", str(tmp_path)]
    told = CliRunner(env={"COLUMNS": "200"}).invoke(app, call)
    assert told.exit_code == 0, told.output
    assert f"Hacking-{run_name(EXAMPLE, 0)} finished" in told.output
    assert EXAMPLE in (tmp_path / "report.html").read_text()
