"""The panels of `show`'s pictures, drawn with Matplotlib; one function a panel. The hues are those of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.pictures.annotator_study import AnnotatorStudy, alike, annotator_response
from benchmarks.pictures.noise_study import MOST_LEVELS, SPOKEN, NoiseStudy
from textgym.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

INK, QUIET, FAINT, BLUE, ORANGE = "#1b1c1e", "#62666c", "#d9dbde", "#0072b2", "#d55e00"
SHADES = ("#8ec7e6", "#3d93c8", "#00446b")
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.titlesize": 9, "axes.titlelocation": "left", "axes.titlecolor": INK, "axes.labelcolor": QUIET,
    "axes.edgecolor": FAINT, "axes.spines.top": False, "axes.spines.right": False, "xtick.color": QUIET,
    "ytick.color": QUIET, "text.color": INK, "text.parse_math": False, "legend.frameon": False, "legend.fontsize": 8,
    "lines.solid_capstyle": "round",
}  # fmt: skip


def draw_density(axes: Axes, study: NoiseStudy) -> None:
    """Draws how often each output comes from each value, and the mean and deviation that the channels declare."""
    values, outputs = study.values, study.outputs
    lost = float(np.isnan(outputs).mean())
    low, high = (float(edge) for edge in np.nanquantile(outputs, (0.001, 0.999)))
    low, high = min(low, values[0]), max(high, values[-1])
    edges = np.linspace(low - 0.03 * (high - low), high + 0.03 * (high - low), 90)
    counts = np.array([np.histogram(row[~np.isnan(row)], edges)[0] for row in outputs], np.float64)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    half = (values[1] - values[0]) / 2
    extent = (values[0] - half, values[-1] + half, edges[0], edges[-1])
    axes.imshow(np.sqrt(share.T), cmap=_ramp(), origin="lower", aspect="auto", extent=extent, interpolation="nearest")
    axes.plot(values, values, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2.5)), label="as it was")
    axes.plot(values, study.mean, color=ORANGE, linewidth=1.8, label="declared mean")
    for side in (-1, 1):
        label = "± 1 declared deviation" if side > 0 else None
        line = study.mean + side * study.deviation
        axes.plot(values, line, color=ORANGE, linewidth=0.9, linestyle=(0, (4, 2)), label=label)
    axes.set(xlabel="value given", ylabel="value that comes out", ylim=(edges[0], edges[-1]))
    axes.set_title("How often each value comes out" + (f" ({lost:.0%} are lost)" if lost else ""))
    _legend_below(axes)


def draw_confusion(axes: Axes, levels: FloatArray, confusion: FloatArray) -> None:
    """Draws a confusion matrix with its numbers."""
    count = len(levels)
    axes.imshow(np.sqrt(confusion), cmap=_ramp(), vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(confusion):
        if share >= 0.005:
            colour = "white" if share > 0.5 else INK
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour, fontsize=9 - count // 3)
    names = [f"{level:.2g}" for level in levels]
    axes.set_xticks(range(count), names)
    axes.set_yticks(range(count), names)
    axes.tick_params(length=0, labelsize=9 - count // 3)
    axes.spines[:].set_visible(False)
    axes.set(title="Confusion matrix: shares of each row", xlabel="value that comes out", ylabel="value given")


def draw_errors(axes: Axes, study: NoiseStudy) -> None:
    """Draws the distribution of the error for a low, a middle and a high value."""
    places = [len(study.values) // 10, len(study.values) // 2, len(study.values) - 1 - len(study.values) // 10]
    errors = [study.outputs[place] - study.values[place] for place in places]
    errors = [error[~np.isnan(error)] for error in errors]
    low, high = (float(edge) for edge in np.quantile(np.concatenate(errors), (0.002, 0.998)))
    margin = max(0.05 * (high - low), 0.1 * float(study.values[-1] - study.values[0]))
    edges = np.linspace(low - margin, high + margin, 45)
    for place, error, colour in zip(places, errors, SHADES, strict=True):
        share = np.histogram(error, edges)[0] / len(error)
        axes.stairs(share, edges, color=colour, linewidth=1.5, label=f"given {study.values[place]:.2g}")
    axes.locator_params(axis="x", nbins=6)  # long numbers would touch
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.set(xlabel="error: value that comes out, less the one given", ylabel="share", ylim=(0, None))
    axes.set_title("Error, by the value given")
    _legend_below(axes)


def draw_course(axes: Axes, course: FloatArray) -> None:
    """Draws what comes out of one value from text to text, (t, r): one row, and all rows' mean and deviation."""
    texts = np.arange(1, len(course) + 1)
    mean, deviation = np.nanmean(course, axis=1), np.nanstd(course, axis=1)
    axes.fill_between(
        texts, mean - deviation, mean + deviation, color=BLUE, alpha=0.16, linewidth=0, label="± 1 deviation"
    )
    axes.plot(texts, mean, color=BLUE, linewidth=1.6, label="mean of rows")
    axes.plot(texts, course[:, 0], ".", color=ORANGE, markersize=3, label="one row")
    axes.set(title="The same value, text after text", xlabel="text", ylabel="value that comes out")
    _legend_below(axes)


