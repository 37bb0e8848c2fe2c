"""The events themselves. Each was perhaps written by an attacker: it is shown as text, and as nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overproof.report import words
from overproof.report.markup import Html, details, el, many, model, name, paragraph
from overproof.report.reading import at, by_model, rows, string, whole

OPEN = 5  # events that are shown without being asked for
SHOWN = 4000  # characters of one event
TALL = 700  # characters from which it scrolls in its box


def event_list(found: object, total: object = None) -> Html:
    """Events one below the other, those after the first few folded away."""
    events = rows(found)
    if not events:
        return paragraph("None.", "quiet")
    number = whole(total)
    more = "" if number is None or number <= len(events) else f" of {number:,}: no more are kept"
    drawn = [_event(place, event) for place, event in enumerate(events, 1)]
    parts = [
        paragraph(f"{len(events):,} shown{more}. In brackets the attack probability.", "small"),
        _listed(drawn[:OPEN], 1),
    ]
    if drawn[OPEN:]:
        parts.append(details(f"{len(drawn) - OPEN:,} more", _listed(drawn[OPEN:], OPEN + 1)))
    return many(parts)


def _listed(drawn: Sequence[str], start: int) -> Html:
    return el("ol", *drawn, class_="events", start=start)


def _event(place: int, event: Mapping[str, Any]) -> Html:
    facts = [el("span", name(event.get("origin"), 120), class_="origin")]
    facts += [
        el("span", f"{key} ", el("b", name(event.get(key))))
        for key in ("label", "family")
        if event.get(key) is not None
    ]
    answers = [_answer(m, said, event) for m, said in by_model(event.get("verdicts")).items()]
    return el("li", el("p", *_spaced(facts), class_="facts"), _text(place, event), el("ul", *answers, class_="answers"))


def _spaced(parts: Sequence[str]) -> list[str]:
    return [piece for part in parts for piece in (part, " ")]


def _answer(title: str, said: object, event: Mapping[str, Any]) -> Html:
    probability = words.figure(at(event, "attack", title), words.decimal)
    return el("li", model(title), " says ", el("b", name(said)), el("span", f" ({probability})", class_="quiet"))


def _text(place: int, event: Mapping[str, Any]) -> Html:
    """The event in a box that wraps it, and scrolls if it is long."""
    text = string(event.get("text"))
    shown = el("code", text[:SHOWN])
    cut = len(text) - SHOWN
    note = el("span", f" … {cut:,} more characters, in check.json", class_="cut") if cut > 0 else ""
    if len(text) <= TALL and text.count("\n") < 12:
        return el("pre", shown, note, translate="no")
    return el(
        "pre",
        shown,
        note,
        translate="no",
        class_="tall",
        tabindex="0",
        role="region",
        aria_label=f"Text of event {place}",
    )
