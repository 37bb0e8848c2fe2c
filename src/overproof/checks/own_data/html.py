"""Draw the section: are these the events that the model will meet?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overproof.checks.own_data.figures import score_histograms
from overproof.checks.own_data.result import (
    Alerts,
    Deciles,
    FieldDrift,
    NumericDrift,
    OwnData,
    RecallAtRate,
    ScoreDrift,
    Split,
)
from overproof.report import words
from overproof.report.markup import Html, beside, code, details, figure, many, model, name, paragraph, part, span, table
from overproof.report.words import NOT_MEASURED, count, decimal, interval, percent

DETECTED = (
    "Attacks detected [95 %] at the threshold that flags so many benign events; "
    "or how many benign events it needs to see that rate"
)


def section(data: OwnData) -> Html:
    """Draw split, drift, scores, rates at low false positives, alerts, and figures by class."""
    return many(
        [
            part("How the events are kept apart", data.split, lambda found: _split(data, found)),
            part("Attack probability: validation and now", data.scores, _scores),
            part("Drift of the fields", data.drift, _drift),
            part("Recall at fixed false-positive rates", data.tpr, lambda found: _recall(data, found)),
            part("Alerts a day", data.alerts, _alerts),
            part("By class and by family", data.classes, lambda _: _classes(data)),
        ]
    )


def _split(data: OwnData, found: Split) -> Html:
    groups = "no group column" if found.groups is None else f"{found.groups:,} groups"
    message = (
        f"{found.events:,} events, {found.marks:,} of them distinct but for case, numbers and identifiers; {groups}. "
        f"{found.alike:,} are like training events: {found.of_group:,} by their group, the others as near-duplicates. "
        f"By chance {found.recurring:,} of {found.validation:,} validation events recur so."
    )
    looks = "They do not look public or simulated."
    if data.published:
        looks = f"They look public or simulated: {data.published}."
    return many([paragraph(message), paragraph(looks, "warning" if data.published else None)])


def _scores(found: ScoreDrift) -> Html:
    caption = (
        f"Hollow: validation events, filled: these. Kolmogorov-Smirnov distance "
        f"{interval(found.distance, decimal)}, p {words.probability(found.p)}; "
        f"among benign events alone {words.figure(found.benign, decimal)}, "
        f"among attacks alone {words.figure(found.attacks, decimal)}."
    )
    body = [
        [f"{low:g} to {high:g}", percent(before), percent(now)]
        for low, high, before, now in zip(found.edges, found.edges[1:], found.validation, found.events, strict=False)
    ]
    shown = table("Share of the events by attack probability", ["Probability", "Validation", "These events"], body)
    return beside(figure(score_histograms(found), caption), shown)


def _drift(rows: Sequence[FieldDrift]) -> Html:
    body = [
        [
            code(row.field),
            f"{decimal(row.distance)} {'KS' if isinstance(row, NumericDrift) else 'TV'}",
            words.probability(row.p_holm),
            _values(row.train),
            _values(row.events),
        ]
        for row in rows
    ]
    head = ["Field", "Distance", "p (Holm)", "Training events", "These events"]
    caption = (
        "KS: Kolmogorov-Smirnov, TV: total variation. Beside it the 10th, 50th and 90th percentile, "
        "or the five commonest values with their shares"
    )
    return table(caption, head, body, left=(0, 3, 4), kind="records drift")


def _values(found: Deciles | Mapping[str, float]) -> Html:
    """Draw percentiles, or the commonest values with their shares."""
    if isinstance(found, Deciles):
        return span(" · ".join(words.figure(p, "{:,.4g}".format) for p in (found.p10, found.p50, found.p90)))
    shares = sorted(found.items(), key=lambda item: -item[1])
    return span(*(span(name(value, 40), f" {percent(share)}", kind="value") for value, share in shares))


def _recall(data: OwnData, rows: Sequence[RecallAtRate]) -> Html:
    models = list(dict.fromkeys(m for row in rows for m in row.models))
    body = []
    for row in rows:
        cells = [f"needs {row.needs:,}"] * len(models)
        if row.supported:
            cells = [interval(row.models[m].tpr) if m in row.models else NOT_MEASURED for m in models]
        body.append([percent(row.fpr), *cells])
    message = "No benign events: no false-positive rate can be shown."
    if data.smallest_fpr is not None:
        message = f"The smallest false-positive rate that these benign events can show is {percent(data.smallest_fpr)}."
    head = ["False positives", *(model(m) for m in models)]
    thresholds = [[percent(row.fpr), *(_cut(row, m) for m in models)] for row in rows if row.supported]
    return many(
        [
            table(DETECTED, head, body),
            paragraph(message, "small"),
            details("Thresholds", table("Attack probability from which an event is flagged", head, thresholds)),
        ]
    )


def _cut(row: RecallAtRate, title: str) -> str:
    found = row.models.get(title)
    return words.figure(None if found is None else found.threshold, decimal)


def _alerts(found: Alerts) -> Html:
    body = [
        ["Events", count(found.events_per_day)],
        ["of them attacks", percent(found.prevalence)],
        ["False alerts", interval(found.false_alerts, count)],
        ["True alerts", interval(found.true_alerts, count)],
        ["Share of the alerts that is true", interval(found.precision)],
    ]
    return table("What the quantized student would report in a day [95 %]", ["A day", "Figure"], body)


def _classes(data: OwnData) -> Html:
    classes = [
        [name(row.name), f"{row.n:,}", model(m), *(interval(figure) for figure in (of.precision, of.recall, of.f1))]
        for row in data.classes
        for m, of in row.models.items()
    ]
    families = [
        [name(row.name), f"{row.n:,}", model(m), interval(of.recall)]
        for row in data.families
        for m, of in row.models.items()
    ]
    by_class = ["Class", "Events", "Model", "Precision", "Recall", "F1"]
    by_family = ["Family", "Events", "Model", "Recall"]
    return many(
        [
            details("Precision, recall and F1 by class", table("By class [95 %]", by_class, classes, left=(0, 2))),
            details("Recall by family", table("By family [95 %]", by_family, families, left=(0, 2))),
        ]
    )
