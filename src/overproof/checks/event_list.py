"""Draw a list of events. Each was perhaps written by an attacker: it is shown as text, and as nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.bundle.model_names import in_order
from overproof.checks.listed_event import ListedEvent
from overproof.report.markup import Html, details, el, many, model, name, paragraph, span
from overproof.report.words import decimal, figure

OPEN = 5  # events that are shown without being asked for
SHOWN = 4000  # characters of one event
TALL = 700  # characters from which it scrolls in its box


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


def _listed(drawn: Sequence[str], start: int) -> Html:
    return el("ol", *drawn, class_="events", start=start)


def _event(place: int, event: ListedEvent) -> Html:
    facts = [span(name(event.origin, 120), kind="origin")]
    known = {"label": event.label, "family": event.family}
    facts += [span(f"{key} ", el("b", name(value))) for key, value in known.items() if value is not None]
    answers = [_answer(m, event.verdicts[m], event.attack.get(m)) for m in in_order(event.verdicts)]
    shown = [piece for fact in facts for piece in (fact, " ")]
    return el("li", el("p", *shown, class_="facts"), _text(place, event.text), el("ul", *answers, class_="answers"))


def _answer(title: str, verdict: str, attack: float | None) -> Html:
    probability = span(f" ({figure(attack, decimal)})", kind="quiet")
    return el("li", model(title), " says ", el("b", name(verdict)), probability)


def _text(place: int, text: str) -> Html:
    """Draw the event in a box that wraps it, and scrolls if it is long."""
    shown = el("code", text[:SHOWN])
    cut = len(text) - SHOWN
    note = span(f" … {cut:,} more characters, in check.json", kind="cut") if cut > 0 else ""
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
