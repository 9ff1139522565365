"""The command line does what it says, answers at once, and says in one line what was wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.cli import app
from benchmarks.evaluation import evaluate
from benchmarks.learners import saved_policy
from benchmarks.policies import takes_masks
from benchmarks.results import RunFolder
from benchmarks.suite import outlines


def textgym(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_list_names_environments_and_components() -> None:
    told = textgym("list").output
    for name in ("textgym/Copy-v0", "textgym/Docstring-v0", "rouge_l", "rating", "gaussian"):
        assert name in told


def test_help_and_list_import_no_learner() -> None:
    call = (
        "import sys; from benchmarks.cli import app; from typer.testing import CliRunner\n"
        "for command in ('--help', 'list'): assert CliRunner().invoke(app, [command]).exit_code == 0\n"
        "assert not {'torch', 'transformers', 'stable_baselines3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", call], check=True, cwd=Path(__file__).parents[2])


def test_without_typer_it_says_what_to_install() -> None:
    call = "import sys; sys.modules['typer'] = None; from benchmarks.cli import main"
    found = subprocess.run(
        [sys.executable, "-c", call], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert found.returncode == 1
    assert found.stderr.strip().count("\n") == 0
    assert 'pip install "textgym[benchmarks]"' in found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "random", "textgym/Nope-v0"], "unknown environment 'textgym/Nope-v0'; known: textgym/Bandit-v0"),
        (["evaluate", "random", "textgym/Copy-v0", "--episodes", "999"], "the test split has 128 prompts"),
        (["evaluate", "/nowhere", "textgym/Copy-v0"], "no model in /nowhere"),
        (["evaluate", "random", "textgym/Copy-v0", "--best-of", "2", "--chosen-by", "rogue_l"], "rogue_l"),
        (["evaluate", "random", "textgym/Copy-v0", "--best-of", "2", "--chosen-by", "{"], "--chosen-by must be JSON"),
        (["evaluate", "random", "textgym/Copy-v0", "--by", "topic"], "no grouping 'topic'"),
        (["train", "textgym/Nope-v0", "--out", "{out}"], "unknown environment"),
        (["train", "textgym/Copy-v0", "--out", "{full}"], "--out must be a new or an empty folder"),
        (["train", "textgym/Copy-v0", "--out", "{out}", "--algorithm", "sarsa"], "'sarsa' is not one of"),
        (["train", "textgym/Copy-v0", "--out", "{out}", "--tokens", "0"], "--tokens"),
        (["train", "textgym/Copy-v0", "--out", "{out}", "--setting", "n_stepz=8"], "ppo has no setting 'n_stepz'"),
        *(
            (["train", "textgym/Copy-v0", "--out", "{out}", "--setting", setting], message)
            for setting, message in (
                ("gamma=[1,0]", "the setting gamma must be one value, got [1, 0]"),
                (
                    "learning_rate=[1,0,1]",
                    "the setting learning_rate must be one value, or [start, end] for a schedule",
                ),
                ("n_epochs=few", "the setting n_epochs must be a whole number, got 'few'"),
                ("vf_coef=few", "the setting vf_coef must be a number, got 'few'"),
            )
        ),
        (
            ["describe", "textgym/Copy-v0", "--difficulty", "easy", "--argument", "difficulty=hard"],
            "difficulty can't be",
        ),
        (["play", "textgym/Copy-v0", "--argument", "split=test"], "split can't be an --argument here"),
        (
            ["evaluate", "random", "textgym/Copy-v0", "--argument", "split=train"],
            "split can't be an --argument here",
        ),
        (["report", "{out}"], "no finished run below"),
        (
            ["evaluate", "random", "textgym/Copy-v0", "--best-of", "4", "--deterministic"],
            "the best of 4 texts must be drawn: with deterministic=True all are the same",
        ),
        (["benchmark", "nope"], f"the suite must be one of {', '.join(outlines())}, got 'nope'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    places = {"{out}": str(tmp_path / "out"), "{full}": str(tmp_path / "full")}
    found = textgym(*(places.get(argument, argument) for argument in arguments))
    assert found.exit_code == 2
    assert message in found.stderr
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_is_free_again_where_the_run_was_refused(tmp_path: Path) -> None:
    call = ["train", "textgym/Copy-v0", "--algorithm", "reinforce", "--rows", "8", "--tokens", "8"]
    call += ["--out", str(tmp_path / "out"), "--setting"]
    assert "gamma must be in [0, 1]" in textgym(*call, "gamma=2").stderr
    assert textgym(*call, "n_steps=1").exit_code == 0


def test_out_of_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr("benchmarks.evaluation.evaluate", full)
    found = textgym("evaluate", "random", "textgym/Copy-v0")
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == "textgym: out of memory: lower the rows or the batch_size, or take a smaller model\n"


@pytest.mark.parametrize(("error", "stays"), [(FloatingPointError, True), (ValueError, False)])
def test_a_refused_run_frees_its_folder_and_a_broken_one_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], stays: bool
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error("broken")

    monkeypatch.setattr("benchmarks.training.train", broken)
    assert textgym("train", "textgym/Copy-v0", "--out", str(tmp_path / "run")).exit_code == 2
    assert (tmp_path / "run").exists() == stays


def test_train_goes_on_with_a_run_that_was_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ["train", "textgym/Copy-v0", "--algorithm", "reinforce", "--tokens", "500", "--rows", "8"]
    assert textgym(*call, "--resume", "--out", str(tmp_path / "whole")).exit_code == 0
    broken = [*call, "--out", str(tmp_path / "broken")]
    log = RunFolder.log

    def killed(folder: RunFolder, record: dict[str, float]) -> None:
        log(folder, record)
        if record["timesteps"] > 300:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", killed)
        assert textgym(*broken).exit_code != 0
    assert not RunFolder(tmp_path / "broken").finished
    other = [*call, "--model", broken[-1], "--out", str(tmp_path / "other")]
    for judged in (["evaluate", broken[-1], "textgym/Copy-v0"], other):
        assert "is not finished: let it go on, by textgym train ... --resume" in textgym(*judged).stderr
    assert "--out must be a new or an empty folder, or a run's with --resume" in textgym(*broken).stderr
    assert "is another: seed was 0 and is 1" in textgym(*broken, "--resume", "--seed", "1").stderr
    going_on = textgym(*broken, "--resume")
    assert going_on.exit_code == 0
    assert "goes on at 256 of 500 tokens" in going_on.stdout
    whole, again = (path.read_bytes() for path in sorted(tmp_path.glob("*/metrics.jsonl")))
    assert whole == again
    assert "is finished: another, with --model" in textgym(*broken, "--resume").stderr


def test_a_model_is_taught_trained_and_judged_on_data_of_ones_own(tmp_path: Path) -> None:
    rows = [{"question": f"{a} and {b}", "answer": f"{b} {a}"} for a in "abcdef" for b in "uvwxyz"]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pairs = (f"data={tmp_path / 'rows.jsonl'}", "prompt={question}", "reference={answer}", "tokenizer=bytes")
    where = ["textgym/Dataset-v0", *(part for pair in pairs for part in ("--argument", pair))]
    warm, run = tmp_path / "warm", tmp_path / "run"
    taught = textgym("warm-start", *where, "--epochs", "1", "--out", str(warm))
    assert taught.exit_code == 0, taught.output
    assert "perplexity of the references" in taught.stdout
    settings = ("n_steps=8", "learning_rate=[1e-4,0]", "batch_size=32")
    options = [part for setting in settings for part in ("--setting", setting)]
    options += ["--tokens", "128", "--rows", "4", "--model", str(warm), "--out", str(run)]
    trained = textgym("train", *where, *options)
    assert trained.exit_code == 0, trained.output
    config = RunFolder(run).config()
    assert config["settings"]["learning_rate"] == [1e-4, 0]
    assert config["env_kwargs"]["tokenizer"] == "bytes"
    for policy in (warm, run):
        told = textgym("evaluate", str(policy), *where, "--episodes", "2")
        assert told.exit_code == 0, told.output
        assert "gold return" in told.stdout


@pytest.mark.parametrize("algorithm", ["ppo", "reinforce", "ngram_ppo"])
def test_train_then_evaluate_then_report(tmp_path: Path, algorithm: str) -> None:
    out = str(tmp_path / "run")
    call = ["train", "textgym/Copy-v0", "--algorithm", algorithm, "--tokens", "500", "--rows", "8", "--out", out]
    trained = textgym(*call)
    assert trained.exit_code == 0, trained.output
    folder = RunFolder(out)
    assert folder.config()["seed"] == 0
    assert next(record for record in folder.metrics() if "clean_return" in record)["timesteps"] <= 512
    assert list(folder.tensorboard.iterdir())
    evaluated = textgym("evaluate", out, "textgym/Copy-v0", "--split", "validation", "--episodes", "16")
    assert evaluated.exit_code == 0, evaluated.output
    assert "gold return" in evaluated.output
    assert "mean of 128 texts" in textgym("evaluate", out, "textgym/Copy-v0", "--argument", "length=4").stdout
    told = textgym("evaluate", out, "textgym/Bandit-v0").stderr  # which has as many tokens
    assert "learnt the tokens of textgym/Copy-v0, and those of textgym/Bandit-v0 differ" in told
    reported = textgym("report", out)
    assert reported.exit_code == 0, reported.output
    assert (tmp_path / "run" / "report.html").exists()


def test_a_policy_that_learnt_under_a_mask_is_evaluated_under_it(tmp_path: Path) -> None:
    out, env_id = tmp_path / "run", "textgym/Vocabulary-v0"
    call = ["train", env_id, "--algorithm", "maskable_ppo", "--tokens", "64", "--rows", "8", "--out", str(out)]
    assert textgym(*call).exit_code == 0
    shutil.copytree(out / "model", out / "elsewhere")  # where nothing tells that it needs a mask
    golds = []
    for model in ("model", "elsewhere"):
        policy = saved_policy(env_id, out / model)
        assert takes_masks(policy) == (model == "model")
        golds.append(evaluate(policy, env_id, episodes=64).returns["gold_return"].mean())
    assert golds[0] > 3 * golds[1]  # most tokens earn nothing, and are forbidden


def test_what_learners_are_compared_with() -> None:
    def gold(*options: str) -> float:
        told = textgym("evaluate", *options, "textgym/Copy-v0", "--episodes", "32")
        assert told.exit_code == 0, told.output
        return float(told.output.split("gold return")[1].split()[0])

    best = gold("random", "--best-of", "8", "--chosen-by", '{"name": "gold"}')
    assert gold("reference") == 1.0
    assert gold("random") < best < 1.0
    assert gold("random", "--best-of", "1") == gold("random")


@pytest.mark.slow
def test_the_quick_benchmark_ends_with_a_report_and_does_nothing_twice(tmp_path: Path) -> None:
    out = str(tmp_path / "docstring")
    first = textgym("benchmark", "docstring", "--quick", "--out", out)
    assert first.exit_code == 0, first.output
    page = (tmp_path / "docstring" / "report.html").read_text()
    for part in ("Random", "Warm start", "PPO", "REINFORCE", "While learning", "What each token earned"):
        assert part in page
    again = textgym("benchmark", "docstring", "--quick", "--out", out)
    assert again.output.count("was finished before") == 6
    assert (tmp_path / "docstring" / "report.html").read_text() == page
