"""Draw the models at the same false-positive rate: what each misses, who wins, and their ROC and DET curves."""

from __future__ import annotations

from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.roc import curve_rows, det, roc
from overproof.checks.report.sections import section
from overproof.report.markup import Html, beside, box, details, figure, legend, many, model, name, span, table
from overproof.results.comparison import at_rates

ROC = (
    "ROC: attacks detected against benign events flagged, the latter logarithmic. Marks are the operating points of "
    "the table, dotted lines the false-positive rates; a share of 0 is drawn at the axis' end."
)
DET = "DET: attacks missed against benign events flagged, both logarithmic; further left and down is better."


def equal_rates(report: CheckOutcome) -> Html:
    """Draw the section."""
    points = report.comparison.operating_points
    drawn = [draw(cells) for draw, cells in zip((_models, _families), at_rates.tables(points), strict=False)]
    lines = at_rates.in_words(points), at_rates.footnotes(points)
    return section("equal_rates", *_pictures(report), many(drawn), *lines)


def _models(cells: at_rates.Cells) -> Html:
    head, *body = cells
    caption = "Attacks missed, each model behind its own threshold from validation events, and the rate achieved here"
    return table(caption, ["", *head[1:]], [[span(model(row[0])), *row[1:]] for row in body])


def _families(cells: at_rates.Cells) -> Html:
    head, *body = cells
    caption = f"{head[0].capitalize()}; the intervals are not corrected for the number of families"
    shown = table(caption, ["Family", *head[1:]], [[name(row[0]), *row[1:]] for row in body])
    return details(f"{head[0].capitalize()}, by family", shown)


def _pictures(report: CheckOutcome) -> tuple[Html, Html]:
    """Draw the curves; those of DET, and some points of either, are folded. Nothing where there are none."""
    if not report.curves:
        return Html(), Html()
    points = report.comparison.operating_points
    drawn = box(legend(report.curves), figure(roc(report.curves, points), ROC))
    benign = next(iter(report.curves.values())).benign
    head = ["Benign flagged at most", *(span(model(curve)) for curve in report.curves)]
    caption = f"Attacks missed [95 %], and how many of {benign:,} benign events are flagged there"
    listed = table(caption, head, curve_rows(report.curves))
    other = figure(det(report.curves, points), DET)
    return drawn, details("DET curves, and the curves in figures", beside(other, listed))
