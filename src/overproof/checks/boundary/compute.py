"""Check 4, the boundary: what does a little change, where the models are least sure?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.checks import rates
from overproof.checks.base import (
    CONFIDENCE,
    DISTILLED,
    FULL,
    QUANTIZED,
    Bools,
    CheckContext,
    CheckResult,
    GateResult,
    Measured,
    Variant,
    decided,
    unmeasured,
)
from overproof.checks.boundary.result import (
    EditFlips,
    FlippedByEdit,
    Flips,
    MarginHistogram,
    NeighbourFlips,
    Robustness,
)
from overproof.checks.formatting import among, change_within, percent, percent_within
from overproof.checks.interval_width import needed_units, too_few_units
from overproof.checks.pairs import share_measured
from overproof.checks.stats import Interval, Units, difference_within, wilson
from overproof.results.typed_json import NotMeasured

KEY = "boundary"
EDITS, NEIGHBOURS, QUANTIZATION = f"{KEY}/edits", f"{KEY}/neighbours", f"{KEY}/quantization"
NEAREST = 200
BINS, REACH = 20, 20.0  # of the histograms of margins; logits beyond are counted in the outermost bins


def nearest(context: CheckContext, count: int = NEAREST) -> NDArray[np.intp]:
    """Find the events nearest to the decision boundary of full or quantized model: rows, shape (at most count,).

    Nearest is the smaller of the two |margins|; equal ones go by row.
    """
    if not len(context.sample) or context.benign_classes.all() or not context.benign_classes.any():
        return np.zeros(0, dtype=np.intp)
    known = [name for name in (FULL, QUANTIZED) if name in context.models]
    margins = np.min([np.abs(context.margin_of(context.models[name].logits)) for name in known], axis=0)
    return np.sort(np.argsort(margins, kind="stable")[:count])


def boundary(context: CheckContext) -> CheckResult[Robustness]:
    """Count verdicts that edits, quantization and neighbouring grid points flip near the boundary."""
    edits, edited = _edits(context)
    neighbours, moved = _neighbours(context)
    quantization, rounded = _quantization(context)
    near = 0 if context.boundary is None else len(context.boundary.rows)
    return CheckResult(
        key=KEY,
        title="Robustness at the boundary",
        question="Near the decision boundary, does a harmless change of the event or its rounding change the verdict?",
        gates=(edits, quantization, neighbours),
        data=Robustness(
            events=near,
            of=len(context.sample),
            margins=_margins(context),
            quantization=rounded,
            edits=edited,
            neighbours=moved,
        ),
    )


def _why_not(context: CheckContext, *models: str) -> str:
    for model in models:
        if model not in rates.answering(context):
            return rates.why_not(context, model)
    if context.boundary is None or not len(context.boundary.rows):
        return "there are no events near a boundary between benign and attack classes"
    return ""


def _flips(context: CheckContext, variants: Sequence[Variant], logits: Mapping[str, Floats]) -> dict[str, Bools]:
    """Say which variants each model calls otherwise than the event they were made of, shape (variants,) each."""
    rows = np.array([variant.row for variant in variants], dtype=np.intp)
    return {
        model: np.asarray(context.flags(logits[model]) != context.detected(model)[rows])
        for model in rates.answering(context)
        if model in logits and rates.numbers(logits[model])
    }


def _edits(context: CheckContext) -> tuple[GateResult, tuple[EditFlips, ...] | NotMeasured]:
    """Count flips by edits beyond the full model's; edits of one event count once."""
    gate, near, why = context.gate(EDITS), context.boundary, _why_not(context, QUANTIZED)
    if near is None or why or not near.variants:
        why = why or "no edit changed an event"
        return unmeasured(EDITS, why, gate), NotMeasured(why)
    flips = _flips(context, near.variants, near.logits)
    if QUANTIZED not in flips:
        why = "the quantized student was not asked about the edited events, or gave NaN or infinity"
        return unmeasured(EDITS, why, gate), NotMeasured(why)
    table, rows = _table(near.variants, flips), [variant.row for variant in near.variants]
    why = "" if FULL in flips else _why_not(context, FULL) or "the full model gives no answer to edited events"
    units = _of_events(context, rows)
    why = why or too_few_units(units) or ""
    if why:
        return unmeasured(EDITS, why, gate, events=len(rows)), table
    beyond = flips[QUANTIZED].astype(np.int8) - flips[FULL]
    apart = difference_within(beyond, units)
    own, full = (percent(float(flips[model].mean())) for model in (QUANTIZED, FULL))
    proved = f"{sum(variant.proved for variant in near.variants):,} of them proved to keep what the event does"
    edits = f"{len(rows):,} edits of {among(len(set(rows)), 'events', units.count)} near the boundary ({proved})"
    message = f"{edits} flip {own} of the student's verdicts and {full} of the full model's: "
    message += change_within(apart, "more", "fewer")

    def bound(times: float) -> Interval:
        return difference_within(beyond, units, CONFIDENCE, times)

    measured = Measured(apart, len(rows), needed_units(bound, gate.limit, units.count), units.count)
    return decided(EDITS, message, gate, measured), table


