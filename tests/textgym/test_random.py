"""Addressed randomness: uniform, independent between neighbouring addresses, and fast to check against SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from textgym.random import Address, bits, component_key, normal_quantile, row_keys, row_seeds, uniform

ORIGIN = {"row_key": 1, "component_key": 2, "episode": 3, "step": 4, "index": 5}


@pytest.mark.parametrize("varied", ORIGIN)
def test_uniform_along_every_part_of_the_address(varied):
    draws = uniform(**{**ORIGIN, varied: np.arange(100_000)})
    assert stats.kstest(draws, "uniform").pvalue > 1e-3
    low_bits = bits(**{**ORIGIN, varied: np.arange(100_000)}) & np.uint64(255)
    assert stats.chisquare(np.bincount(low_bits.astype(int), minlength=256)).pvalue > 1e-3


@pytest.mark.parametrize("varied", ORIGIN)
@pytest.mark.parametrize("lag", [1, 2, 64])
def test_neighbours_are_independent(varied, lag):
    draws = uniform(**{**ORIGIN, varied: np.arange(100_000)})
    assert abs(np.corrcoef(draws[:-lag], draws[lag:])[0, 1]) < 4 / np.sqrt(100_000)
    table = np.histogram2d(draws[:-lag], draws[lag:], bins=16)[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-4


def test_swapped_parts_do_not_meet():
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 5, indexing="ij")).reshape(5, -1)
    assert len(np.unique(bits(*grid))) == 8**5


def test_open_interval():
    draws = uniform(1, 2, 3, 4, np.arange(1_000_000))
    assert draws.min() > 0
    assert draws.max() < 1


def test_normal_quantile_agrees_with_scipy():
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 10_001), 10.0 ** -np.arange(1, 17), 1 - 2.0 ** -np.arange(2, 52)])
    np.testing.assert_allclose(normal_quantile(p), ndtri(p), rtol=1e-13, atol=1e-14)


def test_normal_draws_are_normal():
    address = Address.first(1000)
    assert stats.kstest(address.normal(100).ravel(), "norm").pvalue > 1e-3


def test_a_draw_does_not_depend_on_the_batch():
    address = replace(Address.first(9), episodes=np.arange(9), steps=np.arange(9) % 3)
    np.testing.assert_array_equal(address.uniform(5)[4:6], address[np.array([4, 5])].uniform(5))
    np.testing.assert_array_equal(address.uniform(5)[:, 2:], address.uniform(3, first=2))
    assert not np.array_equal(address.uniform(), address.of("another").uniform())
    assert not np.array_equal(address.uniform()[1:], address.at_start().uniform()[1:])
    np.testing.assert_array_equal(address.uniform()[::3], address.at_start().uniform()[::3])


def test_generators_repeat_and_differ():
    address = Address.first(2)
    first, again, other = address.generator(0), address.generator(0), address.generator(1)
    assert first.random() == again.random()
    assert first.random() != other.random()


def test_row_seeds():
    assert row_seeds(5, 1) == [5]
    assert row_seeds(5, 8)[:3] == row_seeds(5, 3)
    assert not set(row_seeds(0, 1024)[1:]) & set(row_seeds(1, 1024))
    assert len(set(row_seeds(0, 1024))) == 1024
    assert len(np.unique(row_keys(row_seeds(0, 100)))) == 100
    with pytest.raises(ValueError, match="at least 0"):
        row_seeds(-1, 2)


def test_component_keys_differ():
    assert component_key("a") != component_key("b")
