"""The house itself: what an import pulls in, what the README shows, and what a built wheel holds."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from textgym.registration import COMPONENTS, ENVIRONMENTS

ROOT = Path(__file__).parent.parent
BLOCKS = {
    f"{page.parent.relative_to(ROOT)}/{page.name} {number}": block
    for page in (ROOT / "README.md", ROOT / "agents/README.md", ROOT / "benchmarks/README.md")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
}
"""The examples of all pages."""


def run(*command, cwd=ROOT, environment=None):
    settings = {**os.environ, **(environment or {})}
    done = subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_importing_textgym_and_making_an_environment_loads_no_learner():
    code = "import sys, gymnasium, textgym; gymnasium.make('textgym/Copy-v0').reset(seed=0); print(*sys.modules)"
    loaded = set(run(sys.executable, "-c", code).split())
    assert "textgym.env" in loaded
    assert not loaded & {"torch", "transformers", "stable_baselines3", "sb3_contrib", "agents", "benchmarks"}


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_runs(block, tmp_path):
    run(sys.executable, "-c", BLOCKS[block], cwd=tmp_path)


def test_every_page_has_examples():
    assert len({name.split()[0] for name in BLOCKS}) == 3


@pytest.mark.parametrize("kind", ["metrics", "annotators", "noise", "correction", "fusion"])
def test_readme_lists_every_component(kind):
    (row,) = re.findall(rf"^\| {kind} \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert row == ", ".join(f"`{name}`" for name in sorted(COMPONENTS[kind]))


def test_an_annotator_of_another_package_is_found_and_obeys_the_laws(tmp_path):
    """The README's own: installed as a package, known by its entry point, covered by every law without an edit."""
    readme = (ROOT / "README.md").read_text()
    (module,) = [block for block in BLOCKS.values() if "class Thumbs(Annotator)" in block]
    (project,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/thumbs.py").write_text(module)
    (tmp_path / "source/pyproject.toml").write_text(project)
    site = str(tmp_path / "site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-build-isolation", "--target", site, str(tmp_path / "source"))
    laws = [sys.executable, "-m", "pytest", "-q", "-m", "not gpu", "-k", "thumbs"]
    told = run(*laws, "tests/textgym/test_component_laws.py", environment={"PYTHONPATH": site})
    (passed,) = re.findall(r"(\d+) passed", told)
    assert int(passed) >= 4 + len(ENVIRONMENTS)
    assert "failed" not in told


@pytest.mark.slow
def test_a_built_wheel_runs_in_an_empty_environment(tmp_path):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"))
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(python, "-m", "pip", "install", "-q", str(wheel))
    code = """
import gymnasium, textgym
for env_id in textgym.env_ids():
    try:
        env = gymnasium.make(env_id)
    except ModuleNotFoundError as error:
        print("missing", env_id, error)
        continue
    env.reset(seed=0)
    print(env_id, env.step(2)[4]["gold_reward"])
"""
    told = run(python, "-c", code, cwd=tmp_path)
    assert "textgym/Copy-v0" in told
    assert told.count("missing") == told.count("missing textgym/ReasoningGym-v0") == 1
    assert 'pip install "textgym[reasoning-gym]"' in told
    assert "torch" not in run(python, "-m", "pip", "list")
    told = subprocess.run([tmp_path / "venv/bin/textgym", "list"], capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert 'pip install "textgym[benchmarks]"' in told.stderr
