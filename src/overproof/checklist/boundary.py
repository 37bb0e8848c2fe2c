"""Check 4, the boundary: what a little changes, where the models are least sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checklist import rates
from overproof.checklist.interface import (
    DISTILLED,
    FULL,
    QUANTIZED,
    Bools,
    Boundary,
    Evidence,
    Finding,
    Known,
    decided,
    unmeasured,
)
from overproof.checklist.pairs import needed_for_share
from overproof.checklist.phrases import percent, percent_within
from overproof.checklist.spread import LEAST_GROUPS, events_for
from overproof.checklist.stats import Interval, bootstrap, clopper_pearson, tango, wilson

KEY = "boundary"
EDITS, NEIGHBOURS, QUANTIZATION = f"{KEY}/edits", f"{KEY}/neighbours", f"{KEY}/quantization"
NEAREST = 200
BINS, REACH = 20, 20.0  # of the histograms of margins; logits beyond are counted in the outermost bins
DRAWS = 1000

Part = tuple[Finding, Any]


def nearest(evidence: Evidence, count: int = NEAREST) -> NDArray[np.intp]:
    """Rows of the events nearest to the decision boundary of full model or quantized student, shape (at most count,).

    Nearest is the smaller of the two |margins|; equal ones go by row.
    """
    if not len(evidence.sample) or evidence.harmless.all() or not evidence.harmless.any():
        return np.zeros(0, dtype=np.intp)
    known = [name for name in (FULL, QUANTIZED) if name in evidence.models]
    margins = np.min([np.abs(evidence.margin_of(evidence.models[name].logits)) for name in known], axis=0)
    return np.sort(np.argsort(margins, kind="stable")[:count])


def boundary(evidence: Evidence) -> Known:
    """Count verdicts that harmless edits, quantization and neighbouring grid points flip near the boundary."""
    edits, edited = _edits(evidence)
    neighbours, moved = _neighbours(evidence)
    quantization, rounded = _quantization(evidence)
    near = 0 if evidence.boundary is None else len(evidence.boundary.rows)
    return Known(
        key=KEY,
        title="Robustness at the boundary",
        question="Near the decision boundary, does a harmless change of the event or its rounding change the verdict?",
        findings=(edits, quantization, neighbours),
        data={
            "events": near,
            "of": len(evidence.sample),
            "margins": _margins(evidence),
            "quantization": rounded,
            "edits": edited,
            "neighbours": moved,
        },
    )


def _why_not(evidence: Evidence, *models: str) -> str:
    for model in models:
        if model not in rates.answering(evidence):
            return rates.why_not(evidence, model)
    if evidence.boundary is None or not len(evidence.boundary.rows):
        return "there are no events near a boundary between benign and attack classes"
    return ""


def _flips(evidence: Evidence, near: Boundary, model: str) -> Bools:
    """Which variants a model calls otherwise than the event they were made of, shape (variants,)."""
    rows = np.array([variant.row for variant in near.variants], dtype=np.intp)
    return np.asarray(evidence.flags(near.logits[model]) != evidence.caught(model)[rows])


def _edits(evidence: Evidence) -> Part:
    """Flips by harmless edits beyond those of the full model; edits of one event stay together in the bootstrap."""
    gate, near, why = evidence.gate(EDITS), evidence.boundary, _why_not(evidence, QUANTIZED)
    if near is None or why or not near.variants:
        why = why or "no edit changed an event"
        return unmeasured(EDITS, why, gate), {"unmeasured": why}
    flips = {model: _flips(evidence, near, model) for model in rates.answering(evidence) if _asked(near, model)}
    if QUANTIZED not in flips:
        why = "the quantized student was not asked about the edited events, or gave NaN or infinity"
        return unmeasured(EDITS, why, gate), {"unmeasured": why}
    table, rows = _table(near, flips), [variant.row for variant in near.variants]
    why = "" if FULL in flips else _why_not(evidence, FULL) or "the full model gives no answer to edited events"
    if not why and len(set(rows)) < LEAST_GROUPS:
        why = f"{len(rows)} edits of {len(set(rows))} events near the boundary, needs {LEAST_GROUPS} events"
    if why:
        return unmeasured(EDITS, why, gate, events=len(rows)), table
    beyond = flips[QUANTIZED].astype(np.float64) - flips[FULL]
    drawn = bootstrap(
        lambda some: float(beyond[some].mean()),
        strata=np.zeros(len(beyond)),
        clusters=rows,
        draws=DRAWS,
        seed=evidence.seed,
    )
    plain = tango(int((beyond > 0).sum()), int((beyond < 0).sum()), len(beyond))
    apart = Interval(plain.value, min(plain.low, drawn.low), max(plain.high, drawn.high))
    own, full = (percent(float(flips[model].mean())) for model in (QUANTIZED, FULL))
    said = (
        f"{len(rows):,} harmless edits of {len(set(rows)):,} events near the boundary flip {own} of the student's "
        f"verdicts and {full} of the full model's: {percent_within(apart)} more"
    )
    figure, needed = (apart.value, apart.low, apart.high), events_for(apart, gate.limit, len(rows))
    return decided(EDITS, said, gate, figure, events=len(rows), needed=needed), table


def _asked(near: Boundary, model: str) -> bool:
    """Whether a model answered about the edited events, in numbers."""
    return model in near.logits and rates.numbers(near.logits[model])


def _table(near: Boundary, flips: Mapping[str, Bools]) -> list[dict[str, Any]]:
    """Verdicts flipped by each kind of edit, in the order of the kinds' first variants."""
    kinds = np.array([variant.kind for variant in near.variants], dtype=object)
    rows = []
    for kind in dict.fromkeys(kinds):
        n = int((kinds == kind).sum())
        flipped = {model: int(flips[model][kinds == kind].sum()) for model in flips}
        models = {model: {"k": k, "share": wilson(k, n).to_json()} for model, k in flipped.items()}
        rows.append({"kind": kind, "n": n, "models": models})
    return rows


