"""The section of the report that shows texts token by token: what each earned, and what learning credits it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from benchmarks.report import Sample, ScoredText
from benchmarks.statistics import correlation

MINUS = "\N{MINUS SIGN}"


def texts_section(samples: Sequence[Sample]) -> str:
    """Returns the section of what several policies wrote for some prompts."""
    texts = [text for sample in samples for text in sample.texts]
    top = _top([value for text in texts for value in text.earned])
    tops = {policy: _top([v for text in texts if text.policy == policy for v in text.credited])
            for policy in {text.policy for text in texts}}  # fmt: skip
    legend = (
        f'<div class="legend"><span>{MINUS}{top:.2f}</span><i></i><span>+{top:.2f}</span>'
        '<span class="quiet">clean return that a token added</span></div>'
    )
    credited = (
        "<p class=note>The second line shows what the gradient of the policy credits each token with: its advantage, "
        "as the learner estimates it, times the norm of the gradient of its log-probability by the output layer. Its "
        "colours have a scale of their own for each policy. Where credit goes to what earned something, the two lines "
        "look alike, and their correlation is near 1.</p>"
        if any(text.credited for text in texts)
        else ""
    )
    return (
        "<section><h2>What each token earned</h2><p class=note>A token earned the clean return of the text if it ended "
        "there, less the same one token earlier; the first also follows the empty text, whose value is given. Point at "
        "a token for its number. The prompts are spread evenly over the test set and not chosen by result.</p>"
        f"{credited}{legend}{''.join(_sample(sample, top, tops) for sample in samples)}</section>"
    )


def _top(values: Sequence[float]) -> float:
    """Returns the value that gets the strongest colour."""
    return max(float(np.quantile(np.abs(values or [1.0]), 0.98)), 1e-6)


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
        second = _coloured(
            text.tokens, text.credited, [f"credited {value:+.3g}" for value in text.credited], credited_top
        )
        written = f'<div class="lines"><i>earned</i>{written}<i>credited</i>{second}</div>'
        found = correlation(text.earned, text.credited)
        values += f" · credit by {text.estimator}: correlation {'undefined' if found is None else f'{found:+.2f}'}"
        values += "".join(f", end token {value:+.3g}" for value in text.credited_end)
    values = escape(values.replace("-", MINUS))
    return f'<dt>{escape(text.policy)}</dt><dd>{written}<span class="quiet">{values}</span></dd>'


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
