"""Draw the report as one offline HTML file (`report.offline`)."""

from __future__ import annotations

from overproof.checks import CHECKS
from overproof.checks.escalation.compute import KEY as ESCALATION
from overproof.checks.report import about, top
from overproof.checks.report.closed_gates import closed_gates
from overproof.checks.report.confused import confused
from overproof.checks.report.contents import contents
from overproof.checks.report.equal_rates import equal_rates
from overproof.checks.report.escalation_cost import escalation_cost
from overproof.checks.report.first_screen import verdict
from overproof.checks.report.forest import forest
from overproof.checks.report.gate_table import check_section
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import TEMPLATES
from overproof.report.markup import Html
from overproof.report.offline import page_head
from overproof.report.words import short


def page(report: CheckOutcome) -> str:
    """Draw the whole report."""
    return TEMPLATES.get_template("page.html").render(
        page_head=page_head(f"overproof check: {short(report.bundle.name)}"),
        head=about.head(report),
        verdict=verdict(report),
        contents=contents(report),
        closed_gates=closed_gates(report),
        comparison=top.comparison(report),
        equal_rates=equal_rates(report),
        families=forest(report),
        confused=confused(report),
        uses=top.uses(report),
        sections=_sections(report),
        about=about.foot(report),
    )


def _sections(report: CheckOutcome) -> list[Html]:
    drawn, before = [], 0
    draw = {check.key: check.html for check in CHECKS}
    for place, check in enumerate(report.checks, 1):
        body = draw[check.key](check.data)
        if check.key == ESCALATION:
            body += escalation_cost(report)
        drawn.append(check_section(place, check, body, before))
        before += len(check.gates)
    return drawn
