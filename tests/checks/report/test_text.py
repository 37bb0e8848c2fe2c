"""The report for a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from overproof.checks.base import GateResult
from overproof.checks.report import CheckReport, render
from overproof.checks.report.text import LEFT_OUT, summary
from overproof.checks.verdict import Verdict
from overproof.progress import printable
from overproof.report.layout import within

from .figures import EVIL


def test_golden(everything: CheckReport) -> None:
    lines = render(everything).splitlines()
    assert lines[0].startswith("DEPLOY WITH ESCALATION: Deploy it only with the full model behind it")
    assert lines[1] == f"note: A sample of 11,401 of 2,410,003 events was judged (seed 7). {EVIL}"
    assert lines[3:11] == [
        "check             status      gates",
        "----------------  ----------  --------------------------------",
        "1. Own data       passed      5 passed, 0 failed, 0 unmeasured",
        "2. Calibration    unmeasured  2 passed, 0 failed, 1 unmeasured",
        "3. Rare families  unmeasured  2 passed, 0 failed, 5 unmeasured",
        "4. Boundary       passed      2 passed, 0 failed, 1 unmeasured",
        "5. Held out       failed      2 passed, 1 failed, 1 unmeasured",
        "6. Escalation     passed      4 passed, 0 failed, 0 unmeasured",
    ]
    start = lines.index("closed gates                 status              figure [95 %]   limit               events")
    assert lines[start + 2 : start + 5] == [
        "calibration/threshold-drift  unmeasured    0.74 % [0.34, 1.14]  1.00 %  7,400, needs 11,200",
        "rare/pooled                  unmeasured  7.30 % [\N{MINUS SIGN}0.70, 15.30]  5.00 %        41, needs 320",
        "held-out/misses              failed        0.92 % [0.56, 1.28]  0.50 %                4,001",
    ]
    assert "bytes                  402 MB      17 MB           4.51 MB          1.05 MB" in lines
    assert any(line.startswith("xpathi ") and "1/2" in line and "0/2" in line for line in lines)
    assert lines[-1].startswith("71 attacks that the full model detects and the student misses")


def test_the_summary_is_what_decides(everything: CheckReport) -> None:
    short, long = summary(everything), render(everything).splitlines()
    assert short.splitlines()[:11] == long[:11]
    assert "held-out/misses" in short and short.endswith(LEFT_OUT)
    assert "p50" in render(everything) and "p50" not in short
    assert all(line in long for line in short.splitlines()[:-2]), "in parts that are those of the whole"


@pytest.mark.parametrize("width", [80, 100])
def test_its_tables_fit(everything: CheckReport, width: int) -> None:
    with within(width):
        lines = render(everything).splitlines()
    rules = [line for line in lines if line.startswith("---")]
    assert len(rules) > 5
    assert all(len(line) <= width for line in rules)


@pytest.mark.parametrize("decision", ["deploy alone", "deploy with escalation", "do not deploy"])
@pytest.mark.parametrize("closed", [False, True])
def test_a_check_passed_where_no_gate_is_closed_and_it_may_be_deployed(
    everything: CheckReport, decision: Verdict, closed: bool
) -> None:
    optional = [replace(check, gates=tuple(map(_optional, check.gates))) for check in everything.checks]
    checks = everything.checks if closed else tuple(optional)
    report = replace(everything, checks=checks, verdict=replace(everything.verdict, decision=decision))
    assert bool(report.closed) == closed
    assert report.passed == (not closed and decision != "do not deploy")
    assert ("No gate is closed." in render(report)) == (not closed)


def _optional(gate: GateResult) -> GateResult:
    """The same gate, unmeasured and not required: what closes nothing, and shows nothing."""
    return replace(gate, status="unmeasured", required=False)


def test_nothing_steers_the_terminal(stored: dict[str, Any]) -> None:
    stored["verdict"]["sentence"] = "a\x1b[2J\nb\u202e"
    stored["checks"][2]["data"]["families"][0]["name"] = "x\n\x07y"
    text = render(CheckReport.from_json(stored))
    assert text == printable(text)
    assert text.startswith("DEPLOY WITH ESCALATION: a\\x1b[2J\\nb\\u202e\n")
    assert "\nx\\n\\x07y" in text


def test_what_was_not_measured(nothing: CheckReport) -> None:
    text = render(nothing)
    assert text.startswith("DO NOT DEPLOY: Do not deploy yet: unmeasured: no full was given")
    assert "\nabsent: full: no full was given\n" in text
    assert "0 passed, 0 failed, 3 unmeasured" in text
    assert "not measured" in text
