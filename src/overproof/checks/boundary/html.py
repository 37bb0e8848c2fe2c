"""Section: what happens to verdicts near the boundary?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.report import intervals, words
from overproof.report.bars import margins
from overproof.report.markup import (
    Html,
    details,
    el,
    figure,
    legend,
    many,
    model,
    name,
    paragraph,
    part,
    pictures,
    table,
)
from overproof.report.reading import at, by_model, numbers, rows
from overproof.report.words import count, interval, ratio


def boundary(data: Mapping[str, Any]) -> Html:
    """Margins, and what quantization, edits and neighbouring grid points flip."""
    near, of = (words.figure(data.get(key), count) for key in ("events", "of"))
    return many(
        [
            paragraph(f"{near} of {of} events lie near the boundary."),
            part("Margins", data.get("margins"), _margins),
            part("Quantization", data.get("quantization"), _quantization),
            part("Harmless edits", data.get("edits"), _edits),
            part("Neighbouring grid points", data.get("neighbours"), _neighbours),
        ]
    )


def _margins(found: Any) -> Html:
    models = by_model(found)
    drawn = pictures(figure(margins(m, entry), model(m)) for m, entry in models.items() if isinstance(entry, Mapping))
    body = [
        [model(m), f"{low:g} to {high:g}", count(k)]
        for m, entry in models.items()
        for edges in [numbers(at(entry, "edges"))]
        for low, high, k in zip(edges, edges[1:], numbers(at(entry, "counts")), strict=False)
        if k
    ]
    shown = table("Events by distance from the boundary", ["Model", "Logits", "Events"], body, left=(0,))
    return many([drawn, details("The same in figures", shown)])


def _quantization(found: Mapping[str, Any]) -> Html:
    share = interval(found.get("share"))
    return paragraph(
        f"FP32 and INT8 say different things about {ratio(found)} of the events near the boundary: {share}."
    )


def _edits(found: Any) -> Html:
    models = list(by_model({m: 1 for row in rows(found) for m in by_model(row.get("models"))}))
    body = []
    for row in rows(found):
        told = {
            m: {"n": row.get("n"), **entry} if isinstance(entry, Mapping) else {}
            for m, entry in by_model(row.get("models")).items()
        }
        title = words.short(row.get("kind"))
        figures = el(
            "span", *(el("span", f"{m} {interval(at(entry, 'share'))}", class_="value") for m, entry in told.items())
        )
        body.append(
            [name(title), intervals.shares(f"Verdicts that {title} flips", told, "share", intervals.FEW), figures]
        )
    head = ["Edit", el("span", "Verdicts that it flips, 95 %", intervals.heads(intervals.FEW)), "In figures [95 %]"]
    caption = "Edits that leave the event what it is"
    return many([legend(models), table(caption, head, body, left=(0, 1, 2), kind="records edits")])


def _neighbours(found: Mapping[str, Any]) -> Html:
    draws, share = words.figure(found.get("draws"), count), interval(found.get("share"))
    return paragraph(
        f"With every activation rounded to a neighbouring grid point, in {draws} draws, some draw flips {ratio(found)} "
        f"of the verdicts near the boundary: {share}."
    )
