"""What the page opens with: the verdict, the strip, the six checks, and what the bundle is good for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overproof.checks.report.comparison import MEASURES, notes, strip_rows, who_wins
from overproof.checks.report.trade import placed, tradeoff
from overproof.report import words
from overproof.report.markup import Html, el, figure, icon, many, model, paragraph, table, tag
from overproof.report.reading import at, checks, entries, gates, names, number, rows, status, string, tally

DECISIONS = {
    "deploy alone": "passed",
    "deploy with escalation": "escalate",
    "do not deploy": "failed",
}
LONG = 180  # characters of a verdict from which it is set smaller
ANSWERS = {"alone": "passed", "with escalation": "escalate", "no": "failed"}


def verdict(data: Mapping[str, Any]) -> Html:
    """The verdict in one sentence, why, and what stands over everything."""
    found = entries(data.get("verdict"))
    decision = string(found.get("decision"))
    kind = DECISIONS.get(decision, "unmeasured")
    sentence = string(found.get("sentence")) or "There is no verdict in this file."
    threshold = number(found.get("threshold"))
    return el(
        "div",
        el("p", tag(kind, decision or "no verdict"), class_="decision"),
        el("h1", sentence, class_="long" if len(sentence) > LONG else None),
        _because(data, names(found.get("because"))),
        "" if threshold is None else paragraph(f"Escalated below a confidence of {threshold:.4f}."),
        many(el("p", el("strong", "Note. "), note, class_="note") for note in names(data.get("notes"))),
        class_=f"verdict {kind}",
    )


def anchor(place: int) -> str:
    """Where a finding stands on the page: the page's own name for it, none from outside."""
    return f"finding-{place}"


def key_link(data: Mapping[str, Any], key: str) -> Html:
    """The key of a finding, leading to it."""
    places = {string(result.get("key")): i for i, result in enumerate(gates(data), 1)}
    shown = el("code", words.short(key))
    return el("a", shown, href=f"#{anchor(places[key])}") if key in places else shown


def _because(data: Mapping[str, Any], keys: list[str]) -> Html:
    if not keys:
        return Html()
    return el("p", "Decided by ", many(_joined([key_link(data, key) for key in keys])), ".", class_="because")


def _joined(parts: list[Html]) -> list[str]:
    return [piece for i, part in enumerate(parts) for piece in ((", ", part) if i else (part,))]


def strip(data: Mapping[str, Any]) -> Html:
    """The models side by side, from the full one to the linear baseline."""
    found = strip_rows(data)
    if not found:
        return el("section", el("h2", "From full to INT8"), paragraph("unmeasured: no comparison in this file"))
    head = ["", *(el("span", model(string(row.get("name")))) for row in found)]
    body = [[measure.title, *(measure.message(row) for row in found)] for measure in MEASURES]
    test_rows = words.figure(at(data, "strip", "test_rows"), words.count)
    caption = f"Size and speed as the bundle stores them, the rest on these {test_rows} events"
    there = {string(row.get("name")) for row in found}
    absent = [
        f"{title}: absent: {string(why)}" for title, why in entries(data.get("absent")).items() if title not in there
    ]
    return el(
        "section",
        el("h2", "From full to INT8, and the linear baseline"),
        el("div", table(caption, head, body, kind="strip"), _traded(found), class_="beside wide"),
        el("ul", *(el("li", line) for line in (*who_wins(data), *notes(found), *absent)), class_="small"),
        id="strip",
    )


def _traded(found: Sequence[Mapping[str, Any]]) -> Html:
    """What the size buys, where anything was timed."""
    if not placed(found):
        return Html()
    caption = "Further down is faster, further left smaller. The area of a disk is the share of the attacks missed."
    return figure(tradeoff(found), caption)


def boxes(data: Mapping[str, Any]) -> Html:
    """The six checks on one page."""
    drawn = [_box(i, check) for i, check in enumerate(checks(data), 1)]
    return el("section", el("h2", "The six checks"), el("ol", *drawn, class_="boxes"), id="checks")


def _box(place: int, check: Mapping[str, Any]) -> Html:
    found = status(check)
    counts = [el("li", icon(kind), f"{k} {kind}", class_="none" if not k else None) for kind, k in tally(check).items()]
    return el(
        "li",
        el("p", tag(found), class_="state"),
        el("h3", el("a", f"{place}. ", words.short(check.get("title")), href=f"#check-{place}")),
        el("p", string(check.get("question")), class_="question"),
        el("p", string(check.get("message")), class_="message"),
        el("ul", *counts, class_="tally", aria_label="Gates"),
        class_=f"box {found}",
    )


def uses(data: Mapping[str, Any]) -> Html:
    """What the bundle is good for, use by use."""
    body = []
    for use in rows(at(data, "verdict", "uses")):
        answer, key = string(use.get("answer")), string(use.get("because"))
        because = key_link(data, key) if key else el("span", "-", class_="quiet")
        body.append(
            [
                string(use.get("use")),
                string(use.get("kind")),
                tag(ANSWERS.get(answer, "unmeasured"), answer or "unmeasured"),
                string(use.get("message")),
                because,
            ]
        )
    head = ["Use", "In general", "This bundle", "Why", "Decided by"]
    shown = table("What the six checks say of each use", head, body, left=range(5), kind="records uses")
    return el("section", el("h2", "What it may be used for"), shown, id="uses")
