"""Section: are these the events that the model will meet?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.report import words
from overproof.report.bars import scores
from overproof.report.markup import Html, details, el, figure, many, model, name, paragraph, part, table
from overproof.report.reading import at, by_model, entries, number, numbers, rows, string, whole
from overproof.report.words import count, interval, percent

CAUGHT = (
    "Attacks caught [95 %] at the threshold that flags so many benign events; "
    "or how many benign events it needs to see that rate"
)


def own_data(data: Mapping[str, Any]) -> Html:
    """Split, drift, scores, rates at low false positives, alerts, and figures by class."""
    return many(
        [
            part("How the events are kept apart", data.get("split"), lambda found: _split(data, found)),
            part("Attack probability: validation and now", data.get("scores"), _scores),
            part("Drift of the fields", data.get("drift"), _drift),
            part("Recall at fixed false-positive rates", data.get("tpr"), lambda found: _tpr(data, found)),
            part("Alerts a day", data.get("alerts"), _alerts),
            part("By class and by family", data.get("classes"), lambda _: _classes(data)),
        ]
    )


def _split(data: Mapping[str, Any], found: Mapping[str, Any]) -> Html:
    groups = whole(found.get("groups"))
    message = (
        f"Near-duplicates are kept together by {words.short(found.get('by'))}. "
        f"{_count(found, 'events')} events of {_count(found, 'templates')} templates and "
        f"{'no group column' if groups is None else f'{groups:,} groups'}; the template of {_count(found, 'leaked')} "
        "of them is among the training events too."
    )
    published = string(data.get("published"))
    looks = f"They look public or simulated: {published}." if published else "They do not look public or simulated."
    return many([paragraph(message), paragraph(looks, "warning" if published else None)])


def _count(found: Mapping[str, Any], key: str) -> str:
    return words.figure(found.get(key), count)


def _scores(found: Mapping[str, Any]) -> Html:
    alone = {key: interval(found.get(key), words.decimal) for key in ("benign", "attacks")}
    caption = (
        f"Hollow: validation events, filled: these. Kolmogorov-Smirnov distance "
        f"{interval(found.get('distance'), words.decimal)}, p {words.probability(found.get('p'))}; "
        f"among benign events alone {alone['benign']}, among attacks alone {alone['attacks']}."
    )
    edges = numbers(found.get("edges"))
    before, now = numbers(found.get("validation")), numbers(found.get("events"))
    body = [
        [f"{low:g} to {high:g}", percent(a), percent(b)]
        for low, high, a, b in zip(edges, edges[1:], before, now, strict=False)
    ]
    shown = table("Share of the events by attack probability", ["Probability", "Validation", "These events"], body)
    return el("div", figure(scores(found), caption), shown, class_="beside")


def _drift(found: Any) -> Html:
    body = []
    for row in rows(found):
        numeric = row.get("kind") == "numeric"
        distance = f"{words.figure(row.get('distance'), words.decimal)} {'KS' if numeric else 'TV'}"
        body.append(
            [
                el("code", words.short(row.get("field"))),
                distance,
                words.probability(row.get("p_holm")),
                _values(row.get("train"), numeric),
                _values(row.get("events"), numeric),
            ]
        )
    head = ["Field", "Distance", "p (Holm)", "Training events", "These events"]
    caption = (
        "KS: Kolmogorov-Smirnov, TV: total variation. Beside it the 10th, 50th and 90th percentile, "
        "or the five commonest values with their shares"
    )
    return table(caption, head, body, left=(0, 3, 4), kind="records drift")


def _values(value: object, numeric: bool) -> Html:
    """Percentiles, or the commonest values with their shares."""
    found = entries(value)
    if not found:
        return el("span", words.NOT_MEASURED, class_="quiet")
    if numeric:
        return el("span", " · ".join(words.figure(found.get(p), "{:,.4g}".format) for p in ("p10", "p50", "p90")))
    told = sorted(found.items(), key=lambda item: -(number(item[1]) or 0))
    return el(
        "span", *(el("span", name(value, 40), f" {words.figure(share)}", class_="value") for value, share in told[:5])
    )


def _tpr(data: Mapping[str, Any], found: Any) -> Html:
    models = list(by_model({m: 1 for row in rows(found) for m in by_model(row.get("models"))}))
    body = []
    for row in rows(found):
        told = by_model(row.get("models"))
        if row.get("supported"):
            cells = [interval(at(told.get(m), "tpr")) for m in models]
        else:
            cells = [f"needs {words.figure(row.get('needs'), count)}"] * len(models)
        body.append([percent(number(row.get("fpr")) or 0), *cells])
    smallest = number(data.get("smallest_fpr"))
    message = (
        "No benign events: no false-positive rate can be shown."
        if smallest is None
        else f"The smallest false-positive rate that these benign events can show is {percent(smallest)}."
    )
    head = ["False positives", *(model(m) for m in models)]
    thresholds = [
        [
            percent(number(row.get("fpr")) or 0),
            *(words.figure(at(by_model(row.get("models")).get(m), "threshold"), words.decimal) for m in models),
        ]
        for row in rows(found)
        if row.get("supported")
    ]
    return many(
        [
            table(CAUGHT, head, body),
            paragraph(message, "small"),
            details("Thresholds", table("Attack probability from which an event is flagged", head, thresholds)),
        ]
    )


def _alerts(found: Mapping[str, Any]) -> Html:
    body = [
        ["Events", words.figure(found.get("events_per_day"), count)],
        ["of them attacks", words.figure(found.get("prevalence"))],
        ["False alerts", interval(found.get("false"), count)],
        ["True alerts", interval(found.get("true"), count)],
        ["Share of the alerts that is true", interval(found.get("precision"))],
    ]
    return table("What the quantized student would say in a day [95 %]", ["A day", "Figure"], body)


def _classes(data: Mapping[str, Any]) -> Html:
    body = [
        [
            name(row.get("name")),
            words.figure(row.get("n"), count),
            model(m),
            *(interval(at(entry, k)) for k in ("precision", "recall", "f1")),
        ]
        for row in rows(data.get("classes"))
        for m, entry in by_model(row.get("models")).items()
    ]
    families = [
        [name(row.get("name")), words.figure(row.get("n"), count), model(m), interval(at(entry, "recall"))]
        for row in rows(data.get("families"))
        for m, entry in by_model(row.get("models")).items()
    ]
    return many(
        [
            details(
                "Precision, recall and F1 by class",
                table("By class [95 %]", ["Class", "Events", "Model", "Precision", "Recall", "F1"], body, left=(0, 2)),
            ),
            details(
                "Recall by family",
                table("By family [95 %]", ["Family", "Events", "Model", "Recall"], families, left=(0, 2)),
            ),
        ]
    )
