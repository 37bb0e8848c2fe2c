"""What escalating a share catches, and what it costs: by hand, and where it is not known."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from overproof.checks.base import FULL, QUANTIZED
from overproof.checks.escalation.result import BudgetRow, Escalation
from overproof.checks.report import CheckReport
from overproof.checks.report.escalation_cost import TITLE, escalation_cost, points
from overproof.checks.stats import wilson
from overproof.report.not_measured import NotMeasured


def escalating(report: CheckReport, budgets: tuple[BudgetRow, ...] | NotMeasured) -> CheckReport:
    """The report of a bundle of one student with these budgets."""
    checks = tuple(
        replace(check, data=replace(check.data, budgets=budgets, tiers=None))
        if isinstance(check.data, Escalation)
        else check
        for check in report.checks
    )
    return replace(report, checks=checks)


ROWS = (BudgetRow(0.01, 114, 60, 4001, 12, 70.0, 0.4, 0.6), BudgetRow(0.1, 1140, 40, 4001, 12, 60.0, 0.1, 0.9))


def test_each_budget_has_what_is_missed_and_what_an_event_costs(everything: CheckReport) -> None:
    report = escalating(everything, ROWS)
    rows = {row.name: row for row in report.comparison.rows}
    student, full = rows[QUANTIZED].p50_ms, rows[FULL].p50_ms
    alone = rows[QUANTIZED].metrics
    assert student and full and alone is not None
    found = points(report)
    assert [point.share for point in found] == [0.0, 0.01, 0.1]
    assert [point.k for point in found] == [alone.missed.k, 60, 40]
    assert found[1].missed == wilson(60, 4001)
    assert [point.seconds for point in found] == pytest.approx(
        [1e-3 * (student + share * full) for share in (0.0, 0.01, 0.1)]
    )
    text = " ".join(re.sub(r"<[^>]+>", " ", escalation_cost(report)).split())
    assert "Attacks missed by share escalated" in text and "Attacks missed by cost" in text
    assert "1.00 % 60, 1.50 % [1.17, 1.93] 319 ms 629 µs" in text
    assert "share of the events escalated: " in text and "1.50 % [1.17, 1.93] at 1 %" in text


def test_without_times_the_share_alone_is_drawn(everything: CheckReport) -> None:
    report = escalating(everything, ROWS)
    rows = tuple(replace(row, p50_ms=None) for row in report.comparison.rows)
    drawn = escalation_cost(replace(report, comparison=replace(report.comparison, rows=rows)))
    assert drawn.count("<figure>") == 1 and "not measured" in drawn and TITLE in drawn


def test_nothing_is_drawn_where_nothing_is_known_or_two_students_decide(everything: CheckReport) -> None:
    assert escalation_cost(escalating(everything, NotMeasured("no attacks"))) == ""
    tiers = next(check.data for check in everything.checks if isinstance(check.data, Escalation))
    if tiers.tiers is not None:
        assert escalation_cost(everything) == ""
