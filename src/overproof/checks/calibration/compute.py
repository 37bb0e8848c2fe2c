"""Check 2, calibration: does confidence mean what it says, and do the full model's thresholds still fit?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overproof.checks import rates
from overproof.checks.base import FULL, QUANTIZED, CheckContext, CheckResult, GateResult, Measured, decided, unmeasured
from overproof.checks.calibration.result import Calibration, CalibrationErrors, ModelCalibration
from overproof.checks.calibration.threshold_drift import threshold_drift
from overproof.checks.formatting import change_within, percent_within
from overproof.checks.interval_width import DRAWS, conservative, events_for, too_few_units
from overproof.checks.stats import Interval, Resampling, bootstrap, brier, classwise_ece, ece, nll, reliability

KEY = "calibration"
ERROR, AGAINST_FULL = f"{KEY}/error", f"{KEY}/against-full"
BINS = 15
LEAST = 200  # labelled events; with so many, chance alone gives a perfectly calibrated model an ECE of about 0.05

Rows = NDArray[np.intp]


def calibration(context: CheckContext) -> CheckResult[Calibration]:
    """Measure the calibration of every model, and the quantized student behind the full model's thresholds."""
    drift, drifted = threshold_drift(context)
    return CheckResult(
        key=KEY,
        title="Calibration",
        question="Does the student's confidence mean what it says, and do the full model's thresholds still fit it?",
        gates=(_error(context), _against_full(context), drift),
        data=Calibration(
            models={model: _model(context, model) for model in rates.answering(context) if _rows(context).any()},
            threshold_drift=drifted,
        ),
    )


def _rows(context: CheckContext) -> NDArray[np.bool_]:
    """Find the labelled events whose class the models know."""
    return np.asarray(context.targets >= 0)


def _temperature(context: CheckContext, model: str) -> float:
    return context.models[model].temperature or 1.0


def _model(context: CheckContext, model: str) -> ModelCalibration:
    temperature = context.models[model].temperature
    sure, right = _judged(context, model, _temperature(context, model))
    return ModelCalibration(
        temperature=temperature,
        before=_errors(context, model, 1.0),
        after=None if temperature is None else _errors(context, model, temperature),
        reliability=tuple(reliability(sure, right, BINS)),
    )


def _errors(context: CheckContext, model: str, temperature: float) -> CalibrationErrors:
    rows = _rows(context)
    probabilities, targets = context.probabilities(model, temperature)[rows], context.targets[rows]
    return CalibrationErrors(
        ece_width=_ece_within(context, model, temperature),
        ece_mass=ece(*_judged(context, model, temperature), BINS, "mass"),
        ece_class=classwise_ece(probabilities, targets, BINS),
        brier=brier(probabilities, targets),
        nll=nll(probabilities, targets),
    )


def _judged(context: CheckContext, model: str, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence and whether it was right, of the events that can be judged."""
    rows = _rows(context)
    sure = context.confidence(model, temperature)[rows]
    return np.minimum(sure, 1.0), context.right(model)[rows]


class _Gaps:
    """Confidence minus correctness of every event, in bins: an ECE of any rows is then one `bincount`."""

    def __init__(self, sure: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
        self.bins = np.maximum(np.searchsorted(np.linspace(0, 1, BINS + 1), sure, side="left") - 1, 0)
        self.gaps = sure - right

    def ece(self, rows: Rows) -> float:
        """As `stats.ece` by width."""
        return float(np.abs(np.bincount(self.bins[rows], self.gaps[rows])).sum() / len(rows))


def _ece_within(context: CheckContext, model: str, temperature: float) -> Interval:
    """ECE in 15 bins of equal width, with its interval.

    An ECE is biased upwards in small samples (Roelofs et al. 2022): that of a perfectly calibrated model is not 0 but
    up to about 0.8 · s · sqrt(15 / n), s being the standard deviation of an answer's correctness. `conservative`
    keeps that from failing a model; with few events it keeps it from passing as well.
    """
    gaps = _Gaps(*_judged(context, model, temperature))
    return conservative(bootstrap(gaps.ece, _redrawn(context)), 0.0)


def _redrawn(context: CheckContext) -> Resampling:
    """Say how events are drawn again: by class, in whole units."""
    units = context.units.take(_rows(context)).coarsest()
    return Resampling(context.targets[_rows(context)], units, DRAWS, context.seed)


def _why_not(context: CheckContext, *models: str) -> str | None:
    """Why an ECE of these models cannot be measured; None where it can."""
    for model in models:
        if model not in rates.answering(context):
            return rates.why_not(context, model)
    if not context.labelled.any():
        return "no event has a label"
    known = context.targets[_rows(context)]
    if not len(known):
        given = next(label for label in context.sample.labels if label is not None)
        return f"no label is one that the models know: “{given}” is none of {', '.join(context.classes)}"
    if len(np.unique(known)) == 1:
        return f"every event is “{context.classes[known[0]]}”: confidence is judged on more than one class"
    if len(known) < LEAST:
        return f"{len(known):,} labelled events, needs {LEAST}"
    return too_few_units(context.units.take(_rows(context)))


def _error(context: CheckContext) -> GateResult:
    gate, n = context.gate(ERROR), int(_rows(context).sum())
    why = _why_not(context, QUANTIZED)
    if why:
        return unmeasured(ERROR, why, gate, events=n, needed=LEAST if n < LEAST else None)
    temperature = context.models[QUANTIZED].temperature
    figure = _ece_within(context, QUANTIZED, _temperature(context, QUANTIZED))
    how = f"at its temperature of {temperature:.3g}" if temperature else "as it is, for no temperature was fitted"
    message = f"the quantized student's confidence is off by {percent_within(figure)} on average (ECE), {how}"
    return _decided(ERROR, message, context, figure, n)


def _against_full(context: CheckContext) -> GateResult:
    """Return the difference of two ECEs on the same rows, drawn again together."""
    gate, n = context.gate(AGAINST_FULL), int(_rows(context).sum())
    why = _why_not(context, FULL, QUANTIZED)
    if why:
        return unmeasured(AGAINST_FULL, why, gate, events=n, needed=LEAST if n < LEAST else None)
    full, student = (_Gaps(*_judged(context, m, _temperature(context, m))) for m in (FULL, QUANTIZED))
    figure = conservative(bootstrap(lambda rows: student.ece(rows) - full.ece(rows), _redrawn(context)))
    bare = [m for m in (FULL, QUANTIZED) if not context.models[m].temperature]
    how = f", no temperature was fitted for: {', '.join(bare)}" if bare else ""
    change = change_within(figure, "higher", "lower")
    message = f"the quantized student's ECE, compared with the full model's, is {change}{how}"
    return _decided(AGAINST_FULL, message, context, figure, n)


def _decided(key: str, message: str, context: CheckContext, figure: Interval, events: int) -> GateResult:
    gate = context.gate(key)
    units = context.units.take(_rows(context)).count
    return decided(key, message, gate, Measured(figure, events, events_for(figure, gate.limit, units), units))
