"""The section on what the feedback did to a quality that is known."""

from __future__ import annotations

from benchmarks.pictures.response import Response
from benchmarks.report.lines import Line, line_figure
from benchmarks.report.records import Report
from benchmarks.report.section import Figure, Panels, Section, file_name, note
from benchmarks.report.ticks import nice_ticks


def feedback_section(report: Report) -> Section | None:
    """Returns a chart for each annotator and for the noise on the sum, where all runs share their environment."""
    if not report.responses:
        return None
    text = (
        "Annotators read references in which ever more tokens were exchanged; the noise on the sum was given numbers. "
        "Line: the mean of what was observed. Band: 80\N{NO-BREAK SPACE}% of it. Dotted: as it truly was."
    )
    figures = [response_figure(name, response) for name, response in report.responses.items()]
    return Section("What the feedback did to a known quality", [Panels(figures), note(text)])


def response_figure(name: str, response: Response) -> Figure:
    """Returns how answers follow what is true: their mean, a band of 80 % of them, a dotted line where they agree."""
    ticks = nice_ticks(float(response.truth.min()), float(response.truth.max()), 4)
    line = Line("", "s0", response.truth, response.mean, response.low, response.high)
    return line_figure(
        [line],
        name=file_name("feedback", name),
        title=name,
        caption="",
        across="noiseless value",
        up="answer",
        span=(ticks[0], ticks[-1]),
        diagonal=True,
        shape="response",
    )
