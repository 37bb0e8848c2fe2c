"""Write two compared checks as text: a line that decides, what closed and opened, the student, the families."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.checks.base import GateResult
from overproof.checks.report import gate_words
from overproof.checks.report.compared import Compared, GateChange, student
from overproof.checks.report.comparison import MEASURES
from overproof.progress import one_line
from overproof.report import words
from overproof.report.layout import aligned

NAME = 40  # characters of a name in a table
FAMILIES = 8  # that are listed
Cells = list[list[str]]


def headline(found: Compared) -> str:
    """Say in a line whether it is worse."""
    opened = sum(gate.change == "opened" for gate in found.gates)
    decisions = f"{found.before.decision} before, {found.after.decision} now"
    gates = f"{_counted(len(found.closed))} closed that {'was' if len(found.closed) == 1 else 'were'} not"
    return f"{'NOT WORSE' if found.passed else 'WORSE'}: {decisions}; {gates}, {_counted(opened)} opened"


def render(found: Compared) -> str:
    """Write it; nothing in it can steer a terminal."""
    count = len(found.bundle)
    told = [f"the bundles differ in {count} files and entries (--json, --html)" if count else "the bundle is the same"]
    if found.conditions:
        told.append("\n".join(["what else is not the same:", *(f"  {one_line(line)}" for line in found.conditions)]))
    tables = [aligned(cells, left=(0, 1, 2, 3)) for cells in tables_of(found)]
    return "\n\n".join([headline(found), *told, *tables, RULE])


RULE = "worse, better: the two 95 % intervals lie apart; where they do not, nothing is shown either way."


def tables_of(found: Compared) -> list[Cells]:
    """Write gates, student and families as tables, each with its head first; what has no rows is left out."""
    tables = [gates(found), figures(found), families(found)]
    return [cells for cells in tables if len(cells) > 1]


def gates(found: Compared) -> Cells:
    """List the gates that closed or opened, that are closed still, or whose figure moved."""
    rows = [
        gate
        for gate in found.gates
        if gate.change in ("closed", "opened") or gate.moved in ("worse", "better") or _closed(gate)
    ]
    head = ["gate", "before [95 %]", "now [95 %]", "change"]
    return [head, *([words.short(g.key, NAME), _came(g.before), _came(g.after), _said(g)] for g in rows)]


def figures(found: Compared) -> Cells:
    """List the figures of the quantized student, before and now."""
    was, now = student(found.before), student(found.after)
    if was is None or now is None:
        return []
    return [["student", "before", "now"], *([m.title, m.words(was), m.words(now)] for m in MEASURES)]


def families(found: Compared) -> Cells:
    """List the families that moved, then those of which most is lost."""
    rows = [row for row in found.families if row.before or row.after][:FAMILIES]
    head = ["net loss, by family", "before [95 %]", "now [95 %]", "change"]
    return [
        head,
        *([words.short(r.name, NAME), words.interval(r.before), words.interval(r.after), r.moved] for r in rows),
    ]


def _closed(gate: GateChange) -> bool:
    return gate.after is not None and gate.after.closed


def _came(gate: GateResult | None) -> str:
    if gate is None:
        return "no such gate"
    return gate.status if gate.value is None else f"{gate.status} {gate_words.figure(gate)}"


def _said(gate: GateChange) -> str:
    state = "closed still" if gate.change == "same" and _closed(gate) else gate.change
    parts: Sequence[str] = [
        part for part in (state, gate.moved) if part not in ("same", "not measured", "no difference shown")
    ]
    return ", ".join(parts)


def _counted(n: int) -> str:
    return f"{n} gate{'' if n == 1 else 's'}"
