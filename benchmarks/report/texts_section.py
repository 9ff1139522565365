"""The section on texts, token by token: what each token earned, who said what about the text, and how much that was."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from benchmarks.report.records import Problem, Report, Sample, ScoredText
from benchmarks.report.section import Markup, Section

MINUS = "\N{MINUS SIGN}"

MOST_SAMPLES = 8
"""The most prompts of a page; where there are many problems, each gets its share, and at least one."""

EXPLAINED = (
    "A token earned the clean return of the text if it ended there, less the same one token earlier; the first also "
    "follows the empty text, whose value is given. Point at a token for its number. The prompts are spread evenly over "
    "the test set and not chosen by result."
)
ADDED = (
    " Unfolded, a text's reward is taken apart: what each signal put into the sum, its weight times its value, without "
    "and with annotator and noise."
)


def texts_section(report: Report) -> Section | None:
    """Returns some prompts with what each policy wrote."""
    problems = [problem for problem in report.problems if problem.samples]
    if not problems:
        return None
    each = max(1, MOST_SAMPLES // len(problems))
    shown = [(problem, problem.samples[:each]) for problem in problems]
    texts = [text for _, samples in shown for sample in samples for text in sample.texts]
    earned = np.abs([value for text in texts for value in text.earned] or [1.0])
    top = max(float(np.quantile(earned, 0.98)), 1e-6)
    legend = (
        f'<div class="legend"><span>{MINUS}{top:.2f}</span><i></i><span>+{top:.2f}</span>'
        '<span class="quiet">clean return that a token added</span></div>'
    )
    added = ADDED if any(text.voices for text in texts) else ""
    parts = [Markup(f'<p class="note">{EXPLAINED}{added}</p>{legend}')]
    parts += [_articles(problem, samples, top, titled=len(problems) > 1) for problem, samples in shown]
    return Section("What each token earned", parts)


def _articles(problem: Problem, samples: Sequence[Sample], top: float, *, titled: bool) -> Markup:
    title = f"<h3>{escape(problem.name)}</h3>" if titled else ""
    return Markup(title + "".join(_sample(sample, top) for sample in samples))


def _sample(sample: Sample, top: float) -> str:
    texts = "".join(_text(text, top) for text in sample.texts)
    reference = f'<dt>Reference</dt><dd class="quiet">{escape(sample.reference)}</dd>'
    return f"<article><pre>{escape(sample.prompt)}</pre><dl>{reference}{texts}</dl></article>"


def _text(text: ScoredText, top: float) -> str:
    spans = []
    for number, (token, earned) in enumerate(zip(text.tokens, text.earned, strict=True)):
        share = round(100 * min(1.0, abs(earned) / top))
        told = [f"{earned:+.3f}", *(f"{name} {values[number]:+.3f}" for name, values in text.signals.items())]
        title = escape("\n".join(told), quote=True).replace("-", MINUS)
        spans.append(
            f'<s class="{"up" if earned >= 0 else "down"}" style="--v:{share}%" title="{title}">{escape(token)}</s>'
        )
    values = f"clean {text.clean_return:.2f} · gold {text.gold_return:.2f} · empty {text.empty:.2f}".replace("-", MINUS)
    written = "".join(spans) or '<span class="quiet">(empty)</span>'
    return (
        f'<dt>{escape(text.policy)}</dt><dd><p class="text">{written}</p><span class="quiet">{values}</span>'
        f"{_voices(text)}</dd>"
    )


def _voices(text: ScoredText) -> str:
    """Returns the parts of a text's reward: a row for each signal, one for the noise on the sum, and their sums."""
    if not text.voices:
        return ""
    rows = [(voice.signal, voice.clean, voice.observed, _said(voice.said)) for voice in text.voices]
    observed = sum(voice.observed for voice in text.voices)
    if text.observed_return is not None:
        if abs(text.observed_return - observed) > 1e-9:
            rows.append(("noise on the sum", 0.0, text.observed_return - observed, ""))
        observed = text.observed_return
    rows.append(("return", text.clean_return, observed, ""))
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{_signed(clean)}</td><td>{_signed(paid)}</td><td>{said}</td></tr>'
        for name, clean, paid, said in rows
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("signal", "clean", "observed", "said"))
    return (
        "<details><summary>Who said what</summary>"
        f'<div class="scroll" tabindex="0"><table class="voices"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div></details>"
    )


def _said(said: dict[str, str]) -> str:
    return "; ".join(f'<span class="quiet">{escape(what)}</span> {escape(words)}' for what, words in said.items())


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", MINUS)
