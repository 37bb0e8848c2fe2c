"""Check 2, calibration: whether confidence means what it says, and whether the full model's thresholds still fit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checklist import rates
from overproof.checklist.interface import FULL, QUANTIZED, Evidence, Finding, Known, decided, unmeasured
from overproof.checklist.phrases import percent_within
from overproof.checklist.spread import DRAWS, clusters_of, conservative, events_for, too_few_groups
from overproof.checklist.stats import (
    Interval,
    bootstrap,
    brier,
    classwise_ece,
    ece,
    nll,
    reliability,
)
from overproof.checklist.threshold_drift import threshold_drift

KEY = "calibration"
ERROR, AGAINST_FULL = f"{KEY}/error", f"{KEY}/against-full"
BINS = 15
LEAST = 200  # labelled events; with so many, chance alone gives a perfectly calibrated model an ECE of about 0.05

Rows = NDArray[np.intp]


def calibration(evidence: Evidence) -> Known:
    """Measure the calibration of every model, and the quantized student behind the full model's thresholds."""
    drift, drifted = threshold_drift(evidence)
    return Known(
        key=KEY,
        title="Calibration",
        question="Does the student's confidence mean what it says, and do the full model's thresholds still fit it?",
        findings=(_error(evidence), _against_full(evidence), drift),
        data={
            "models": {model: _model(evidence, model) for model in rates.answering(evidence) if _rows(evidence).any()},
            "threshold_drift": drifted,
        },
    )


def _rows(evidence: Evidence) -> NDArray[np.bool_]:
    """The labelled events whose class the models know."""
    return np.asarray(evidence.targets >= 0)


def _temperature(evidence: Evidence, model: str) -> float:
    return evidence.models[model].temperature or 1.0


def _model(evidence: Evidence, model: str) -> dict[str, Any]:
    temperature = evidence.models[model].temperature
    sure, right = _judged(evidence, model, _temperature(evidence, model))
    return {
        "temperature": temperature,
        "before": _figures(evidence, model, 1.0),
        "after": None if temperature is None else _figures(evidence, model, temperature),
        "reliability": [asdict(b) for b in reliability(sure, right, BINS)],
    }


def _figures(evidence: Evidence, model: str, temperature: float) -> dict[str, Any]:
    rows = _rows(evidence)
    probabilities, targets = evidence.probabilities(model, temperature)[rows], evidence.targets[rows]
    return {
        "ece_width": _ece_within(evidence, model, temperature).to_json(),
        "ece_mass": ece(*_judged(evidence, model, temperature), BINS, "mass"),
        "ece_class": classwise_ece(probabilities, targets, BINS),
        "brier": brier(probabilities, targets),
        "nll": nll(probabilities, targets),
    }


def _judged(evidence: Evidence, model: str, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence and whether it was right, of the events that can be judged."""
    rows = _rows(evidence)
    sure = evidence.probabilities(model, temperature)[rows].max(axis=1).astype(np.float64)
    return np.minimum(sure, 1.0), evidence.right(model)[rows]


class _Gaps:
    """Confidence minus correctness of every event, in bins: an ECE of any rows is then one `bincount`."""

    def __init__(self, sure: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
        self.bins = np.maximum(np.searchsorted(np.linspace(0, 1, BINS + 1), sure, side="left") - 1, 0)
        self.gaps = sure - right

    def ece(self, rows: Rows) -> float:
        """As `stats.ece` by width."""
        return float(np.abs(np.bincount(self.bins[rows], self.gaps[rows])).sum() / len(rows))


def _ece_within(evidence: Evidence, model: str, temperature: float) -> Interval:
    """ECE in 15 bins of equal width, with its interval.

    An ECE is biased upwards in small samples (Roelofs et al. 2022): that of a perfectly calibrated model is not 0 but
    up to about 0.8 · s · sqrt(15 / n), s being the standard deviation of an answer's correctness. `conservative`
    keeps that from failing a model; with few events it keeps it from passing as well.
    """
    gaps = _Gaps(*_judged(evidence, model, temperature))
    return conservative(bootstrap(gaps.ece, **_drawn(evidence)), 0.0)


def _drawn(evidence: Evidence) -> dict[str, Any]:
    """How events are drawn again: by class, in whole groups."""
    return {
        "strata": evidence.targets[_rows(evidence)],
        "clusters": clusters_of(_groups(evidence)),
        "draws": DRAWS,
        "seed": evidence.seed,
    }


def _groups(evidence: Evidence) -> list[str | None]:
    return [group for group, known in zip(evidence.sample.groups, _rows(evidence), strict=True) if known]


def _why_not(evidence: Evidence, *models: str) -> str | None:
    """Why an ECE of these models cannot be measured; None where it can."""
    for model in models:
        if model not in rates.answering(evidence):
            return rates.why_not(evidence, model)
    if not evidence.labelled.any():
        return "no event has a label"
    known = evidence.targets[_rows(evidence)]
    if not len(known):
        given = next(label for label in evidence.sample.labels if label is not None)
        return f"no label is one that the models know: “{given}” is none of {', '.join(evidence.classes)}"
    if len(np.unique(known)) == 1:
        return f"every event is “{evidence.classes[known[0]]}”: confidence is judged on more than one class"
    if len(known) < LEAST:
        return f"{len(known):,} labelled events, needs {LEAST}"
    return too_few_groups(_groups(evidence))


def _error(evidence: Evidence) -> Finding:
    gate, n = evidence.gate(ERROR), int(_rows(evidence).sum())
    why = _why_not(evidence, QUANTIZED)
    if why:
        return unmeasured(ERROR, why, gate, events=n, needed=LEAST if n < LEAST else None)
    temperature = evidence.models[QUANTIZED].temperature
    figure = _ece_within(evidence, QUANTIZED, _temperature(evidence, QUANTIZED))
    how = f"at its temperature of {temperature:.3g}" if temperature else "as it is, for no temperature was fitted"
    said = f"the quantized student's confidence is off by {percent_within(figure)} on average (ECE), {how}"
    return _decided(ERROR, said, evidence, figure, n)


def _against_full(evidence: Evidence) -> Finding:
    """The difference of two ECEs on the same rows, drawn again together."""
    gate, n = evidence.gate(AGAINST_FULL), int(_rows(evidence).sum())
    why = _why_not(evidence, FULL, QUANTIZED)
    if why:
        return unmeasured(AGAINST_FULL, why, gate, events=n, needed=LEAST if n < LEAST else None)
    full, student = (_Gaps(*_judged(evidence, m, _temperature(evidence, m))) for m in (FULL, QUANTIZED))
    figure = conservative(bootstrap(lambda rows: student.ece(rows) - full.ece(rows), **_drawn(evidence)))
    bare = [m for m in (FULL, QUANTIZED) if not evidence.models[m].temperature]
    how = f", no temperature was fitted for: {', '.join(bare)}" if bare else ""
    said = f"the quantized student's ECE minus the full model's is {percent_within(figure)}{how}"
    return _decided(AGAINST_FULL, said, evidence, figure, n)


def _decided(key: str, said: str, evidence: Evidence, figure: Interval, events: int) -> Finding:
    gate = evidence.gate(key)
    ends = (figure.value, figure.low, figure.high)
    return decided(key, said, gate, ends, events=events, needed=events_for(figure, gate.limit, events))
