"""Draw a gate's figure against its limit."""

from __future__ import annotations

from overproof.checks.base import GateResult
from overproof.checks.report import gate_words
from overproof.report.markup import Html, span
from overproof.report.svg import Rule, line, rect, svg, symbol, text


def against_limit(gate: GateResult) -> Html:
    """Draw a gate's interval and its limit; what lies beyond the limit is shaded."""
    found, limit = gate_words.measured(gate), gate.limit
    if found is None:
        return span("no figure", kind="quiet")
    edge = found.value if limit is None else limit
    low, high = min(0.0, found.low, found.value), max(edge * 1.5, found.high, found.value, 1e-9)
    room = 0.06 * (high - low)
    rule = Rule(low - room if low < 0 else low, high + room)
    drawn = [
        *([] if limit is None else _limit(rule, limit, gate)),
        line(rule.x(0), 3, rule.x(0), 23, "zero"),
        line(rule.x(found.low), 13, rule.x(found.high), 13, f"span {gate.status}"),
        symbol("m-value", rule.x(found.value), 13, f"value {gate.status}"),
    ]
    if limit is None or abs(rule.at(limit) - rule.at(0)) > 21:
        drawn.append(text(rule.x(0), 35, "0", anchor="middle" if low < 0 else "start"))
    description = f"{gate_words.figure(gate)}, limit {gate_words.limit(gate)}: {gate.status}"
    return svg(gate.key, description, drawn, height=38)


def _limit(rule: Rule, limit: float, gate: GateResult) -> list[Html]:
    place = rule.at(limit)
    anchor = "start" if place < 20 else "end" if place > 80 else "middle"
    return [
        rect(rule.x(limit), 3, f"{max(98 - place, 0):.2f}%", 20, "over"),
        line(rule.x(limit), 1, rule.x(limit), 25, "limit"),
        text(rule.x(limit), 35, gate_words.unit(gate)(limit), anchor=anchor),
    ]
