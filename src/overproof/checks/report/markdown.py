"""Write the report as Markdown for a pull request: verdict, checks, what is closed, and which families lost what."""

from __future__ import annotations

from typing import Any

from overproof.bundle.model_names import in_order
from overproof.checks.attacked import FLOOD
from overproof.checks.base import CheckResult, GateResult
from overproof.checks.report import families, gate_words, red_team, tiers
from overproof.checks.report.comparison import MEASURES, SHORT, notes
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.verdict import ALONE, ESCALATED, NOT
from overproof.report import words
from overproof.report.markdown import code, fold, prose, table
from overproof.results.attack_cases import unlike
from overproof.results.comparison import at_rates

SHORTEST = 5  # edits that are shown
SIGNS = {"passed": "✅", "failed": "❌", "unmeasured": "❔"}
DECISIONS = {ALONE: "✅", ESCALATED: "⚠️", NOT: "❌"}


def to_markdown(report: CheckOutcome) -> str:
    """Write the report as Markdown."""
    parts = [
        _verdict(report),
        table(["Check", "Status", "Gates", "Finding"], [_check(check) for check in report.checks]),
        _closed(report),
        _comparison(report),
        prose(tiers.in_words(report)),
        _lost(report),
        _attacked(report),
        fold("All gates", _gates(report)),
        fold("What it may be used for", _uses(report)),
        fold("What was checked", _about(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(report: CheckOutcome) -> str:
    sign = DECISIONS[report.decision]
    lines = [f"## {sign} overproof check: {prose(report.decision)}", "", prose(report.verdict.sentence)]
    lines += [f"\n> **Note.** {prose(note)}" for note in report.notes]
    return "\n".join(lines)


def _check(check: CheckResult[Any]) -> list[str]:
    state = f"{SIGNS[check.status]} {check.status}"
    return [prose(check.title), state, gate_words.gates(check), prose(check.message)]


def _closed(report: CheckOutcome) -> str:
    if not report.closed:
        return "No gate is closed."
    lines = [f"- {SIGNS[gate.status]} {code(gate.key)}: {prose(gate.message)}" for gate in report.closed]
    return "\n".join(["### Closed gates", "", *lines])


def _comparison(report: CheckOutcome) -> str:
    body = [[prose(row.name), *(measure.words(row) for measure in SHORT)] for row in report.comparison.rows]
    lines = [f"- {prose(line)}" for line in report.comparison.verdict_in_words()[:1]]
    shown = [table(["Model", *(m.title for m in SHORT)], body), *_at_equal_rates(report), *lines]
    return "\n\n".join(["### From full to INT8", *shown])


def _at_equal_rates(report: CheckOutcome) -> list[str]:
    """Write what each model misses at the same false-positive rates."""
    shown = at_rates.tables(report.comparison.operating_points)[:1]
    return [table(["Model", *head[1:]], [[prose(row[0]), *row[1:]] for row in body]) for head, *body in shown]


def _lost(report: CheckOutcome) -> str:
    """Write the families of which the full model alone gets more events right than the student alone."""
    found = families.families_of(report)
    lost = [row for row in found if families.lost(row) > families.gained(row)]
    if not found:
        return ""
    if not lost:
        return "No family lost more events than it gained."
    models = in_order(model for row in lost for model in row.models)
    body = [
        [code(row.name), *(families.share(row, m) for m in models), families.pairs(row), words.interval(row.loss)]
        for row in lost
    ]
    head = ["Family", *map(prose, models), "Lost : gained", "Net loss (95 %)"]
    return "\n\n".join(["### Families that lost events", table(head, body)])


def _attacked(report: CheckOutcome) -> str:
    """Write how much falls to each attack, and the shortest edits that do it."""
    falls, cases = red_team.falls(report), red_team.found_cases(report)
    if not falls:
        return ""
    body = [
        [code(one.objective), prose(one.model), f"{one.of.k:,}/{one.of.n:,}", words.interval(one.of.share)]
        for one in falls
    ]
    edits = [
        [code(case.objective), code(case.family), code(case.original), code(case.edited)]
        for case in unlike([case for case in cases if case.objective != FLOOD])[:SHORTEST]
    ]
    shown = table(["Attack", "Against", "Fall", "Share (95 %)"], body)
    shortest = table(["Attack", "Family", "Event", "Edited"], edits) if edits else ""
    return "\n\n".join(part for part in ("### Under attack", shown, fold("The shortest edits", shortest)) if part)


def _gates(report: CheckOutcome) -> str:
    head = ["Gate", "Status", "Figure (95 %)", "Limit", "Events"]
    return table(head, [_gate(gate) for gate in report.gates])


def _gate(gate: GateResult) -> list[str]:
    state = f"{gate.status}, gate closed" if gate.closed else gate.status
    state = f"{state}, judged by all the same" if gate.waived else state
    figures = (gate_words.figure(gate), gate_words.limit(gate), gate_words.support(gate))
    return [code(gate.key), f"{SIGNS[gate.status]} {state}", *figures]


def _uses(report: CheckOutcome) -> str:
    uses = report.verdict.uses
    body = [[prose(text) for text in (use.use, use.kind, use.answer, use.message)] for use in uses]
    return table(["Use", "In general", "This bundle", "Why"], body) if body else ""


def _about(report: CheckOutcome) -> str:
    events, bundle, rows = report.events, report.bundle, report.comparison.rows
    counts = (
        f"{events.rows:,} rows, {events.attacks:,} attacks, {events.benign:,} benign, {events.unlabelled:,} unlabelled"
    )
    lines = [
        f"bundle {code(bundle.name)}, {code(bundle.precision)}, sha256 {code(bundle.sha256)}",
        f"events: {counts}, from {', '.join(map(code, events.files)) or 'no file'}",
        *(f"skipped {n:,}: {code(why)}" for why, n in events.skipped.items()),
        *(f"{prose(model)} is absent: {prose(why)}" for model, why in report.absent.items()),
        f"overproof {prose(report.overproof)}, seed {report.seed}",
        *(prose(line) for line in notes(rows)),
    ]
    body = [[m.title, *(m.words(row) for row in rows)] for m in MEASURES]
    return "\n\n".join(
        [table(["", *(prose(row.name) for row in rows)], body), "\n".join(f"- {line}" for line in lines)]
    )
