"""Draw the section on what events are taken for: the labels that they are given, and where they lie for the student."""

from __future__ import annotations

from overproof.checks.report import confusion, embedding_map
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import section
from overproof.report.markup import Html, box, unmeasured
from overproof.report.not_measured import NotMeasured


def confused(report: CheckOutcome) -> Html:
    """Draw the section."""
    labels, places = report.confusion, report.embedding_map
    table = unmeasured(labels.unmeasured) if isinstance(labels, NotMeasured) else confusion.confusion(labels)
    drawn = (
        unmeasured(f"no map of the embedding: {places.unmeasured}")
        if isinstance(places, NotMeasured)
        else embedding_map.embedding_map(places, report)
    )
    listed = Html() if isinstance(labels, NotMeasured) else confusion.in_figures(labels)
    return section("confused", box(table), box(drawn), listed)
