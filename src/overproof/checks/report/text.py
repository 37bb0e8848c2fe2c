"""Write the report as plain text for a terminal; nothing in it can steer one."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.bundle.model_names import BASELINE, FULL, QUANTIZED
from overproof.checks.base import GateResult
from overproof.checks.rare.result import FamilyLoss
from overproof.checks.report import families, gate_words, tiers
from overproof.checks.report.comparison import MEASURES, notes
from overproof.checks.report.outcome import CheckOutcome
from overproof.progress import one_line
from overproof.report import words
from overproof.report.layout import aligned
from overproof.results.comparison import at_rates

LEFT_OUT = "--details prints the messages, the models side by side and the families too; --out DIR keeps them."
NAME = 40  # characters of a name in a table


def summary(report: CheckOutcome) -> str:
    """Write verdict, how each check ended, closed gates and uses: what decides."""
    parts = [part(report) for part in (_verdict, _statuses, _closed, _uses)]
    return "\n\n".join([*(part for part in parts if part), LEFT_OUT])


def render(report: CheckOutcome) -> str:
    """Write verdict, checks, closed gates, the comparison and the families."""
    parts = (_verdict, _statuses, _messages, _closed, _uses, _comparison, tiers.in_words, _families, _missed)
    return "\n\n".join(text for text in (part(report) for part in parts) if text) + "\n"


def _verdict(report: CheckOutcome) -> str:
    lines = [f"{one_line(report.decision).upper()}: {one_line(report.verdict.sentence)}"]
    lines += [f"note: {one_line(note)}" for note in report.notes]
    lines += [f"absent: {one_line(model)}: {one_line(why)}" for model, why in report.absent.items()]
    return "\n".join(lines)


def _statuses(report: CheckOutcome) -> str:
    checks = enumerate(report.checks, 1)
    body = [[f"{i}. {words.short(check.title, NAME)}", check.status, gate_words.gates(check)] for i, check in checks]
    return aligned([["check", "status", "gates"], *body], left=(0, 1, 2))


def _messages(report: CheckOutcome) -> str:
    return "\n".join(f"{i}. {one_line(check.message)}" for i, check in enumerate(report.checks, 1))


def _closed(report: CheckOutcome) -> str:
    if not report.closed:
        return "No gate is closed."
    head = ["closed gates", "status", "figure [95 %]", "limit", "events"]
    return aligned([head, *(_gate(gate) for gate in report.closed)], left=(0, 1))


def _gate(gate: GateResult) -> list[str]:
    figures = (gate_words.figure(gate), gate_words.limit(gate), gate_words.support(gate))
    return [words.short(gate.key, NAME), gate.status, *figures]


def _uses(report: CheckOutcome) -> str:
    body = [[words.short(use.use, 60), words.short(use.kind), words.short(use.answer)] for use in report.verdict.uses]
    return aligned([["use", "in general", "this bundle"], *body], left=(0, 1, 2)) if body else ""


def _comparison(report: CheckOutcome) -> str:
    rows = report.comparison.rows
    head = ["", *(words.short(row.name, NAME) for row in rows)]
    body = [[measure.title, *(measure.words(row) for row in rows)] for measure in MEASURES]
    lines = [one_line(line) for line in (*notes(rows), *report.comparison.verdict_in_words())]
    points = report.comparison.operating_points
    tables = [
        aligned([[words.short(cell, NAME) for cell in line] for line in cells]) for cells in at_rates.tables(points)
    ]
    lines += [one_line(line) for line in at_rates.footnotes(points)]
    return "\n\n".join([aligned([head, *body]), *tables, "\n".join(lines)])


def _families(report: CheckOutcome) -> str:
    """Write the families of which the full model alone, or the student alone, gets some event right."""
    moved = [row for row in families.families_of(report) if families.lost(row) + families.gained(row) > 0]
    if not moved:
        return ""
    models = [model for model in (FULL, QUANTIZED, BASELINE) if any(model in row.models for row in moved)]
    head = ["right, by family", *models, "lost : gained", "net loss [95 %]"]
    return aligned([head, *(_family(row, models) for row in moved)])


def _family(row: FamilyLoss, models: Sequence[str]) -> list[str]:
    shares = [families.share(row, model) for model in models]
    return [words.short(row.name, NAME), *shares, families.pairs(row), words.interval(row.loss)]


def _missed(report: CheckOutcome) -> str:
    """Say how many missed attacks are listed in the report, and where."""
    total = families.missed_by_student(report)
    if not total:
        return ""
    return f"{total:,} attacks that the full model detects and the student misses: see report.html and check.json."
