"""Draw what stands between verdict and checks: the models side by side, and what the bundle may be used for."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.checks.report.comparison import MEASURES, Measure, notes
from overproof.checks.report.gate_link import gate_link
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import section
from overproof.checks.report.trade import placed, tradeoff
from overproof.checks.stats import wilson
from overproof.checks.suitability import Use
from overproof.report.markup import Html, figure, listed, model, span, table, tag
from overproof.report.words import interval
from overproof.results import Row
from overproof.results.comparison.at_rates import decisive
from overproof.results.comparison.text import size_in_words

ANSWERS = {"alone": "passed", "with escalation": "escalate", "no": "failed", "unmeasured": "unmeasured"}


def comparison(report: CheckOutcome) -> Html:
    """Draw the models side by side, from the full one to the linear baseline."""
    rows = report.comparison.rows
    head = ["", *(span(model(row.name)) for row in rows)]
    body = [[measure.title, *(_figure(measure, row) for row in rows)] for measure in MEASURES]
    caption = f"Size and speed as the bundle stores them, the rest on these {report.comparison.test_rows:,} events, "
    caption += "shares with Wilson's 95 % interval; times and macro-F1 have none"
    there = {row.name for row in rows}
    absent = [f"{title}: absent: {why}" for title, why in report.absent.items() if title not in there]
    first = [decisive(report.comparison.operating_points)]
    lines = [*size_in_words(rows), *notes(rows), *absent]
    return section("comparison", table(caption, head, body, kind="comparison"), _traded(rows), first, lines)


def _figure(measure: Measure, row: Row) -> str:
    """Write a figure, and below it the interval of a share."""
    found = measure.counted(row)
    if found is None or not 0 <= found.k <= found.n or not found.n:
        return measure.words(row)
    whole, _, ends = interval(wilson(found.k, found.n)).partition(" [")
    return span(f"{whole} ", span(f"[{ends}", kind="facts"))


def _traded(rows: Sequence[Row]) -> Html:
    """Draw what the size buys, where anything was timed."""
    if not placed(rows):
        return Html()
    caption = (
        "Further down is faster, further left smaller. The area of a disk is the share of the attacks missed. Hollow: "
        "another model here is no worse in size, time and misses, and better in one."
    )
    return figure(tradeoff(rows), caption)


def uses(report: CheckOutcome) -> Html:
    """Draw what the bundle is good for: a line for each answer, and use by use."""
    found = report.verdict.uses
    body = [_use(report, use) for use in found]
    head = ["Use", "In general", "This bundle", "Why", "Decided by"]
    shown = table("What the eight checks say of each use", head, body, left=range(5), kind="records uses")
    lines = [(tag(status, answer), _named(found, answer)) for answer, status in ANSWERS.items()]
    return section("uses", [line for line in lines if line[1]], shown)


def _named(uses: Sequence[Use], answer: str) -> Html:
    return listed(use.use for use in uses if use.answer == answer)


def _use(report: CheckOutcome, use: Use) -> list[str]:
    because = span("-", kind="quiet") if use.because is None else gate_link(report, use.because)
    return [use.use, use.kind, tag(ANSWERS[use.answer], use.answer), use.message, because]
