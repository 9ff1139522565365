"""Charts put what they show where their axes say, as SVG and as PNG."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report.curve import MAX_THIN, Curve, learning_lines
from benchmarks.report.drawing import Bar, Dot, Drawing, Stroke, Words, side_by_side
from benchmarks.report.lines import Line, line_chart, line_figure, line_table
from benchmarks.report.palette import COLOURS, HUES, chart_sheet, colour_sheet, hue
from benchmarks.report.raster import DOTS_PER_UNIT, write_png
from benchmarks.report.returns_section import interval_strip
from benchmarks.report.ticks import nice_ticks, round_names, thousands
from benchmarks.statistics import Interval


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_and_enclose(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= low + span - 1e-6 * step
    assert 2 <= len(ticks) <= 7
    assert f"{step:.3e}"[0] in "125"


def test_ticks_by_hand() -> None:
    assert nice_ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(0.31, 0.58) == [0.3, 0.4, 0.5, 0.6]
    assert nice_ticks(0.0, 0.0) == [0.0, 0.02]
    assert nice_ticks(0.7, 0.7) == [0.7, 0.72]
    assert [thousands(tokens) for tokens in (0, 500, 50_000, 1.5e6)] == ["0", "500", "50k", "1.5M"]
    assert round_names(0.0, 100_000.0) == {0.0: "0", 50_000.0: "50k", 100_000.0: "100k"}
    assert list(round_names(0.45, 0.62).values()) == ["0.45", "0.50", "0.55", "0.60"]


def test_seeds_of_other_lengths_meet_on_one_grid() -> None:
    long, short = np.arange(1.0, 301.0), np.arange(2.0, 201.0, 2)
    curve = Curve.from_seeds("PPO", [(long, 2 * long), (short, 3 * short)])
    assert curve.seeds.shape == (2, 100)
    assert curve.tokens[-1] == 199.5  # of 199 and 200: the shorter seed's end
    np.testing.assert_allclose(curve.seeds[0], 2 * curve.tokens)


@pytest.mark.parametrize("seeds", [MAX_THIN, MAX_THIN + 1])
def test_many_seeds_are_a_band(seeds: int) -> None:
    curve = Curve("PPO", np.array([0.0, 1.0]), np.linspace(0, 1, 2 * seeds).reshape(seeds, 2))
    (line,) = learning_lines([curve], {"PPO": "s3"})
    assert (line.thin is None) == (seeds > MAX_THIN) == (line.low is not None)
    assert line.colour == "s3"


def test_a_line_chart_by_hand() -> None:
    x, y = np.array([0.0, 100.0]), np.array([0.0, 1.0])
    line = Line("PPO", "s0", x, y, low=y - 0.5, high=y + 0.0, thin=y[None])
    axes = {"across": "a & b", "up": "u"}
    chart = line_chart([line], levels={"warm start": 0.5}, ticks=[0.0, 0.5, 1.0], title="x < y", **axes).svg()
    assert '<path class="mean s0" d="M42.0 230.0L282.0 24.0"/>' in chart
    assert '<path class="seed s0" d="M42.0 230.0L282.0 24.0"/>' in chart
    assert '<path class="band s0" d="M42.0 333.0L282.0 127.0L282.0 24.0L42.0 230.0Z"/>' in chart
    assert '<path class="level" d="M42.0 127.0L282.0 127.0"/>' in chart
    assert 'aria-label="x &lt; y"' in chart
    assert ">a &amp; b</text>" in chart
    table = line_table([line], across="a & b", up="u")
    assert table.head == ["line", "a & b", "u", "lowest", "highest"]
    assert table.rows == [["PPO", 0.0, 0.0, 0.0, 0.0], ["PPO", 100.0, 1.0, 1.0, 1.0]]


def test_labels_keep_apart_and_inside() -> None:
    lines = [Line(f"n{i}", hue(i), np.arange(2.0), np.zeros(2)) for i in range(5)]
    drawing = line_chart(lines, title="", across="x", up="y", ticks=[0.0, 1.0])
    heights = sorted(mark.y for mark in drawing.marks if isinstance(mark, Words) and mark.letters == "label")
    assert np.diff(heights).min() >= 13
    assert heights[-1] <= drawing.height
    ends = max(mark.x + 6.6 * len(mark.text) for mark in drawing.marks if isinstance(mark, Words))
    assert ends <= drawing.width


def test_the_table_beside_a_long_line_has_some_of_its_points_and_the_file_all() -> None:
    line = Line("a", "s0", np.arange(90.0), np.arange(90.0))
    figure = line_figure([line], name="n", title="t", caption="c", across="x", up="y")
    shown = [row[1] for row in figure.data.rows]
    assert (len(shown), shown[0], shown[-1]) == (25, 0.0, 89.0)
    assert figure.file is not None
    assert len(figure.file.rows) == 90


def test_a_strip_by_hand() -> None:
    strip = interval_strip(Interval(0.5, 0.4, 0.6), low=0.0, high=1.0, level=None, colour="s0")
    assert 'cx="75.0"' in strip.svg()


ALL = Drawing(
    40, 20, "all & marks",
    [
        Stroke([(0, 1), (40, 1)], "grid"), Stroke([(0, 5), (9, 5), (9, 9)], "band", "s1", closed=True),
        Stroke([(2, 12), (38, 12)], "mean", hue(len(HUES))), Dot(30, 5, 3, colour="s0"), Bar(20, 2, 4, 4, "s2", "<"),
        Words(1, 19, "$x_1$ & y", anchor="start"), Words(39, 10, "up", "label", "middle", "s1", upright=True),
    ],
)  # fmt: skip


def test_every_mark_is_well_formed_svg_of_known_classes() -> None:
    drawn = ElementTree.fromstring(ALL.picture())
    assert len(drawn) == len(ALL.marks) + 2  # style and paper
    sheet = colour_sheet() + chart_sheet()
    for element in drawn:
        for name in (element.get("class") or "paper").split():
            assert f".{name} " in sheet + ".paper "


def test_a_png_has_the_colours_of_the_marks_where_they_are(tmp_path: Path) -> None:
    from PIL import Image

    write_png(ALL, tmp_path / "all.png")
    image = Image.open(tmp_path / "all.png").convert("RGB")
    assert image.size == (40 * DOTS_PER_UNIT, 20 * DOTS_PER_UNIT)

    def at(x: float, y: float) -> str:
        return "#{:02x}{:02x}{:02x}".format(*image.getpixel((int(x * DOTS_PER_UNIT), int(y * DOTS_PER_UNIT))))

    assert at(30, 5) == COLOURS["s0"][0]
    assert at(22, 4) == COLOURS["s2"][0]
    assert at(15, 6) == COLOURS["paper"][0]
    row = {at(x, 12) for x in range(3, 37)}
    assert {COLOURS["s0"][0], COLOURS["paper"][0]} <= row  # the learner after the last hue is dashed


def test_pictures_stand_side_by_side() -> None:
    both = side_by_side([("one", ALL), ("two", ALL)])
    assert (both.width, both.height) == (2 * 40 + 30, 20 + 44)
    dots = [mark for mark in both.marks if isinstance(mark, Dot)]
    assert [(dot.x, dot.y) for dot in dots] == [(45, 41), (85, 41)]
    assert ElementTree.fromstring(both.picture()) is not None
