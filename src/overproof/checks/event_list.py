"""Draw a list of events. Each was perhaps written by an attacker: it is shown as text, and as nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overproof.bundle.model_names import in_order
from overproof.checks.listed_event import ListedEvent
from overproof.report import markup
from overproof.report.markup import Html, details, many, paragraph, preformatted, span
from overproof.report.templating import environment
from overproof.report.words import decimal, figure

OPEN = 5  # events that are shown without being asked for
SHOWN = 4000  # characters of one event
TALL = 700  # characters from which it scrolls in its box

_TEMPLATES = environment("overproof.checks")
_TEMPLATES.globals.update(name=markup.name, model=markup.model)
EVENTS: Any = _TEMPLATES.get_template("events.html").module


def event_list(events: Sequence[ListedEvent], total: int | None = None) -> Html:
    """Draw events one below the other, those after the first few folded away.

    Parameters
    ----------
    total
        How many there are, where not all of them are listed.
    """
    if not events:
        return paragraph("None.", "quiet")
    more = "" if total is None or total <= len(events) else f" of {total:,}: no more are kept"
    drawn = [_event(place, event) for place, event in enumerate(events, 1)]
    parts = [
        paragraph(f"{len(events):,} shown{more}. In brackets the attack probability.", "small"),
        _listed(drawn[:OPEN], 1),
    ]
    if drawn[OPEN:]:
        parts.append(details(f"{len(drawn) - OPEN:,} more", _listed(drawn[OPEN:], OPEN + 1)))
    return many(parts)


@dataclass(frozen=True)
class _Answer:
    """What a model says of an event: its verdict, and its probability of an attack in words."""

    model: str
    verdict: str
    attack: str


def _listed(drawn: Sequence[Html], start: int) -> Html:
    return Html(EVENTS.listed(many(drawn), start))


def _event(place: int, event: ListedEvent) -> Html:
    known = [(key, value) for key, value in (("label", event.label), ("family", event.family)) if value is not None]
    answers = [
        _Answer(title, event.verdicts[title], figure(event.attack.get(title), decimal))
        for title in in_order(event.verdicts)
    ]
    return Html(EVENTS.event(event.origin, known, _text(place, event.text), answers))


def _text(place: int, text: str) -> Html:
    """Draw the event in a box that wraps it, and scrolls if it is long."""
    cut = len(text) - SHOWN
    note = span(f" … {cut:,} more characters, in check.json", kind="cut") if cut > 0 else ""
    tall = len(text) > TALL or text.count("\n") >= 12
    return preformatted(text[:SHOWN], note, f"Text of event {place}" if tall else "")
