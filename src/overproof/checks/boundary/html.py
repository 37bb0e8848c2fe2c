"""Draw the section: what happens to verdicts near the boundary?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overproof.checks.boundary.figures import margins
from overproof.checks.boundary.result import EditFlips, Flips, MarginHistogram, NeighbourFlips, Robustness
from overproof.report import intervals, words
from overproof.report.markup import (
    Html,
    details,
    figure,
    legend,
    many,
    model,
    name,
    paragraph,
    part,
    pictures,
    span,
    table,
)
from overproof.report.words import count, interval


def section(data: Robustness) -> Html:
    """Draw margins, and what quantization, edits and neighbouring grid points flip."""
    return many(
        [
            paragraph(f"{count(data.events)} of {count(data.of)} events lie near the boundary."),
            part("Margins", data.margins, _margins),
            part("Quantization", data.quantization, _quantization),
            part("Edits", data.edits, _edits),
            part("Neighbouring grid points", data.neighbours, _neighbours),
        ]
    )


def _margins(models: Mapping[str, MarginHistogram]) -> Html:
    drawn = pictures(figure(margins(title, found), model(title)) for title, found in models.items())
    body = [
        [model(title), f"{low:g} to {high:g}", count(k)]
        for title, found in models.items()
        for low, high, k in zip(found.edges, found.edges[1:], found.counts, strict=False)
        if k
    ]
    shown = table("Events by distance from the boundary", ["Model", "Logits", "Events"], body, left=(0,))
    return many([drawn, details("The same in figures", shown)])


def _quantization(flips: Flips) -> Html:
    return paragraph(
        f"FP32 and INT8 say different things about {flips.k:,}/{flips.n:,} of the events near the boundary: "
        f"{interval(flips.share)}."
    )


def _edits(rows: tuple[EditFlips, ...]) -> Html:
    """Draw apart what is proved to keep what an event does, and what does no harm as a rule."""
    captions = {True: "The red team's edits, proved to keep what the event does", False: "Edits of the other events"}
    parts = [([row for row in rows if row.proved is proved], caption) for proved, caption in captions.items()]
    return many(_flipped(some, caption) for some, caption in parts if some)


def _flipped(rows: Sequence[EditFlips], caption: str) -> Html:
    models = list(dict.fromkeys(title for row in rows for title in row.models))
    body = []
    for row in rows:
        shares = {title: intervals.Counted(flips.k, row.n, flips.share) for title, flips in row.models.items()}
        title = words.short(row.kind)
        picture = intervals.shares(f"Verdicts that {title} flips", shares, intervals.FEW)
        figures = span(*(span(f"{other} {interval(flips.share)}", kind="value") for other, flips in row.models.items()))
        body.append([name(title), picture, figures])
    head = ["Edit", span("Verdicts that it flips, 95 %", intervals.heads(intervals.FEW)), "In figures [95 %]"]
    return many([legend(models), table(caption, head, body, left=(0, 1, 2), kind="records edits")])


def _neighbours(flips: NeighbourFlips) -> Html:
    return paragraph(
        f"With every activation rounded to a neighbouring grid point, in {count(flips.draws)} draws, some draw flips "
        f"{flips.k:,}/{flips.n:,} of the verdicts near the boundary: {interval(flips.share)}."
    )
