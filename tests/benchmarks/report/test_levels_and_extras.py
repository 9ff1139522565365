"""What a suite sweeps, and the sections that it gives as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.report import PROFILE, gather, write_report
from benchmarks.report.drawing import Bar
from benchmarks.report.extra_sections import extra_sections
from benchmarks.report.level_section import level_chart, level_section
from benchmarks.report.palette import HUES, dashed, solid
from benchmarks.report.records import Report
from benchmarks.report.section import Section
from benchmarks.results import RunFolder, write_json
from benchmarks.statistics import Interval
from tests.benchmarks.test_report import assert_whole


def swept(path: Path, problem: str, policy: str, level: float | str, scores: list[float], **more: Any) -> None:
    for seed, score in enumerate(scores):
        folder = RunFolder(path / f"{problem}-{policy}-{level}-{seed}")
        config = {"env_id": "textgym/Copy-v0", "problem": problem, "policy": policy, "seed": seed, "level": level}
        folder.start({**config, "fingerprint": "f00d", **more})
        folder.finish({"score": score})


def chart_rows(section: Section) -> dict[str, list[Any]]:
    return {figure.name: [list(row) for row in figure.data.rows] for figure in section.figures}


def test_scores_are_drawn_against_the_level(tmp_path: Path) -> None:
    write_json(tmp_path / PROFILE, {"order": ["PPO", "GRPO"], "sweep": {"name": "sigma"}, "questions": {"b": "B?"}})
    for problem, shift in (("a", 0.0), ("b", 0.2)):
        for level in (1.0, 0.0, 0.5):
            swept(tmp_path, problem, "PPO", level, [0.6 - level / 2 + shift] * 3)
            swept(tmp_path, problem, "GRPO", level, [0.5 + shift, 0.7 + shift, 0.6 + shift])
    report = gather(tmp_path)
    assert [problem.name for problem in report.problems] == ["b", "a"]
    assert report.covering() == {}  # swept runs are not scored
    section = level_section(report)
    assert section is not None
    assert section.heading == "Score against sigma"
    rows = chart_rows(section)
    assert list(rows) == ["level-all", "level-b", "level-a"]
    by_hand = [[0, 0.6, 0.6, 0.6], [0.5, 0.35, 0.35, 0.35], [1, 0.1, 0.1, 0.1]]
    np.testing.assert_allclose([row[1:] for row in rows["level-a"][:3]], by_hand)
    np.testing.assert_allclose([row[2] for row in rows["level-all"][:3]], [0.7, 0.45, 0.2])  # of a and b
    page = write_report(tmp_path)
    assert "Only 3 training seeds" in page.read_text()
    assert_whole(page)


def test_levels_that_are_words_stand_side_by_side_in_their_order(tmp_path: Path) -> None:
    write_json(tmp_path / PROFILE, {"sweep": {"name": "noise", "levels": ["mild", "medium", "severe"]}})
    for level in ("mild", "medium", "severe"):
        swept(tmp_path, "a", "PPO", level, [0.5] * 5)
    section = level_section(gather(tmp_path))
    assert section is not None
    (rows,) = chart_rows(section).values()
    assert [row[1] for row in rows] == ["mild", "medium", "severe"]
    chart = next(section.figures).drawing.svg()
    assert 'x="42.0" y="246.0" text-anchor="middle">mild<' in chart
    assert 'x="162.0" y="246.0" text-anchor="middle">medium<' in chart


def test_even_levels_keep_their_numbers() -> None:
    levels = {float(2**k): Interval(0.5, 0.4, 0.6) for k in range(4)}
    about = {"name": "n", "title": "t", "caption": "c", "across": "readings"}
    figure = level_chart({"PPO": levels}, {}, scale="even", **about)
    assert [row[1] for row in figure.data.rows] == ["1", "2", "4", "8"]
    with pytest.raises(ValueError, match="must be one of linear, even, got 'log'"):
        level_chart({"PPO": levels}, {}, scale="log", **about)
    with pytest.raises(ValueError, match="at least one level"):
        level_chart({}, {}, **about)


EXTRA: dict[str, Any] = {
    "title": "How much is closed",
    "note": "A note.",
    "tables": [{"head": ["noise", "share"], "rows": [["flip", [0.8, 0.7, 0.9]], ["drift", None], ["none", 3]]}],
    "charts": [
        {
            "title": "Proxy and gold", "caption": "c", "across": "square root of KL", "up": "return",
            "lines": [
                {"name": "proxy", "policy": "PPO", "x": [0, 1, 2], "y": [0, 1, 2], "low": [0, 0, 1], "high": [1, 2, 3]},
                {"name": "gold", "x": [0, 1, 2], "y": [0, 1, 0.5]},
                {"name": "fitted", "policy": "PPO", "dashed": True, "x": [0, 2], "y": [0, 2]},
            ],
        },
        {"title": "Bars", "head": ["", "PPO", "B"], "rows": [["a", [0.5, 0.4, 0.6], None], ["b", None, [2, 1, 3]]]},
    ],
}  # fmt: skip


def test_a_suite_gives_sections_as_data(tmp_path: Path) -> None:
    write_json(tmp_path / PROFILE, {"sections": [EXTRA], "title": "T"})
    swept(tmp_path, "a", "PPO", 0.0, [0.5], scored=True)
    page = write_report(tmp_path)
    assert_whole(page)
    assert "<h2>How much is closed</h2>" in page.read_text()
    assert "| flip | 0.800 [0.700, 0.900] |\n| drift |  |\n| none | 3 |" in (tmp_path / "scores.md").read_text()
    (section,) = extra_sections(gather(tmp_path))
    figure, columns = section.figures
    assert figure.data.rows[1] == ["proxy", 1.0, 1.0, 0.0, 2.0]
    assert figure.data.rows[-3] == ["gold", 2.0, 0.5, None, None]
    assert figure.drawing.svg().count('class="mean s0"') == 1
    assert figure.drawing.svg().count(f'class="mean s{len(HUES)}"') == 1  # the same colour, dashed
    assert solid(f"s{len(HUES)}") == ("s0", True)
    assert dashed("plain") == "plain"  # of what learns nothing
    assert 'class="mean s0"' in figure.drawing.svg()
    assert 'class="mean s1"' in figure.drawing.svg()
    one, other = (mark for mark in columns.drawing.marks if isinstance(mark, Bar))
    assert (one.colour, other.colour) == ("s0", "s1")  # of its policy, and the next
    assert (one.told, other.told) == ("a, PPO: 0.500 [0.400, 0.600]", "b, B: 2.000 [1.000, 3.000]")
    assert one.width == other.width / 2  # which ends at 1
    assert columns.data.rows[1] == ["b", None, Interval(2.0, 1.0, 3.0)]


@pytest.mark.parametrize(("seeds", "warned"), [(4, 1), (5, 0)])
def test_a_study_of_few_seeds_warns_of_it_once(tmp_path: Path, seeds: int, warned: int) -> None:
    write_json(tmp_path / PROFILE, {"sections": [EXTRA, {**EXTRA, "title": "More"}]})
    for part in ("near", "far"):
        swept(tmp_path, part, "PPO", part, [0.5] * seeds, scored=False)
    told = "".join(section.html() for section in extra_sections(gather(tmp_path)))
    assert told.count(f"Only {seeds} training seeds: with fewer than 5") == warned


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, "a section of profile.json has an unknown titel"),
        ({"tables": [{"head": ["a"]}]}, "a table of profile.json lacks rows"),
        ({"tables": [{"head": ["a", "b"], "rows": [["c", [1, 2]]]}]}, r"must be \[estimate, low, high\]"),
        ({"charts": [{**EXTRA["charts"][0], "colour": "red"}]}, "a chart of profile.json has an unknown colour"),
        (
            {"charts": [{**EXTRA["charts"][0], "lines": [{"name": "n", "x": [1, 2], "y": [1]}]}]},
            "the line 'n' needs as many of each coordinate, got x 2, y 1",
        ),
        ({"charts": [{"title": "t", "rows": []}]}, "a chart of bars of profile.json lacks head"),
    ],
)
def test_a_part_that_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        extra_sections(Report("t", "", [], [], extras=[{**EXTRA, **change}]))