def _quantization(evidence: Evidence) -> Part:
    gate, near, why = evidence.gate(QUANTIZATION), evidence.boundary, _why_not(evidence, QUANTIZED, DISTILLED)
    if near is None or why:
        return unmeasured(QUANTIZATION, why, gate), {"unmeasured": why}
    flipped = (evidence.caught(QUANTIZED) != evidence.caught(DISTILLED))[near.rows]
    return _share(QUANTIZATION, flipped, evidence, "quantization flips {} of {} verdicts near the boundary")


def _neighbours(evidence: Evidence) -> Part:
    gate, near, why = evidence.gate(NEIGHBOURS), evidence.boundary, _why_not(evidence, QUANTIZED)
    if near is not None and not why:
        if near.neighbours is None or not len(near.neighbours):
            why = near.why_not or "neighbouring grid points were not tried"
        elif not np.isfinite(near.neighbours.max(axis=-1)).all():
            why = "the student's scores at neighbouring grid points hold NaN or infinity"
    if near is None or near.neighbours is None or why:
        return unmeasured(NEIGHBOURS, why, gate), {"unmeasured": why}
    flipped = (evidence.flags(near.neighbours) != evidence.caught(QUANTIZED)[near.rows]).any(axis=0)
    draws = len(near.neighbours)
    said = "{} of {} verdicts near the boundary change where activations are rounded to the next grid point instead"
    finding, told = _share(NEIGHBOURS, flipped, evidence, f"{said} ({draws} ways tried)")
    return finding, {"draws": draws, **told}


def _share(key: str, flipped: Bools, evidence: Evidence, said: str) -> Part:
    k, n, gate = int(flipped.sum()), len(flipped), evidence.gate(key)
    figure = clopper_pearson(k, n)
    finding = decided(
        key,
        f"{said.format(k, n)}: {percent_within(figure)}",
        gate,
        (figure.value, figure.low, figure.high),
        events=n,
        needed=needed_for_share(k, n, gate.limit),
    )
    return finding, {"n": n, "k": k, "share": figure.to_json()}


def _margins(evidence: Evidence) -> dict[str, Any]:
    """Histograms of every model's margins, attack side positive, over all events."""
    if evidence.harmless.all() or not evidence.harmless.any():
        return {}
    edges = np.linspace(-REACH, REACH, BINS + 1)
    return {
        model: {
            "edges": edges.tolist(),
            "counts": np.histogram(np.clip(evidence.margin_of(evidence.models[model].logits), -REACH, REACH), edges)[
                0
            ].tolist(),
        }
        for model in rates.answering(evidence)
    }
