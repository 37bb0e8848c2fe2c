"""Write what the demo came to on one screen: three models, two verdicts, where all of it is, and what to type next."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from overproof.bundle.model_names import BASELINE, FULL, QUANTIZED
from overproof.checks.base import GateResult
from overproof.checks.report import CheckReport
from overproof.checks.report.compared import student
from overproof.checks.report.gate_words import figure, limit
from overproof.report import words
from overproof.report.layout import aligned, line_width
from overproof.report.not_measured import NotMeasured
from overproof.results.comparison.columns import COLUMNS
from overproof.results.compression import Report
from overproof.results.operating_points import OperatingPoint

if TYPE_CHECKING:
    from overproof.jobs.demo import Demo

RATE = 0.005  # of false positives, at which all are compared
SHOWN = {FULL: "teacher", QUANTIZED: "student, in INT8", BASELINE: "linear model"}
COLUMNS_SHOWN = [column for column in COLUMNS if column.title in ("bytes", "p50 ms", "events/s", "accuracy")]


def screen(made: Demo) -> str:
    """Describe a demo in at most 25 lines of 100 cells."""
    out, compression, healthy, ruined, family = made.out, made.compression, made.check, made.sabotaged, made.family
    caught = f"{family} caught: {_caught(ruined, family)} instead of {_caught(healthy, family)}"
    lost = f"accuracy {_accuracy(ruined)} instead of {_accuracy(healthy)}, {caught}{_gate(ruined, family)}"
    return "\n\n".join(
        [
            "All of it is simulated traffic: it shows how the machinery works, not how it does on yours.",
            f"{aligned(_table(compression))}\n{_novel(made)}",
            f"{_verdict('student', healthy)}\n{_verdict('sabotaged', ruined)}\n{_indented(lost)}",
            f"reports     {out / 'check' / 'report.html'}\n            {out / 'sabotaged-check' / 'report.html'}",
            f"next        overproof triage {out / 'bundle'} access.log      # or a capture, Zeek, Suricata, …\n"
            f"            overproof inspect {out / 'bundle'}\n"
            f"            overproof lesson --bundle {out / 'bundle'}",
        ]
    )


def _novel(made: Demo) -> str:
    """Say what is caught of families that nobody taught."""
    teacher, student = (made.novel[name] for name in (FULL, QUANTIZED))
    return (
        f"of {teacher.n:,} attacks of families that nobody taught the teacher catches {teacher.k:,}, "
        f"the student {student.k:,}"
    )


def _table(compression: Report) -> list[list[str]]:
    comparison = compression.comparison
    rows = {row.name: row for row in comparison.rows}
    table = [["", *(column.title for column in COLUMNS_SHOWN), f"missed at {100 * RATE:g} % false positives"]]
    for name, shown in SHOWN.items():
        table.append([shown, *(column.cell(rows.get(name)) for column in COLUMNS_SHOWN), _missed(compression, name)])
    return table


def _missed(compression: Report, name: str) -> str:
    points = compression.comparison.operating_points
    found = None if isinstance(points, NotMeasured) else next((at for at in points.at if at.rate == RATE), None)
    point = None if found is None else found.models.get(name)
    if not isinstance(point, OperatingPoint) or isinstance(point.missed, NotMeasured):
        return "unmeasured"
    return words.interval(point.missed)


def _verdict(name: str, report: CheckReport) -> str:
    return f"{name:<12}{report.decision.upper()}\n{_indented(report.verdict.sentence, 2)}"


def _indented(text: str, lines: int = 3) -> str:
    """Fill lines behind the column of names, so many at most."""
    indent = " " * 12
    return textwrap.fill(
        text, line_width(), initial_indent=indent, subsequent_indent=indent, max_lines=lines, placeholder=" …"
    )


def _accuracy(report: CheckReport) -> str:
    row = student(report)
    found = None if row is None or row.metrics is None else row.metrics.accuracy
    return "unmeasured" if found is None else f"{100 * found:.2f} %"


def _caught(report: CheckReport, family: str) -> str:
    row = student(report)
    share = None if row is None or row.metrics is None else row.metrics.families.get(family)
    return "unmeasured" if share is None else f"{share.k} of {share.n}"


def _gate(report: CheckReport, family: str) -> str:
    """Say what the gate of the lost family found."""
    found: GateResult | None = next((gate for gate in report.gates if gate.key.endswith(f":{family}")), None)
    if found is None:
        return ""
    return f"; gate {found.key} {found.status}: {figure(found)}, limit {limit(found)}"
