"""Draw what the page opens with, and decides by: the verdict, three reasons, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.checks.base import FAILED, GateResult
from overproof.checks.gates import DEFAULTS, MARGIN, MEANING_OF_MARGIN
from overproof.checks.report import gate_words
from overproof.checks.report.gate_figure import against_limit
from overproof.checks.report.gate_link import gate_link
from overproof.checks.report.next_steps import Step, steps, worst_first
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import section
from overproof.checks.verdict import ALONE, ESCALATED, NOT
from overproof.report.markup import Html
from overproof.report.words import count, short

DECISIONS = {ALONE: "passed", ESCALATED: "escalate", NOT: "failed"}
REASONS = 3
STEPS = 4  # things to do that stand on the first screen; the others are folded
KEYS = 3  # gates that a thing to do names


@dataclass(frozen=True)
class Reason:
    """A gate that decides: what it holds to its limit, and what it came to."""

    gate: GateResult
    link: Html
    meaning: str
    picture: Html | None
    figures: str


def verdict(report: CheckOutcome) -> Html:
    """Draw the verdict in a line, why, what to do next, and what stands over everything."""
    found = report.verdict
    because = [gate_link(report, key) for key in found.because]
    drawn = [_step(report, step) for step in steps(report)]
    return section(
        "verdict",
        found,
        DECISIONS[found.decision],
        headline(report),
        [_reason(report, gate) for gate in reasons(report)],
        (drawn[:STEPS], drawn[STEPS:]),
        because,
        report.notes,
    )


def headline(report: CheckOutcome) -> str:
    """Say in one line what was decided."""
    failed = sum(gate.status == FAILED for gate in report.closed)
    open_yet = len(report.closed) - failed
    if report.decision == ALONE:
        return "The student may stand in for the full model: no gate is closed."
    if report.decision == ESCALATED:
        return "The student may work with the full model behind it, which decides what the student is not sure of."
    if failed:
        more = f", and {_gates(open_yet)} could not be decided" if open_yet else ""
        return f"The student may not be deployed: {_gates(failed)} failed{more}."
    return f"The student may not be deployed yet: nothing failed, but {_gates(open_yet)} could not be decided."


def reasons(report: CheckOutcome) -> tuple[GateResult, ...]:
    """Choose the gates that say most of why: what closes, the worst first; of what passed what the verdict rests on."""
    known = {gate.key: gate for gate in report.gates}
    because = [known[key] for key in report.verdict.because if key in known]
    closed = worst_first(gate for gate in because if gate.closed)
    others = [gate for gate in because if not gate.closed]
    if report.decision == NOT:
        return (*closed, *others)[:REASONS]
    if report.decision == ESCALATED:
        return (*others[:1], *closed, *others[1:])[:REASONS]
    return tuple(others[::-1])[:REASONS]  # misses and false positives, before on what they were counted


def meaning(key: str) -> str:
    """Say what a gate holds to its limit."""
    base, _, which = key.partition(":")
    said = MEANING_OF_MARGIN.partition(". ")[0] + "." if base == MARGIN else DEFAULTS[base].meaning
    return f"{short(which)}: {said}" if which else said


def _reason(report: CheckOutcome, gate: GateResult) -> Reason:
    link = gate_link(report, gate.key)
    if gate.value is None:
        return Reason(gate, link, meaning(gate.key), None, gate.message)
    events = "" if gate.events is None else f", on {count(gate.events)} events"
    figures = f"{gate_words.figure(gate)}, limit {gate_words.limit(gate)}{events}"
    return Reason(gate, link, meaning(gate.key), against_limit(gate), figures)


def _step(report: CheckOutcome, step: Step) -> Html:
    links = [gate_link(report, gate.key) for gate in step.gates[:KEYS]]
    return section("step", step.text, links, len(step.gates) - len(links))


def _gates(n: int) -> str:
    return f"{n} gate{'' if n == 1 else 's'}"
