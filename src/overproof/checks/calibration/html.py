"""Draw the section: do the confidences mean what they say?"""

from __future__ import annotations

from collections.abc import Mapping

from overproof.checks.calibration.figures import reliability
from overproof.checks.calibration.result import Calibration, CalibrationErrors, ModelCalibration, SwappedThreshold
from overproof.checks.formatting import share_of
from overproof.checks.stats import Bin
from overproof.report import words
from overproof.report.markup import Html, details, figure, many, model, part, pictures, table
from overproof.report.words import count, decimal, interval, percent


def section(data: Calibration) -> Html:
    """Draw the reliability of every model, the figures, and what becomes of the full model's threshold."""
    return many(
        [
            part("Reliability", data.models, _reliability),
            part("The full model's threshold, taken over", data.threshold_drift, _threshold),
        ]
    )


def _reliability(models: Mapping[str, ModelCalibration]) -> Html:
    drawn = pictures(
        figure(reliability(name, found.reliability), model(name)) for name, found in models.items() if found.reliability
    )
    body = []
    for name, found in models.items():
        body.append([model(name), "before", "1", *_errors(found.before)])
        if found.after is not None:
            body.append([model(name), "after", words.figure(found.temperature, "{:.3f}".format), *_errors(found.after)])
    head = ["Model", "Temperature", "T", "ECE, equal width [95 %]", "ECE, equal mass", "ECE by class", "Brier", "NLL"]
    bins = [_bin(name, bin) for name, found in models.items() for bin in found.reliability]
    in_bins = ["Model", "Confidence from", "Events", "Mean confidence", "Right [95 %]"]
    return many(
        [
            drawn,
            table("Calibration errors before and after the temperature", head, body, left=(0, 1)),
            details(
                "Every bin of the pictures",
                table("Events by confidence", in_bins, bins),
            ),
        ]
    )


def _bin(name: str, found: Bin) -> list[str]:
    """Write a bin of the reliability diagram as a row."""
    right = words.figure(found.accuracy) if found.accuracy is None else share_of(found.accuracy, found.count)
    place = f"{found.low:.3g} to {found.high:.3g}"
    return [model(name), place, count(found.count), words.figure(found.confidence), right]


def _errors(errors: CalibrationErrors) -> list[str]:
    rest = (errors.ece_mass, errors.ece_class, errors.brier, errors.nll)
    return [interval(errors.ece_width, decimal), *(words.figure(value, decimal) for value in rest)]


def _threshold(rows: tuple[SwappedThreshold, ...]) -> Html:
    body = [
        [
            percent(row.fpr),
            decimal(row.full_threshold),
            words.figure(row.own_threshold, decimal),
            *(interval(share) for share in (row.fpr_full, row.fpr_swapped, row.tpr_full, row.tpr_swapped)),
        ]
        for row in rows
    ]
    head = [
        "False positives aimed at",
        "Full model's threshold",
        "INT8's own",
        "Flagged by full",
        "by INT8",
        "Detected by full",
        "by INT8",
    ]
    return table("The quantized student behind the full model's threshold [95 %]", head, body)
