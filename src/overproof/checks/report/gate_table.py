"""One check as a section: its answer, its findings, and then what it measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.checks.report.top import anchor
from overproof.report import words
from overproof.report.intervals import against_limit
from overproof.report.markup import Html, el, table, tag
from overproof.report.reading import rows, status, string


def section(place: int, check: Mapping[str, Any], body: Html, before: int) -> Html:
    """A check from its question to its last table.

    Parameters
    ----------
    place
        Its number among the checks.
    before
        How many findings the checks before it have.
    """
    found = status(check)
    return el(
        "section",
        el("h2", f"{place}. ", words.short(check.get("title")), " ", tag(found)),
        el("p", string(check.get("question")), class_="question"),
        el("p", string(check.get("message")), class_="message"),
        table_of(check, before),
        body,
        el("p", el("a", "Back to the six checks", href="#checks"), class_="back"),
        id=f"check-{place}",
        class_=f"check {found}",
    )


def table_of(check: Mapping[str, Any], before: int) -> Html:
    """A row for each gate: the picture, the figure, the limit and the sentence."""
    body = [_row(result, place) for place, result in enumerate(rows(check.get("gates")), before + 1)]
    head = [
        "Gate and finding",
        el("span", "Against its limit"),
        "Figure [95 %]",
        "Events",
        el("span", "Status"),
    ]
    caption = "Gates. The shaded side is beyond the limit; a gate passes if its whole interval stays out of it."
    return table(caption, head, body, left=(0, 1, 4), kind="records gates")


def _row(result: Mapping[str, Any], place: int) -> list[str]:
    key, found = string(result.get("key")), status(result)
    required = "" if result.get("required", True) else el("span", " (optional)", class_="quiet")
    events, _, needed = words.support(result).partition(", ")
    gate = el("code", words.short(key.partition("/")[2] or key), id=anchor(place))
    return [
        el("span", gate, required, " ", el("span", string(result.get("message")), class_="message")),
        against_limit(result),
        el("span", words.of_finding(result), " ", el("span", f"limit {words.limit(result)}", class_="facts")),
        el("span", events, " ", el("span", needed, class_="facts")),
        el("span", tag(found), el("strong", " gate closed", class_="shut") if result.get("closed") else ""),
    ]
