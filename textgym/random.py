"""Addressed randomness: every draw is a pure function of who asks, in which text, at which token.

Ordinary generators hand out numbers in the order in which they are asked for, so adding one component shifts the
chance of all others. Here a draw has an address (row, component, episode, step, index) and is the 64-bit hash of
it, as in the counter-based generators of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from textgym.types import BoolArray, FloatArray, IntArray, KeyArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_HALF = np.uint64(32)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def row_seeds(seed: int, n: int) -> list[int]:
    """Returns the seeds of n rows: the first is `seed`, the rest come from its SeedSequence and stay as n grows.

    Raises:
        ValueError: if the seed is negative or n is not positive.
    """
    if seed < 0 or n < 1:
        raise ValueError(f"a seed must be at least 0 and a number of rows at least 1, got seed={seed}, n={n}")
    return [seed, *(np.random.SeedSequence(seed).generate_state(n, np.uint64)[1:] >> np.uint64(1)).tolist()]


def row_keys(seeds: Sequence[int]) -> KeyArray:
    """Returns the 64-bit key of each row seed, (n,)."""
    return np.array([np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] for seed in seeds], np.uint64)


@cache
def component_key(path: str) -> int:
    """Returns the 64-bit key of a component, from its place in the environment such as `"signal/rouge_l/noise/0"`."""
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little")


def _mix(x: KeyArray) -> KeyArray:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014): every input bit flips each output bit half the time."""
    x = x ^ (x >> _SHIFTS[0])
    x *= _MULTIPLIERS[0]
    x ^= x >> _SHIFTS[1]
    x *= _MULTIPLIERS[1]
    x ^= x >> _SHIFTS[2]
    return x


def _as_bits(part: ArrayLike) -> KeyArray:
    """Returns a part of an address as 64 bits, in at least one axis, where sums wrap around without a warning."""
    array = np.asarray(part)
    if array.dtype == np.int64 and array.ndim:
        return array.view(np.uint64)
    return np.atleast_1d(array).astype(np.uint64, copy=False)


def bits(
    row_key: ArrayLike, component_key: ArrayLike, episode: ArrayLike, step: ArrayLike, index: ArrayLike
) -> KeyArray:
    """Returns 64 random bits for each address; the arguments broadcast against each other.

    Args:
        row_key: the row's key, from `row_keys`.
        component_key: the component's key, from `component_key`.
        episode: the row's number of finished episodes since it was seeded, at least 0.
        step: the token's number in the text, 0 to 2**32 - 1.
        index: the draw's number at that place, 0 to 2**32 - 1.
    """
    row, component, episode, step, index = map(_as_bits, (row_key, component_key, episode, step, index))
    key = _mix(row + component * _GOLDEN)
    key = _mix(key + episode * _GOLDEN)
    return _mix(key + ((step << _HALF) | index) * _GOLDEN)  # the sequence of splitmix64 that starts at this key


def uniform(
    row_key: ArrayLike, component_key: ArrayLike, episode: ArrayLike, step: ArrayLike, index: ArrayLike
) -> FloatArray:
    """Returns a number in the open interval (0, 1) for each address, in multiples of 2**-52; see `bits`."""
    top = bits(row_key, component_key, episode, step, index) >> np.uint64(12)
    return (top.astype(np.float64) + 0.5) * 2.0**-52


@dataclass(frozen=True)
class Address:
    """Where n rows stand, from which a component draws its numbers.

    Attributes:
        row_keys: (n,) the key of each row.
        component_key: the key of the component that draws.
        episodes: (n,) the number of each row's episode.
        steps: (n,) the number of the token just written.
        rows: (n,) the number of each row in its simulator, which is where a component keeps that row's state.
        finished: (n,) whether the row's text is complete.
    """

    row_keys: KeyArray
    component_key: int
    episodes: IntArray
    steps: IntArray
    rows: IntArray
    finished: BoolArray

    @classmethod
    def first(cls, n: int, seed: int = 0) -> Address:
        """Returns the address of n rows at the end of a first text of one token, to try a component by itself."""
        zeros = np.zeros(n, np.int64)
        keys = bits(seed, component_key("first"), 0, 0, np.arange(n))
        return cls(keys, 0, zeros, zeros, np.arange(n), np.ones(n, np.bool_))

    def of(self, path: str) -> Address:
        """Returns the address of another component at the same place."""
        key = component_key(path)
        return Address(self.row_keys, key, self.episodes, self.steps, self.rows, self.finished)

    def of_group(self, group_size: int) -> Address:
        """Returns an address that the texts of one group share: what is drawn there holds for all of them."""
        return replace(self.at_start(), episodes=self.episodes // group_size)

    def at_start(self) -> Address:
        """Returns the address of the same texts at their first token: what is drawn there holds for a whole text."""
        return replace(self, steps=np.zeros_like(self.steps))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: IntArray | BoolArray) -> Address:
        """Returns the address of some of the rows, by their place in this one, (r,)."""
        arrays = {name: value[rows] for name, value in vars(self).items() if name != "component_key"}
        return Address(component_key=self.component_key, **arrays)

    def uniform(self, count: int = 1, first: int = 0) -> FloatArray:
        """Returns (n, count) numbers in (0, 1); `first` is the index of the first, for a component that draws twice."""
        index = np.arange(first, first + count)
        rows, episodes, steps = (part[:, None] for part in (self.row_keys, self.episodes, self.steps))
        return uniform(rows, self.component_key, episodes, steps, index)

    def normal(self, count: int = 1, first: int = 0) -> FloatArray:
        """Returns (n, count) standard normal numbers."""
        return normal_quantile(self.uniform(count, first))

    def generator(self, row: int) -> np.random.Generator:
        """Returns a generator for one row, for components that write words; about 20 microseconds."""
        here = (self.row_keys[row], self.component_key, self.episodes[row], self.steps[row], 2**32 - 1)
        return np.random.Generator(np.random.Philox(int(bits(*here)[0])))


# The coefficients of Wichura 1988, algorithm AS 241 (PPND16), lowest power first: (8, 2), numerator and denominator.
_CENTRE = np.array((
    (3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)).T  # fmt: skip
_MIDDLE = np.array((
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)).T  # fmt: skip
_TAIL = np.array((
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)).T  # fmt: skip


def _ratio(x: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Returns the quotient of two polynomials, both by Horner's rule at once: on small arrays, twice as fast."""
    numerator_and_denominator = coefficients.reshape(-1, 2, *[1] * x.ndim)
    value = numerator_and_denominator[-1] * x
    for coefficient in numerator_and_denominator[-2:0:-1]:
        value += coefficient
        value *= x
    value += numerator_and_denominator[0]
    quotient: FloatArray = value[0] / value[1]
    return quotient


def normal_quantile(p: FloatArray) -> FloatArray:
    """Returns the standard normal quantile of probabilities in (0, 1), to 16 digits (Wichura 1988, AS 241)."""
    q = p - 0.5
    quantile = q * _ratio(0.180625 - q * q, _CENTRE)
    outside = np.abs(q) > 0.425
    if outside.any():
        far = np.sqrt(-np.log(np.minimum(p[outside], 1.0 - p[outside])))
        magnitude = _ratio(far - 1.6, _MIDDLE)
        extreme = far > 5.0
        if extreme.any():
            magnitude[extreme] = _ratio(far[extreme] - 5.0, _TAIL)
        quantile[outside] = np.copysign(magnitude, q[outside])
    return quantile
