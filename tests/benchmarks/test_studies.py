"""The short suites: every plan is valid, and the quick variants end with a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.evaluation import make_env
from benchmarks.suite import chosen, load_suite

STUDIES = ("quick", "noise", "correction", "annotators", "fusion", "transfer")


@pytest.mark.parametrize("name", STUDIES)
def test_plans_are_valid(name: str) -> None:
    suite = load_suite(name)
    for settings in (suite.Settings(), suite.quick(suite.Settings())):
        runs = suite.plan(settings)
        assert len({run.name for run in runs}) == len({run.identity for run in runs}) == len(runs)
        assert all("/" not in run.name and " " not in run.name for run in runs)
        assert {run.config["seed"] for run in runs} == set(settings.seeds)
        assert {run.config["learner"] for run in runs} == set(settings.learners)