def _of_events(context: CheckContext, rows: Sequence[int]) -> Units:
    """Return how edits hang together: those of one event do, and those of events that do."""
    return Units.of(len(rows), *(way[rows].tolist() for way in context.units.ways), rows)


def _table(variants: Sequence[Variant], flips: Mapping[str, Bools]) -> tuple[EditFlips, ...]:
    """Count verdicts flipped by each kind of edit, in the order of the kinds' first variants."""
    kinds = np.array([variant.kind for variant in variants], dtype=object)
    rows = []
    for kind, proved in {variant.kind: variant.proved for variant in variants}.items():
        n = int((kinds == kind).sum())
        flipped = {model: int(flips[model][kinds == kind].sum()) for model in flips}
        shares = {model: FlippedByEdit(k, wilson(k, n)) for model, k in flipped.items()}
        rows.append(EditFlips(kind, proved, n, shares))
    return tuple(rows)


def _quantization(context: CheckContext) -> tuple[GateResult, Flips | NotMeasured]:
    gate, near, why = context.gate(QUANTIZATION), context.boundary, _why_not(context, QUANTIZED, DISTILLED)
    if near is None or why:
        return unmeasured(QUANTIZATION, why, gate), NotMeasured(why)
    flipped = (context.detected(QUANTIZED) != context.detected(DISTILLED))[near.rows]
    return _share(QUANTIZATION, flipped, context, "quantization flips {} of {} verdicts near the boundary")


def _neighbours(context: CheckContext) -> tuple[GateResult, NeighbourFlips | NotMeasured]:
    gate, near, why = context.gate(NEIGHBOURS), context.boundary, _why_not(context, QUANTIZED)
    if near is not None and not why:
        if near.neighbours is None or not len(near.neighbours):
            why = near.why_not or "neighbouring grid points were not tried"
        elif not np.isfinite(near.neighbours.max(axis=-1)).all():
            why = "the student's scores at neighbouring grid points hold NaN or infinity"
    if near is None or near.neighbours is None or why:
        return unmeasured(NEIGHBOURS, why, gate), NotMeasured(why)
    flipped = (context.flags(near.neighbours) != context.detected(QUANTIZED)[near.rows]).any(axis=0)
    draws = len(near.neighbours)
    message = "{} of {} verdicts near the boundary change where activations are rounded to the next grid point instead"
    result, flips = _share(NEIGHBOURS, flipped, context, f"{message} ({draws} ways tried)")
    return result, NeighbourFlips(draws, flips.n, flips.k, flips.share)


def _share(key: str, flipped: Bools, context: CheckContext, message: str) -> tuple[GateResult, Flips]:
    near, gate = context.boundary, context.gate(key)
    assert near is not None
    k, n = int(flipped.sum()), len(flipped)
    measured = share_measured(flipped, context.units.take(near.rows), gate.limit)
    result = decided(key, f"{message.format(k, n)}: {percent_within(measured.figure)}", gate, measured)
    return result, Flips(n, k, measured.figure)


def _margins(context: CheckContext) -> dict[str, MarginHistogram]:
    """Count every model's margins, attack side positive, over all events."""
    if context.benign_classes.all() or not context.benign_classes.any():
        return {}
    edges = np.linspace(-REACH, REACH, BINS + 1)
    found = {}
    for model in rates.answering(context):
        margins = np.clip(context.margin_of(context.models[model].logits), -REACH, REACH)
        found[model] = MarginHistogram(tuple(edges.tolist()), tuple(np.histogram(margins, edges)[0].tolist()))
    return found
