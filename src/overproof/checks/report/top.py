"""Draw what the page opens with: the verdict, the comparison, the eight checks, and what the bundle is good for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overproof.checks.report.comparison import MEASURES, notes
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import section
from overproof.checks.report.trade import placed, tradeoff
from overproof.checks.suitability import Use
from overproof.checks.verdict import ALONE, ESCALATED, NOT
from overproof.report.markup import Html, figure, model, span, table, tag
from overproof.results import Row
from overproof.results.comparison.at_rates import decisive
from overproof.results.comparison.text import size_in_words

DECISIONS = {ALONE: "passed", ESCALATED: "escalate", NOT: "failed"}
LONG = 180  # characters of a verdict from which it is set smaller
ANSWERS = {"alone": "passed", "with escalation": "escalate", "no": "failed", "unmeasured": "unmeasured"}


@dataclass(frozen=True)
class GateLink:
    """A gate's key, and its place among all gates; None where the checks have no such gate."""

    key: str
    place: int | None


def _link(report: CheckOutcome, key: str) -> GateLink:
    places = {gate.key: place for place, gate in enumerate(report.gates, 1)}
    return GateLink(key, places.get(key))


def verdict(report: CheckOutcome) -> Html:
    """Draw the verdict in one sentence, why, and what stands over everything."""
    found = report.verdict
    because = [_link(report, key) for key in found.because]
    return section("verdict", found, DECISIONS[found.decision], len(found.sentence) > LONG, because, report.notes)


def comparison(report: CheckOutcome) -> Html:
    """Draw the models side by side, from the full one to the linear baseline."""
    rows = report.comparison.rows
    head = ["", *(span(model(row.name)) for row in rows)]
    body = [[measure.title, *(measure.words(row) for row in rows)] for measure in MEASURES]
    caption = f"Size and speed as the bundle stores them, the rest on these {report.comparison.test_rows:,} events"
    there = {row.name for row in rows}
    absent = [f"{title}: absent: {why}" for title, why in report.absent.items() if title not in there]
    lines = [decisive(report.comparison.operating_points), *size_in_words(rows), *notes(rows), *absent]
    return section("comparison", table(caption, head, body, kind="comparison"), _traded(rows), lines)


def _traded(rows: Sequence[Row]) -> Html:
    """Draw what the size buys, where anything was timed."""
    if not placed(rows):
        return Html()
    caption = "Further down is faster, further left smaller. The area of a disk is the share of the attacks missed."
    return figure(tradeoff(rows), caption)


def boxes(report: CheckOutcome) -> Html:
    """Draw the eight checks on one page."""
    return section("boxes", report.checks)


def uses(report: CheckOutcome) -> Html:
    """Draw what the bundle is good for, use by use."""
    body = [_use(report, use) for use in report.verdict.uses]
    head = ["Use", "In general", "This bundle", "Why", "Decided by"]
    shown = table("What the eight checks say of each use", head, body, left=range(5), kind="records uses")
    return section("uses", shown)


def _use(report: CheckOutcome, use: Use) -> list[str]:
    because = span("-", kind="quiet") if use.because is None else section("gate_link", _link(report, use.because))
    return [use.use, use.kind, tag(ANSWERS[use.answer], use.answer), use.message, because]
