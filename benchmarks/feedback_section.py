"""The report's section on what the feedback did to a quality that is known."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from benchmarks.charts import response_chart
from benchmarks.pictures.response import Response


def feedback_section(responses: Mapping[str, Response]) -> str:
    """Returns the section of the page, with a chart for each annotator and for the noise on the sum."""
    figures = []
    for name, response in responses.items():
        chart = response_chart(response, title=f"{name}: answers against the truth", across="noiseless value")
        figures.append(f'<figure class="response"><figcaption><b>{escape(name)}</b></figcaption>{chart}</figure>')
    return (
        f'<section><h2>What the feedback did to a known quality</h2><div class="panels">{"".join(figures)}</div>'
        '<p class="note">Annotators read references in which ever more tokens were exchanged; the noise on the sum was '
        "given numbers. Line: the mean of what was observed. Band: 80&nbsp;% of it. Dotted: as it truly was.</p>"
        "</section>"
    )
