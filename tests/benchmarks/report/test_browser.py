"""The page in a browser: every chart is drawn, nothing overflows, nothing is complained of; screen, phone and paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import PROFILE, write_report
from benchmarks.results import RunFolder, read_json, write_json
from tests.benchmarks.report.test_extras import EXTRA
from tests.benchmarks.test_report import MEASURES, PROMPTS, VOICE

pytestmark = pytest.mark.slow

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
POLICIES = ["Warm start", "PPO", "MaskablePPO", "weighted likelihood", *(f"learner {n}" for n in range(6))]
TASKS = ["Copy", "Lock", "Hacking", "KnowledgeGraph"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    assert path is not None, "these tests need chromium (on Debian: apt install chromium)"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every section, long names and many learners."""
    folder = tmp_path_factory.mktemp("suite")
    write_json(
        folder / PROFILE,
        {
            "title": "Everything that a page can have", "introduction": "A suite with all of it.", "order": POLICIES,
            "baseline": POLICIES[0], "questions": {f"textgym/{task}-v0": "a question" for task in TASKS},
            "predicted": {"textgym/Hacking-v0": "it falls"}, "sections": [EXTRA],
        },
    )  # fmt: skip
    for number, task in enumerate(TASKS):
        for place, policy in enumerate(POLICIES):
            for seed in range(1 if place == 0 else 2):
                score = 0.2 + 0.05 * place + 0.1 * number + 0.02 * seed
                _finished(folder, f"textgym/{task}-v0", policy, seed, score)
    return write_report(folder)


def _finished(folder: Path, env_id: str, policy: str, seed: int, score: float) -> None:
    run = RunFolder(folder / f"{env_id[8:]}-{policy}-{seed}")
    run.start(
        {
            "env_id": env_id, "policy": policy, "seed": seed, "swept": {"length": 3}, "random_return": 0.1,
            "optimal_return": 1.0, "fingerprint": env_id, "settings": {"model": {"a": "x" * 200}},
        }
    )  # fmt: skip
    if policy != POLICIES[0]:
        for step in range(1, 9):
            run.log({"timesteps": 100 * step, **dict.fromkeys(MEASURES, score * step / 8)})
    text = {
        "sample": 3, "prompt": "word " * 40 + "w" * 300, "reference": "Say it.", "tokens": [" a"] * 60 + ["b" * 200],
        "earned": [0.1] * 60 + [-0.2], "signals": {}, "empty": 0.1, "clean_return": 0.2, "gold_return": 0.5,
        "observed_return": 0.3, "voices": [VOICE],
    }  # fmt: skip
    returns = [score + 0.01 * prompt for prompt in range(PROMPTS)]
    front = {"front": [[0.0, 1.0], [1.0, 0.0]], "signals": [0.5, 0.4]} if "Hacking" in env_id else {}
    level = dict.fromkeys(MEASURES, 0.2)
    result = {"evaluation": dict.fromkeys(MEASURES, returns), "samples": [text], "train_level": level, **front}
    run.finish({**result, "score": score, "gold": score})
    if front:
        config = read_json(run.path / "config.json")
        write_json(run.path / "config.json", {**config, "env_kwargs": {"weight": 0.5}})


PAPER = 718  # CSS pixels between the margins of a sheet of A4
VIEWS = list(product(((390, "screen"), (1280, "screen"), (PAPER, "print")), ("light", "dark")))


@pytest.mark.parametrize(("view", "scheme"), VIEWS)
def test_every_chart_is_drawn_and_nothing_overflows(
    browser: Any, page_path: Path, view: tuple[int, str], scheme: str
) -> None:
    width, media = view
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url) if not _own(request.url, page_path) else None)
    page.goto(page_path.as_uri())
    page.emulate_media(media=media, color_scheme=scheme)
    if media == "screen":  # on paper all is unfolded
        folded = page.evaluate("[...document.querySelectorAll('details')].map(one => one.open = true).length")
        assert folded > 20
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts, strips = _boxes(page, "figure > svg"), _boxes(page, ".strip svg")
    assert len(charts) == page_path.read_text().count("<figure") > 20
    assert min(map(min, charts)) > 100
    assert _unmarked(page) == []
    if width > 640:  # on a phone the strips of a table give way to its numbers
        assert min(map(min, strips)) > 5
    assert _stray(page) == []
    for selector in ["section > .scroll table", "article table"] + ["figure table"] * (media == "screen"):
        assert min(map(min, _boxes(page, selector))) > 20  # on paper, the data of charts is left out
        hidden = "selector => [...document.querySelectorAll(selector)].filter(one => !one.checkVisibility()).length"
        assert page.evaluate(hidden, selector) == 0
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shown == ("rgb(20, 21, 23)" if (scheme, media) == ("dark", "screen") else "rgb(255, 255, 255)")
    assert told == []
    context.close()


def _own(url: str, page: Path) -> bool:
    return url == page.as_uri() or url.startswith("data:")


def _boxes(page: Any, selector: str) -> list[list[float]]:
    """Returns the width and the height of what is drawn."""
    boxes: list[list[float]] = page.evaluate(
        "selector => [...document.querySelectorAll(selector)].map(one => one.getBoundingClientRect())"
        ".map(box => [box.width, box.height])",
        selector,
    )
    return boxes


def _unmarked(page: Any) -> list[str]:
    """Returns the charts in which nothing in a policy's colour, a line, a dot or a bar, takes up any room."""
    unmarked: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('figure > svg')].filter(svg =>
          ![...svg.querySelectorAll('path, circle, rect')].some(one => {
            const box = one.getBoundingClientRect();
            return /\\b(s\\d+|plain)\\b/.test(one.getAttribute('class')) && box.width + box.height > 3;
          })
        ).map(svg => svg.getAttribute('aria-label'))"""
    )
    return unmarked


def _stray(page: Any) -> list[str]:
    """Returns the words of charts that stick out of them by more than a little, or lie on each other in a column."""
    stray: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('figure > svg')].flatMap(svg => {
          const outer = svg.getBoundingClientRect();
          const words = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
          const out = words.filter(([, b]) => b.left < outer.left - 2 || b.right > outer.right + 2
            || b.top < outer.top - 2 || b.bottom > outer.bottom + 2);
          const over = words.filter(([, a], i) => words.some(([, b], j) => j < i
            && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.35 * Math.min(a.height, b.height)));
          return [...out, ...over].map(([text]) => svg.getAttribute('aria-label') + ': ' + text);
        })"""
    )
    return stray


def test_paper_has_pages(browser: Any, page_path: Path, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(page_path.as_uri())
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n") >= 3
