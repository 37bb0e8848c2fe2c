"""Section: do the confidences mean what they say?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overproof.report import words
from overproof.report.curves import reliability
from overproof.report.markup import Html, details, figure, many, model, part, pictures, table
from overproof.report.reading import at, by_model, number, rows
from overproof.report.words import count, decimal, interval, percent


def calibration(data: Mapping[str, Any]) -> Html:
    """Reliability of every model, the figures, and what becomes of the full model's threshold."""
    return many(
        [
            part("Reliability", data.get("models"), _reliability),
            part("The full model's threshold, taken over", data.get("threshold_drift"), _threshold),
        ]
    )


def _reliability(found: Any) -> Html:
    models = by_model(found)
    drawn = pictures(
        figure(reliability(m, at(entry, "reliability")), model(m))
        for m, entry in models.items()
        if rows(at(entry, "reliability"))
    )
    body = []
    for m, entry in models.items():
        for when, key in (("before", "before"), ("after", "after")):
            told = at(entry, key)
            if told is None and key == "after":
                continue
            temperature = "1" if key == "before" else words.figure(at(entry, "temperature"), "{:.3f}".format)
            body.append([model(m), when, temperature, *_figures(told)])
    head = ["Model", "Temperature", "T", "ECE, equal width [95 %]", "ECE, equal mass", "ECE by class", "Brier", "NLL"]
    bins = [
        [model(m), f"{_edge(row, 'low')} to {_edge(row, 'high')}", words.figure(row.get("count"), count)]
        + [words.figure(row.get(k)) for k in ("confidence", "accuracy")]
        for m, entry in models.items()
        for row in rows(at(entry, "reliability"))
    ]
    return many(
        [
            drawn,
            table("Calibration errors before and after the temperature", head, body, left=(0, 1)),
            details(
                "Every bin of the pictures",
                table("Events by confidence", ["Model", "Confidence from", "Events", "Mean confidence", "Right"], bins),
            ),
        ]
    )


def _figures(told: object) -> list[str]:
    rest = [words.figure(at(told, name), decimal) for name in ("ece_mass", "ece_class", "brier", "nll")]
    return [interval(at(told, "ece_width"), decimal), *rest]


def _edge(row: Mapping[str, Any], key: str) -> str:
    found = number(row.get(key))
    return "?" if found is None else f"{found:.3g}"


def _threshold(found: Any) -> Html:
    body = [
        [
            percent(number(row.get("fpr")) or 0),
            words.figure(row.get("full_threshold"), decimal),
            words.figure(row.get("own_threshold"), decimal),
            *(interval(row.get(name)) for name in ("fpr_full", "fpr_swapped", "tpr_full", "tpr_swapped")),
        ]
        for row in rows(found)
    ]
    head = [
        "False positives aimed at",
        "Full model's threshold",
        "INT8's own",
        "Flagged by full",
        "by INT8",
        "Caught by full",
        "by INT8",
    ]
    return table("The quantized student behind the full model's threshold [95 %]", head, body)
