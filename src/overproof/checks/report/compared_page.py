"""Draw two compared checks as one offline page."""

from __future__ import annotations

from overproof.checks.report.compared import Compared
from overproof.checks.report.compared_text import RULE, families, figures, gates, headline
from overproof.checks.report.sections import TEMPLATES
from overproof.report.markup import Html, name, table
from overproof.report.offline import page_head

LEFT = (0, 1, 2, 3)


def compared_page(found: Compared) -> str:
    """Draw the whole page."""
    return TEMPLATES.get_template("compared.html").render(
        page_head=page_head("overproof: two checks compared"),
        kind="passed" if found.passed else "failed",
        headline=headline(found),
        found=found,
        rule=RULE,
        tables=[_drawn(title, cells) for title, cells in _tables(found).items() if len(cells) > 1],
    )


def _tables(found: Compared) -> dict[str, list[list[str]]]:
    return {
        "Gates that changed, or are closed still": gates(found),
        "The student, before and now": figures(found),
        "What each family loses": families(found),
    }


def _drawn(title: str, cells: list[list[str]]) -> Html:
    head, *body = cells
    rows = [[name(row[0]), *row[1:]] for row in body]
    return table(title, [part.capitalize() for part in head], rows, left=LEFT[: len(head)], kind="records")
