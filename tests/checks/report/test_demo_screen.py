"""The demo's last screen, of real and of empty checks: at most 25 lines of 100 cells, and what to type next."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from overproof.bundle.model_names import FULL, QUANTIZED
from overproof.checks.report import CheckReport
from overproof.folding import cells
from overproof.jobs.demo import Demo
from overproof.report.layout import within
from overproof.results.metrics import Share


def shown(report: CheckReport, ruined: CheckReport, family: str) -> str:
    """The screen, as a terminal of 100 columns shows it."""
    compression: Any = SimpleNamespace(comparison=report.comparison)
    novel = {FULL: Share(700, 1000), QUANTIZED: Share(650, 1000)}
    with within(100):
        return Demo(Path("out/demo"), compression, report, ruined, novel, family).render()


def test_it_fits_and_says_what_came_of_it(measured: CheckReport, everything: CheckReport) -> None:
    lines = shown(measured, everything, "sqli").splitlines()
    assert len(lines) <= 25
    assert max(map(cells, lines)) <= 100
    text = "\n".join(lines)
    for name, report in (("student", measured), ("sabotaged", everything)):
        assert f"{name:<12}{report.decision.upper()}\n" in text
    assert "of 1,000 attacks of families that nobody taught the teacher catches 700, the student 650" in text
    assert "accuracy " in text and "sqli caught: " in text
    assert lines[-3].startswith("next        overproof triage out/demo/bundle ")
    assert "reports     out/demo/check/report.html\n            out/demo/sabotaged-check/report.html" in text


def test_what_was_not_measured_is_said(nothing: CheckReport) -> None:
    text = shown(nothing, nothing, "sqli")
    assert "accuracy unmeasured instead of unmeasured, sqli caught: unmeasured instead of unmeasured" in text


@pytest.mark.parametrize("which", ["measured", "nothing"])
def test_the_gate_of_the_lost_family_is_named(which: str, request: pytest.FixtureRequest) -> None:
    report: CheckReport = request.getfixturevalue(which)
    gates = [gate for gate in report.gates if ":" in gate.key]
    for gate in gates:
        family = gate.key.partition(":")[2]
        assert f"; gate {gate.key} {gate.status}: " in " ".join(shown(report, report, family).split())
    assert "; gate" not in shown(report, report, "no such family")
