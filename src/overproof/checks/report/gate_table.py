"""Draw gates as rows of a table, and one check as a section: its answer, its gates, and then what it measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overproof.checks.base import CheckResult, GateResult
from overproof.checks.report import gate_words
from overproof.checks.report.gate_figure import against_limit
from overproof.checks.report.sections import section
from overproof.report import words
from overproof.report.markup import Html, span, table

Placed = tuple[GateResult, int, str]  # a gate, its place among all gates, and what would open it


def check_section(place: int, check: CheckResult[Any], body: Html, before: int) -> Html:
    """Draw a check from its question to its last table.

    Parameters
    ----------
    place
        Its number among the checks.
    body
        What it measured.
    before
        How many gates the checks before it have.
    """
    gates = drawn([(gate, at, "") for at, gate in enumerate(check.gates, before + 1)])
    return section("check", place, check, gates, body)


def drawn(gates: Sequence[Placed], *, whole: bool = False) -> Html:
    """Draw a row for each gate: the picture, the figure, the limit and the sentence.

    Links lead to the row of a closed gate among the closed ones, which `whole` tells, and to that of another in its
    check's table.
    """
    body = [_row(gate, place if gate.closed is whole else None, opens) for gate, place, opens in gates]
    head = ["Gate and finding", span("Against its limit"), "Figure [95 %]", "Events", span("Status")]
    caption = "Gates. The shaded side is beyond the limit; a gate passes if its whole interval stays out of it."
    return table(caption, head, body, left=(0, 1, 4), kind="records gates")


def _row(gate: GateResult, place: int | None, opens: str) -> list[str]:
    events, _, needed = gate_words.support(gate).partition(", ")
    return [
        section("gate_name", gate, place, opens),
        against_limit(gate),
        section("gate_figure", gate_words.figure(gate), gate_words.limit(gate), words.short(gate.correction)),
        section("gate_events", events, needed),
        section("gate_status", gate),
    ]
