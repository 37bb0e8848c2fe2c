"""Fill the page's own templates (templates/sections.html)."""

from __future__ import annotations

from overproof.checks.report import gate_words
from overproof.report import markup, words
from overproof.report.markup import Html
from overproof.report.templating import environment


def anchor(place: int) -> str:
    """Return where a gate stands on the page: the page's own name for it, none from outside."""
    return f"gate-{place}"


TEMPLATES = environment("overproof.checks.report")
TEMPLATES.globals.update(
    anchor=anchor,
    code=markup.code,
    count=words.count,
    icon=markup.icon,
    name=markup.name,
    prose=markup.prose,
    short=words.short,
    tag=markup.tag,
    tally=gate_words.tally,
)
SECTIONS = TEMPLATES.get_template("sections.html").module


def section(macro: str, *values: object) -> Html:
    """Fill one of the templates."""
    return Html(getattr(SECTIONS, macro)(*values))
