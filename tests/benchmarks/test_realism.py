"""The benchmark of correctors: its oracle is the best that there can be, and its numbers are what they say."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr
from typer.testing import CliRunner

from benchmarks import realism
from benchmarks.raters import KINDS, Sizes, posterior_mean
from textgym.correction.dawid_skene import DawidSkene
from textgym.random import Address

SMALL = Sizes(worlds=3, texts=200)


@pytest.mark.parametrize("kind", KINDS)
def test_the_posterior_mean_is_right_given_the_readings(kind):
    generator = np.random.default_rng(0)
    worlds = [KINDS[kind](Sizes(texts=3000), generator) for _ in range(4)]
    truth, best = (np.stack([getattr(world, name) for world in worlds]) for name in ("truth", "posterior_mean"))
    raw = np.stack([world.readings.mean(axis=1) for world in worlds])
    assert ((best - truth) ** 2).mean() < ((raw - truth) ** 2).mean()
    # the residual of a conditional mean has no correlation with anything made of the readings
    for made in (best, raw, np.sin(9 * raw)):
        products = (truth - best) * made
        assert abs(products.mean()) < 5 * products.std() / np.sqrt(products.size)


def test_the_posterior_mean_by_hand():
    likelihood = np.log([[0.2, 0.6], [0.5, 0.5]])
    np.testing.assert_allclose(posterior_mean(likelihood, np.array([3.0, 1.0]), np.array([0.0, 1.0])), [0.5, 0.25])


def test_the_library_comes_to_the_oracle_where_it_is_told_the_channel():
    world = KINDS["confusion"](Sizes(texts=4000), np.random.default_rng(1))
    corrector = DawidSkene(oracle=True)
    corrector.expect(0.0, 1.0, world.levels)
    corrector.know([world.channel])
    corrector.bind(4000)
    levels, counts = np.unique(world.truth, return_counts=True)
    corrector.inner[0].state["prior"][:] = counts / 4000
    told = corrector.apply(world.readings, world.who, Address.first(4000))[:, 0]
    # the shares of the levels were drawn, their counts are only near them
    np.testing.assert_allclose(told, world.posterior_mean, atol=0.03)
    assert np.corrcoef(told, world.posterior_mean)[0, 1] > 0.999
    assert len(levels) == 4


def test_spearman_is_the_library_s():
    generator = np.random.default_rng(0)
    for _ in range(10):
        first, second = generator.integers(6, size=(2, 50)).astype(float)
        assert realism.spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_errors_by_hand():
    truth, estimate = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.2, -0.2, 0.5, 0.9])
    assert realism.squared_error(estimate, truth) == pytest.approx((0.04 + 0.04 + 0.25 + 0.01) / 4)
    assert realism.level_bias(estimate, truth) == pytest.approx((0 + 0.3**2) / 2)


def test_share_of_gap_by_hand():
    errors = np.array([[1.0, 3.0], [0.5, 1.5], [0.0, 1.0]])
    share = realism.share_of_gap(errors, generator=np.random.default_rng(0))
    assert share.estimate == pytest.approx((2 - 1) / (2 - 0.5))
    assert (share.low, share.high) == pytest.approx((0.5, 0.75))  # either world alone


def test_everything_is_measured_and_repeats():
    lines = realism.measure(SMALL, seed=1)
    assert [(line.kind, line.corrector.split()[0]) for line in lines] == [
        (kind, spec if isinstance(spec, str) else spec["name"])
        for kind, specs in realism.CORRECTORS.items()
        for spec in specs
    ]
    for line in lines:
        assert line.oracle < line.raw
        assert line.share.low <= line.share.estimate <= line.share.high
    only = {"flip": realism.CORRECTORS["flip"]}
    assert realism.measure(SMALL, seed=1, correctors=only) == realism.measure(SMALL, seed=1, correctors=only)


def test_the_command_writes_a_flat_object_of_numbers(tmp_path, monkeypatch):
    lines = realism.measure(Sizes(worlds=2, texts=40), correctors={"biased": ("kalman",)})
    monkeypatch.setattr(realism, "measure", lambda seed: lines)
    app = realism.typer.Typer()
    app.command()(realism.main)
    result = CliRunner().invoke(app, ["--json", str(tmp_path / "numbers.json")])
    assert result.exit_code == 0
    assert "kalman" in result.output
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert numbers["biased/kalman/mse_raw"] == pytest.approx(lines[0].raw)
    assert numbers["biased/kalman/share_of_gap"] == pytest.approx(lines[0].share.estimate)
    assert len(numbers) == 9
