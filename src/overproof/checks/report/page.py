"""The report as one offline HTML file: no network, no font, no script at all.

The policy allows the page's own style by its hash and nothing else, so that whatever an attacker's text might become,
it neither runs nor loads anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from string import Template
from typing import Any

from overproof.checks import boundary, calibration, escalation, held_out, own_data, rare
from overproof.checks.report import about, gate_table, top
from overproof.report.markup import Html, el, many, safe
from overproof.report.reading import checks, entries, rows, string
from overproof.report.words import short
from overproof.results.typed_json import from_json

BODIES: Mapping[str, Callable[[Mapping[str, Any]], Html]] = {
    "own-data": lambda data: own_data.CHECK.html(from_json(own_data.CHECK.data, data)),
    "calibration": lambda data: calibration.CHECK.html(from_json(calibration.CHECK.data, data)),
    "rare": lambda data: rare.CHECK.html(from_json(rare.CHECK.data, data)),
    "boundary": lambda data: boundary.CHECK.html(from_json(boundary.CHECK.data, data)),
    "held-out": lambda data: held_out.CHECK.html(from_json(held_out.CHECK.data, data)),
    "escalation": lambda data: escalation.CHECK.html(from_json(escalation.CHECK.data, data)),
}
ASSETS = files("overproof.checks.report")


def page(data: Mapping[str, Any]) -> str:
    """The whole report.

    Parameters
    ----------
    data
        What `check.json` holds (docs/check-schema.md).
    """
    layout, style = ((ASSETS / f"report.{kind}").read_text("utf-8") for kind in ("html", "css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Template(layout).substitute(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=style,
        title=safe(f"overproof check: {short(entries(data.get('bundle')).get('name'))}"),
        about=about.head(data),
        verdict=top.verdict(data),
        top=many([top.strip(data), top.boxes(data), top.uses(data)]),
        checks=_checks(data),
        foot=about.foot(data),
    )


def _checks(data: Mapping[str, Any]) -> Html:
    drawn, before = [], 0
    for place, check in enumerate(checks(data), 1):
        drawn.append(gate_table.section(place, check, _body(check), before))
        before += len(rows(check.get("gates")))
    return many(drawn)


def _body(check: Mapping[str, Any]) -> Html:
    """What a check measured; of a check that is not known only the findings are shown."""
    draw = BODIES.get(string(check.get("key")))
    if draw is None:
        return el("p", "This version does not know what else this check measured.", class_="quiet")
    return draw(entries(check.get("data")))
