"""The section on texts, token by token: what each earned, what learning credits it with, and who said what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from benchmarks.report.records import Problem, Report, Sample, ScoredText
from benchmarks.report.section import Markup, Section
from benchmarks.statistics import correlation

MINUS = "\N{MINUS SIGN}"

MOST_SAMPLES = 8
"""The most prompts of a page; where there are many problems, each gets its share, and at least one."""

EXPLAINED = (
    "A token earned the clean return of the text if it ended there, less the same one token earlier; the first also "
    "follows the empty text, whose value is given. Point at a token for its number. The prompts are spread evenly over "
    "the test set and not chosen by result."
)
CREDITED = (
    " The second line shows what the gradient of the policy credits each token with: its advantage, as the learner "
    "estimates it, times the norm of the gradient of its log-probability by the output layer. Its colours have a scale "
    "of their own for each policy. Where credit goes to what earned something, the two lines look alike, and their "
    "correlation is near 1. A token of which the policy is sure gets hardly any credit."
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
    top = _top([value for text in texts for value in text.earned])
    tops = {
        policy: _top([value for text in texts if text.policy == policy for value in text.credited])
        for policy in {text.policy for text in texts}
    }
    legend = (
        f'<div class="legend"><span>{MINUS}{top:.2f}</span><i></i><span>+{top:.2f}</span>'
        '<span class="quiet">clean return that a token added</span></div>'
    )
    added = CREDITED if any(text.credited for text in texts) else ""
    added += ADDED if any(text.voices for text in texts) else ""
    parts = [Markup(f'<p class="note">{EXPLAINED}{added}</p>{legend}')]
    parts += [_articles(problem, samples, top, tops, titled=len(problems) > 1) for problem, samples in shown]
    return Section("What each token earned", parts)


def _top(values: Sequence[float]) -> float:
    """Returns the value that gets the strongest colour."""
    return max(float(np.quantile(np.abs(values or [1.0]), 0.98)), 1e-6)


def _articles(
    problem: Problem, samples: Sequence[Sample], top: float, tops: Mapping[str, float], *, titled: bool
) -> Markup:
    title = f"<h3>{escape(problem.name)}</h3>" if titled else ""
    return Markup(title + "".join(_sample(sample, top, tops) for sample in samples))


def _sample(sample: Sample, top: float, tops: Mapping[str, float]) -> str:
    texts = "".join(_text(text, top, tops[text.policy]) for text in sample.texts)
    reference = f'<dt>Reference</dt><dd class="quiet">{escape(sample.reference)}</dd>'
    return f"<article><pre>{escape(sample.prompt)}</pre><dl>{reference}{texts}</dl></article>"


def _text(text: ScoredText, top: float, credited_top: float) -> str:
    told = [
        "\n".join([f"{earned:+.3f}", *(f"{name} {values[number]:+.3f}" for name, values in text.signals.items())])
        for number, earned in enumerate(text.earned)
    ]
    values = f"clean {text.clean_return:.2f} · gold {text.gold_return:.2f} · empty {text.empty:.2f}"
    written = _coloured(text.tokens, text.earned, told, top)
    if text.credited:
        values_told = [f"credited {value:+.3g}" for value in text.credited]
        second = _coloured(text.tokens, text.credited, values_told, credited_top)
        written = f'<div class="lines"><i>earned</i>{written}<i>credited</i>{second}</div>'
        found = correlation(text.earned, text.credited)
        values += f" · credit by {text.estimator}: correlation {'undefined' if found is None else f'{found:+.2f}'}"
        values += "".join(f", end token {value:+.3g}" for value in text.credited_end)
    values = escape(values.replace("-", MINUS))
    return f'<dt>{escape(text.policy)}</dt><dd>{written}<span class="quiet">{values}</span>{_voices(text)}</dd>'


def _coloured(tokens: Sequence[str], values: Sequence[float], told: Sequence[str], top: float) -> str:
    """Returns a text whose tokens have the colours of their values, and say something when pointed at."""
    spans = []
    for token, value, title in zip(tokens, values, told, strict=True):
        share = round(100 * min(1.0, abs(value) / top))
        said = escape(title, quote=True).replace("-", MINUS)
        spans.append(
            f'<s class="{"up" if value >= 0 else "down"}" style="--v:{share}%" title="{said}">{escape(token)}</s>'
        )
    written = "".join(spans) or '<span class="quiet">(empty)</span>'
    return f'<p class="text">{written}</p>'


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
