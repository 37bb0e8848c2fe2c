"""Compare the full model with the teacher that the bundle was made by: losing nothing against another proves little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from overproof.bundle.scores import Floats
from overproof.checks.base import (
    CONFIDENCE,
    FAILED,
    FULL,
    UNMEASURED,
    AskedAgain,
    Bools,
    CheckContext,
    Gate,
    GateResult,
    Measured,
    decided,
    unmeasured,
)
from overproof.checks.formatting import percent_within
from overproof.checks.rates import answering, numbers, why_not
from overproof.checks.reasons import NO_EVENTS
from overproof.checks.stats import Interval, events_needed, share_within

KEY = "own-data/full-model"
NONE, ALL = Interval(0.0, 0.0, 0.0), Interval(1.0, 1.0, 1.0)
ON_PURPOSE = (
    "to compare with another full model on purpose, write full-model = { limit = 1 } under [own-data] in the gate file"
)


def full_model_gate(context: CheckContext) -> GateResult:
    """Count the validation events that the full model labels otherwise than the teacher did.

    Where too few were asked about, or none, the fingerprints decide, if both are known.
    """
    gate = context.gate(KEY)
    if not len(context.sample) or FULL not in answering(context):
        return unmeasured(KEY, why_not(context, FULL) if len(context.sample) else NO_EVENTS, gate)
    found = _answers(context, gate)
    if found is not None and (found.status != UNMEASURED or not context.same_teacher):
        return found
    if context.same_teacher:
        message = "the full model has the fingerprint of the bundle's teacher"
        return decided(KEY, message, gate, Measured(NONE, len(context.sample)))
    if gate.limit >= 1:
        why = "the full model is not compared with the bundle's teacher, since the gate allows any"
        return replace(unmeasured(KEY, why, gate), waived=True)
    if context.same_teacher is not None:
        message = f"the full model has another fingerprint than the bundle's teacher; {ON_PURPOSE}"
        return decided(KEY, message, gate, Measured(ALL, len(context.sample)))
    why = "nothing tells whether the full model is the bundle's teacher: neither answers of both to the same events "
    return unmeasured(KEY, f"{why}(--evidence) nor two fingerprints; {ON_PURPOSE}", gate)


def _answers(context: CheckContext, gate: Gate) -> GateResult | None:
    """Decide by what both say of the same events; None where nothing is known of that."""
    said, again, training = context.models[FULL].validation, context.teacher_again, context.training
    if said is None or again is None or training is None or not len(again.rows):
        return None
    if not (numbers(again.logits) and numbers(said[again.rows])):
        return unmeasured(KEY, "answers to the validation events hold NaN or infinity", gate)
    units = training.validation_units.take(again.rows)
    other = _otherwise(context, said, again)
    figure = share_within(other, units, CONFIDENCE)
    n, k = len(other), int(other.sum())
    needed = events_needed(gate.limit, (1 + CONFIDENCE) / 2, k) if 0 < gate.limit < 1 and k / n < gate.limit else None
    message = f"of {n:,} validation events the full model labels {k:,} otherwise than the bundle's teacher did: "
    message += percent_within(figure)
    result = decided(KEY, message, gate, Measured(figure, n, needed, units.count))
    if result.status != FAILED:
        return result
    another = "though it has the teacher's fingerprint, it answers otherwise" if context.same_teacher else ON_PURPOSE
    return decided(KEY, f"{message}; {another}", gate, Measured(figure, n, units=units.count))


def _otherwise(context: CheckContext, said: Floats, again: AskedAgain) -> Bools:
    """Say of which events the two give another label, shape (k,)."""
    return np.asarray(context.labels_of(said[again.rows]) != context.labels_of(again.logits))
