"""Draw the report as one offline HTML file: no network, no font, no script at all.

The policy allows the page's own style by its hash and nothing else, so that whatever an attacker's text might become,
it neither runs nor loads anything.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from overproof.checks import CHECKS
from overproof.checks.report import about, top
from overproof.checks.report.equal_rates import equal_rates
from overproof.checks.report.gate_table import check_section
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import TEMPLATES
from overproof.report.markup import Html
from overproof.report.words import short

STYLE = files("overproof.checks.report") / "templates" / "report.css"


def page(report: CheckOutcome) -> str:
    """Draw the whole report."""
    style = STYLE.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return TEMPLATES.get_template("page.html").render(
        policy=Html(f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"),
        style=Html(style),
        title=f"overproof check: {short(report.bundle.name)}",
        head=about.head(report),
        verdict=top.verdict(report),
        comparison=top.comparison(report),
        equal_rates=equal_rates(report),
        boxes=top.boxes(report),
        uses=top.uses(report),
        sections=_sections(report),
        about=about.foot(report),
    )


def _sections(report: CheckOutcome) -> list[Html]:
    drawn, before = [], 0
    draw = {check.key: check.html for check in CHECKS}
    for place, check in enumerate(report.checks, 1):
        drawn.append(check_section(place, check, draw[check.key](check.data), before))
        before += len(check.gates)
    return drawn
