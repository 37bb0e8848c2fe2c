"""Draw the section: do the parts of an event that explain its verdict carry it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from overproof.bundle.model_names import in_order
from overproof.checks.explanation.result import Alerts, Explanations, Faithfulness, MarkedEvent
from overproof.report.markup import Html, details, many, marked, model, name, paragraph, part, preformatted, span, table
from overproof.report.words import count, interval

SHOWN = 1000  # characters of one event, around its first span


def section(data: Explanations) -> Html:
    """Draw how often spans carry the verdict that they explain, and some of them."""
    return part("Alerts explained", data.alerts, _alerts)


def _alerts(found: Alerts) -> Html:
    how = (
        f"Of {count(found.flagged)} events that the student flags {count(found.explained)} were explained as "
        "triage --explain does: by the spans without which its attack score falls most. Each was asked about again "
        "without the first of them, and without another place of the same length, drawn at random."
    )
    none = f"In {count(found.without_span)} no span carries anything; they count as not faithful."
    whole = f"In {count(found.whole)} the span is the whole event; they are not compared."
    lines = [how, *([none] if found.without_span else []), *([whole] if found.whole else [])]
    return many(
        [
            *(paragraph(line, "small") for line in lines),
            _models(found.models),
            details(f"{count(len(found.examples))} of them", *map(_example, found.examples)),
        ]
    )


def _models(models: Mapping[str, Faithfulness]) -> Html:
    head = ["Of", "Alerts", "Fall more than at random [95 %]", "No alert without it", "without a random one"]
    body = [
        [
            model(title),
            count(models[title].n),
            f"{models[title].k:,}/{models[title].n:,}: {interval(models[title].share)}",
            interval(models[title].cleared),
            interval(models[title].cleared_random),
        ]
        for title in in_order(models)
    ]
    return table("What the span that explains an alert carries of the verdict", head, body, left=(0,))


def _example(event: MarkedEvent) -> Html:
    facts = [span(name(event.origin), kind="origin")]
    facts += [name(known) for known in dict.fromkeys((event.label, event.family)) if known is not None]
    return many([paragraph(many(_apart(facts)), "small"), preformatted(many(_pieces(event)))])


def _apart(parts: Sequence[Html]) -> Iterator[str]:
    for place, one in enumerate(parts):
        yield from (" ", one) if place else (one,)


def _pieces(event: MarkedEvent) -> Iterator[str]:
    """Yield the event around its first span, every span of it marked."""
    places = sorted((one.start, one.end) for one in event.spans)
    first = event.spans[0].start if event.spans else 0
    begin = max(0, min(first - SHOWN // 4, len(event.text) - SHOWN))
    end = begin + SHOWN
    if begin:
        yield span(f"{begin:,} characters … ", kind="cut")
    at = begin
    for start, stop in places:
        start, stop = max(start, begin), min(stop, end)
        if start < stop:
            yield from (event.text[at:start], marked(event.text[start:stop]))
            at = stop
    yield event.text[at:end]
    if end < len(event.text):
        yield span(f" … {len(event.text) - end:,} more characters, in check.json", kind="cut")
