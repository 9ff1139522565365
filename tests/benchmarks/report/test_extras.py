"""The sections that a suite gives as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import PROFILE, gather, write_report
from benchmarks.report.drawing import Bar
from benchmarks.report.extra_sections import extra_sections
from benchmarks.report.palette import HUES, dashed, solid
from benchmarks.report.records import Report
from benchmarks.results import RunFolder, write_json
from benchmarks.statistics import Interval
from tests.benchmarks.test_report import assert_whole


def finished(path: Path, problem: str, scores: list[float], **more: Any) -> None:
    for seed, score in enumerate(scores):
        folder = RunFolder(path / f"{problem}-{seed}")
        config = {"env_id": "textgym/Copy-v0", "problem": problem, "policy": "PPO", "seed": seed}
        folder.start({**config, "fingerprint": "f00d", **more})
        folder.finish({"score": score})


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
        {
            "title": "Bars", "head": ["", "PPO", "B"],
            "rows": [
                ["a", [0.5, 0.4, 0.6], None], ["b", None, [2, 1, 3]],
                *([f"a variant {number}", [0.3, 0.2, 0.4], [0.1, 0.0, 0.2]] for number in range(3)),
            ],
        },
    ],
}  # fmt: skip


def test_a_suite_gives_sections_as_data(tmp_path: Path) -> None:
    write_json(tmp_path / PROFILE, {"sections": [EXTRA], "title": "T"})
    finished(tmp_path, "a", [0.5])
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
    one, other, *_ = (mark for mark in columns.drawing.marks if isinstance(mark, Bar))
    assert (one.colour, other.colour) == ("s0", "s1")  # of its policy, and the next
    assert (one.told, other.told) == ("a, PPO: 0.500 [0.400, 0.600]", "b, B: 2.000 [1.000, 3.000]")
    assert one.width == other.width / 2  # which ends at 1
    assert columns.data.rows[1] == ["b", None, Interval(2.0, 1.0, 3.0)]


@pytest.mark.parametrize(("seeds", "warned"), [(4, 1), (5, 0)])
def test_a_study_of_few_seeds_warns_of_it_once(tmp_path: Path, seeds: int, warned: int) -> None:
    write_json(tmp_path / PROFILE, {"sections": [EXTRA, {**EXTRA, "title": "More"}]})
    for part in ("near", "far"):
        finished(tmp_path, part, [0.5] * seeds, scored=False)
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
