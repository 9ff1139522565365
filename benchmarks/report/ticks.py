"""Round numbers for the axes of charts, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Returns about `count` round numbers (1, 2 or 5 times a power of ten apart) that enclose low <= high.

    Where these are the same, it is two numbers a little apart.
    """
    span = high - low if high - low > 1e-9 else 0.1 * max(abs(high), 1.0)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def round_names(left: float, right: float) -> dict[float, str]:
    """Returns round numbers between the ends: about four, and at least three where some are."""
    slack = 0.001 * (right - left)
    for count in (4, 6, 9):
        ticks = nice_ticks(left, right, count)
        inside = [tick for tick in ticks if left - slack <= tick <= right + slack]
        if len(inside) > 2:
            break
    return {tick: thousands(tick) if right >= 1000 else written(tick, ticks) for tick in inside}


def thousands(tokens: float) -> str:
    """Returns a number of tokens in short: 0, 500, 50k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{unit}"
    return f"{tokens:g}"


def written(value: float, ticks: Sequence[float]) -> str:
    """Writes a mark with the decimals that its neighbours need."""
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