def draw_arrival(axes: Axes, arrival: FloatArray) -> None:
    """Draws when feedback on one token arrives, (T,)."""
    axes.bar(np.arange(len(arrival)), arrival, color=BLUE, width=0.85)
    axes.axvline(SPOKEN, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 2)))
    axes.set(title=f"When feedback on token {SPOKEN} arrives", xlabel="token", ylabel="share", ylim=(0, None))


def draw_readings(axes: Axes, study: AnnotatorStudy, metric: str) -> None:
    """Draws each answer against the true quality, with the mean and the deciles of the answers."""
    quality = np.repeat(study.quality[:, None], study.readings.shape[1], axis=1).ravel()
    readings, response = study.readings.ravel(), annotator_response(study)
    levels = _levels(readings)
    jitter = np.random.default_rng(0).uniform(-1, 1, len(readings))
    step = np.diff(levels).min() if levels is not None and len(levels) > 1 else 0.0
    axes.plot(quality, readings + 0.12 * step * jitter, ".", color=BLUE, alpha=0.25, markersize=3, markeredgewidth=0)
    axes.fill_between(response.truth, response.low, response.high, color=ORANGE, alpha=0.14, linewidth=0)
    axes.plot(response.truth, response.mean, color=ORANGE, linewidth=1.8, label="mean")
    axes.fill_between([], [], color=ORANGE, alpha=0.2, linewidth=0, label="80 % of answers")
    axes.plot([], [], ".", color=BLUE, label="one answer")
    axes.set(xlabel=f"{metric}, noiseless", ylabel="answer")
    axes.set_title("Answers")
    _legend_below(axes)


def draw_shares(axes: Axes, study: AnnotatorStudy, metric: str) -> None:
    """Draws the share of each answer by quality where answers are few, else their distribution for three qualities."""
    levels = _levels(study.readings.ravel())
    if levels is None:
        order = np.argsort(study.quality, kind="stable")
        edges = np.histogram_bin_edges(study.readings[~np.isnan(study.readings)], 30)
        for part, colour, name in zip(np.array_split(order, 3), SHADES, ("low", "middle", "high"), strict=True):
            answers = study.readings[part]
            share = np.histogram(answers, edges)[0] / max(np.count_nonzero(~np.isnan(answers)), 1)
            axes.stairs(share, edges, color=colour, linewidth=1.5, label=f"{name} third")
        axes.set(title=f"Answers, by {metric}", xlabel="answer", ylabel="share", ylim=(0, None))
        _legend_below(axes)
        return
    parts = alike(study.quality, 12)
    shares = np.array([[(study.readings[part] == level).mean() for part in parts] for level in levels])
    named = [f"{level:.3g}" for level in levels]
    missing = np.array([np.isnan(study.readings[part]).mean() for part in parts])
    if missing.any():
        shares, named = np.vstack([shares, missing]), [*named, "none"]
    colours = [*_ramp()(np.linspace(0.2, 1, len(levels))), FAINT][: len(shares)]
    axes.stackplot([study.quality[part].mean() for part in parts], shares, colors=colours, labels=named)
    axes.set(title=f"Share of each answer, by {metric}", xlabel=f"{metric}, noiseless", ylabel="share", ylim=(0, 1))
    axes.margins(x=0)
    _legend_below(axes)


def _legend_below(axes: Axes) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.48, -0.18), ncols=7, handlelength=1.3, columnspacing=1.1)


def _levels(readings: FloatArray) -> FloatArray | None:
    """Returns the different answers, ascending, if they are few."""
    levels = np.unique(readings[~np.isnan(readings)])
    return levels if len(levels) <= MOST_LEVELS else None


def _ramp() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("blues", ["#ffffff", *SHADES])
