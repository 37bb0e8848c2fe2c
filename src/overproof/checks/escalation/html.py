"""Section: does handing doubtful events to the full model help, and what does it promise?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.report import words
from overproof.report.curves import curve_points, risk
from overproof.report.markup import Html, details, el, figure, many, model, paragraph, part, table
from overproof.report.reading import at, by_model, rows, string
from overproof.report.words import count, decimal, interval, ratio


def escalation(data: Mapping[str, Any]) -> Html:
    """Risk and coverage, budgets, and the threshold with its guarantee."""
    return many(
        [
            part("Risk and coverage", data.get("curves"), lambda found: _curves(data, found)),
            part("Budgets", data.get("budgets"), _budgets),
            part("The threshold and what it promises", data.get("threshold"), lambda found: _threshold(data, found)),
        ]
    )


def _curves(data: Mapping[str, Any], found: Mapping[str, Any]) -> Html:
    keys = el(
        "span",
        *(el("span", el("span", class_=f"stroke {name}"), f" {name} ") for name in ("quantized", "oracle", "random")),
    )
    augrc = [[model(name), words.figure(value, decimal)] for name, value in by_model(data.get("augrc")).items()]
    points = table(
        "Wrong labels among the events that are kept",
        ["Share kept", "Quantized", "Oracle", "Random"],
        curve_points(found),
    )
    scores = table(
        "AUGRC: the area under the curve of undetected errors, the smaller the better", ["Order", "AUGRC"], augrc
    )
    beside = el("div", scores, details("The curves in figures", points))
    return el("div", figure(risk(found), keys), beside, class_="beside")


def _budgets(found: Any) -> Html:
    body = [
        [
            words.figure(row.get("budget")),
            words.figure(row.get("escalated"), count),
            *(_of(row, key) for key in ("missed", "oracle", "random")),
            words.figure(row.get("useful")),
            words.figure(row.get("waste")),
        ]
        for row in rows(found)
    ]
    head = ["Budget", "Escalated", "Attacks missed", "by an oracle", "at random", "Useful", "Waste"]
    caption = "When that share of the events goes to the full model. Useful: the student was wrong; waste: it was right"
    return table(caption, head, body)


def _of(row: Mapping[str, Any], key: str) -> str:
    """Attacks missed, of all."""
    missed, attacks = (words.figure(row.get(name), lambda v: f"{v:,.4g}") for name in (key, "attacks"))
    return missed if words.NOT_MEASURED in (missed, attacks) else f"{missed}/{attacks}"


def _threshold(data: Mapping[str, Any], found: Mapping[str, Any]) -> Html:
    missed = found.get("missed")
    counted = ratio(missed) if isinstance(missed, Mapping) else words.NOT_MEASURED
    body = [
        ["Escalate below a confidence of", words.figure(found.get("value"), decimal)],
        ["so that at most so many attacks are missed", words.figure(found.get("limit"))],
        ["with confidence", words.figure(found.get("confidence"))],
        ["chosen on", _set(found.get("chosen_on"))],
        ["verified on", _set(found.get("verified_on"))],
        ["Escalated [95 %]", interval(found.get("escalated"))],
        ["Missed there [95 %]", f"{counted}, {interval(at(missed, 'share'))}"],
    ]
    warning = string(data.get("warning"))
    shown = table("Below it an event goes to the full model", ["What", "Figure"], body)
    return many([shown, paragraph(warning, "warning") if warning else ""])


def _set(value: object) -> str:
    """On what: a number of events, or a set by its name."""
    return words.figure(value, lambda n: f"{n:,.0f} events") if not isinstance(value, str) else words.short(value)
